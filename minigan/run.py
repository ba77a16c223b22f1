"""A run folder: what a training run leaves, and what it needs to go on.

    config.json              everything needed to repeat the run
    metrics.csv              losses and mean probabilities of every step
    samples/step-000500.png  the same noise, seen through the generator over time
    losses.png               the curves, with the equilibrium lines
    animation.gif            the samples as a film
    checkpoint.npz           networks, optimizers, random generators, step

Order makes it safe: the rows of a step and its pictures are on the disk before the checkpoint that
counts them.  A run killed anywhere goes on from its checkpoint, drops what was written after it,
and writes the same bytes again.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, cuda, curves, report
from ._tensor import Tensor
from .array import Generator, manual_seed
from .data import ImageData, load
from .gan import NonFiniteLoss, Trainer, recipe
from .gan.sampling import generate, restore
from .gan.trainer import stream
from .serialize import SerializeError, read_npz, write_json, write_npz

GRID = 64  # images in the fixed-noise grid


class RunError(ValueError):
    """A run folder or an option of a run is not what it should be; one clear line."""


@dataclass(frozen=True)
class Config:
    """What was asked for, completely: a run is a function of this, the data and the versions."""

    recipe: str
    settings: dict[str, Any]
    data: str
    data_dir: str | None
    image_size: int | None
    steps: int
    batch_size: int
    seed: int
    device: str
    sample_every: int
    checkpoint_every: int
    versions: dict[str, str] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """The versions that a run's numbers depend on."""
    import scipy

    return {
        "minigan": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "platform": platform.platform(),
    }


def choose_device(device: str) -> str:
    """ "cpu" or "cuda"; "auto" is the GPU where there is one."""
    if device == "auto":
        return "cuda" if cuda.is_available() else "cpu"
    if device == "cuda" and not cuda.is_available():
        raise RunError(
            "--device cuda: no usable GPU (needs an NVIDIA GPU with its driver, and CuPy: "
            'pip install "minigan[cuda13x]" or "minigan[cuda12x]"); use --device cpu or auto'
        )
    return device


