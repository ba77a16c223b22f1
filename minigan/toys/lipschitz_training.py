"""What clipping, the gradient penalty and spectral norm do to the ladder while a critic trains.

The critic is told to tell a ring of Gaussians from one Gaussian in its middle.  It has 16 units, so
that its exact constant K on the box is known at every record, and with it a bound: for points in
the box, (E f(x) - E f(y))/K is never above their earth mover's distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import nn, optim
from .._tensor import Tensor, tensor
from ..autograd import no_grad
from ..data import mixture
from ..gan.mlp import mlp_init
from ..gan.objectives import wgan_critic
from ..gan.pair import normalise_spectrally
from ..gan.penalties import gradient_penalty
from ..generators import Generator
from .distances import em
from .lipschitz_bounds import evaluated
from .lipschitz_ladder import ROUNDING, Ladder, ladder
from .lipschitz_samples import Box

CLIP, PENALTY = 0.2, 10.0
METHODS = {
    "none": "nothing done",
    "clip": f"weights clipped to ±{CLIP}",
    "gp": f"gradient penalty, λ = {PENALTY:g}",
    "spectral": "spectral norm",
}
BOX = Box.of(-1.5, 1.5, (2,))
SPREAD = 0.25  # the standard deviation of the fake points: 1.5 is 6 of them
BATCH, POINTS = 128, 256


@dataclass(frozen=True)
class Record:
    """A critic after ``step`` steps.

    Attributes:
        step: how many steps it has taken.
        ladder: its ladder on the box, checked.
        difference: E f(x) - E f(y) on the points that are kept for this.
        network: a copy in float64 and in evaluation.
    """

    step: int
    ladder: Ladder
    difference: float
    network: nn.Module

    @property
    def estimate(self) -> float:
        """E f(x) - E f(y) over the exact constant: at most EM, whatever the critic is."""
        exact = self.ladder.exact.value
        return self.difference / exact if exact > 0 else 0.0


def critic(method: str, rng: Generator) -> nn.Sequential:
    """2 → 8 → 8 → 1 with LeakyReLU(0.2), freshly started.

    >>> sum(p.numel() for p in critic("none", Generator()).parameters())
    105
    """
    module = nn.Sequential(
        *(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    )
    mlp_init(module, rng)
    if method == "spectral":
        normalise_spectrally(module, rng)
    return module


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the ring and fake ones, float32 (count, 2) each, all within the box.

    >>> real, fake = draw(1000, seed=0)
    >>> bool(abs(np.linalg.norm(real, axis=1) - 1).max() < 0.1), fake.shape
    (True, (1000, 2))
    """
    rng = np.random.default_rng([seed, 1])
    fake = BOX.clip(SPREAD * rng.standard_normal((count, 2))).astype(np.float32)
    return mixture("ring", count, seed=seed).points, fake


def train(method: str, steps: int, records: int, seed: int) -> Iterator[Record]:
    """Train one critic by Adam(0.005, 0.5, 0.9); yield ``records`` records, the first at step 0.

    The batches are the same for every method.

    Raises:
        ArithmeticError: an inequality of the ladder, or estimate ≤ EM, does not hold.
    """
    rng = Generator().manual_seed(seed)
    network = critic(method, rng)
    optimizer = optim.Adam(network.parameters(), 5e-3, betas=(0.5, 0.9))
    kept = draw(POINTS, seed + 1)
    real, fake = (tensor(points) for points in draw(BATCH * steps, seed))
    distance = em(*kept)
    times = set(np.linspace(0, steps, records).round().astype(int).tolist())
    for step in range(steps + 1):
        if step in times:
            yield _record(network, step, kept, distance)
        if step < steps:
            rows = slice(step * BATCH, (step + 1) * BATCH)
            _step(method, network, optimizer, real[rows], fake[rows], rng)


def _step(
    method: str,
    network: nn.Module,
    optimizer: optim.Optimizer,
    real: Tensor,
    fake: Tensor,
    rng: Generator,
) -> None:
    optimizer.zero_grad()
    loss = wgan_critic(network(real), network(fake))
    if method == "gp":
        loss = loss + PENALTY * gradient_penalty(network, real, fake, rng)
    loss.backward()
    optimizer.step()
    if method == "clip":
        with no_grad():
            for p in network.parameters():
                p.clamp_(-CLIP, CLIP)


def _record(
    network: nn.Module, step: int, kept: tuple[np.ndarray, np.ndarray], distance: float
) -> Record:
    copy = evaluated(network)
    real, fake = (points.astype(np.float64) for points in kept)
    with no_grad():
        difference = float((copy(Tensor(real)).mean() - copy(Tensor(fake)).mean()).item())
    found = ladder(network, BOX, also=np.concatenate([real, fake]), exact=True)
    record = Record(step, found, difference, copy)
    # The enumeration's upper end is the safe divisor; usually the two are one.
    if not difference <= found.exact.upper * distance * (1 + ROUNDING):
        raise ArithmeticError(
            f"lipschitz: the estimate {record.estimate} lies above the distance {distance}"
        )
    return record
