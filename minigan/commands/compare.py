"""``minigan compare``: several systems with equal budgets and several seeds."""

from __future__ import annotations

import argparse
import contextlib
import warnings
from importlib import import_module
from pathlib import Path

from .._console import INTERRUPTED, interrupts_noted, interrupts_wait, say
from ..training import augment_from, data_from, expect_apart, left_out, say_device
from .arguments import path, positive
from .bars import Bar
from .train import add_data, add_device

_NEEDED = (
    *("PIL.Image", "PIL.ImageDraw", "PIL.ImageFont", "PIL.ImageOps", "pickletools"),
    *("scipy.special", "scipy.stats", "threadpoolctl", "tqdm", "minigan.run"),
)


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    compare = commands.add_parser(
        "compare",
        help="train several systems alike, with several seeds, and measure which is better",
        description="Train every contender with every seed on the same data for as many steps, "
        "measure all in the same way while they train, and leave a table, curves and their films "
        "side by side. Interrupted, the same command goes on with the --out that it says.",
        epilog="example: minigan compare dcgan dcgan:activation=leaky wgan-gp:n_critic=1 --seeds 3",
    )
    compare.set_defaults(run=_compare)
    compare.add_argument(
        "contenders", nargs="+", metavar="RECIPE[:SETTING=VALUE…]", help="see: minigan list"
    )
    compare.add_argument("--seeds", type=positive, default=5, metavar="N", help="of each (5)")
    add_data(compare)
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
    compare.add_argument("--out", type=path, metavar="DIR", help="the folder (runs/compare-DATA-N)")
    add_device(compare)
    compare.add_argument(
        "--force",
        action="store_true",
        help="replace the outcome of another comparison in --out; its runs are kept",
    )


def _compare(arguments: argparse.Namespace) -> int:
    with interrupts_wait():
        for name in _NEEDED:
            import_module(name)
        from .. import data
        from ..comparison import Budget, contender, expect_able, race, save, summary
        from ..comparison.contenders import expect_apart as expect_different
        from ..comparison.folder import claim, expect_own, plan
        from ..config import choose_device
        from ..evaluation.points import yardstick_for
        from ..evaluation.run import splits_of
        from ..run import free_folder

    name, data_dir, options = data_from(arguments)
    contenders = [contender(text, name) for text in arguments.contenders]
    expect_different(contenders)
    budget = Budget(
        data=name,
        data_dir=data_dir,
        image_size=arguments.image_size,
        data_options=options,
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        every=arguments.every or max(1, arguments.steps // 10),
        device=choose_device(arguments.device or "auto"),
        augment=augment_from(arguments, None),
    )
    wanted, folder = plan(contenders, budget, arguments.seeds), arguments.out
    expect_apart(folder or Path("runs"), name)
    if folder is not None:
        expect_own(folder, wanted, arguments.force)
    bar = Bar()
    with warnings.catch_warnings(), contextlib.closing(bar):
        warnings.simplefilter("ignore", data.DataWarning)  # said below, as everything else
        train, test = splits_of(budget.config(contenders[0], 0))
        expect_able(contenders, budget, train)
        say_device(arguments.device, budget.device)
        own = [f"{one.name}: {text}" for one in contenders for text in one.settings.warnings()]
        for warning in [*left_out(train.skipped), *own]:
            say(f"minigan: warning: {warning}")
        yardstick = yardstick_for(train, test, arguments.n, bar.show)
        folder = folder or free_folder(f"compare-{data.short_name(name)}")
        claim(folder, wanted)
        given = (contenders, budget, yardstick, arguments.seeds, folder)
        with interrupts_noted() as stopped:
            finished = race(*given, bar.show, stopped)
    if not finished:
        print(f"interrupted; the same command goes on from here with --out {folder}")
        return INTERRUPTED
    outcome = summary(*given)
    print(f"{outcome}\n")
    kinds = ("numbers", "table", "curves", "film")
    for kind, file in zip(kinds, save(outcome, folder), strict=True):
        print(f"  {kind:<9}{file}")
    return 0
