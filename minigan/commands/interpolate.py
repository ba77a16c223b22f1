"""``minigan interpolate``: a walk through what the images of a trained run are made from."""

from __future__ import annotations

import argparse

from .arguments import natural, path, positive
from .outputs import expect_free

STEPS = 8  # from one point to the next, and so the columns of the strip
SIDE = 224  # pixels of the film's images, about


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    interpolate = commands.add_parser(
        "interpolate",
        help="walk through a run's latent space",
        description="Walk from one random latent to the next and back to the first, and show the "
        "images on the way: as a strip, a row for each part of the way, and as a film that goes "
        "round; of a run on points as lines through the plane.",
        epilog="example: minigan interpolate runs/cgan-mnist-1 --count 1 --label 3 --label 8",
    )
    interpolate.set_defaults(run=_interpolate)
    interpolate.add_argument("folder", type=path, metavar="DIR", help="the run folder")
    interpolate.add_argument(
        "--count", type=positive, default=6, metavar="N", help="random latents on the way (6)"
    )
    interpolate.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of the latents (0)"
    )
    interpolate.add_argument(
        "--label",
        action="append",
        metavar="CLASS",
        help="of this class, as in sample; of several the way goes from one to the next",
    )
    interpolate.add_argument(
        "--out",
        type=path,
        metavar="FILE",
        help="a .png, with the film beside it as .gif (DIR/interpolation-SEED.png)",
    )
    interpolate.add_argument("--force", action="store_true", help="replace files that are there")


def _interpolate(arguments: argparse.Namespace) -> int:
    import numpy as np

    from .. import report
    from ..gan.explore import walk
    from ..trained import load_networks
    from ..training import Usage
    from .inputs import labels_of, space_of

    folder, asked = arguments.folder, arguments.label or []
    strip = arguments.out or folder / f"interpolation-{arguments.seed}.png"
    if strip.suffix.lower() != ".png":
        raise Usage(f"--out expects a name ending in .png, got {strip}")
    film = strip.with_suffix(".gif")
    for file in (strip, film):
        expect_free(file, folder, arguments.force)
    if max(arguments.count, len(asked)) < 2:
        raise Usage("--count 1 is a walk only with several --label to go between")
    trained = load_networks(folder)
    space = space_of(trained)
    labels = np.array([labels_of(trained, text) for text in asked]) if asked else None
    if trained.shape.points:
        from . import points

        return points.interpolate(arguments, trained, labels, strip)
    images = trained.decode(walk(space, arguments.count, STEPS, arguments.seed, labels))
    scale = max(1, SIDE // images.shape[2])
    strip.parent.mkdir(parents=True, exist_ok=True)
    report.save_grid(strip, images, STEPS)
    frames = [report.image_grid(image[None], columns=1, scale=scale) for image in images]
    report.save_animation(film, frames)
    print(f"{len(images)} images\n  strip  {strip}\n  film   {film}")
    return 0
