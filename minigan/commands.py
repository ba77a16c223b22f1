"""What the command line understands: the parser, and every command but ``train``."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from . import __version__
from .training import Usage, settings_from, train

_DATA = "glyphs (default), mnist, cifar10, folder:PATH, pairs:PATH or pairs:DIRA,DIRB"


class _Parser(argparse.ArgumentParser):
    """Reports a mistake as one line; options are written out."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> Any:
        raise Usage(f"{message} ({self.prog} --help tells more)")


def parser() -> argparse.ArgumentParser:
    """Made anew for every call; the command chosen is the result's ``run``."""
    minigan = _Parser(prog="minigan", description="Train GANs with a from-scratch engine.")
    minigan.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = minigan.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Parser
    )

    training = commands.add_parser(
        "train",
        help="train a recipe (or go on with a run) and leave a run folder",
        description="Train a recipe and leave a run folder with samples, curves and a checkpoint.",
        epilog="example: minigan train dcgan --data mnist --data-dir PATH --set lr=1e-4",
    )
    training.set_defaults(run=train)
    training.add_argument("recipe", nargs="?", metavar="RECIPE", help="see: minigan list")
    training.add_argument("--data", metavar="NAME", help=_DATA)
    training.add_argument(
        "--data-dir", type=_path, metavar="DIR", help="where the data set's files are"
    )
    training.add_argument("--image-size", type=_positive, metavar="N", help="resize images to N×N")
    training.add_argument(
        "--channels", type=int, choices=(1, 3), help="of a folder: 1 grey, 3 colour (as the images)"
    )
    training.add_argument(
        "--labels", type=_path, metavar="FILE", help="of a folder: a table with its images' labels"
    )
    training.add_argument(
        "--attributes", metavar="NAMES", help="which columns of the table, with commas between"
    )
    training.add_argument(
        "--direction", choices=("AtoB", "BtoA"), help="of pairs: what becomes what (AtoB)"
    )
    training.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="stop at an image that cannot be used, instead of leaving it out",
    )
    training.add_argument(
        "--augment", metavar="STEPS", help="e.g. flip,crop=4,jitter=286,rotate=10,color=0.2"
    )
    length = training.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive, metavar="N", help="generator steps to train")
    length.add_argument("--epochs", type=_positive, metavar="N", help="or passes over the data")
    training.add_argument("--batch-size", type=_positive, metavar="N", help="images in a batch")
    training.add_argument("--seed", type=_natural, metavar="N", help="of everything random (0)")
    training.add_argument(
        "--out", type=_path, metavar="DIR", help="the run folder (runs/RECIPE-DATA-N)"
    )
    training.add_argument(
        "--device", choices=("cpu", "cuda", "auto"), help="where to compute (auto)"
    )
    training.add_argument("--resume", type=_path, metavar="DIR", help="go on with the run in DIR")
    training.add_argument("--force", action="store_true", help="replace the run in --out")
    training.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of the recipe (see: minigan show RECIPE); may be repeated",
    )
    training.add_argument(
        "--sample-every", type=_positive, metavar="N", help="steps between pictures"
    )
    training.add_argument(
        "--checkpoint-every", type=_positive, metavar="N", help="steps between checkpoints (250)"
    )

    sample = commands.add_parser(
        "sample",
        help="draw images from a trained run",
        description="Draw images from a run's generator, as a PNG grid or as an .npz with "
        "images (N, C, H, W) float32 in [-1, 1].",
    )
    sample.set_defaults(run=_sample)
    sample.add_argument("folder", type=_path, metavar="DIR", help="the run folder")
    sample.add_argument("-n", type=_positive, default=64, metavar="N", help="images (64)")
    sample.add_argument("--seed", type=_natural, default=0, metavar="N", help="of the noise (0)")
    sample.add_argument(
        "--out", type=_path, metavar="FILE", help=".png or .npz (DIR/sample-SEED.png)"
    )
    sample.add_argument("--force", action="store_true", help="replace FILE if it is there")

    commands.add_parser("list", help="the recipes").set_defaults(run=_list)

    show = commands.add_parser("show", help="a recipe's networks, objective and settings")
    show.set_defaults(run=_show)
    show.add_argument("recipe", metavar="RECIPE")
    show.add_argument("--image-size", type=_positive, default=28, metavar="N", help="pixels (28)")
    show.add_argument(
        "--channels", type=_positive, default=1, metavar="N", help="of the images (1)"
    )
    show.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting"
    )

    check = commands.add_parser(
        "gradcheck",
        help="check the derivatives of every operation",
        description="Check the derivatives of every operation of the engine and print the table; "
        "ends with 1 if any falls short.",
    )
    check.set_defaults(run=_gradcheck)
    check.add_argument("--order", type=_positive, default=3, metavar="N", help="up to (3)")
    check.add_argument("--op", metavar="NAME", help="only this operation")
    check.add_argument("--seed", type=_natural, default=0, metavar="N", help="of the inputs (0)")
    check.add_argument("--markdown", action="store_true", help="as the README has it")
    check.add_argument("--json", metavar="FILE", help="write all numbers to FILE too")

    info = commands.add_parser("info", help="versions, device, BLAS, threads")
    info.set_defaults(run=_info)
    info.add_argument(
        "--conv",
        metavar="GEOMETRY",
        help="which algorithms compute it: 64x3x32x32,64,k4,s2,p1",
    )
    return minigan


