"""The command ``minigan train``: begin a run or go on with one, and watch it."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._console import INTERRUPTED, interrupts_noted, interrupts_wait, say

if TYPE_CHECKING:
    from .run import Run


# What a training imports, sooner or later: at once, because Ctrl-C can get lost in an import.
_NEEDED = (
    *("PIL.Image", "PIL.ImageOps", "pickletools"),
    *("scipy.special", "threadpoolctl", "tqdm", "minigan.run", "minigan.evaluation.measuring"),
)


class Usage(ValueError):
    """What was typed cannot be understood."""


def settings_from(pairs: Sequence[str]) -> dict[str, str]:
    """The words after ``--set``, each NAME=VALUE, as values by name."""
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Usage(f"--set expects NAME=VALUE, got {pair!r}")
        values[name.strip()] = value.strip()
    return values


def train(arguments: argparse.Namespace) -> int:
    """The command: returns its exit code."""
    with interrupts_wait():
        for name in _NEEDED:
            import_module(name)
    if arguments.resume is None and arguments.recipe is None:
        raise Usage("train expects a RECIPE (see: minigan list) or --resume DIR")
    if arguments.distributed:
        from .together import train_together

        return train_together(lambda: _opened(arguments), _watch, arguments.device != "cpu")
    if arguments.sync_batchnorm:
        raise Usage("--sync-batchnorm goes with --distributed")
    _expect_one_process()
    run = _opened(arguments)
    try:
        return _watch(run)
    finally:
        run.close()


def _expect_one_process() -> None:
    from .distributed.launch import place_here, started_processes

    count = started_processes()
    if count > 1 and place_here() == 0:
        say(
            f"minigan: warning: mpiexec started {count} processes, and each trains a run of its "
            "own; with --distributed they train one together"
        )


def _opened(arguments: argparse.Namespace) -> Run:
    """The run that was asked for, and what the user should know of it."""
    from .data import DataWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # said below, as everything else
        run = _begin(arguments) if arguments.resume is None else _resume(arguments)
    say_device(arguments.device, run.config.device)
    for warning in [*left_out(run.data.skipped), *run.settings.warnings()]:
        say(f"minigan: warning: {warning}")
    return run


def say_device(asked: str | None, device: str) -> None:
    """Where nobody has chosen the CPU, say that it is the CPU."""
    if asked in (None, "auto") and device == "cpu":
        say("computing on the CPU (no usable GPU)")


def left_out(skipped: Sequence[str]) -> list[str]:
    """A sentence about images that cannot be used, if there are some."""
    if not skipped:
        return []
    from .data.pictures import listed

    images = "1 image" if len(skipped) == 1 else f"{len(skipped)} images"
    return [f"{images} cannot be used, left out: {listed(skipped)}"]


def _begin(arguments: argparse.Namespace) -> Run:
    from . import data
    from .config import Config, RunError, choose_device
    from .evaluation.measuring import ask, expect_measurable
    from .gan import recipe_for
    from .gan.ranks import here
    from .run import Run, default_every

    name, folder, options = data_from(arguments)
    chosen = recipe_for(arguments.recipe, name)
    settings = chosen.configure(settings_from(arguments.set))
    if arguments.evaluate_every is not None:
        expect_measurable(chosen)
    augment = augment_from(arguments, chosen.augment)
    batch, ranks = arguments.batch_size or chosen.batch_size, here().size
    steps = arguments.steps or chosen.steps
    if arguments.epochs is not None:
        there = data.count(name, data_dir=folder)
        if batch * ranks > there:
            unit = "points" if data.is_points(name) else "images"
            raise RunError(
                f"--batch-size {batch}: {data.short_name(name)} has only {there} {unit}"
                + (f" for {ranks} processes" if ranks > 1 else "")
            )
        steps = arguments.epochs * (there // (batch * ranks))
    config = Config(
        recipe=chosen.name,
        settings=asdict(settings),
        data=name,
        data_dir=folder,
        image_size=arguments.image_size,
        steps=steps,
        batch_size=batch,
        seed=arguments.seed or 0,
        device=choose_device(arguments.device or "auto"),
        sample_every=arguments.sample_every or default_every(steps),
        checkpoint_every=arguments.checkpoint_every or 250,
        data_options=options,
        augment=augment,
        precision=arguments.precision or "fp32",
        graph=not arguments.no_graph,
        sync_batchnorm=bool(arguments.sync_batchnorm),
    )
    expect_apart(arguments.out or Path("runs"), name)
    run = Run.create(arguments.out, config, arguments.force)
    if arguments.evaluate_every is not None:
        ask(run.folder, arguments.evaluate_every)
    return run


def data_from(arguments: argparse.Namespace) -> tuple[str, str | None, dict[str, Any]]:
    """What ``--data`` and the options beside it ask for: name, folder and further options."""
    from . import data
    from .config import DATA_OPTIONS

    name = data.full_name("glyphs" if arguments.data is None else arguments.data)
    folder = arguments.data_dir
    if folder is not None and name not in ("mnist", "cifar10"):
        raise Usage("--data-dir is for mnist and cifar10; give --data mnist or --data cifar10")
    given = {option: getattr(arguments, option, None) for option in DATA_OPTIONS}
    options = {option: value for option, value in given.items() if value is not None}
    if arguments.labels is not None:
        options["labels"] = str(arguments.labels.expanduser().resolve())
    return name, None if folder is None else str(folder.resolve()), options


def augment_from(arguments: argparse.Namespace, default: str | None) -> str | None:
    """What ``--augment`` asks for; a mistake in it is found before the images are read."""
    from . import data

    augment = default if arguments.augment is None else arguments.augment
    if augment in (None, "none"):
        return None
    data.augmentation(augment)
    return augment


def expect_apart(out: Path, name: str) -> None:
    """The pictures that a run draws must not be taken for images to train on."""
    from .config import RunError
    from .data.pictures import split_folder
    from .data.registry import parsed

    for folder in parsed(name)[1]:
        if folder.is_dir() and out.resolve().is_relative_to(split_folder(folder, "train")):
            raise RunError(
                f"--out {out}: lies in the folder of the training images, which its pictures "
                "would join; give a folder elsewhere"
            )


def _resume(arguments: argparse.Namespace) -> Run:
    from .config import DATA_OPTIONS, choose_device, read_config, versions
    from .run import Run

    fixed = ("data", "image_size", "batch_size", "seed", "out", "precision", "sync_batchnorm")
    times = ("sample_every", "checkpoint_every", "evaluate_every")
    for name in (*fixed, *times, *DATA_OPTIONS, "augment"):
        if getattr(arguments, name) is not None:
            raise Usage(
                f"--{name.replace('_', '-')} cannot be changed when resuming; a resumed run takes "
                "its configuration from its folder"
            )
    if arguments.set or arguments.epochs is not None or arguments.force:
        raise Usage(
            "--resume goes with --steps, --device, --no-graph, --data-dir and --distributed only"
        )
    folder = arguments.resume
    config = read_config(folder)
    if arguments.recipe not in (None, config.recipe):
        raise Usage(f"{folder} holds a run of {config.recipe}, not of {arguments.recipe}")
    changes: dict[str, Any] = {}
    if arguments.steps is not None:
        changes["steps"] = arguments.steps
    if arguments.device is not None:
        changes["device"] = choose_device(arguments.device)
    changes["graph"] = not arguments.no_graph
    if arguments.data_dir is not None:
        changes["data_dir"] = str(arguments.data_dir.resolve())
    now = versions()
    changed = [k for k, v in config.versions.items() if k in now and now[k] != v]
    run = Run.open(folder, **changes)
    if changed:
        say(
            f"minigan: warning: {', '.join(changed)} differ from when the run began, so the rest "
            "may differ in the last digits from a run that never stopped"
        )
    if run.config.ranks != config.ranks:
        say(
            f"minigan: warning: processes so far: {config.ranks}, now {run.config.ranks}, with "
            f"{config.batch_size} {run.data.unit} each in a step; random numbers begin anew"
        )
    return run


class _Bar:
    """A progress bar that training outlives: where stderr is gone, it falls silent."""

    def __init__(self, run: Run):
        from tqdm import tqdm

        self.run, self.begin, self.first = run, time.perf_counter(), run.trainer.step
        interactive = sys.stderr is not None and sys.stderr.isatty()
        self.bar: Any = None
        self.losses: list[str] = []
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self.bar = tqdm(
                total=run.config.steps,
                initial=self.first,
                desc=run.recipe.name,
                mininterval=0.2 if interactive else 10,
                dynamic_ncols=interactive,
                bar_format="{desc} {n_fmt}/{total_fmt} |{bar}| {remaining} left{postfix}",
            )

    def show(self, rows: list[dict[str, float]]) -> None:
        """One more step, and the losses that have come."""
        if self.bar is None:
            return
        done = self.run.trainer.step - self.first
        samples = self.run.config.batch_size * self.run.config.ranks
        speed = done * samples / (time.perf_counter() - self.begin)
        try:
            if rows:
                shown = list(rows[-1].items())[1:3]  # after the step's number
                self.losses = [f"{name} {value:.3f}" for name, value in shown]
            said = ", ".join([*self.losses, f"{speed:.0f} {self.run.data.unit}/s"])
            self.bar.set_postfix_str(said, refresh=False)
            self.bar.update(1)
        except (OSError, ValueError):
            self.bar = None
        if self.run.trainer.step == self.run.config.steps:
            self.close()  # pictures follow; mpiexec may pass on what is said after them before it

    def close(self) -> None:
        """Leave it as it stands."""
        with contextlib.suppress(OSError, ValueError):
            if self.bar is not None:
                self.bar.close()


def _say_once(what: str, done: int, total: int) -> None:
    if done == 1:
        say(f"{what} that measures (once for these data)")


def _watch(run: Run) -> int:
    """Train with a progress bar; Ctrl-C ends after the step that is under way."""
    from .config import RunError
    from .evaluation.measuring import measuring
    from .gan import NonFiniteLoss

    measured = measuring(run, _say_once)
    bar = _Bar(run)

    def after(rows: list[dict[str, float]]) -> None:
        bar.show(rows)
        if measured is not None:
            measured()

    try:
        with interrupts_noted() as stopped:
            finished = run.train(after, stopped)
    except NonFiniteLoss as error:
        raise RunError(
            f"{error}; stopped, the last good checkpoint and the curves are in {run.folder}; start "
            "again with another --out and a smaller learning rate (--set lr=…)"
        ) from error
    finally:
        bar.close()
    step, folder = run.trainer.step, run.folder
    if not finished:
        ranks = run.config.ranks
        command = (
            f"mpiexec -n {ranks} minigan train --distributed" if ranks > 1 else "minigan train"
        )
        print(f"interrupted at step {step}; go on with: {command} --resume {folder}")
        return INTERRUPTED
    if step == bar.first:
        print(f"{folder}: already trained to step {step}; --steps N trains further")
        return 0
    if run.trainer.plain_because:
        say(f"not replayed as a CUDA graph: {run.trainer.plain_because}")
    seconds = int(time.perf_counter() - bar.begin)
    print(f"trained {step - bar.first} steps in {seconds // 60}:{seconds % 60:02d} min")
    for sentence in run.reading():
        print(f"  {sentence}")
    if measured is not None:
        print(f"  measured  {measured}")
    print(f"  pictures  {folder}/samples/step-{step:06d}.png")
    print(f"  film      {folder}/animation.gif")
    print(f"  curves    {folder}/losses.png")
    if run.recipe.view.figures:
        print(f"  figures   {folder}/figures")
    count = "" if run.recipe.view.from_images else " -n 100"
    count = " -n 5000" if run.trainer.shape.points else count
    print(f"  more      minigan sample {folder}{count} --seed 1")
    return 0
