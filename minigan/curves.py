"""The curves of a run: losses and probabilities over the generator's steps, as one PNG.

matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

import itertools
import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .serialize import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

__all__ = ["save_losses"]

# Dark colours that colour-blind eyes tell apart, each with a dash pattern for print without colour.
STYLES = (
    ("#0b5fa5", "-"),
    ("#c8500a", (0, (6, 1.5))),
    ("#0a7d5a", (0, (4, 1.5, 1, 1.5))),
    ("#8f3f8f", (0, (1.5, 1))),
    ("#404040", (0, (8, 2, 2, 2))),
)
PROBABILITIES = ("d_real", "d_fake")
ESTIMATE = ("estimate",)
NAMES = {
    "d_loss": "D loss",
    "g_loss": "G loss",
    "d_real": "D on real, mean",
    "d_fake": "D on fake, mean",
    "estimate": "minus the critic's loss",
}


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

    "d_real" and "d_fake" get a panel of their own, from 0 to 1 with a line at ``balance``, and so
    does "estimate", a WGAN critic's estimate of the distance; all other series share the upper
    panel. NaN and infinite values are left out. The loss axis spans
    the data and the lines, but ends 4 interquartile ranges beyond the quartiles of a series, unless
    more than 2 % of the rows lie beyond and within 30: a jump that lasts is shown, a spike or an
    explosion is marked by triangles at the edge. Footnotes count the values left out and the
    triangles.

    Args:
        path: the destination; PNG whatever its suffix.
        columns: name -> 1-D array, all of one length n >= 0: "step" (generator steps, finite), and
            any series, such as "d_loss" and "g_loss"; "d_real" and "d_fake" are D's mean
            probabilities on real and generated images.
        lines: series name -> (value, label): where that series stands at equilibrium.
        title: one line above; wrapped if long.
        window: rows per median, made odd; None takes a fortieth of the rows; 1 draws no median.
        unit: of the losses, for the axis; "" for none; None: nats where there are probabilities,
            whose losses are cross entropies, else none.
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
    left_out = sum(int((~np.isfinite(values)).sum()) for values in series.values())
    lower = {name: series.pop(name) for name in PROBABILITIES if name in series}
    estimate = {name: series.pop(name) for name in ESTIMATE if name in series}
    unit = ("nats" if lower else "") if unit is None else unit
    panels = 1 + bool(lower) + bool(estimate)

    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), atomic_write(path) as file:
        matplotlib.rcdefaults()  # the picture is the same whatever style the caller works in
        figure = Figure(figsize=(9, 2.8 + 1.8 * panels), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(textwrap.fill(title, 90), x=0.01, ha="left", parse_math=False)
        axes = figure.subplots(panels, sharex=True, squeeze=False, height_ratios=[2, 1, 1][:panels])
        axes = axes[:, 0]
        fitted = [(axes[0], series, f"loss ({unit})" if unit else "loss", STYLES)]
        if estimate:
            fitted.append((axes[-1], estimate, "estimate", STYLES[2:]))
        beyond, labels = 0, []
        for at, group, name, styles in fitted:
            here = {key: lines[key] for key in lines if key in group}
            limits = _robust_limits(group.values(), [value for value, _ in here.values()])
            beyond += _draw_panel(at, step, group, window, limits, styles)
            at.set_ylabel(name)
            colours = dict(zip(group, itertools.cycle(styles), strict=False))
            labels += [_equilibrium(at, *here[key], colours[key][0]) for key in here]
        if lower:
            beyond += _draw_panel(axes[1], step, lower, window, (-0.02, 1.02), STYLES[2:])
            axes[1].set_ylabel("probability")
            labels.append(_equilibrium(axes[1], *balance, "#404040"))
        axes[-1].set_xlabel("generator steps")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        if not len(step):
            axes[0].set_title("no rows yet", y=0.5, backgroundcolor="white")
        if len(step) < 2 or step.min() == step.max():
            middle = step[0] if len(step) else 1.0
            axes[-1].set_xlim(middle - 1, middle + 1)
        notes = [f"thick: running median of {window} rows; thin: every row"] * (window > 1)
        notes += [f"left out as NaN or infinite: {left_out}"] * (left_out > 0)
        notes += [f"beyond the axis (triangles): {beyond}"] * (beyond > 0)
        figure.supxlabel("   |   ".join(notes), x=0.01, ha="left", fontsize=8, color="#404040")
        _spread(figure, labels)
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
        if name not in series or name in PROBABILITIES or name == "step":
            raise ValueError(
                f"save_losses: a line expects a series of losses or the estimate, got {name!r} "
                f"with columns {sorted(columns)}"
            )
        if not np.isfinite(value):
            raise ValueError(f"save_losses: the line of {name!r} expects a finite value")
    return series


def _robust_limits(series: Iterable[np.ndarray], values: Sequence[float]) -> tuple[float, float]:
    """The loss axis, as `save_losses` describes it, and a margin."""
    ends = list(values)
    for column in series:
        # Beyond 1e100 the axis's own arithmetic would overflow.
        column = np.clip(column[np.isfinite(column)], -1e100, 1e100)
        if len(column):
            bottom, low, high, top = np.quantile(column, [0.02, 0.25, 0.75, 0.98])
            near, far = 4 * (high - low), 30 * (high - low)
            bottom = bottom if near < low - bottom <= far else low - near
            top = top if near < top - high <= far else high + near
            ends += [max(column.min(), bottom), min(column.max(), top)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.05 * (high - low) or max(0.5, 0.1 * abs(high))
    return low - margin, high + margin


def _draw_panel(
    axes: Axes,
    step: np.ndarray,
    series: Mapping[str, np.ndarray],
    window: int,
    limits: tuple[float, float],
    styles: Sequence[tuple[str, Any]] = STYLES,
) -> int:
    """Draw the series and their legend; how many values lie beyond the limits."""
    beyond = 0
    low, high = limits
    for (name, values), (colour, dashes) in zip(
        series.items(), itertools.cycle(styles), strict=False
    ):
        for outside, edge, marker in ((values < low, low, "v"), (values > high, high, "^")):
            outside &= np.isfinite(values)
            if outside.any():
                beyond += int(outside.sum())
                at = step[outside]
                axes.plot(at, np.full(len(at), edge), marker, color=colour, ms=4, clip_on=False)
        # Clipped just out of sight: far values would overflow the drawing's arithmetic.
        values = np.where(np.isfinite(values), values, np.nan)
        values = np.clip(values, 2 * low - high, 2 * high - low)
        curve = _envelope(step, values)
        if window > 1:
            axes.plot(*curve, color=colour, alpha=0.3, linewidth=0.7)
            curve = _running_median(step, values, window)
        axes.plot(
            *curve,
            color=colour,
            linestyle=dashes,
            linewidth=2,
            label=NAMES.get(name, name.replace("_", " ").strip()),
            marker="o" if len(step) <= 30 else None,
        )
    axes.set_ylim(limits)
    axes.yaxis.get_offset_text().set_horizontalalignment("right")  # the legend is on the left
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        legend = axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=5,
            frameon=False,
            borderaxespad=0.1,
            handlelength=3.5,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return beyond


def _running_median(
    step: np.ndarray, values: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Medians of the finite values around at most 1000 rows; windows shrink at the ends."""
    rows = np.unique(np.linspace(0, len(step) - 1, min(len(step), 1000)).astype(int))
    medians = np.full(len(rows), np.nan)
    for index, row in enumerate(rows):
        around = values[max(0, row - window // 2) : row + window // 2 + 1]
        around = around[~np.isnan(around)]
        if len(around):
            medians[index] = np.median(around)
    return step[rows], medians


def _envelope(step: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same picture from at most some 4000 points: of each stretch the least and the largest."""
    stretch = len(step) // 2000
    if stretch < 2:
        return step, values
    whole = len(step) // stretch * stretch
    table = values[:whole].reshape(-1, stretch)
    extremes = np.stack([np.fmin.reduce(table, 1), np.fmax.reduce(table, 1)], 1)
    return np.repeat(step[:whole:stretch], 2), extremes.ravel()


def _equilibrium(axes: Axes, value: float, text: str, colour: str) -> Annotation:
    """A dashed line across and its label in the right margin."""
    axes.axhline(value, color=colour, linewidth=1, linestyle=(0, (3, 3)))
    return axes.annotate(
        text,
        (1, value),
        xytext=(14, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        color=colour,
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": colour, "shrinkA": 3, "shrinkB": 1},
    )


def _spread(figure: Figure, labels: Sequence[Annotation]) -> None:
    """Move labels up and down until none covers another, as little as that takes."""
    if not labels:
        return
    figure.draw_without_rendering()  # settles the layout, hence where the lines are in pixels
    heights = [label.axes.transData.transform((0, label.xy[1]))[1] for label in labels]
    order = np.argsort(heights, kind="stable")
    at = np.array(heights)[order]
    gap = 1.1 * max(label.get_window_extent().height for label in labels)
    # Pushing all up and pushing all down both keep the gaps, so their mean does, and it is centred.
    ramp = gap * np.arange(len(at))
    up = np.maximum.accumulate(at - ramp) + ramp
    down = np.minimum.accumulate((at - ramp)[::-1])[::-1] + ramp
    for index, shift in zip(order, (up + down) / 2 - at, strict=True):
        labels[index].xyann = (14, shift * 72 / figure.dpi)
        # A stroke leads to a label that had to move; before one that did not, it reads as a minus.
        labels[index].arrow_patch.set_visible(abs(shift) > 1)
