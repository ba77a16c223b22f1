"""The curves of a run, of any system: at most three panels over its steps, as one PNG.

``panels`` says which columns stand together, ``drawing`` draws a panel.  matplotlib is imported
only when something is drawn.
"""

from __future__ import annotations

import itertools
import os
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..serialize import atomic_write
from .drawing import draw_panel, equilibrium, spread
from .panels import MEETING, arrange

__all__ = ["save_losses"]


def save_losses(
    path: str | os.PathLike[str],
    columns: Mapping[str, Any],
    lines: Mapping[str, tuple[float, str]],
    title: str,
    window: int | None = None,
    unit: str | None = None,
    balance: tuple[float, str] = (0.5, "1/2"),
) -> None:
    """Save the curves of a run as a PNG, atomically: every row thin, their running median thick.

    "d_real", "d_fake" and "d_accuracy" get a panel of their own, from 0 to 1 with a line at
    ``balance``, and "class_accuracy" and "k" join it. "estimate", a WGAN critic's estimate of the
    distance, BEGAN's "measure" and a VAE's "kl" have a panel each, "g_gradient" a logarithmic one;
    all other series share the upper panel. There are three panels at most: a footnote names the
    columns that would need more. NaN and infinite values are left out. An axis spans the data and
    the lines, but ends 4 interquartile ranges beyond the quartiles of a series, unless more than
    2 % of the rows lie beyond and within 30: a jump that lasts is shown, a spike or an explosion is
    marked by triangles at the edge. Footnotes count the values left out and the triangles.

    Args:
        path: the destination; PNG whatever its suffix.
        columns: name -> 1-D array, all of one length n >= 0: "step" (finite), and
            any series, such as "d_loss" and "g_loss"; "d_real" and "d_fake" are D's mean
            probabilities on real and generated images.
        lines: series name -> (value, label): where that series stands at equilibrium.
        title: one line above; wrapped if long.
        window: rows per median, made odd; None takes a fortieth of the rows; 1 draws no median.
        unit: of the losses, for the axis; "" for none; None: nats where there are probabilities
            or a KL, whose losses are cross entropies, else none.
        balance: where "d_real" and "d_fake" meet, and how it is written.

    Raises:
        ValueError: no "step", columns of unequal length or not 1-D, steps that are not finite, a
            line that is not finite, of a probability or of a series that is not there, window < 1.

    >>> import tempfile
    >>> from PIL import Image
    >>> columns = {"step": [1, 2, 3], "d_loss": [1.5, 1.3, 1.4], "g_loss": [0.6, 0.8, 0.7]}
    >>> lines = {"d_loss": (2 * np.log(2), "2 ln 2"), "g_loss": (np.log(2), "ln 2")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_losses(f"{folder}/losses.png", columns, lines, "DCGAN on digits")
    ...     with Image.open(f"{folder}/losses.png") as picture:
    ...         print(picture.size)
    (900, 460)
    """
    series = _checked_columns(columns, lines)
    if window is not None and window < 1:
        raise ValueError(f"save_losses: window expects at least 1 row, got {window}")
    step = series.pop("step")
    window = len(step) // 40 if window is None else window
    window += 1 - window % 2
    panels, rest = arrange(series, unit)
    drawn = [values for panel in panels for values in panel.series.values()]
    left_out = sum(int((~np.isfinite(values)).sum()) for values in drawn)

    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), atomic_write(path) as file:
        matplotlib.rcdefaults()  # the picture is the same whatever style the caller works in
        figure = Figure(figsize=(9, 2.8 + 1.8 * len(panels)), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(textwrap.fill(title, 90), x=0.01, ha="left", parse_math=False)
        axes = figure.subplots(
            len(panels), sharex=True, squeeze=False, height_ratios=[2, 1, 1][: len(panels)]
        )[:, 0]
        beyond, labels = 0, []
        for at, panel in zip(axes, panels, strict=True):
            here = {key: lines[key] for key in lines if key in panel.series}
            beyond += draw_panel(at, step, panel, window, [value for value, _ in here.values()])
            at.set_ylabel(panel.name)
            colours = dict(zip(panel.series, itertools.cycle(panel.styles), strict=False))
            labels += [equilibrium(at, *here[key], colours[key][0]) for key in here]
            if set(MEETING) & set(panel.series):
                labels.append(equilibrium(at, *balance, "#404040"))
        figure.align_ylabels(axes)
        axes[-1].set_xlabel("generator steps" if "g_loss" in series else "steps")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        if not len(step):
            axes[0].set_title("no rows yet", y=0.5, backgroundcolor="white")
        if len(step) < 2 or step.min() == step.max():
            middle = step[0] if len(step) else 1.0
            axes[-1].set_xlim(middle - 1, middle + 1)
        notes = [f"thick: running median of {window} rows; thin: every row"] * (window > 1)
        notes += [f"left out as NaN or infinite: {left_out}"] * (left_out > 0)
        notes += [f"beyond the axis (triangles): {beyond}"] * (beyond > 0)
        notes += [f"not drawn: {', '.join(rest)}"] * bool(rest)
        figure.supxlabel("   |   ".join(notes), x=0.01, ha="left", fontsize=8, color="#404040")
        spread(figure, labels)
        figure.savefig(file, format="png", metadata={"Software": None})


def _checked_columns(
    columns: Mapping[str, Any], lines: Mapping[str, tuple[float, str]]
) -> dict[str, np.ndarray]:
    if "step" not in columns:
        raise ValueError(f"save_losses: columns expect a 'step', got {sorted(columns)}")
    series = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    for name, values in series.items():
        if values.ndim != 1 or len(values) != len(series["step"]):
            raise ValueError(
                f"save_losses: {name!r} expects one value per step, shape "
                f"{series['step'].shape}, got {values.shape}"
            )
    if not np.isfinite(series["step"]).all():
        raise ValueError("save_losses: 'step' expects finite values, got NaN or infinite ones")
    for name, (value, _) in lines.items():
        if name not in series or name in (*MEETING, "step"):
            raise ValueError(
                f"save_losses: a line expects a series of losses or a measure, got {name!r} "
                f"with columns {sorted(columns)}"
            )
        if not np.isfinite(value):
            raise ValueError(f"save_losses: the line of {name!r} expects a finite value")
    return series
