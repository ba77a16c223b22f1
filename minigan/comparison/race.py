"""Every contender with every seed, under equal conditions; interrupted, it goes on where it was.

The folder of a comparison holds a run folder for each contender and seed, each with
``measures.json`` beside what any run leaves.  Runs that are complete are not trained again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config import Config, RunError, read_config
from ..data import ImageData, PointData
from ..evaluation.measuring import Measuring
from ..evaluation.yardstick import Yardstick
from ..gan import NonFiniteLoss, SettingError, Trainer
from ..run import Run
from .contenders import Contender, slug
from .measures import Measures, Rows, read_measures

Told = Callable[[str, int, int], None]
"""Told the name of the run, its step, and its last step."""


@dataclass(frozen=True)
class Budget:
    """What all contenders get alike; as in ``Config``, and

    Attributes:
        every: steps between measurements.
    """

    data: str
    data_dir: str | None
    image_size: int | None
    data_options: dict[str, Any]
    steps: int
    batch_size: int
    every: int
    device: str = "cpu"
    augment: str | None = None

    def config(self, one: Contender, seed: int) -> Config:
        """The configuration of one run."""
        return Config(
            recipe=one.recipe.name,
            settings=asdict(one.settings),
            data=self.data,
            data_dir=self.data_dir,
            image_size=self.image_size,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=seed,
            device=self.device,
            sample_every=self.every,
            checkpoint_every=self.every,
            data_options=self.data_options,
            augment=self.augment,
        )


def expect_able(
    contenders: Sequence[Contender], budget: Budget, data: ImageData | PointData
) -> None:
    """Find out before anything is trained whether all can be: their networks are made once.

    Raises:
        RunError: a contender makes no images from noise.
        DataError, SettingError: one cannot be trained on ``data``, or in such batches.
    """
    _expect_from_noise(contenders)
    for one in contenders:
        given = {"batch_size": budget.batch_size, "seed": 0, "augment": budget.augment}
        try:
            Trainer(one.recipe, one.settings, data, **given).close()
        except SettingError as error:
            raise SettingError(f"{one.name}: {error}") from error


def race(
    contenders: Sequence[Contender],
    budget: Budget,
    yardstick: Yardstick,
    seeds: int,
    folder: Path,
    told: Told = lambda name, step, last: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Train and measure all; False if ``stopped`` asked to end earlier (all is saved then).

    Seed 0 of every contender comes first, then seed 1: what is there can be compared at any time.
    A run whose loss becomes infinite stays as it is; its rows end there.

    Raises:
        RunError: a contender makes no images from noise; a run in ``folder`` is another one, or was
            measured by another yardstick.
    """
    _expect_from_noise(contenders)
    for seed in range(seeds):
        for one in contenders:
            config, at = budget.config(one, seed), place(folder, one, seed)
            if not _run(config, yardstick, at, told, stopped):
                return False
    return True


def _expect_from_noise(contenders: Sequence[Contender]) -> None:
    for one in contenders:
        if one.recipe.view.from_images:
            raise RunError(f"{one.name}: compare expects systems that make images from noise")


def place(folder: Path, one: Contender, seed: int) -> Path:
    """The run folder of a contender and a seed."""
    return folder / f"{slug(one.name)}-seed{seed}"


def _run(
    config: Config,
    yardstick: Yardstick,
    folder: Path,
    told: Told,
    stopped: Callable[[], bool],
) -> bool:
    begun = folder.is_dir() and any(folder.iterdir())
    if begun and not _same(read_config(folder), config):
        raise RunError(f"{folder}: holds a run with another configuration; give another --out")
    found = read_measures(folder)
    if found.yardstick is not None:
        yardstick.expect(found.yardstick, folder, "give another --out")
    if found.last() == config.steps or found.broke is not None:
        return True
    found.yardstick = yardstick.said
    run = Run.open(folder) if begun else Run.create(folder, config)
    try:
        return _train(run, found, yardstick, told, stopped)
    finally:
        run.close()


def _train(
    run: Run, found: Measures, yardstick: Yardstick, told: Told, stopped: Callable[[], bool]
) -> bool:
    """``found`` is kept in the run's folder with every measurement and at the end."""

    def keep(rows: Rows) -> None:
        found.rows = rows
        found.write(run.folder)

    measure = Measuring(run, yardstick, run.config.sample_every, found.rows, keep)
    found.rows = measure.rows
    measure()  # if the process was killed between a checkpoint and its measurement
    since = time.perf_counter()

    def after(rows: Rows) -> None:
        nonlocal since
        found.seconds += time.perf_counter() - since
        told(run.folder.name, run.trainer.step, run.config.steps)
        measure()
        since = time.perf_counter()

    try:
        finished = run.train(after, stopped)
        if finished and found.last() < run.config.steps:  # images that are not finite
            found.broke = run.trainer.step
    except NonFiniteLoss:
        finished, found.broke = True, run.trainer.step
    found.write(run.folder)
    return finished


def _same(stored: Config, wanted: Config) -> bool:
    """Whether they are one configuration; a file has lists for tuples."""
    a, b = (json.dumps({**asdict(config), "versions": None}) for config in (stored, wanted))
    return a == b
