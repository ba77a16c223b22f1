"""What ``sample`` and ``interpolate`` show of a run on points: the plane, and ways through it."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..config import RunError
from ..cpu.threads import one_blas_thread
from ..gan.explore import label_grid, sweep, walk
from ..gan.latents import sampled_latents
from ..gan.points_view import picture
from ..plane import Scene, save_paths, scene_of, walk_frames
from ..report import MAX_FRAMES, save_animation
from ..serialize import write_npz
from ..trained import Trained, data_of
from .inputs import labels_of, space_of

COUNT = 1000
FINE = 80  # steps of a sweep, and of a walk from one stop to the next: a line looks smooth


def sample(arguments: argparse.Namespace, trained: Trained, out: Path) -> int:
    """``minigan sample``: as many points as were asked for, of what was asked for."""
    if arguments.input is not None:
        raise RunError(
            f"--input {arguments.input}: {trained.recipe.name} on {trained.config.data} makes "
            "points from noise"
        )
    space, seed, count = space_of(trained), arguments.seed, arguments.n or COUNT
    label = None if arguments.label is None else labels_of(trained, arguments.label)
    columns = 0
    if arguments.sweep is not None:
        rows, columns = sweep(space, arguments.sweep, FINE + 1, seed, label)
    elif arguments.grid is not None:
        rows = label_grid(space, max(1, count // max(1, space.classes)), seed)
    else:
        labels = None if label is None else np.tile(label, (count, 1))
        rows = sampled_latents(space, count, seed, labels)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".npz":
        write_npz(out, {"points": trained.decode(rows)})
    elif columns:
        paths = trained.decode(rows).reshape(-1, columns, 2).transpose(1, 0, 2)
        names = [str(i) for i in range(columns)] if space.classes and label is None else []
        what = "code" if space.codes else "number"
        title = f"{what} {arguments.sweep} of {trained.recipe.name} from −2 to 2, all else the same"
        save_paths(out, scene(trained), paths, title, names)
    else:
        with one_blas_thread:
            drawn = picture(trained.recipe.view, trained.networks, rows, scene(trained))
        drawn.save(out)
    print(f"{len(rows)} point{'s' if len(rows) > 1 else ''}: {out}")
    return 0


def interpolate(
    arguments: argparse.Namespace, trained: Trained, labels: np.ndarray | None, strip: Path
) -> int:
    """``minigan interpolate``: the way as a line through the plane, and a dot that runs along."""
    space, film = space_of(trained), strip.with_suffix(".gif")
    rows = walk(space, arguments.count, FINE, arguments.seed, labels)
    points, under = trained.decode(rows), scene(trained)
    legs = points.reshape(-1, FINE, 2)
    legs = np.concatenate([legs, np.roll(legs[:, :1], -1, 0)], 1)  # each ends where the next begins
    strip.parent.mkdir(parents=True, exist_ok=True)
    title = f"{trained.recipe.name} on {trained.config.data}: a walk of {len(legs)} parts"
    save_paths(strip, under, legs, title, closed=True)
    save_animation(film, walk_frames(under, points, MAX_FRAMES))
    print(f"{len(points)} points\n  picture  {strip}\n  film     {film}")
    return 0


def scene(trained: Trained) -> Scene:
    """The real points and modes of the run's data."""
    return scene_of(data_of(trained.config))
