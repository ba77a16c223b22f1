"""The command line: ``minigan train | sample | list | show | info``.

A mistake of the caller ends in one line, ``minigan: error: …``, and exit code 2; Ctrl-C saves and
ends with 130.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from . import __version__


class _Parser(argparse.ArgumentParser):
    """Reports a mistake as one line."""

    def error(self, message: str) -> Any:
        raise _Usage(f"{message} (minigan {self.prog.partition(' ')[2]} --help tells more)")


class _Usage(ValueError):
    """What was typed cannot be understood."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        arguments = _parser().parse_args(argv)
        return arguments.run(arguments)
    except BrokenPipeError:  # `minigan list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("minigan: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        if not _expected(error):
            raise
        text = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            text = f"{error.filename}: {error.strerror}"
        print(f"minigan: error: {' '.join(text.split())}", file=sys.stderr)
        return 2


def _expected(error: BaseException) -> bool:
    """Whether this is a caller's mistake rather than ours."""
    from .data import DataError
    from .gan import NonFiniteLoss, SettingError
    from .run import RunError
    from .serialize import SerializeError

    mistakes = (_Usage, DataError, NonFiniteLoss, SettingError, RunError, SerializeError, OSError)
    return isinstance(error, mistakes)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="minigan", description="Train GANs with a from-scratch engine.")
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Parser
    )

    train = commands.add_parser(
        "train",
        help="train a recipe (or go on with a run) and leave a run folder",
        description="Train a recipe and leave a run folder with samples, curves and a checkpoint.",
        epilog="example: minigan train dcgan --data mnist --data-dir PATH --set lr=1e-4",
    )
    train.set_defaults(run=_train)
    train.add_argument("recipe", nargs="?", metavar="RECIPE", help="see: minigan list")
    train.add_argument("--data", metavar="NAME", help="glyphs (default: needs no file) or mnist")
    train.add_argument("--data-dir", metavar="DIR", help="where the data set's files are")
    train.add_argument("--image-size", type=_positive, metavar="N", help="resize images to N×N")
    length = train.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive, metavar="N", help="generator steps to train")
    length.add_argument("--epochs", type=_positive, metavar="N", help="or passes over the data")
    train.add_argument("--batch-size", type=_positive, metavar="N", help="images in a batch")
    train.add_argument("--seed", type=_natural, metavar="N", help="of everything random (0)")
    train.add_argument("--out", metavar="DIR", help="the run folder (runs/RECIPE-DATA-N)")
    train.add_argument("--device", choices=("cpu", "cuda", "auto"), help="where to compute (auto)")
    train.add_argument("--resume", metavar="DIR", help="go on with the run in DIR")
    train.add_argument("--force", action="store_true", help="replace the run in --out")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of the recipe (see: minigan show RECIPE); may be repeated",
    )
    train.add_argument("--sample-every", type=_positive, metavar="N", help="steps between pictures")
    train.add_argument(
        "--checkpoint-every", type=_positive, metavar="N", help="steps between checkpoints (250)"
    )

    sample = commands.add_parser(
        "sample",
        help="draw images from a trained run",
        description="Draw images from a run's generator, as a PNG grid or as an .npz with "
        "images (N, C, H, W) float32 in [-1, 1].",
    )
    sample.set_defaults(run=_sample)
    sample.add_argument("folder", metavar="DIR", help="the run folder")
    sample.add_argument("-n", type=_positive, default=64, metavar="N", help="images (64)")
    sample.add_argument("--seed", type=_natural, default=0, metavar="N", help="of the noise (0)")
    sample.add_argument("--out", metavar="FILE", help=".png or .npz (DIR/sample-SEED.png)")
    sample.add_argument("--force", action="store_true", help="replace FILE if it is there")

    commands.add_parser("list", help="the recipes").set_defaults(run=_list)

    show = commands.add_parser("show", help="a recipe's networks, objective and settings")
    show.set_defaults(run=_show)
    show.add_argument("recipe", metavar="RECIPE")
    show.add_argument("--image-size", type=_positive, default=28, metavar="N", help="(28)")
    show.add_argument("--channels", type=_positive, default=1, metavar="N", help="(1)")
    show.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")

    commands.add_parser("info", help="versions, device, BLAS, threads").set_defaults(run=_info)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise _Usage(f"--set expects NAME=VALUE, got {pair!r}")
        values[name.strip()] = value.strip()
    return values


# -------------------------------------------------------------------------------------- train


def _train(arguments: argparse.Namespace) -> int:
    from . import run as runs

    if arguments.resume is not None:
        run = _resume(arguments)
    elif arguments.recipe is None:
        raise _Usage("train expects a RECIPE (see: minigan list) or --resume DIR")
    else:
        run = _begin(arguments)
    if arguments.device in (None, "auto") and run.trainer.device == "cpu":
        print("computing on the CPU (no usable GPU)", file=sys.stderr)
    for warning in run.settings.warnings():
        print(f"minigan: warning: {warning}", file=sys.stderr)
    return _watch(run, runs)


