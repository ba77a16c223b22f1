"""Drawing one panel: every row thin, the running median thick, what lies beyond at the edge."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

    from .panels import Panel


def robust_limits(series: Iterable[np.ndarray], values: Sequence[float]) -> tuple[float, float]:
    """An axis fitted to the data and to ``values``, as `save_losses` describes it, and a margin."""
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


def log_limits(series: Iterable[np.ndarray]) -> tuple[float, float]:
    """As `robust_limits`, of positive values by their logarithms, and a decade at least."""
    logs = [_logarithms(column[column > 0]) for column in series]
    low, high = robust_limits(logs, [])
    short = max(0.0, 1 - (high - low)) / 2
    return low - short, high + short


def draw_panel(
    axes: Axes, step: np.ndarray, panel: Panel, window: int, values: Sequence[float]
) -> int:
    """Draw the series and their legend; how many of their values lie beyond the axis.

    All is reckoned in the units of the axis, which are logarithms where that is logarithmic.
    """
    series, log = dict(panel.series), panel.scale == "log"
    if panel.scale == "share":
        limits = (-0.02, 1.02)
    else:
        limits = log_limits(series.values()) if log else robust_limits(series.values(), values)
    if log:
        series = {name: _logarithms(rows) for name, rows in series.items()}
        _decades(axes, limits)

    def placed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x, (10.0**y if log else y)

    beyond = 0
    low, high = limits
    for (name, rows), (colour, dashes) in zip(
        series.items(), itertools.cycle(panel.styles), strict=False
    ):
        for outside, edge, marker in ((rows < low, low, "v"), (rows > high, high, "^")):
            outside &= np.isfinite(rows)
            if outside.any():
                beyond += int(outside.sum())
                at = placed(step[outside], np.full(outside.sum(), edge))
                axes.plot(*at, marker, color=colour, ms=4, clip_on=False)
        # Clipped just out of sight: far values would overflow the drawing's arithmetic.
        rows = np.where(np.isfinite(rows), rows, np.nan)
        rows = np.clip(rows, 2 * low - high, 2 * high - low)
        curve = envelope(step, rows)
        if window > 1:
            axes.plot(*placed(*curve), color=colour, alpha=0.3, linewidth=0.7)
            curve = running_median(step, rows, window)
        axes.plot(
            *placed(*curve),
            color=colour,
            linestyle=dashes,
            linewidth=2,
            label=panel.label(name),
            marker="o" if len(step) <= 30 else None,
        )
    axes.set_ylim(placed(step, np.array(limits))[1])
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
            columnspacing=2 if len(series) < 5 else 1,  # five fill the width
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return beyond


def _logarithms(values: np.ndarray) -> np.ndarray:
    """To base 10; what is not positive lies far below any axis."""
    return np.where(np.isfinite(values), np.log10(np.maximum(values, 1e-300)), np.nan)


def _decades(axes: Axes, limits: tuple[float, float]) -> None:
    """A logarithmic axis that says 1, 2, 5, 10, … or, over many decades, the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    if limits[1] - limits[0] <= 2:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=7))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def running_median(
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


def envelope(step: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same picture from at most some 4000 points: of each stretch the least and the largest."""
    stretch = len(step) // 2000
    if stretch < 2:
        return step, values
    whole = len(step) // stretch * stretch
    table = values[:whole].reshape(-1, stretch)
    extremes = np.stack([np.fmin.reduce(table, 1), np.fmax.reduce(table, 1)], 1)
    return np.repeat(step[:whole:stretch], 2), extremes.ravel()


def equilibrium(axes: Axes, value: float, text: str, colour: str) -> Annotation:
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


def spread(figure: Figure, labels: Sequence[Annotation]) -> None:
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
