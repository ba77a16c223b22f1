"""A run's curves in plain language: what they show, with the numbers it rests on.

Each file asks one kind of question: ``players`` who is winning a game, ``critics`` what a critic
measures, ``descents`` how far a loss has gone down, ``troubles`` what is wrong with any curve.
``trace`` holds what they all ask of a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import critics, descents, players, troubles
from .trace import Curves, Trace, text

__all__ = ["reading"]

ENOUGH = 100  # rows: half of them, in ten stretches of five, is the least that shows a trend


def reading(
    columns: Mapping[str, Any],
    lines: Mapping[str, tuple[float, str]],
    options: Mapping[str, Any] | None = None,
    unit: str = "images",
) -> list[str]:
    """Sentences about the curves of a run, each on one line, the troubles first.

    What the numbers do not support is not said; where nothing stands out, that is said. Columns
    that are not known are not read.

    Args:
        columns: name -> 1-D array, all of one length, as in metrics.csv: "step" and any of
            "d_loss", "g_loss", "d_accuracy", "g_gradient", "estimate", "penalty", "measure", "k",
            "loss", "kl", "distance", "class_loss", "class_accuracy" and "code_loss".
        lines: column -> (value, how it is written) where it stands at equilibrium.
        options: the run's settings by name. Suggestions name these only, so without them there are
            few.
        unit: what is generated, "images" or "points".

    Raises:
        ValueError: no "step", or columns that are not 1-D and of one length.

    >>> steps = np.arange(1, 601)
    >>> sure = {"step": steps, "d_loss": np.full(600, 0.01), "d_accuracy": np.ones(600)}
    >>> sure["g_gradient"] = 10.0 ** -np.minimum(steps / 100, 3)
    >>> lines, options = {"d_loss": (2 * np.log(2), "2 ln 2")}, {"lr": 2e-4, "critic_lr": 0.0}
    >>> for sentence in reading(sure, lines, options):  # doctest: +NORMALIZE_WHITESPACE
    ...     print(sentence)
    the discriminator has won: accuracy 100%, d_loss 0.01 (2 ln 2 = 1.386 at equilibrium) for the
    last 599 steps; the generator's gradient has shrunk 780× since step 11, from 0.776 to 0.001;
    try --set critic_lr=5e-05
    >>> reading({"step": [1, 2], "d_loss": [1.4, 1.3]}, {})
    ['2 steps are too few to read the curves: 100 is the least']
    """
    if "step" not in columns:
        raise ValueError(f"reading: columns expect a 'step', got {sorted(columns)}")
    arrays = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    step = arrays.pop("step")
    for name, values in arrays.items():
        if step.ndim != 1 or values.shape != step.shape:
            raise ValueError(
                f"reading: {name!r} expects one value per step, shape {step.shape}, got "
                f"{values.shape}"
            )
    if len(step) < ENOUGH:
        steps = "1 step is" if len(step) == 1 else f"{len(step)} steps are"
        return [f"{steps} too few to read the curves: {ENOUGH} is the least"]
    traces = {name: Trace(step, values) for name, values in arrays.items()}
    whole = {name: trace for name, trace in traces.items() if len(trace) >= ENOUGH}
    said = troubles.not_finite(Curves(traces, lines, options or {}), len(step))
    curves = Curves(whole, lines, options or {}, unit)
    for look in (
        troubles.explosion,
        players.winner,
        critics.estimate,
        critics.measure,
        critics.penalty,
        descents.descent,
        descents.distance,
        descents.told,
        troubles.circles,
    ):
        said += look(curves)
    return said or [_nothing(curves, len(step))]


def _nothing(curves: Curves, rows: int) -> str:
    names = [n for n in ("d_loss", "g_loss") if n in curves] or list(curves.traces)[:2]
    levels = ", ".join(f"{name} {text(curves[name].end)}" for name in names)
    return f"nothing stands out in {rows} steps" + (
        f"; in the last tenth {levels}" if levels else ""
    )
