"""One run of the toy ``mixtures``: a contender on a mixture, by a protocol, from a seed.

The trainer, the recipes and their steps are those of the image GANs; the networks and the optimizer
are a protocol's.  ``minigan train --data ring`` has the recipes' own.
"""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor, tensor
from ..autograd import no_grad
from ..cpu.threads import one_blas_thread
from ..data import PointData, mixture
from ..gan import NonFiniteLoss, Trainer, recipe
from ..gan.objectives import bce_critic, wgan_critic
from ..gan.streams import stream
from ..metrics import mode_score
from ..metrics.modes import SAMPLES
from ..plane import SIDE, places
from ..serialize import SerializeError, read_npz, write_npz
from .mixtures_protocols import CONTENDERS, PROTOCOLS, Packed
from .output import ToyError, host
from .players import evaluating
from .truth import TruthPanel

VERSION = 2  # of a run's file
POINTS = 100_000  # real ones that are trained on
MOMENTS, SHOWN = 20, 500  # looks at a run after the first one; points kept of each
PARTNERS = 4  # packs for each place where the critic is looked at


class Job(NamedTuple):
    """What is to be done; its steps are the generator's."""

    data: str
    contender: str
    protocol: str
    steps: int
    seed: int
    truth: bool = False
    device: str = "cpu"

    @property
    def file(self) -> str:
        """The name of the file that the run is kept in."""
        return f"run-{self.data}-{self.contender}-seed{self.seed}.npz"


class Run(NamedTuple):
    """What was seen, look by look.

    Attributes:
        rows: {"step", "modes", "quality", "estimate", "js_bound", "truth"}; None where there is
            no such thing.  "estimate" is what a Wasserstein critic says of EM, "js_bound" what a
            discriminator says of JS, "truth" what the truth panel measures.
        samples: float32 (looks, SHOWN, 2).
        heights: what the critic says on ``places``, float32 (looks, SIDE, SIDE).
    """

    rows: list[dict[str, Any]]
    samples: np.ndarray
    heights: np.ndarray


def trainer_of(job: Job) -> Trainer:
    """The trainer of the job, at its start.  It is not told which mode a point is from."""
    protocol, contender = PROTOCOLS[job.protocol], CONTENDERS[job.contender]
    plain = recipe(contender.recipe)
    chosen = dataclasses.replace(
        plain, networks=partial(protocol.networks, contender.pack), data=PointData
    )
    optimizer = {} if contender.own else protocol.settings
    settings = chosen.configure({"network": "mlp", **optimizer, **contender.settings})
    data = mixture(job.data, POINTS, seed=stream(job.seed, "points"))
    return Trainer(
        chosen,
        settings,
        dataclasses.replace(data, labels=None),
        batch_size=protocol.batch * contender.pack,
        seed=job.seed,
        device=job.device,
    )


def train(job: Job) -> Run:
    """Do the job.

    Raises:
        ToyError: a loss became infinite or NaN.
    """
    with one_blas_thread:  # the same numbers on any number of cores, in any process
        trainer = trainer_of(job)
        look = Look(job, trainer)
        looks = [look()]
        moments = set(np.linspace(0, job.steps, MOMENTS + 1).round().astype(int)[1:].tolist())
        for step in range(1, job.steps + 1):
            try:
                trainer.train_step()
            except NonFiniteLoss as error:
                raise ToyError(f"mixtures: {job.contender} on {job.data}: {error}") from error
            if step in moments:
                looks.append(look())
    rows, samples, heights = zip(*looks, strict=True)
    return Run(list(rows), np.stack(samples), np.stack(heights))


def seen(job: Job) -> PointData:
    """The real points that looks compare with: none that was trained on."""
    return mixture(job.data, SAMPLES, seed=stream(job.seed, "looks at points"))


def panel_of(job: Job) -> TruthPanel:
    """The truth panel of the job."""
    return TruthPanel(seen(job).points, seed=job.seed)


class Look:
    """Looks at a trainer: always at what it makes of the same noise, beside the same real points.

    Looking changes nothing of what follows.
    """

    def __init__(self, job: Job, trainer: Trainer):
        self.job, self.trainer = job, trainer
        rng = np.random.default_rng(stream(job.seed, "looks"))
        self.noise = rng.standard_normal((SAMPLES, trainer.networks.latent), dtype=np.float32)
        self.real = seen(job)
        self.partners = rng.permutation(self.real.points)
        self.panel = panel_of(job) if job.truth else None

    def __call__(self) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
        """A row, some points, and the critic on ``places``."""
        made = self.trainer.generate(Tensor(self.noise))
        row: dict[str, Any] = {"step": self.trainer.step, "modes": None, "quality": None}
        if self.real.modes is not None:
            row.update(mode_score(made, self.real.modes, self.real.std)._asdict())
        row.update(self._said(made))
        row["truth"] = None if self.panel is None else self.panel.measure(made)
        return row, made[:SHOWN], self._heights()

    @no_grad()
    def _said(self, made: np.ndarray) -> dict[str, float | None]:
        """What the critic says of the two distributions, where its loss has such a meaning.

        A discriminator's ln 2 - loss/2 is at most JS, but for the samples' chance.  One of packs of
        m independent points says it of packs, whose JS is at most m times that of points (the
        chain rule of mutual information), hence its m-th part.
        """
        critic, loss = self.trainer.networks.critic, self.trainer.settings.loss
        pack = critic.size if isinstance(critic, Packed) else 1
        with evaluating(critic):
            real, fake = (critic(self._there(points)) for points in (self.real.points, made))
        estimate = -wgan_critic(real, fake).item() if loss == "wgan" else None
        bound = (log(2) - bce_critic(real, fake).item() / 2) / pack if loss == "bce" else None
        return {"estimate": estimate, "js_bound": bound}

    @no_grad()
    def _heights(self) -> np.ndarray:
        """The critic on ``places``; a place in a pack stands beside real points, four times."""
        critic, at = self.trainer.networks.critic, places(self.real.box)
        if isinstance(critic, Packed):
            others = self.partners[: PARTNERS * (critic.size - 1)]
            packs = np.empty((len(at), PARTNERS, critic.size, 2), np.float32)
            packs[:, :, 0] = at[:, None]
            packs[:, :, 1:] = others.reshape(1, PARTNERS, critic.size - 1, 2)
            at = packs.reshape(-1, 2)
        with evaluating(critic):
            heights = host(critic(self._there(at)))
        return heights.reshape(SIDE, SIDE, -1).mean(2)

    def _there(self, points: np.ndarray) -> Tensor:
        """Points where the networks are."""
        return tensor(points, device=self.job.device)


def keep(folder: Path, job: Job, run: Run) -> None:
    """Write the run into its file."""
    text = json.dumps({"version": VERSION, "job": job._asdict(), "rows": run.rows}).encode()
    arrays = {"samples": run.samples, "heights": run.heights}
    write_npz(folder / job.file, {"run.json": np.frombuffer(text, np.uint8), **arrays})


def kept(folder: Path, job: Job) -> Run | None:
    """The run of this very job, where it is kept whole."""
    try:
        arrays = read_npz(folder / job.file)
        plain = json.loads(arrays["run.json"].tobytes())
        if (plain["version"], plain["job"]) != (VERSION, job._asdict()):
            return None
        return Run(plain["rows"], arrays["samples"], arrays["heights"])
    except (SerializeError, KeyError, TypeError, ValueError):
        return None


def do(folder: Path, job: Job) -> None:
    """Do the job and keep it, unless that is done."""
    if kept(folder, job) is None:
        keep(folder, job, train(job))
