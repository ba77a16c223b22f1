"""``minigan compare``: several systems with equal budgets and several seeds."""

from __future__ import annotations

import argparse
import signal
from importlib import import_module
from pathlib import Path

from .._console import INTERRUPTED, interrupts_wait
from ..training import Usage
from .arguments import path, positive
from .bars import Bar

_NEEDED = ("PIL.Image", "PIL.ImageDraw", "PIL.ImageFont", "scipy.stats", "tqdm", "minigan.run")


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    compare = commands.add_parser(
        "compare",
        help="train several systems alike, with several seeds, and measure which is better",
        description="Train every contender with every seed on the same data for as many steps, "
        "measure all in the same way while they train, and leave a table, curves and their films "
        "side by side. Interrupted, the same command goes on where it was.",
        epilog="example: minigan compare dcgan dcgan:activation=leaky wgan-gp:n_critic=1 --seeds 3",
    )
    compare.set_defaults(run=_compare)
    compare.add_argument(
        "contenders", nargs="+", metavar="RECIPE[:SETTING=VALUE…]", help="see: minigan list"
    )
    compare.add_argument("--seeds", type=positive, default=5, metavar="N", help="of each (5)")
    compare.add_argument("--data", default="glyphs", metavar="NAME", help="as for train (glyphs)")
    compare.add_argument(
        "--data-dir", type=path, metavar="DIR", help="where the data set's files are"
    )
    compare.add_argument("--image-size", type=positive, metavar="N", help="resize images to N×N")
    compare.add_argument(
        "--steps", type=positive, default=1000, metavar="N", help="generator steps of each (1000)"
    )
    compare.add_argument("--batch-size", type=positive, default=64, metavar="N", help="(64)")
    compare.add_argument(
        "--every", type=positive, metavar="N", help="steps between measurements (a tenth)"
    )
    compare.add_argument(
        "-n", type=positive, default=1000, metavar="N", help="samples in a measurement (1000)"
    )
    compare.add_argument("--out", type=path, metavar="DIR", help="the folder (runs/compare-DATA)")


def _compare(arguments: argparse.Namespace) -> int:
    with interrupts_wait():
        for name in _NEEDED:
            import_module(name)
        from .. import data
        from ..comparison import Budget, contender, race, save, summary
        from ..comparison.contenders import slug
        from ..comparison.yardstick import Yardstick
        from ..config import RunError
        from ..evaluation.run import splits_of

    contenders = [contender(text) for text in arguments.contenders]
    if len({slug(one.name) for one in contenders}) < len(contenders):
        raise Usage("compare expects contenders that differ")
    name = data.full_name(arguments.data)
    folder = arguments.out or Path("runs") / f"compare-{data.short_name(name)}"
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {folder}: is a file, expected a folder")
    budget = Budget(
        data=name,
        data_dir=None if arguments.data_dir is None else str(arguments.data_dir.resolve()),
        image_size=arguments.image_size,
        data_options={},
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        every=arguments.every or max(1, arguments.steps // 10),
    )
    train, test = splits_of(budget.config(contenders[0], 0))
    bar = Bar()
    interrupted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: interrupted.append(number))
    try:
        yardstick = Yardstick(train, test, arguments.n, progress=bar.show)
        folder.mkdir(parents=True, exist_ok=True)
        given = (contenders, budget, yardstick, arguments.seeds, folder)
        finished = race(*given, bar.show, lambda: bool(interrupted))
    finally:
        bar.close()
        signal.signal(signal.SIGINT, before)
    if not finished:
        print(f"interrupted; the same command goes on from what is in {folder}")
        return INTERRUPTED
    outcome = summary(*given)
    print(f"{outcome}\n")
    kinds = ("numbers", "table", "curves", "film")
    for kind, file in zip(kinds, save(outcome, folder), strict=True):
        print(f"  {kind:<9}{file}")
    return 0
