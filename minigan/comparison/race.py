"""Every contender with every seed, under equal conditions; interrupted, it goes on where it was.

The folder of a comparison holds a run folder for each contender and seed, each with
``measures.json`` beside what any run leaves.  Runs that are complete are not trained again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Config, RunError, read_config
from ..gan import NonFiniteLoss, Request
from ..run import Run
from ..serialize import write_json
from .contenders import Contender, slug
from .yardstick import Yardstick

Rows = list[dict[str, float]]
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
        )


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
        RunError: a contender makes no images from noise, or a run in ``folder`` is another one.
    """
    for one in contenders:
        if one.recipe.view.from_images:
            raise RunError(f"{one.name}: compare expects systems that make images from noise")
    for seed in range(seeds):
        for one in contenders:
            config, at = budget.config(one, seed), place(folder, one, seed)
            if not _run(one, config, yardstick, at, told, stopped):
                return False
    return True


def place(folder: Path, one: Contender, seed: int) -> Path:
    """The run folder of a contender and a seed."""
    return folder / f"{slug(one.name)}-seed{seed}"


def rows_of(folder: Path) -> Rows:
    """What has been measured of the run in ``folder``."""
    try:
        return json.loads((folder / "measures.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise RunError(f"{folder / 'measures.json'}: is damaged ({error})") from error


def _run(
    one: Contender,
    config: Config,
    yardstick: Yardstick,
    folder: Path,
    told: Told,
    stopped: Callable[[], bool],
) -> bool:
    rows = rows_of(folder)
    if rows and rows[-1]["step"] == config.steps and _same(read_config(folder), config):
        return True
    if folder.is_dir() and any(folder.iterdir()):
        if not _same(read_config(folder), config):
            raise RunError(f"{folder}: holds a run with another configuration; give another --out")
        run = Run.open(folder)
    else:
        run = Run.create(folder, config)
    rows = [row for row in rows if row["step"] <= run.trainer.step]

    def after(row: dict[str, float]) -> None:
        step = run.trainer.step
        told(folder.name, step, config.steps)
        if step % config.sample_every == 0 or step == config.steps:
            request = Request(yardstick.count, 0)
            images = run.recipe.view.sample(run.trainer.shown(), request, config.device)
            if np.isfinite(images).all():
                rows.append({"step": float(step), **yardstick.measure(images)})
                write_json(folder / "measures.json", rows)

    try:
        return run.train(after, stopped)
    except NonFiniteLoss:
        return True
    finally:
        run.close()


def _same(stored: Config, wanted: Config) -> bool:
    """Whether they are one configuration; a file has lists for tuples."""
    a, b = (json.dumps({**asdict(config), "versions": None}) for config in (stored, wanted))
    return a == b
