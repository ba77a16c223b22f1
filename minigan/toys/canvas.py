"""How the toys draw: one look for all figures, that survives print in black and white.

What is exact is a black line; what is measured has a colour, dashes and markers of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..curves.panels import STYLES
from ..serialize import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXACT = {"color": "black", "linewidth": 2.2, "linestyle": "-", "zorder": 1.5}
MARKERS = ("o", "s", "^", "D", "v")


def measured(index: int, **changes: Any) -> dict[str, Any]:
    """How the index-th measured series is drawn (they repeat after five)."""
    colour, dashes = STYLES[index % len(STYLES)]
    marker = MARKERS[index % len(MARKERS)]
    look = {"color": colour, "linestyle": dashes, "marker": marker, "linewidth": 1.6, "ms": 5}
    return {**look, "markerfacecolor": "white", **changes}


@contextmanager
def drawing(
    title: str,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] | None = None,
    **options: Any,
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure with a title and its axes, an array (rows, columns); ``options`` as for subplots.

    The picture is the same whatever style the caller works in.  Inside the block it can be saved
    (``save``) or become a frame (``figures.pixels``).

    Args:
        size: width and height in inches, at 100 pixels an inch.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        size = size or (0.6 + 4.2 * columns, 0.7 + 3.4 * rows)
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, x=0.01, ha="left", parse_math=False)
        axes = figure.subplots(rows, columns, squeeze=False, **options)
        for each in axes.flat:
            each.grid(color="#e4e4e4", linewidth=0.6)
            each.set_axisbelow(True)
            each.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def label(axes: Axes, x: str, y: str, title: str = "", **legend: Any) -> None:
    """Name both axes and what they show; a legend where something in it has a name."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, loc="left", fontsize=10)
    if axes.get_legend_handles_labels()[0]:
        look = {"fontsize": 8, "handlelength": 3.2, "framealpha": 0.9, "edgecolor": "none"}
        axes.legend(**{**look, **legend})


ASIDE = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}  # a legend beside its axes


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Save as a PNG, atomically."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png", metadata={"Software": None})
