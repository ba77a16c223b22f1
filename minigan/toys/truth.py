"""The truth panel: how far generated points are from the real ones, while a network still guesses.

EM is exact between two sets of equally many points.  TV, KL and JS are taken on a grid that the
real points fix.  None of them is 0 between two samples of one distribution: that floor is measured
once, between two halves of the real points, and belongs beside every value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data import DataError
from ..metrics import em
from ..metrics import points as checks
from ..metrics.transport import MOST_ASSIGNED
from .canvas import EXACT, drawing, label, measured, save
from .distances import Grid, binned

MEASURES = ("em", "tv", "kl", "js")
NAMES = {
    "em": "EM (units of x)",
    "tv": "TV, binned",
    "kl": "KL, binned, ½ added (nats)",
    "js": "JS, binned (nats)",
}


class TruthPanel:
    """Real points, and the distances of generated ones from them.

    Args:
        real: (N, d), N at least 4, arrays or Tensors; the grid grows with the power d, so 2-D.
        count: points in each set that is compared, at most 2000 and at most N/2.
        bins: of the grid, along each dimension.
        seed: of which real points are taken.

    Attributes:
        count: points in each set.
        grid: the common bins; generated points outside count to the nearest bin.
        floor: {"em", "tv", "kl", "js"}: two sets of real points against each other.

    Raises:
        DataError: too few or too many points, NaN, or more than 10⁶ bins.

    >>> rng = np.random.default_rng(0)
    >>> panel = TruthPanel(rng.normal(size=(400, 2)), count=200)
    >>> far = panel.measure(rng.normal(size=(200, 2)) + [3.0, 4.0])
    >>> bool(abs(far["em"] - 5) < 0.5), bool(far["tv"] > panel.floor["tv"])
    (True, True)
    """

    def __init__(self, real: Any, count: int = 500, bins: int = 20, seed: int = 0):
        real = checks.points("truth", "real", real)
        for name, value, least in (("count", count, 0), ("bins", bins, 1), ("seed", seed, 0)):
            checks.whole("truth", name, value, least)
        if len(real) < 4 or not 2 <= count <= MOST_ASSIGNED:
            raise DataError(
                f"truth: expects at least 4 real points and count from 2 to {MOST_ASSIGNED}, got "
                f"{len(real)} and {count}"
            )
        self.count = min(count, len(real) // 2)
        self.grid = Grid.around(real, bins=bins)
        order = np.random.default_rng(seed).permutation(len(real))
        self._real, other = real[order[: self.count]], real[order[self.count : 2 * self.count]]
        self.floor = self.measure(other)

    def measure(self, generated: Any) -> dict[str, float]:
        """{"em", "tv", "kl", "js"} of the real points against as many generated ones.

        Args:
            generated: (M, d) with M ≥ ``count``; the first ``count`` are taken.

        Raises:
            DataError: too few points, NaN, or points of another dimension.
        """
        generated = checks.points("truth", "generated", generated)
        if generated.shape[1] != self._real.shape[1] or len(generated) < self.count:
            raise DataError(
                f"truth: generated expects at least {self.count} points of "
                f"{self._real.shape[1]} dimensions, got shape {generated.shape}"
            )
        generated = generated[: self.count]
        found = binned(self._real, generated, self.grid)
        return {"em": em(self._real, generated), **found._asdict()}

    def __str__(self) -> str:
        return f"{self.count} points; TV, KL, JS on {self.grid}"


def truth(real: Any, generated: Any, **options: Any) -> dict[str, dict[str, float]]:
    """Each distance with its floor: {"em": {"value", "floor"}, "tv": …, "kl": …, "js": …}.

    Args: as for ``TruthPanel``; of real points twice as many are used as of generated ones.

    >>> rng = np.random.default_rng(0)
    >>> sorted(truth(rng.normal(size=(200, 2)), rng.normal(size=(100, 2))))
    ['em', 'js', 'kl', 'tv']
    """
    panel = TruthPanel(real, **options)
    values = panel.measure(generated)
    return {name: {"value": values[name], "floor": panel.floor[name]} for name in MEASURES}


def save_truth(
    path: str | os.PathLike[str],
    panel: TruthPanel,
    steps: Sequence[int],
    rows: Sequence[Mapping[str, float]],
    title: str,
    estimates: Sequence[float] | None = None,
    js_estimates: Sequence[float] | None = None,
) -> None:
    """Save the distances over training as a PNG, each with its floor, atomically.

    Args:
        panel: that measured.
        steps: of the generator.
        rows: what ``measure`` gave at each of them.
        estimates: what the critic said at each, E f(x) - E f(G(z)), for the panel of EM.
        js_estimates: what the discriminator said at each, in nats, for the panel of JS.
    """
    if len(steps) != len(rows) or not rows:
        raise DataError(f"save_truth: expects a row for each step, got {len(rows)}, {len(steps)}")
    said = {
        "em": (estimates, "critic's estimate"),
        "js": (js_estimates, "discriminator's estimate (nats)"),
    }
    with drawing(f"{title}\n{panel}", 2, 2, (9, 6.4), sharex=True) as (figure, axes):
        for i, (name, each) in enumerate(zip(MEASURES, axes.flat, strict=True)):
            values = [row[name] for row in rows]
            if name == "em":
                each.plot(steps, values, **EXACT, label="exact EM of the samples")
            else:
                each.plot(steps, values, **measured(i - 1, marker=None), label="real – generated")
            found, who = said.get(name, (None, ""))
            if found is not None:
                look = measured(1 if name == "em" else 4, marker=None)
                each.plot(steps, found, **look, label=who)
            floor = {"color": "#404040", "linewidth": 1.2, "linestyle": (0, (1, 1.5))}
            each.axhline(panel.floor[name], **floor, label="floor: real – real")
            each.set_ylim(bottom=min([0, *([] if found is None else found)]))
            label(each, "generator steps" if i > 1 else "", NAMES[name])
        save(figure, path)
