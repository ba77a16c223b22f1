"""The toy ``dirac-gan``: does the smallest GAN converge, as predicted and as seen?

Eight ways to play it (``dirac.GAMES``), each with simultaneous and with alternating steps:

1. the paths of (θ, ψ) over the vector field of the step;
2. the eigenvalues of the step's Jacobian at rest, beside the unit circle;
3. the distance from rest over the steps, beside the spectral radius to the power of the step.

Source: Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406, figure 1 and table 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._tensor import tensor
from ..figures import pixels
from ..report import save_animation
from .canvas import EXACT, drawing, label, measured, save
from .dirac import GAMES, RATE, Prediction, converged, play, predict, rate, step
from .output import host, progress, row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

START, CLOSE = (1.0, 1.0), (0.01, 0.01)
ORDERS = {False: "simultaneous", True: "alternating"}
DASHED = {"linestyle": (0, (3, 2)), "linewidth": 2.2}  # to be told apart in grey
FILMED = ("gan", "wgan", "r1", "unrolled")
QUICK, FULL, FILM = 400, 1000, 300  # steps; of them so many on film
Key = tuple[str, bool]  # the game, and whether steps alternate


def run(folder: Path, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Leave the figures in ``folder``; returns the numbers (nothing here is random)."""
    steps = QUICK if quick else FULL
    keys = [(name, alternating) for name in GAMES for alternating in ORDERS]
    predicted = {key: predict(GAMES[key[0]], key[1]) for key in keys}
    paths, close = {}, {}
    for name, alternating in progress(keys, "games"):
        game = GAMES[name]
        paths[name, alternating] = play(game, START, steps, alternating)
        close[name, alternating] = play(game, CLOSE, steps, alternating)
    fields = {name: _field(name) for name in progress(GAMES, "fields")}
    _draw_paths(folder / "paths.png", paths, predicted, fields)
    _draw_eigenvalues(folder / "eigenvalues.png", predicted)
    _draw_distances(folder / "distances.png", close, predicted)
    _film(folder / "paths.gif", paths, fields, min(FILM, steps))
    rows, games = [], {}
    for name, alternating in keys:
        key, said = (name, alternating), predicted[name, alternating]
        what = f"{name}, {ORDERS[alternating]}"
        if said.radius is not None:
            rows.append(row(f"{what}: factor a step close to rest", rate(close[key]), said.radius))
        seen = converged(paths[key])
        rows.append(row(f"{what}: converges", seen, said.converges))
        games[what] = {
            "eigenvalues": [[v.real, v.imag] for v in said.eigenvalues],
            "radius": said.radius,
            "predicted": said.converges,
            "seen": seen,
            "end": paths[key][-1],
        }
    return {"rows": rows, "rate": RATE, "steps": steps, "games": games}


