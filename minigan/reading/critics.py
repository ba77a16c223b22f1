"""Critics that measure instead of judging: Wasserstein's estimate, BEGAN's M and k, penalties."""

from __future__ import annotations

import numpy as np

from .trace import Curves, Trend, text

SETTLED = 0.05  # a change of this share in the last half is too small to wait for
HELD = 100  # steps that a state must have lasted to be called one
BOUND = 0.01  # how near its ends, 0 and 1, BEGAN's k stands at one of them
OUTWEIGHS = 5.0  # the penalty is so many times the objective: then the objective hardly counts ...
UNIT = 1.0  # ... and this large at least: both are small where the networks are nearly alike


def estimate(curves: Curves) -> list[str]:
    """Minus a Wasserstein critic's loss, which falls as the images get better and ends at 0."""
    if "estimate" not in curves:
        return []
    trace = curves["estimate"]
    below = trace.held(lambda level: level < 0)
    if below >= HELD:
        n_critic = curves.options.get("n_critic", 1)
        advice = f"; try --set n_critic={2 * n_critic}" if n_critic > 1 else ""
        return [
            f"the critic's estimate has been negative for the last {below} steps, now "
            f"{text(trace.end)}: the critic puts generated {curves.unit} above real ones, so "
            f"it lags behind the generator and measures nothing{advice}"
        ]
    trend = trace.trend(SETTLED)
    meaning = {
        "falling": f": by its measure the {curves.unit} still come nearer to the real ones"
        + _longer(curves),
        "rising": ": the critic gains faster than the generator answers",
        "flat": "",
        "": "",
    }
    return [_moved("the critic's estimate", trend) + meaning[trend.word]]


def measure(curves: Curves) -> list[str]:
    """BEGAN's M, which falls to a small value, and its k, which is best inside (0, 1)."""
    said = []
    if "measure" in curves:
        trend = curves["measure"].trend(SETTLED)
        further = _longer(curves) if trend.word == "falling" else ""
        said.append(_moved("BEGAN's measure M", trend) + further)
    if "k" in curves and "measure" in curves:
        trace = curves["k"]
        for value, test, meaning in (
            (0, lambda k: k <= BOUND, "real images alone train the discriminator"),
            (1, lambda k: k >= 1 - BOUND, "the balance of the two losses is out of its reach"),
        ):
            held = trace.held(test)
            if held >= HELD:
                said.append(
                    f"k has stood at its end {value} for the last {held} steps (now "
                    f"{text(trace.end)}): {meaning}"
                )
    return said


def penalty(curves: Curves) -> list[str]:
    """A penalty so much larger than the objective that little of the objective is left."""
    if "penalty" not in curves or "d_loss" not in curves:
        return []
    weight = curves["penalty"].end
    objective = float(np.median(np.abs(curves["d_loss"].values[-len(curves["d_loss"]) // 2 :])))
    objective = max(objective, abs(curves.lines.get("d_loss", (0.0, ""))[0]))
    if weight < UNIT or weight < OUTWEIGHS * objective:
        return []
    advice = ""
    used = [name for name in ("gp", "dragan", "r1") if curves.options.get(name)]
    if len(used) == 1:
        advice = f"; try --set {used[0]}={curves.options[used[0]] / 10:.3g}"
    return [
        f"the penalty outweighs the objective: {text(weight)} in the last tenth, the objective's "
        f"size {text(objective)}{advice}"
    ]


def _moved(name: str, trend: Trend) -> str:
    state = {"falling": "is still falling", "rising": "is rising", "flat": "has settled"}
    return f"{name} {state.get(trend.word, 'moves without a clear trend')}: {trend}"


def _longer(curves: Curves) -> str:
    return f"; try --steps {2 * curves.last}"
