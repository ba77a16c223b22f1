"""``minigan train``: its options; what it does stands in ``training``."""

from __future__ import annotations

import argparse

from ..precision import PRECISIONS
from ..training import train
from .arguments import natural, path, positive

_DATA = (
    "glyphs (default), mnist, cifar10, folder:PATH, pairs:PATH or pairs:DIRA,DIRB; points in the "
    "plane: ring, ring-2, grid, roll"
)


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    training = commands.add_parser(
        "train",
        help="train a recipe (or go on with a run) and leave a run folder",
        description="Train a recipe and leave a run folder with samples, curves and a checkpoint.",
        epilog="example: minigan train dcgan --data mnist --data-dir PATH --set lr=1e-4",
    )
    training.set_defaults(run=train)
    training.add_argument("recipe", nargs="?", metavar="RECIPE", help="see: minigan list")
    add_data(training)
    training.add_argument(
        "--direction", choices=("AtoB", "BtoA"), help="of pairs: what becomes what (AtoB)"
    )
    length = training.add_mutually_exclusive_group()
    length.add_argument("--steps", type=positive, metavar="N", help="generator steps to train")
    length.add_argument("--epochs", type=positive, metavar="N", help="or passes over the data")
    training.add_argument("--batch-size", type=positive, metavar="N", help="samples in a batch")
    training.add_argument(
        "--distributed",
        action="store_true",
        help="train with all processes that mpiexec started, each on batches of its own",
    )
    training.add_argument(
        "--sync-batchnorm",
        action="store_true",
        default=None,
        help="BatchNorm by the images of all processes, not each by its own",
    )
    training.add_argument("--seed", type=natural, metavar="N", help="of everything random (0)")
    training.add_argument(
        "--out", type=path, metavar="DIR", help="the run folder (runs/RECIPE-DATA-N)"
    )
    add_device(training)
    training.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of products in training steps (fp32): bf16 rounds their factors and a GPU's tensor "
        "cores do them, which a CPU imitates; tf32 likewise, on a GPU",
    )
    training.add_argument(
        "--no-graph",
        action="store_true",
        help="on a GPU, launch every kernel by itself instead of recorded steps",
    )
    training.add_argument("--resume", type=path, metavar="DIR", help="go on with the run in DIR")
    training.add_argument("--force", action="store_true", help="replace the run in --out")
    training.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of the recipe (see: minigan show RECIPE); may be repeated",
    )
    training.add_argument(
        "--sample-every", type=positive, metavar="N", help="steps between pictures"
    )
    training.add_argument(
        "--checkpoint-every", type=positive, metavar="N", help="steps between checkpoints (250)"
    )
    training.add_argument(
        "--evaluate-every",
        type=positive,
        metavar="N",
        help="steps between measurements, which go to measures.csv (none)",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that ``training.data_from`` and ``augment_from`` read."""
    parser.add_argument("--data", metavar="NAME", help=_DATA)
    parser.add_argument(
        "--data-dir", type=path, metavar="DIR", help="where the data set's files are"
    )
    parser.add_argument("--image-size", type=positive, metavar="N", help="resize images to N×N")
    parser.add_argument(
        "--channels", type=int, choices=(1, 3), help="of a folder: 1 grey, 3 colour (as the images)"
    )
    parser.add_argument(
        "--labels", type=path, metavar="FILE", help="of a folder: a table with its images' labels"
    )
    parser.add_argument(
        "--attributes", metavar="NAMES", help="which columns of the table, with commas between"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="stop at an image that cannot be used, instead of leaving it out",
    )
    parser.add_argument(
        "--augment", metavar="STEPS", help="e.g. flip,crop=4,jitter=286,rotate=10,color=0.2"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option that ``config.choose_device`` reads."""
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), help="where to compute (auto)")
