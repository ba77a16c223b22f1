"""The pictures of the toy ``mixtures``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import mixture
from ..figures import pixels
from ..metrics.modes import PERFECT
from ..plane import GENERATED, SIDE, Scene, draw_scene, scene_of
from ..report import save_animation
from .canvas import ASIDE, EXACT, drawing, label, measured, save
from .mixtures_training import Run
from .output import progress
from .truth import TruthPanel, save_truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Found = Mapping[str, Sequence[Run]]  # of every contender, one run for each seed
COLUMNS = 5  # moments in the picture over time
EVERY = 4  # of the places along a side, those that get an arrow


def draw(folder: Path, data: str, found: Found, words: str) -> None:
    """All figures of one mixture; those of points show the first seed.

    Args:
        words: the protocol and its steps, for the titles.
    """
    first = {name: runs[0] for name, runs in found.items()}
    _draw_time(folder / f"{data}-time.png", data, first, words)
    _draw_field(folder / f"{data}-field.png", data, first, words)
    _film(folder / f"{data}.gif", data, first)
    if len(_scene(data).modes):
        _draw_scores(folder / f"{data}-scores.png", data, found, words)


def draw_truth(folder: Path, data: str, found: Found, panel: TruthPanel) -> None:
    """The truth panel of every contender, first seed, with what its critic says of EM or JS."""
    for name, (run, *_) in found.items():
        steps, measures, em, js = (
            [row[key] for row in run.rows] for key in ("step", "truth", "estimate", "js_bound")
        )
        save_truth(
            folder / f"{data}-{name}-truth.png",
            panel,
            steps,
            measures,
            f"{name} on the {data}",
            estimates=None if None in em else em,
            js_estimates=None if None in js else js,
        )


def _panel(axes: Axes, scene: Scene, run: Run, look: int) -> None:
    """The points over the critic's contours."""
    draw_scene(axes, scene, run.heights[look])
    axes.plot(*run.samples[look].T, **GENERATED)


def _scene(data: str) -> Scene:
    """Modes, or without such some real points."""
    real = mixture(data, 600, seed=0)
    found = scene_of(real)
    return found if real.modes is None else found._replace(real=real.points[:0])


def _legend(data: str, more: str = "") -> str:
    """What the marks of a panel mean, by their shape."""
    modes = len(_scene(data).modes)
    real = "crosses: the modes" if modes else "grey: real points"
    text = f"{real}; dots: generated points; {more}lines: the critic's contours, dark is low"
    return f"{text}\nabove each: modes found and share of high-quality samples" if modes else text


def _said(run: Run, look: int) -> str:
    row = run.rows[look]
    score = "" if row["modes"] is None else f": {row['modes']}, {100 * row['quality']:.0f} %"
    return f"step {row['step']}{score}"


def _draw_time(path: Path, data: str, first: Mapping[str, Run], words: str) -> None:
    scene = _scene(data)
    height = 1.0 + 2.5 * len(first)
    title = f"The {data} over time: {words}\n{_legend(data)}"
    size, shared = (12, height), {"sharex": True, "sharey": True}
    with drawing(title, len(first), COLUMNS, size, **shared) as (figure, axes):
        for line, (name, run) in zip(axes, first.items(), strict=True):
            looks = np.linspace(0, len(run.rows) - 1, COLUMNS).round().astype(int)
            for each, look in zip(line, looks, strict=True):
                _panel(each, scene, run, look)
                label(each, "", "", _said(run, look))
            line[0].set_ylabel(f"{name}\ny")
        for each in axes[-1]:
            each.set_xlabel("x")
        save(figure, path)


def _draw_field(path: Path, data: str, first: Mapping[str, Run], words: str) -> None:
    """Arrows of one length along the slope of the critic: where it would push a point."""
    scene = _scene(data)
    side = np.linspace(-scene.box, scene.box, SIDE)
    columns = min(4, len(first))
    rows = -(-len(first) // columns)
    title = f"Where the critic would push a point, at the end: {words}"
    title += f"\n{_legend(data, 'arrows: up the critic; ')}"
    size = (max(9.5, 3.4 * columns), 1.1 + 3.2 * rows)
    with drawing(title, rows, columns, size) as (figure, axes):
        for each in axes.flat[len(first) :]:
            each.set_axis_off()
        for each, (name, run) in zip(axes.flat, first.items(), strict=False):
            _panel(each, scene, run, -1)
            up, across = np.gradient(run.heights[-1].astype(np.float64), side, side)
            slope = np.hypot(across, up)
            there = np.zeros(slope.shape, bool)
            there[::EVERY, ::EVERY] = slope[::EVERY, ::EVERY] > 0
            x, y = np.meshgrid(side, side)
            each.quiver(x[there], y[there], (across / np.where(there, slope, 1))[there],
                        (up / np.where(there, slope, 1))[there], color="#c8500a", scale=22,
                        width=0.006, zorder=2)  # fmt: skip
            label(each, "x", "y", f"{name}, {_said(run, -1)}")
        save(figure, path)


def _film(path: Path, data: str, first: Mapping[str, Run]) -> None:
    scene, columns = _scene(data), min(4, len(first))
    rows = -(-len(first) // columns)
    frames = []
    looks = min(len(run.rows) for run in first.values())
    scored = next(iter(first.values())).rows[0]["modes"] is not None
    for look in progress(range(looks), f"frames of the {data}"):
        step = next(iter(first.values())).rows[look]["step"]
        size = (max(5, 3 * columns), 1.0 + 3 * rows)
        title = f"The {data}, generator step {step}"
        if scored:
            title += "\nabove each: modes found, high-quality samples"
        with drawing(title, rows, columns, size) as (figure, axes):
            for each in axes.flat[len(first) :]:
                each.set_axis_off()
            for each, (name, run) in zip(axes.flat, first.items(), strict=False):
                _panel(each, scene, run, look)
                score = _said(run, look).partition(":")[2]
                label(each, "x", "y", f"{name}:{score}" if score else name)
            frames.append(pixels(figure))
    save_animation(path, frames)


def _draw_scores(path: Path, data: str, found: Found, words: str) -> None:
    """Means over the seeds, with their range.

    Not at step 0: there all points lie together, on the grid even in a mode.
    """
    modes = len(_scene(data).modes)
    seeds = max(len(runs) for runs in found.values())
    title = f"Coverage of the {data}: {words}, {_seeds(seeds)}"
    with drawing(title, 1, 2, (12.4, 4.4)) as (figure, axes):
        axes[0, 0].axhline(modes, **EXACT)
        axes[0, 1].axhline(100 * PERFECT, **EXACT, label=f"perfect sampler: {modes}, 98.89 %")
        for i, (name, runs) in enumerate(found.items()):
            at = [row["step"] for row in runs[0].rows[1:]]
            for each, key, factor in zip(axes.flat, ("modes", "quality"), (1, 100), strict=True):
                values = factor * np.array([[row[key] for row in run.rows[1:]] for run in runs])
                look = measured(i, markevery=(i % 4, 4))
                each.plot(at, values.mean(0), **look, label=name)
                if len(runs) > 1:
                    each.fill_between(at, values.min(0), values.max(0), alpha=0.12,
                                      color=look["color"], linewidth=0)  # fmt: skip
        axes[0, 0].set_ylim(0, 1.08 * modes)
        axes[0, 1].set_ylim(0, 105)
        label(axes[0, 0], "generator steps", f"modes with a high-quality sample, of {modes}")
        axes[0, 0].get_legend().remove()
        label(axes[0, 1], "generator steps", "high-quality samples (%)", **ASIDE)
        save(figure, path)


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"mean and range of {count} seeds"
