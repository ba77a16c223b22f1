"""Figures with words and axes around images and points; matplotlib comes in when one is drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .report import image_grid
from .serialize import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_rows", "save_scatter"]

MARKERS = "os^Dv<>pP*"


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of so many inches, to be drawn on and taken as ``pixels`` in the block."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the picture is the same whatever style the caller works in
        figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


@contextmanager
def drawing(path: str | os.PathLike[str], width: float, height: float) -> Iterator[Figure]:
    """An empty figure of so many inches, saved as a PNG, atomically, when the block ends."""
    with canvas(width, height) as figure, atomic_write(path) as file:
        yield figure
        figure.savefig(file, format="png", metadata={"Software": None})


def pixels(figure: Figure) -> np.ndarray:
    """The figure as a frame of an animation: uint8 (height, width, 3)."""
    figure.canvas.draw()
    canvas: Any = figure.canvas
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def class_colours(classes: int) -> list[Any]:
    """A colour for each class: up to ten that are told apart easily, else a rainbow."""
    import matplotlib

    if classes <= 10:
        return [matplotlib.colormaps["tab10"](i) for i in range(classes)]
    return [matplotlib.colormaps["turbo"](i / (classes - 1)) for i in range(classes)]


def save_rows(path: str | os.PathLike[str], rows: dict[str, np.ndarray], title: str) -> None:
    """Rows of images, each under its own words.

    Args:
        path: the destination; PNG whatever its suffix.
        rows: what stands above a row -> its images (N, C, H, W) in [-1, 1]; all of one size.
        title: one line above all.
    """
    shapes = {images.shape[1:] for images in rows.values()}
    if len(shapes) != 1:
        raise ValueError(f"save_rows: expects images of one shape, got {sorted(shapes)}")
    longest = max(len(images) for images in rows.values())
    _, height, width = shapes.pop()
    each = 9 / longest * height / width + 0.35
    with drawing(path, 9, 0.5 + each * len(rows)) as figure:
        figure.suptitle(title, x=0.01, ha="left", parse_math=False)
        axes = figure.subplots(len(rows), squeeze=False)[:, 0]
        for at, (words, images) in zip(axes, rows.items(), strict=True):
            grid = image_grid(images, longest)
            at.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            at.set_title(words, loc="left", fontsize=10, parse_math=False)
            at.set_axis_off()


def save_scatter(
    path: str | os.PathLike[str],
    points: np.ndarray,
    labels: np.ndarray | None,
    names: Sequence[str] = (),
    *,
    title: str,
    axes: tuple[str, str],
) -> None:
    """Points in the plane, coloured and marked by class.

    Args:
        path: the destination; PNG whatever its suffix.
        points: (N, 2); those that are not finite are left out.
        labels: classes (N,), or None.
        names: of the classes; their numbers where there are none.
        title: one line above; axes: what the two axes are.
    """
    kept = np.isfinite(points).all(1)
    points = points[kept]
    with drawing(path, 8, 7) as figure:
        figure.suptitle(title, x=0.01, ha="left", parse_math=False)
        at: Any = figure.subplots()
        if labels is None:
            at.scatter(*points.T, s=6, alpha=0.5, linewidths=0, color="#0b5fa5")
        else:
            classes = np.unique(labels[kept])
            for i, (label, shade) in enumerate(
                zip(classes, class_colours(len(classes)), strict=True)
            ):
                at.scatter(
                    *points[labels[kept] == label].T,
                    s=9,
                    alpha=0.7,
                    linewidths=0,
                    color=shade,
                    marker=MARKERS[i % len(MARKERS)],
                    label=names[label] if names else str(label),
                )
            figure.legend(
                loc="outside right center",
                title="class",
                markerscale=2,
                ncols=1 + len(classes) // 26,
            )
        at.set_xlabel(axes[0])
        at.set_ylabel(axes[1])
        at.set_aspect("equal", adjustable="datalim")
        at.grid(alpha=0.3)
