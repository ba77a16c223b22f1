"""Pictures of the plane: generated points over real ones, the modes, and what a critic says.

grey     real points
crosses  their modes, where there are any
lines    the critic's contours, dark where it is low
dots     generated points, of a colour for each class where there are classes
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .data import PointData
from .figures import MARKERS, canvas, class_colours, drawing, pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 41  # places where a critic is looked at, across and up
REAL = 1000  # real points in a picture
GENERATED = {"linestyle": "", "marker": "o", "ms": 2.6, "alpha": 0.55, "markeredgewidth": 0,
             "markerfacecolor": "#0b5fa5", "zorder": 3}  # fmt: skip
GREY = {"linestyle": "", "marker": "o", "ms": 2.2, "markeredgewidth": 0,
        "markerfacecolor": "#b8b8b8", "zorder": 2}  # fmt: skip


class Scene(NamedTuple):
    """What generated points are drawn over.

    Attributes:
        name: of the data.
        box: half the side of the square that is shown, the same in all pictures.
        real: some real points (R, 2).
        modes: their centres (K, 2), K = 0 where there are none.
        std: around each.
    """

    name: str
    box: float
    real: np.ndarray
    modes: np.ndarray
    std: float

    def found(self, points: np.ndarray) -> str:
        """How much of it ``points`` (N, 2) cover, in words; nothing where there are no modes."""
        if not len(self.modes) or not len(points):
            return ""
        from .metrics import mode_score

        modes, quality = mode_score(points, self.modes, self.std)
        return f"{modes} of {len(self.modes)} modes, {100 * quality:.1f} % within 3 std of one"

    def legend(self) -> str:
        """What its marks mean."""
        return "grey: real points" + ("; crosses: modes" if len(self.modes) else "")


def scene_of(data: PointData) -> Scene:
    """The scene of a data set."""
    modes = np.zeros((0, 2), np.float32) if data.modes is None else data.modes
    return Scene(data.name, data.box, data.points[:REAL], modes, data.std)


def places(box: float) -> np.ndarray:
    """Where a critic is looked at, row by row from below: float32 (SIDE², 2).

    >>> places(2.0)[[0, 1, SIDE]].round(2).tolist()
    [[-2.0, -2.0], [-1.899999976158142, -2.0], [-2.0, -1.899999976158142]]
    """
    side = np.linspace(-box, box, SIDE, dtype=np.float32)
    across, up = np.meshgrid(side, side)
    return np.stack([across.ravel(), up.ravel()], 1)


def draw_scene(axes: Axes, scene: Scene, heights: np.ndarray | None = None) -> None:
    """What lies under generated points; ``heights`` (SIDE, SIDE) is the critic on ``places``."""
    side = np.linspace(-scene.box, scene.box, SIDE)
    axes.grid(visible=False)
    if heights is not None and np.isfinite(heights).all() and np.ptp(heights) > 0:
        axes.contour(side, side, heights, 10, cmap="gray", linewidths=0.7, zorder=1)
    axes.plot(*scene.real.T, **GREY)
    axes.plot(*scene.modes.T, color="black", linestyle="", marker="+", ms=7, zorder=4)
    axes.set_xlim(-scene.box, scene.box)
    axes.set_ylim(-scene.box, scene.box)
    ticks = np.floor(0.8 * scene.box) * np.array([-1, 0, 1])
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_aspect("equal")


class Plane(NamedTuple):
    """Generated points in their scene: a picture that can be saved.

    Attributes:
        points: (N, 2).
        labels: the class that each was made for (N,), or None.
        classes: how many there are.
        discovered: whether the classes are the system's own, not the modes.
        heights: see ``draw_scene``.
    """

    scene: Scene
    points: np.ndarray
    labels: np.ndarray | None = None
    classes: int = 0
    discovered: bool = False
    heights: np.ndarray | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a PNG, atomically; the size does not depend on the points."""
        coloured = self.labels is not None
        with drawing(path, 6.2 if coloured else 5.4, 5.7) as figure:
            axes: Any = figure.subplots()
            self.draw(axes)
            figure.suptitle(self.title(), x=0.01, ha="left", fontsize=10, parse_math=False)
            figure.supxlabel(self.legend(), x=0.01, ha="left", fontsize=8, color="#404040")
            if coloured:
                figure.legend(loc="outside right center", title="class", markerscale=2.5,
                              ncols=1 + self.classes // 26, fontsize=8)  # fmt: skip

    def draw(self, axes: Axes) -> None:
        """Everything, into ``axes``; each class that is there is a series named by its number."""
        draw_scene(axes, self.scene, self.heights)
        if self.labels is None:
            axes.plot(*self.points.T, **GENERATED)
            return
        colours = class_colours(self.classes)
        for i in np.unique(self.labels):
            colour = colours[i]
            look = {**GENERATED, "markerfacecolor": colour, "marker": MARKERS[i % len(MARKERS)]}
            axes.plot(*self.points[self.labels == i].T, **{**look, "ms": 3.4}, label=str(i))
            if not self.discovered and i < len(self.scene.modes):
                mode = self.scene.modes[i]
                axes.plot(*mode, marker="+", ms=9, mew=1.8, color=colour, zorder=5)

    def title(self) -> str:
        """What is shown, and how good it is."""
        points = self.points[np.isfinite(self.points).all(1)]
        outside = int((np.abs(points) > self.scene.box).any(1).sum())
        said = [f"{len(points)} points", self.scene.found(points)]
        said += [f"{outside} outside"] * (outside > 0)
        return f"{self.scene.name}: {', '.join(filter(None, said))}"

    def legend(self) -> str:
        """What the marks mean."""
        said = self.scene.legend()
        if self.labels is not None and not self.discovered:
            said += " in their class's colour"
        if self.heights is not None:
            said += "; lines: the critic's contours, dark is low"
        return said


def save_paths(
    path: str | os.PathLike[str],
    scene: Scene,
    paths: np.ndarray,
    title: str,
    names: Sequence[str] = (),
    closed: bool = False,
) -> None:
    """Lines through the plane (P, T, 2) over the scene as a PNG, atomically.

    Args:
        names: of the lines, where they have some.
        closed: each line begins where the one before ended, so that its end needs no mark.
    """
    with drawing(path, 6.2 if names else 5.4, 5.7) as figure:
        axes: Any = figure.subplots()
        draw_scene(axes, scene)
        for i, (line, shade) in enumerate(zip(paths, class_colours(len(paths)), strict=True)):
            name = names[i] if names else None
            axes.plot(*line.T, color=shade, linewidth=1.3, alpha=0.8, zorder=3, label=name)
            axes.plot(*line[0], marker="o", ms=5, color=shade, zorder=5)
            if not closed:
                axes.plot(*line[-1], marker="D", ms=5, color=shade, mfc="white", zorder=5)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, parse_math=False)
        ways = "dots: the stops" if closed else "lines: from the dots to the diamonds"
        said = f"{scene.legend()}; {ways}"
        figure.supxlabel(said, x=0.01, ha="left", fontsize=8, color="#404040")
        if names:
            figure.legend(loc="outside right center", title="class", fontsize=8,
                          ncols=1 + len(names) // 26)  # fmt: skip


def walk_frames(scene: Scene, path: np.ndarray, frames: int) -> list[np.ndarray]:
    """A film of a closed path (T, 2): uint8 pictures in which a dot runs along it once."""
    around = np.concatenate([path, path[:1]])
    with canvas(5.4, 5.2) as figure:
        axes: Any = figure.subplots()
        draw_scene(axes, scene)
        axes.plot(*around.T, color="#0b5fa5", linewidth=1.0, alpha=0.35, zorder=3)
        (dot,) = axes.plot([], [], marker="o", ms=9, color="#c8500a", zorder=6)
        made = []
        for i in np.linspace(0, len(path), frames, endpoint=False).astype(int):
            dot.set_data(*path[i : i + 1].T)
            made.append(pixels(figure))
    return made