def _whole(text: str, low: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= low):
        raise argparse.ArgumentTypeError(
            f"expected a whole number of {low} to 999999999, got {text[:20]!r}"
        )
    return int(text)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _natural(text: str) -> int:
    return _whole(text, 0)


def _path(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected a path, got {text!r}")
    return Path(text)


# --------------------------------------------------------------------------- sample, list, show


def _sample(arguments: argparse.Namespace) -> int:
    import numpy as np

    from . import report
    from .config import RunError
    from .run import FILES, sample
    from .serialize import write_npz

    folder = arguments.folder
    out = arguments.out or folder / f"sample-{arguments.seed}.png"
    kind = out.suffix.lower()
    if kind not in (".png", ".npz"):
        raise Usage(f"--out expects a name ending in .png or .npz, got {out}")
    if out.name in FILES and out.resolve().parent == folder.resolve():
        raise RunError(f"--out {out}: is a part of the run itself; give another name")
    if out.exists() and not arguments.force:
        raise RunError(f"--out {out}: is there already; give another name or --force")
    images = sample(folder, arguments.n, arguments.seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".npz":
        write_npz(out, {"images": images})
    else:
        report.save_grid(out, images, columns=max(1, round(np.sqrt(arguments.n))))
    print(f"{arguments.n} images: {out}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from .gan import recipe, recipe_names

    width = max(len(name) for name in recipe_names())
    for name in recipe_names():
        print(f"{name:<{width}}  {recipe(name).summary}  ({recipe(name).source})")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from .array import Generator
    from .gan import ImageShape, recipe
    from .nn.summary import summary

    chosen = recipe(arguments.recipe)
    settings = chosen.configure(settings_from(arguments.set))
    shape = ImageShape(arguments.channels, arguments.image_size, arguments.image_size)
    nets = chosen.networks(settings, shape, Generator())
    print(f"{chosen.name}: {chosen.summary}\n{chosen.source}\n")
    module = import_module(f"minigan.gan.recipes.{chosen.name.replace('-', '_')}")
    print("\n".join(line for line in (module.__doc__ or "").strip().splitlines()[1:-1]).strip("\n"))
    print(f"\ngenerator\n{summary(nets.generator, (2, nets.latent))}")
    print(f"\ndiscriminator\n{summary(nets.critic, (2, *shape))}")
    print("\nsettings (--set NAME=VALUE)")
    for item in fields(settings):
        value = getattr(settings, item.name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"  {item.name:<16}{text}")
    print(f"\ndefaults: {chosen.steps} steps, batch size {chosen.batch_size}")
    return 0


def _gradcheck(arguments: argparse.Namespace) -> int:
    from . import certificate

    known, name = certificate.names(), arguments.op
    if name not in (None, *known):
        near = get_close_matches(name, known) or [*known[:3], "…"]
        raise Usage(f"--op: unknown operation {name!r}; there are: {', '.join(near)}")
    return certificate.run(
        arguments.order, name, arguments.seed, arguments.markdown, arguments.json
    )


def _info(arguments: argparse.Namespace) -> int:
    import numpy as np
    from threadpoolctl import threadpool_info

    from . import cuda
    from .config import versions
    from .conv.describe import describe
    from .cpu.threads import get_num_threads

    if arguments.conv is not None:
        try:
            print(describe(arguments.conv))
        except ValueError as error:
            raise Usage(f"--conv: {error}") from None
        return 0

    np.ones((2, 2)) @ np.ones((2, 2))  # makes sure that BLAS is loaded
    for name, version in versions().items():
        print(f"{name:<10}{version}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{'cores':<10}{cores}")
    print(f"{'threads':<10}{get_num_threads()} (MINIGAN_NUM_THREADS)")
    for pool in threadpool_info():
        kind, library = pool.get("user_api"), pool.get("internal_api")
        kernels = f", {pool['architecture']} kernels" if pool.get("architecture") else ""
        print(
            f"{kind:<10}{library} {pool.get('version')}, {pool.get('num_threads')} threads{kernels}"
        )
    print(f"{'device':<10}{'cuda' if cuda.is_available() else 'cpu (no usable GPU)'}")
    return 0