def _begin(arguments: argparse.Namespace) -> Any:
    from . import data
    from . import run as runs
    from .gan import recipe

    chosen = recipe(arguments.recipe)
    settings = chosen.configure(_settings(arguments.set))
    name = arguments.data or "glyphs"
    batch = arguments.batch_size or chosen.batch_size
    steps = arguments.steps or chosen.steps
    if arguments.epochs is not None:
        images = len(data.load(name, data_dir=arguments.data_dir, image_size=arguments.image_size))
        if batch > images:
            raise runs.RunError(f"--batch-size {batch}: {name} has only {images} images")
        steps = arguments.epochs * (images // batch)
    config = runs.Config(
        recipe=chosen.name,
        settings=asdict(settings),
        data=name,
        data_dir=None if arguments.data_dir is None else str(Path(arguments.data_dir).resolve()),
        image_size=arguments.image_size,
        steps=steps,
        batch_size=batch,
        seed=arguments.seed or 0,
        device=arguments.device or "auto",
        sample_every=arguments.sample_every or runs.default_every(steps),
        checkpoint_every=arguments.checkpoint_every or 250,
    )
    folder = Path(arguments.out) if arguments.out else runs.free_folder(f"{chosen.name}-{name}")
    return runs.Run.create(folder, config, arguments.force)


def _resume(arguments: argparse.Namespace) -> Any:
    from . import run as runs

    fixed = ("data", "image_size", "batch_size", "seed", "out", "sample_every", "checkpoint_every")
    for name in fixed:
        if getattr(arguments, name) is not None:
            raise _Usage(
                f"--{name.replace('_', '-')} cannot be changed when resuming; a resumed run takes "
                "its configuration from its folder"
            )
    if arguments.set or arguments.epochs is not None or arguments.force:
        raise _Usage("--resume goes with --steps, --device and --data-dir only")
    folder = Path(arguments.resume)
    config = runs.read_config(folder)
    if arguments.recipe not in (None, config.recipe):
        raise _Usage(f"{folder} holds a run of {config.recipe}, not of {arguments.recipe}")
    changes = {k: getattr(arguments, k) for k in ("steps", "device") if getattr(arguments, k)}
    if arguments.data_dir is not None:
        changes["data_dir"] = str(Path(arguments.data_dir).resolve())
    return runs.Run.open(folder, **changes)


def _watch(run: Any, runs: Any) -> int:
    """Train with a progress bar; Ctrl-C ends after the step that is under way."""
    from tqdm import tqdm

    from .gan import NonFiniteLoss

    interrupted = []

    def on_signal(number: int, frame: Any) -> None:
        if interrupted:  # the second time the user means it
            raise KeyboardInterrupt
        interrupted.append(number)

    before = signal.signal(signal.SIGINT, on_signal)
    begin, first = time.perf_counter(), run.trainer.step
    interactive = sys.stderr.isatty()
    bar = tqdm(
        total=run.config.steps,
        initial=first,
        unit="step",
        desc=run.recipe.name,
        mininterval=0.2 if interactive else 10,
        dynamic_ncols=interactive,
    )

    def progress(row: dict[str, float]) -> None:
        done = run.trainer.step - first
        speed = done * run.config.batch_size / (time.perf_counter() - begin)
        losses = f"d_loss {row['d_loss']:.3f}, g_loss {row['g_loss']:.3f}"
        bar.set_postfix_str(f"{losses}, {speed:.0f} images/s", refresh=False)
        bar.update(1)

    try:
        finished = run.train(progress, lambda: bool(interrupted))
    except NonFiniteLoss as error:
        raise runs.RunError(
            f"{error}; stopped, the last good checkpoint is in {run.folder}; "
            "a smaller learning rate may help (--set lr=…)"
        ) from error
    finally:
        bar.close()
        signal.signal(signal.SIGINT, before)
    step, folder = run.trainer.step, run.folder
    if not finished:
        print(f"interrupted at step {step}; go on with: minigan train --resume {folder}")
        return 130
    if step == first:
        print(f"{folder}: already trained to step {step}; --steps N trains further")
        return 0
    seconds = time.perf_counter() - begin
    print(f"trained {step - first} steps in {int(seconds) // 60}:{int(seconds) % 60:02d} min")
    print(f"  pictures  {folder}/samples/step-{step:06d}.png")
    print(f"  film      {folder}/animation.gif")
    print(f"  curves    {folder}/losses.png")
    print(f"  more      minigan sample {folder} -n 100 --seed 1")
    return 0


# --------------------------------------------------------------------------- sample, list, show


def _sample(arguments: argparse.Namespace) -> int:
    import numpy as np

    from . import report
    from . import run as runs
    from .serialize import write_npz

    folder = Path(arguments.folder)
    out = Path(arguments.out) if arguments.out else folder / f"sample-{arguments.seed}.png"
    if out.suffix not in (".png", ".npz"):
        raise _Usage(f"--out expects a name ending in .png or .npz, got {out}")
    if out.exists() and not arguments.force:
        raise runs.RunError(f"--out {out}: is there already; give another name or --force")
    images = runs.sample(folder, arguments.n, arguments.seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
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
    settings = chosen.configure(_settings(arguments.set))
    shape = ImageShape(arguments.channels, arguments.image_size, arguments.image_size)
    nets = chosen.networks(settings, shape, Generator())
    print(f"{chosen.name}: {chosen.summary}\n{chosen.source}\n")
    module = sys.modules[chosen.networks.__module__]
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


def _info(arguments: argparse.Namespace) -> int:
    import numpy as np
    from threadpoolctl import threadpool_info

    from . import cuda
    from .run import versions

    np.ones((2, 2)) @ np.ones((2, 2))  # makes sure that BLAS is loaded
    for name, version in versions().items():
        print(f"{name:<10}{version}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{'cores':<10}{cores}")
    for pool in threadpool_info():
        kind, library = pool.get("user_api"), pool.get("internal_api")
        print(f"{kind:<10}{library} {pool.get('version')}, {pool.get('num_threads')} threads")
    print(f"{'device':<10}{'cuda' if cuda.is_available() else 'cpu (no usable GPU)'}")
    return 0
