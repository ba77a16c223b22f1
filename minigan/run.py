"""A run folder: what a training run leaves, and what it needs to go on.

    config.json              everything needed to repeat the run
    metrics.csv              losses and mean probabilities of every step
    samples/step-000500.png  the same noise (or data), seen through the networks over time
    losses.png               the curves, with the equilibrium lines
    reading.txt              what they show, in plain language
    animation.gif            the samples as a film
    figures/                 what else there is to see of this system, at the end
    measures.csv             how good it was meanwhile, if asked, by the yardstick.json beside it
    checkpoint.npz           networks, optimizers, random generators, step

Order makes it safe: the rows of a step and its pictures are on the disk before the checkpoint that
counts them.  A run killed anywhere goes on from its checkpoint, drops what was written after it,
and writes the same bytes again.  BLAS runs on one thread, so that they are the same bytes on any
number of cores, and so that other programs on the machine do not stall it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from . import curves, report
from .config import Config, RunError, read_config
from .cpu.threads import one_blas_thread
from .data import load, short_name
from .distributed import alone
from .gan import NonFiniteLoss, Trainer, recipe_for
from .gan.ranks import here
from .gan.readings import expect_finite
from .gan.sampling import modules
from .gan.streams import stream
from .generators import Generator, manual_seed
from .precision import computing
from .reading import reading
from .record import Record, Row, read_rows
from .serialize import SerializeError, atomic_write, read_npz, write_npz

FILES = (
    *("metrics.csv", "losses.png", "animation.gif", "reading.txt"),
    *("evaluation.json", "nearest.png"),
    *("yardstick.json", "measures.csv", "measures.json"),
    *("checkpoint.npz", "config.json"),
)
_SAMPLE = re.compile(r"step-(\d+)\.png")
_LEFTOVER = re.compile(r"\.(" + "|".join(map(re.escape, FILES)) + r"|step-\d+\.png)\.\d+\.tmp")


class Run:
    """One training run and its folder; made by ``create`` or ``open``."""

    record: Record
    folder: Path

    def __init__(self, config: Config):
        self.recipe = recipe_for(config.recipe, config.data)
        self.settings = self.recipe.configure(config.settings)
        files = {"data_dir": config.data_dir, "image_size": config.image_size}
        self.data = load(config.data, **files, **config.data_options)
        ranks = here(config.sync_batchnorm)
        self.config = replace(config, ranks=ranks.size)
        manual_seed(ranks.stream(config.seed, "global"))
        self.trainer = Trainer(
            self.recipe,
            self.settings,
            self.data,
            batch_size=config.batch_size,
            seed=config.seed,
            device=config.device,
            augment=config.augment,
            graphs=config.graph,
            ranks=ranks,
        )
        rng = Generator().manual_seed(stream(config.seed, "grid")).rng
        self.examples = self.recipe.view.examples(self.trainer.networks, self.data, rng)

    # -- beginning and going on

    @classmethod
    def create(cls, folder: Path | None, config: Config, force: bool = False) -> Run:
        """Begin a new run in ``folder``, which must not hold anything (``force``: an old run).

        Without a folder, in the first of runs/RECIPE-DATA-1, -2, … that is not there yet.
        """
        run = cls(config)  # all that can be wrong with the options is found before writing
        folder = run.folder = folder or free_folder(f"{config.recipe}-{short_name(config.data)}")
        if folder.exists() and not folder.is_dir():
            raise RunError(f"--out {folder}: is a file, expected a folder")
        folder.mkdir(parents=True, exist_ok=True)
        run._lock()
        if any(folder.iterdir()):
            if not force:
                raise RunError(
                    f"--out {folder}: is not empty; give another folder, --resume {folder} to go "
                    "on, or --force to replace the run in it"
                )
            try:
                read_config(folder)
            except RunError as error:
                raise RunError(f"--out {folder}: --force replaces runs only; {error}") from error
        run.config.write(folder)
        run._clear()
        (folder / "samples").mkdir(exist_ok=True)
        run.record = Record(folder / "metrics.csv", [])
        return run

    @classmethod
    def open(cls, folder: Path, **changes: Any) -> Run:
        """Go on with the run in ``folder``; ``changes`` replace entries of its configuration."""
        config = read_config(folder)
        run = cls(Config(**{**asdict(config), **changes}))
        run.folder = folder
        run._lock()
        path = folder / "checkpoint.npz"
        if path.exists():
            try:
                run.trainer.load_state_dict(read_npz(path))
            except SerializeError:
                raise
            except ValueError as error:
                raise RunError(f"{path}: {error}") from error
        elif _has_rows(folder / "metrics.csv"):
            raise RunError(f"{path}: is missing although the run has begun; it cannot go on")
        step = run.trainer.step
        if run.config.steps < step:
            raise RunError(
                f"--steps {run.config.steps}: the run in {folder} is already at step {step}"
            )
        run.record = Record(folder / "metrics.csv", read_rows(folder / "metrics.csv", step))
        if run.config != config:
            run.config.write(folder)
        (folder / "samples").mkdir(exist_ok=True)
        for leftover in [*folder.iterdir(), *(folder / "samples").iterdir()]:
            if _LEFTOVER.fullmatch(leftover.name):  # of a process killed while it wrote
                leftover.unlink(missing_ok=True)
        return run

    def _lock(self) -> None:
        """Hold the folder while this object lives: two trainings in it would mix their files."""
        try:
            import fcntl
        except ImportError:  # not on this system
            return
        self._handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"{self.folder}: another process is training in it") from None

    def close(self) -> None:
        """End the trainer's thread, close the files and let go of the folder."""
        if hasattr(self, "trainer"):
            self.trainer.close()
        if hasattr(self, "record"):
            self.record.close()
        if hasattr(self, "_handle"):
            os.close(self._handle)
            del self._handle

    __del__ = close

    def _clear(self) -> None:
        """Remove what an old run wrote, but for config.json, which is the new run's already."""
        for path in self._frames():
            path.unlink()
        for name in FILES[:-1]:
            (self.folder / name).unlink(missing_ok=True)
        for path in (self.folder / "figures").glob("*.*"):
            path.unlink()

    # -- training

    def train(
        self,
        progress: Callable[[list[Row]], None] = lambda rows: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train to the last step; False if ``stopped`` asked to end earlier (all is saved then).

        ``progress`` is called after each step, with the rows that have come meanwhile.

        Raises:
            NonFiniteLoss: when its row comes; the last good checkpoint stays, pictures are drawn.
        """
        config, trainer = self.config, self.trainer
        with one_blas_thread, np.errstate(all="ignore"):
            if trainer.step == 0:
                self._save_samples()
                self._save()  # so that there is always a checkpoint to go back to
            try:
                while trainer.step < config.steps and not trainer.ranks.any(stopped()):
                    with computing(config.precision, config.device):
                        rows = trainer.advance()
                    last = trainer.step == config.steps
                    drawn = last or trainer.step % config.sample_every == 0
                    saved = last or trainer.step % config.checkpoint_every == 0
                    if drawn or saved:
                        rows += trainer.drain()
                    self._note(rows)
                    if drawn:
                        self._save_samples()
                    if saved:
                        self._save()
                    progress(rows)
                if trainer.step < config.steps:
                    self._note(trainer.drain())
                    self._save()
            finally:
                self.record.flush()
                self.save_pictures()
        return trainer.step == config.steps

    def _note(self, rows: list[Row]) -> None:
        for row in rows:
            expect_finite(row)
            self.record.add(row)

    def _save(self) -> None:
        """The checkpoint, after the rows it counts."""
        self.record.flush()
        write_npz(self.folder / "checkpoint.npz", self._state())

    def _state(self) -> dict[str, np.ndarray]:
        trainer = self.trainer
        state = trainer.state_dict()
        floats = {name: array for name, array in state.items() if array.dtype.kind == "f"}
        spoilt = [name for name, array in floats.items() if not np.isfinite(array).all()]
        if trainer.ranks.any(bool(spoilt)):
            name = spoilt[0] if spoilt else "another process's network"
            raise NonFiniteLoss(f"{name} is no longer finite at step {trainer.step}")
        return state

    @alone()
    def _save_samples(self) -> None:
        path = self.folder / "samples" / f"step-{self.trainer.step:06d}.png"
        self.trainer.pictures(self.examples).save(path)

    @alone()
    def save_pictures(self) -> None:
        """losses.png, animation.gif and the recipe's own figures, from what has been recorded."""
        columns = self.record.columns()
        lines = {k: v for k, v in self.recipe.lines(self.settings).items() if k in columns}
        balance = lines.pop("d_real", (0.5, "1/2"))
        ranks = "" if self.config.ranks == 1 else f"{self.config.ranks} × "
        batch = f"batch {ranks}{self.config.batch_size}"
        title = f"{self.recipe.name} on {self.data.name}, {batch}"
        curves.save_losses(self.folder / "losses.png", columns, lines, title, balance=balance)
        with atomic_write(self.folder / "reading.txt") as file:
            file.write("".join(f"{sentence}\n" for sentence in self.reading()).encode())
        frames = [f for f in self._frames() if _step_of(f) <= self.trainer.step and _readable(f)]
        if frames:
            labels = [_step_of(f) for f in frames]
            report.save_animation(self.folder / "animation.gif", frames, labels)
        self._save_figures()

    def _save_figures(self) -> None:
        """The recipe's own; of networks that are no longer finite there is nothing to see."""
        shown = self.trainer.shown()
        networks = modules(shown).values()
        arrays = [p.detach().cpu().numpy() for network in networks for p in network.parameters()]
        if not all(np.isfinite(array).all() for array in arrays):
            return
        for name, draw in self.recipe.view.figures.items():
            (self.folder / "figures").mkdir(exist_ok=True)
            draw(shown, self.data, self.folder / "figures" / name, self.config.device)

    def reading(self) -> list[str]:
        """What the curves show, in plain language."""
        lines = self.recipe.lines(self.settings)
        return reading(self.record.columns(), lines, asdict(self.settings), self.data.unit)

    def _frames(self) -> list[Path]:
        """The sample pictures in the order of their steps."""
        samples = self.folder / "samples"
        found = [f for f in samples.glob("step-*.png") if _SAMPLE.fullmatch(f.name)]
        return sorted(found, key=_step_of)


def _step_of(path: Path) -> int:
    return int(_SAMPLE.fullmatch(path.name)[1])


def _readable(path: Path) -> bool:
    """Whether ``path`` is a whole picture; a film does without one that is not."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def _has_rows(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


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
    """Make runs/NAME-1, or the first of runs/NAME-2, … that is not there yet."""
    n = 1
    while True:
        folder = Path("runs") / f"{name}-{n}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            n += 1
        else:
            return folder