def _field(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where points are, and in which direction a simultaneous step takes them."""
    side = np.linspace(-2, 2, 11)
    theta, psi = np.meshgrid(side, side)
    places = np.stack([theta.ravel(), psi.ravel()], 1)
    moves = [host(step(GAMES[name], tensor(p.tolist(), dtype="float64"))) for p in places]
    moves = np.stack(moves) - places
    return places, moves, np.hypot(*moves.T)


def _panel(axes: Axes, field: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """The vector field; arrows have one length, since only where they point matters."""
    places, moves, lengths = field
    there = lengths > 1e-12
    arrows = moves[there] / lengths[there, None]
    axes.quiver(*places[there].T, *arrows.T, color="#a0a0a0", scale=26, width=0.004, zorder=1)
    axes.plot(0, 0, "k*", ms=10, zorder=4)
    axes.set_xlim(-2.2, 2.2)
    axes.set_ylim(-2.2, 2.2)
    axes.set_aspect("equal")


def _draw_paths(
    path: Path,
    paths: dict[Key, np.ndarray],
    predicted: dict[Key, Prediction],
    fields: dict[str, Any],
) -> None:
    title = f"The Dirac-GAN from (1, 1), rate {RATE}; arrows: a simultaneous step; star: the rest"
    title += "\nmarkers: the ends, unless they lie outside; dashes: an orbit's last turn"
    with drawing(title, 2, 4, (14, 7.8)) as (figure, axes):
        for each, (name, game) in zip(axes.flat, GAMES.items(), strict=True):
            _panel(each, fields[name])
            for i, (alternating, order) in enumerate(ORDERS.items()):
                points = paths[name, alternating]
                radius = predicted[name, alternating].radius
                said = "no rest at 0" if radius is None else f"ρ = {radius:.4f}"
                shown = _last_turn(points) if alternating else points
                end = {"ms": 7, "markevery": [len(shown) - 1], "zorder": 3 + i}
                look = measured(i, **end, **(DASHED if alternating else {}))
                each.plot(*shown.T, **look, label=f"{order}, {said}")
            label(each, "θ (generator)", "ψ (critic)", game.title, loc="upper right", fontsize=7,
                  framealpha=1)  # fmt: skip
            each.set_ylim(-2.2, 3.2)
        save(figure, path)


def _last_turn(points: np.ndarray) -> np.ndarray:
    """The end of a path from a full turn around 0 on; all of it where it comes to 0.

    Dashes on many turns of one orbit would fill each other's gaps.
    """
    if converged(points):
        return points
    angle = np.unwrap(np.arctan2(points[:, 1], points[:, 0]))
    before = np.flatnonzero(np.abs(angle - angle[-1]) > 2 * np.pi)
    return points[before[-1] if len(before) else 0 :]


def _draw_eigenvalues(path: Path, predicted: dict[Key, Prediction]) -> None:
    """Near 1, where they all are; gan and non-saturating, wgan and clip have the same."""
    shown = {"gan": "GAN", "wgan": "WGAN, clipped or not", "r1": "R1", "noise": "noise",
             "unrolled": "unrolled"}  # fmt: skip
    angle = np.linspace(-0.2, 0.2, 201)
    title = "Eigenvalues of a step's Jacobian at rest: inside the unit circle it converges"
    with drawing(title, 1, 2, (11, 4.8)) as (figure, axes):
        for each, (alternating, order) in zip(axes.flat, ORDERS.items(), strict=True):
            each.fill_betweenx(np.sin(angle), 0.9, np.cos(angle), color="#f0f0f0", zorder=0)
            each.plot(np.cos(angle), np.sin(angle), **EXACT, label="unit circle")
            for i, (name, said) in enumerate(shown.items()):
                values = np.array(predicted[name, alternating].eigenvalues)
                look = measured(i, linestyle="", ms=9, markeredgewidth=1.8)
                each.plot(values.real, values.imag, **look, label=said)
            each.plot([], [], " ", label="GP: no rest, none to show")
            each.set_xlim(0.94, 1.012)
            each.set_ylim(-0.12, 0.12)
            label(each, "real part", "imaginary part", f"{order} steps", loc="upper left")
        save(figure, path)


def _draw_distances(
    path: Path, close: dict[Key, np.ndarray], predicted: dict[Key, Prediction]
) -> None:
    shown = ("wgan", "gan", "unrolled", "noise", "r1")
    title = f"Distance from rest, starting at {CLOSE}: played, and as the Jacobian predicts"
    with drawing(title, 1, 2, (11, 4.8), sharey=True) as (figure, axes):
        for each, (alternating, order) in zip(axes.flat, ORDERS.items(), strict=True):
            for i, name in enumerate(shown):
                far = np.hypot(*close[name, alternating][:401].T)
                at = np.arange(len(far))
                radius = predicted[name, alternating].radius or 1.0
                line = {**EXACT, "linewidth": 1.2, "label": None if i else "√2/100 · ρ^step"}
                each.plot(at, far[0] * radius**at, **line)
                look = measured(i, linestyle="", markevery=(5 * i, 40), ms=6)
                each.plot(at, far, **look, label=GAMES[name].title)
            each.set_yscale("log")
            each.set_ylim(1e-9, 1)
            label(each, "steps", "√(θ² + ψ²)", f"{order} steps", loc="lower left")
        save(figure, path)


def _film(path: Path, paths: dict[Key, np.ndarray], fields: dict[str, Any], steps: int) -> None:
    frames = []
    for now in progress(range(0, steps + 1, 10), "frames"):
        title = f"The Dirac-GAN, simultaneous steps (rate {RATE}): step {now}"
        with drawing(title, 1, 4, (12, 3.7)) as (figure, axes):
            for each, name in zip(axes.flat, FILMED, strict=True):
                _panel(each, fields[name])
                points = paths[name, False][: now + 1]
                each.plot(*points.T, **measured(0, marker=None))
                each.plot(*points[-1:].T, **measured(0, linestyle="", ms=8))
                label(each, "θ (generator)", "ψ (critic)", GAMES[name].title)
            frames.append(pixels(figure))
    save_animation(path, frames)