class Run:
    """One training run and its folder."""

    def __init__(self, folder: Path, config: Config):
        self.folder, self.config = folder, config
        self.recipe = recipe(config.recipe)
        self.settings = self.recipe.configure(config.settings)
        self.data = self._load_data()
        manual_seed(stream(config.seed, "global"))
        self.trainer = Trainer(
            self.recipe,
            self.settings,
            self.data,
            batch_size=config.batch_size,
            seed=config.seed,
            device=choose_device(config.device),
        )
        noise = Generator().manual_seed(stream(config.seed, "grid")).rng
        latent = self.trainer.networks.latent
        self.latents = Tensor(noise.standard_normal((GRID, latent), dtype=np.float32))

    def _load_data(self) -> ImageData:
        c = self.config
        return load(c.data, data_dir=c.data_dir, image_size=c.image_size)

    # -- beginning and going on

    @classmethod
    def create(cls, folder: Path, config: Config, force: bool = False) -> Run:
        """Begin a new run in ``folder``, which must not hold anything (``force``: an old run)."""
        run = cls(folder, config)  # all that can be wrong with the options is found before writing
        if folder.exists() and not folder.is_dir():
            raise RunError(f"--out {folder}: is a file, expected a folder")
        if folder.exists() and any(folder.iterdir()):
            if not force:
                raise RunError(
                    f"--out {folder}: is not empty; give another folder, --resume {folder} to go "
                    "on, or --force to replace the run in it"
                )
            if not (folder / "config.json").is_file():
                raise RunError(f"--out {folder}: holds no run, so --force does not replace it")
            run._clear()
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        run._save_config()
        run._begin_metrics([])
        return run

    @classmethod
    def open(cls, folder: Path, **changes: Any) -> Run:
        """Go on with the run in ``folder``; ``changes`` replace entries of its configuration."""
        config = read_config(folder)
        run = cls(folder, Config(**{**asdict(config), **changes}))
        path = folder / "checkpoint.npz"
        if path.exists():
            try:
                run.trainer.load_state_dict(read_npz(path))
            except SerializeError:
                raise
            except ValueError as error:
                raise RunError(f"{path}: {error}") from error
        if run.config.steps < run.trainer.step:
            raise RunError(
                f"--steps {run.config.steps}: the run in {folder} is already at step "
                f"{run.trainer.step}"
            )
        if run.config != config:
            run._save_config()
        run._begin_metrics(read_metrics(folder, upto=run.trainer.step))
        (folder / "samples").mkdir(exist_ok=True)
        for leftover in folder.rglob(".*.tmp"):  # of a process killed while it wrote
            leftover.unlink(missing_ok=True)
        return run

    def _save_config(self) -> None:
        write_json(self.folder / "config.json", {**asdict(self.config), "versions": versions()})

    def _clear(self) -> None:
        """Remove what a run writes, and nothing else."""
        shutil.rmtree(self.folder / "samples", ignore_errors=True)
        for name in ("metrics.csv", "losses.png", "animation.gif", "checkpoint.npz", "config.json"):
            (self.folder / name).unlink(missing_ok=True)

    # -- training

    def train(
        self,
        progress: Callable[[dict[str, float]], None] = lambda row: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train to the last step; False if ``stopped`` asked to end earlier (all is saved then)."""
        config, trainer = self.config, self.trainer
        with open(self.folder / "metrics.csv", "a", newline="") as file, np.errstate(all="ignore"):
            writer = csv.writer(file)
            if trainer.step == 0:
                self._save_samples()
                self._save(file)  # so that there is always a checkpoint to go back to
            while trainer.step < config.steps and not stopped():
                row = trainer.train_step()
                self._add_row(writer, row)
                last = trainer.step == config.steps
                if last or trainer.step % config.sample_every == 0:
                    self._save_samples()
                if last or trainer.step % config.checkpoint_every == 0:
                    self._save(file)
                progress(row)
            if trainer.step < config.steps:
                self._save(file)
        finished = trainer.step == config.steps
        self.save_pictures()
        return finished

    def _add_row(self, writer: Any, row: dict[str, float]) -> None:
        self.rows.append({"step": self.trainer.step, **row})
        if len(self.rows) == 1:
            writer.writerow(self.rows[0])
        # Nine digits give a float32 back exactly.
        writer.writerow([f"{v:.9g}" if isinstance(v, float) else v for v in self.rows[-1].values()])

    def _save(self, metrics: Any) -> None:
        """The checkpoint, after the rows it counts."""
        metrics.flush()
        os.fsync(metrics.fileno())
        state = self.trainer.state_dict()
        for name, array in state.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise NonFiniteLoss(f"{name} is no longer finite at step {self.trainer.step}")
        write_npz(self.folder / "checkpoint.npz", state)

    def _save_samples(self) -> None:
        images = self.trainer.generate(self.latents)
        path = self.folder / "samples" / f"step-{self.trainer.step:06d}.png"
        report.save_grid(path, np.nan_to_num(images))

    def save_pictures(self) -> None:
        """losses.png and animation.gif from what has been recorded."""
        names = list(self.rows[0]) if self.rows else ["step"]
        columns = {name: [row[name] for row in self.rows] for name in names}
        lines = {k: v for k, v in self.recipe.lines(self.settings).items() if k in columns}
        title = f"{self.recipe.name} on {self.data.name}, batch {self.config.batch_size}"
        curves.save_losses(self.folder / "losses.png", columns, lines, title)
        frames = sorted((self.folder / "samples").glob("step-*.png"))
        frames = [f for f in frames if _step_of(f) <= self.trainer.step]
        if frames:
            labels = [_step_of(f) for f in frames]
            report.save_animation(self.folder / "animation.gif", frames, labels)

    def _begin_metrics(self, rows: list[dict[str, float]]) -> None:
        """metrics.csv with exactly ``rows`` in it."""
        self.rows: list[dict[str, float]] = []
        path = self.folder / "metrics.csv"
        temporary = path.with_name(".metrics.csv.tmp")
        with open(temporary, "w", newline="") as file:
            writer = csv.writer(file)
            for row in rows:
                values = dict(row)
                step = values.pop("step")
                self.rows.append({"step": step, **values})
                if len(self.rows) == 1:
                    writer.writerow(self.rows[0])
                writer.writerow([step, *(f"{v:.9g}" for v in values.values())])
        os.replace(temporary, path)


def _step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def read_config(folder: Path) -> Config:
    """The configuration of the run in ``folder``.

    Raises:
        RunError: there is no folder, no run in it, or its config.json is damaged.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder")
    if not path.is_file():
        raise RunError(f"{folder}: is not a run folder (it has no config.json)")
    try:
        return Config(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise RunError(f"{path}: is damaged ({error})") from error


def read_metrics(folder: Path, upto: int | None = None) -> list[dict[str, float]]:
    """The rows of metrics.csv (those of steps up to ``upto``); a half-written last line is left."""
    path = folder / "metrics.csv"
    rows: list[dict[str, float]] = []
    if not path.exists():
        return rows
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            try:
                step = int(row.pop("step"))
                values = {name: float(value) for name, value in row.items()}
            except (TypeError, ValueError):
                break
            if upto is not None and step > upto:
                break
            rows.append({"step": step, **values})
    return rows


def default_every(steps: int) -> int:
    """About thirty pictures in a run, at round steps: 1, 2, 5, 10, 20, 50, …"""
    wanted = max(1, ceil(steps / 30))
    scale = 1
    while True:
        for factor in (1, 2, 5):
            if factor * scale >= wanted:
                return factor * scale
        scale *= 10


def free_folder(name: str) -> Path:
    """runs/NAME-1, or the first of runs/NAME-2, … that is not there yet."""
    n = 1
    while (folder := Path("runs") / f"{name}-{n}").exists():
        n += 1
    return folder


def sample(folder: Path, count: int, seed: int) -> np.ndarray:
    """``count`` images (N, C, H, W) float32 in [-1, 1] from the run in ``folder``.

    The first images of a seed are the same whatever ``count`` is.
    """
    config = read_config(folder)
    path = folder / "checkpoint.npz"
    if not path.is_file():
        raise RunError(f"{folder}: has no checkpoint yet, so there is nothing to sample from")
    arrays = read_npz(path)
    chosen = recipe(config.recipe)
    try:
        generator, latent = restore(chosen, chosen.configure(config.settings), arrays)
    except ValueError as error:
        raise RunError(f"{path}: {error}") from error
    rng = Generator().manual_seed(stream(seed, "sample")).rng
    return generate(generator, Tensor(rng.standard_normal((count, latent), dtype=np.float32)))
