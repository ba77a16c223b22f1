"""``minigan sample``: images, or points, of a trained run, as they come or as asked for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .._console import say
from ..training import Usage
from .arguments import natural, path, positive
from .outputs import expect_free

if TYPE_CHECKING:
    import numpy as np

    from ..trained import Trained

COUNT = 64
SWEPT = 9  # values of a sweep: steps of ½ from -2 to 2


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    sample = commands.add_parser(
        "sample",
        help="draw images from a trained run",
        description="Draw images from a run's networks, as a PNG grid or as an .npz with images "
        "(N, C, H, W) float32 in [-1, 1]; of a run on points a PNG of the plane, or points (N, 2) "
        "float32.  What makes images from images is given those of "
        "--input, else some of its own data; in a PNG each stands left of what became of it.  "
        "Pictures in that folder that cannot be read are named and left out; the exit code is "
        "then 1.",
        epilog="examples: minigan sample runs/cgan-mnist-1 --label 7; minigan sample "
        "runs/cgan-mnist-1 --label 3:0.5,8:0.5; minigan sample runs/pix2pix-facades-1 --input "
        "house.png",
    )
    sample.set_defaults(run=_sample)
    sample.add_argument("folder", type=path, metavar="DIR", help="the run folder")
    sample.add_argument("-n", type=positive, metavar="N", help=f"images ({COUNT}) or points (1000)")
    sample.add_argument("--seed", type=natural, default=0, metavar="N", help="of the noise (0)")
    sample.add_argument(
        "--label", metavar="CLASS", help="of this class, or of weighted ones: 7, cat, 3:0.5,8:0.5"
    )
    sample.add_argument("--grid", choices=("labels",), help="labels: a column for each class")
    sample.add_argument(
        "--sweep",
        type=positive,
        metavar="K",
        help="code K (of the noise, where there are no codes) from -2 to 2 downwards, a column for "
        "each class",
    )
    sample.add_argument("--input", type=path, metavar="PATH", help="an image, or a folder of them")
    sample.add_argument(
        "--out", type=path, metavar="FILE", help=".png or .npz (DIR/sample-SEED.png)"
    )
    sample.add_argument("--force", action="store_true", help="replace FILE if it is there")


def _sample(arguments: argparse.Namespace) -> int:
    from .. import report
    from ..gan.autoencoding import beside
    from ..serialize import write_npz
    from ..trained import load_networks

    _expect_compatible(arguments)
    out = arguments.out or arguments.folder / f"sample-{arguments.seed}.png"
    kind = out.suffix.lower()
    if kind not in (".png", ".npz"):
        raise Usage(f"--out expects a name ending in .png or .npz, got {out}")
    expect_free(out, arguments.folder, arguments.force)
    trained = load_networks(arguments.folder)
    if trained.shape.points:
        from . import points

        return points.sample(arguments, trained, out)
    images, columns, inputs, broken = _images(arguments, trained)
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".npz":
        write_npz(out, {"images": images})
    elif inputs is None:
        report.save_grid(out, images, columns)
    else:
        report.save_grid(out, beside(inputs, images), 8)
    print(f"{len(images)} image{'s' if len(images) > 1 else ''}: {out}")
    return 1 if broken else 0


def _expect_compatible(arguments: argparse.Namespace) -> None:
    """What is shown is said by one option; a class goes with a sweep, a count not."""
    for name, alone in (("input", ("label", "grid", "sweep")), ("grid", ("label", "sweep"))):
        for other in alone:
            if getattr(arguments, name) is not None and getattr(arguments, other) is not None:
                raise Usage(f"--{name} and --{other} do not go together")
    if arguments.sweep is not None and arguments.n is not None:
        raise Usage(f"--sweep and -n do not go together: a sweep has {SWEPT} rows")


def _images(
    arguments: argparse.Namespace, trained: Trained
) -> tuple[np.ndarray, int, np.ndarray | None, tuple[str, ...]]:
    """The images asked for, in how many columns to show them, what they were made from, and which
    files had to be left out."""
    import numpy as np

    from ..gan import Request
    from ..gan.explore import label_grid, sweep
    from ..trained import own_inputs
    from .inputs import labels_of, read_inputs, space_of

    seed, count = arguments.seed, arguments.n or COUNT
    label = None if arguments.label is None else labels_of(trained, arguments.label)
    if arguments.sweep is not None:
        rows, columns = sweep(space_of(trained), arguments.sweep, SWEPT, seed, label)
        return trained.decode(rows), columns, None, ()
    if arguments.grid is not None:
        space = space_of(trained)
        rows = label_grid(space, max(1, count // max(1, space.classes)), seed)
        return trained.decode(rows), space.classes, None, ()
    labels = None if label is None else np.tile(label, (count, 1))
    inputs, broken = None, ()
    if arguments.input is not None:
        inputs, broken = read_inputs(trained, arguments.input, arguments.n)
        for line in broken:
            say(f"minigan: left out: {line}")
    elif trained.recipe.view.from_images:
        inputs = own_inputs(trained.config, arguments.n, seed)
    count = count if inputs is None else len(inputs)
    images = trained.sample(Request(count, seed, labels, inputs))
    return images, max(1, round(len(images) ** 0.5)), inputs, broken
