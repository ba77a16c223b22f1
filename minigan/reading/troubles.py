"""What can go wrong with any curve: it is not finite, it explodes, it goes round in circles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .trace import Curves, Trace, text

# Losses begin near 1 and end within a factor of ten of it; the logits of a discriminator that has
# won grow to some tens.  A hundred times is beyond both.
EXPLODED = 100.0
GROWING = 1.5  # ... and it still grows: what has stopped growing is large, but not exploding
# Correlations of a curve with itself one period and two periods later, and half a period later.
# Of a thousand curves of noise whose neighbours are alike, fewer than ten pass all three.
PERIOD, TWO_PERIODS, HALF_PERIOD = 0.5, 0.3, -0.3
SEEN = 5  # periods that the last half must hold
FEWEST = 8 * SEEN  # rows, or means of neighbouring rows, to look for a period in
SWING = 0.1  # the least amplitude worth a word, as a share of the curve's level


class Oscillation(NamedTuple):
    """A sine's period in rows and its amplitude, half of what lies between trough and peak."""

    period: float
    amplitude: float


def not_finite(curves: Curves, rows: int) -> list[str]:
    """Values that are no numbers."""
    said = []
    for name, trace in curves.traces.items():
        if trace.missing:
            said.append(
                f"{name} is NaN or infinite in {trace.missing} of {rows} rows, which are left out "
                "below" + _tame(curves)
            )
    return said


def explosion(curves: Curves) -> list[str]:
    """Columns that have grown beyond measure in size and go on growing."""
    said = []
    for name in ("loss", "reconstruction", "d_loss", "g_loss", "penalty", "g_gradient"):
        if name not in curves:
            continue
        trace = curves[name]
        size = Trace(trace.step, np.abs(trace.values))
        begin, middle, end = size.level(0, 0.1), size.level(0.45, 0.55), size.level(0.9, 1)
        # A game's losses are counted in units of the critic's output: those below 1 are small.
        least = 1.0 if name in ("d_loss", "g_loss", "penalty") else 0.0
        if end >= EXPLODED * max(begin, least) > 0 and end >= GROWING * middle:
            said.append(
                f"{name} explodes: from {text(trace.level(0, 0.1))} in the first tenth to "
                f"{text(trace.end)} in the last, and it still grows" + _tame(curves)
            )
    return said


def circles(curves: Curves) -> list[str]:
    """A loss that swings with a period, as a game does whose players answer each other."""
    for name in ("d_loss", "loss"):
        if name not in curves:
            continue
        trace = curves[name]
        found = oscillation(trace.values[len(trace) // 2 :])
        level = trace.level(0.5, 1)
        scale = max(abs(level), abs(curves.lines.get(name, (0.0, ""))[0]))
        if found is None or found.amplitude < SWING * scale:
            continue
        rows_to_steps = (trace.step[-1] - trace.step[0]) / (len(trace) - 1)
        advice = ""
        if curves.options.get("ema") == 0:
            advice = "; try --set ema=0.999, which averages the generator over the swings"
        return [
            f"{name} oscillates in the last half: about {text(found.amplitude)} up and down around "
            f"{text(level)}, period about {found.period * rows_to_steps:.0f} steps{advice}"
        ]
    return []


def oscillation(values: np.ndarray) -> Oscillation | None:
    """The period that ``values`` (n,) repeat themselves with, if they do; in rows.

    Looked for in the autocorrelation of the rows and of means of neighbouring rows, which have less
    noise.

    >>> rows = np.arange(400)
    >>> found = oscillation(5 + 2 * np.sin(rows / 50 * 2 * np.pi))
    >>> round(found.period), round(found.amplitude, 1)
    (50, 2.0)
    """
    width = 1
    while len(values) // width >= FEWEST:
        whole = len(values) // width * width
        means = values[len(values) - whole :].reshape(-1, width).mean(1)
        found = _period(means)
        if found is not None:
            return Oscillation(found.period * width, found.amplitude)
        width *= 2
    return None


def _period(values: np.ndarray) -> Oscillation | None:
    n = len(values)
    at = np.arange(n) - (n - 1) / 2
    values = values - values.mean()
    values = values - at * (at @ values) / (at @ at)  # a trend is not a swing
    spectrum = np.abs(np.fft.rfft(values, 2 * n)) ** 2
    covariance = np.fft.irfft(spectrum)[:n] / np.arange(n, 0, -1)
    if covariance[0] < 1e-12 * (1 + np.abs(values).max()) ** 2:
        return None
    correlation = covariance / covariance[0]
    below = np.flatnonzero(correlation[: n // SEEN] < 0)
    if not len(below):
        return None
    # The first peak that is nearly the highest: later ones are its multiples.
    high = correlation[below[0] : n // SEEN]
    first = below[0] + int(np.argmax(high >= 0.75 * high.max()))
    period = first + int(np.argmax(correlation[first : min(n // SEEN, first + first // 4 + 1)]))
    inside = 4 <= period < n // SEEN - 1
    if (
        inside
        and correlation[period] >= PERIOD
        and correlation[2 * period] >= TWO_PERIODS
        and correlation[period // 2] <= HALF_PERIOD
    ):
        return Oscillation(period, float(np.sqrt(2 * covariance[period])))
    return None


def _tame(curves: Curves) -> str:
    """The advice to bound a Wasserstein critic's slope where nothing does, else to go slower."""
    options = curves.options
    bounds = [options.get("gp"), options.get("clip_weights")]
    if options.get("loss") == "wgan" and options.get("critic_norm") == "none" and not any(bounds):
        return "; nothing bounds the critic's slope: try --set gp=10"
    lr = options.get("lr")
    return f"; try --set lr={lr / 4:.3g}" if lr else ""
