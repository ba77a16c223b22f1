"""Who is winning a game of two networks: read from D's loss against its line, its accuracy, and
the gradient that it leaves to the generator."""

from __future__ import annotations

import numpy as np

from .trace import Curves, shrunk, text

HELD = 100  # steps that a state must have lasted to be called one
SURE = 0.99  # accuracy of a discriminator that hardly errs: 1 of 128 judgements of a batch of 64
LOST = 0.05  # of the loss at equilibrium: at most this is left to a discriminator that hardly errs
BALANCE = 0.1  # how near the loss at equilibrium is near, as a share of it
VANISHED = 100.0  # how much the generator's gradient has shrunk when it has vanished ...
KEPT = (
    10.0  # ... and how little when it has not: it falls by less than this in a run that goes well
)


def winner(curves: Curves) -> list[str]:
    """One sentence on the state of the game, and one on the generator's gradient if that is more.

    Only where D's loss has a positive line (cross entropy, hinge, least squares) or an accuracy: a
    Wasserstein critic cannot win, see `critics`.
    """
    if "d_loss" not in curves:
        return []
    line = curves.lines.get("d_loss", (0.0, ""))[0]
    if line <= 0 and "d_accuracy" not in curves:
        return _gradient(curves)
    sure = _sure(curves, line)
    if sure >= HELD:
        return [_far_ahead(curves, sure)]
    return [*_nearness(curves, line), *_gradient(curves)]


def _sure(curves: Curves, line: float) -> int:
    """For how many of the last steps the discriminator has hardly erred."""
    if "d_accuracy" in curves:
        return curves["d_accuracy"].held(lambda share: share >= SURE)
    return curves["d_loss"].held(lambda loss: loss <= LOST * line)


def _far_ahead(curves: Curves, steps: int) -> str:
    state = f"{_standing(curves)} for the last {steps} steps"
    if "g_gradient" not in curves:
        return f"the discriminator is far ahead: {state}" + _weaken(curves)
    peak, since, end = _shrinking(curves)
    if end * VANISHED <= peak:
        return f"the discriminator has won: {state}; {_shrunk(peak, since, end)}" + _weaken(curves)
    state = f"the discriminator is far ahead: {state}"
    if end * KEPT >= peak:
        return (
            f"{state}, but the generator still gets a gradient: {text(end)}, at most {text(peak)} "
            f"(step {since})"
        )
    return f"{state}; {_shrunk(peak, since, end)}" + _weaken(curves)


def _nearness(curves: Curves, line: float) -> list[str]:
    """Where D's loss stands by its line."""
    if line <= 0:
        return []
    trace = curves["d_loss"]
    standing = _standing(curves)
    near = trace.held(lambda loss: np.abs(loss - line) <= BALANCE * line)
    if near >= HELD:
        return [
            f"the players are in balance: for the last {near} steps d_loss has been within "
            f"{BALANCE:.0%} of its equilibrium; now {standing}: a discriminator that cannot tell "
            f"the {curves.unit} apart does as well: they are alike, or it has learnt too little; "
            "the samples show which"
        ]
    over = trace.held(lambda loss: loss > (1 + BALANCE) * line)
    if over >= HELD:
        return [
            f"the generator is ahead: {standing}; for the last {over} steps the discriminator has "
            f"done worse than one that cannot tell the {curves.unit} apart" + _strengthen(curves)
        ]
    under = trace.held(lambda loss: loss < (1 - BALANCE) * line)
    if under >= HELD:
        return [
            f"the discriminator is ahead but has not won: {standing}; for the last {under} steps "
            f"d_loss has been more than {BALANCE:.0%} below its equilibrium"
        ]
    return []


def _gradient(curves: Curves) -> list[str]:
    """The generator's gradient has vanished though nobody has won."""
    if "g_gradient" not in curves:
        return []
    peak, since, end = _shrinking(curves)
    if not peak or end * VANISHED > peak:
        return []
    return [_shrunk(peak, since, end)]


def _shrunk(peak: float, since: int, end: float) -> str:
    return (
        f"the generator's gradient has shrunk {shrunk(peak, end)} since step {since}, from "
        f"{text(peak)} to {text(end)}"
    )


def _shrinking(curves: Curves) -> tuple[float, int, float]:
    """The largest running median of the generator's gradient, its step, and the last tenth's."""
    trace = curves["g_gradient"]
    top = int(np.argmax(trace.smooth))
    return float(trace.smooth[top]), int(trace.at[top]), trace.end


def _standing(curves: Curves) -> str:
    """The numbers of the end that all these sentences rest on."""
    parts = []
    if "d_accuracy" in curves:
        parts.append(f"accuracy {curves['d_accuracy'].level(0.9, 1):.0%}")
    loss = f"d_loss {text(curves['d_loss'].end)}"
    if "d_loss" in curves.lines:
        value, label = curves.lines["d_loss"]
        written = label if label == f"{value:g}" else f"{label} = {value:.4g}"
        loss += f" ({written} at equilibrium)"
    return ", ".join([*parts, loss])


def _weaken(curves: Curves) -> str:
    """How to hold the discriminator back."""
    options = curves.options
    if options.get("loss") == "saturating":
        return "; try --set loss=bce, whose gradient does not vanish when the discriminator is sure"
    if options.get("n_critic", 1) > 1:
        return f"; try --set n_critic={options['n_critic'] // 2}"
    if options.get("critic_lr") is not None and options.get("lr"):
        return f"; try --set critic_lr={(options['critic_lr'] or options['lr']) / 4:.3g}"
    return ""


def _strengthen(curves: Curves) -> str:
    """How to help the discriminator."""
    options = curves.options
    if options.get("critic_lr") is not None and options.get("lr"):
        return f"; try --set critic_lr={(options['critic_lr'] or options['lr']) * 2:.3g}"
    return ""
