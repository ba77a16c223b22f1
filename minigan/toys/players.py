"""The small networks of the toys: a discriminator, and critics kept Lipschitz in three ways.

They are the image GANs' own: the same layers and start, objectives, penalties and optimizers.  They
live on the default device of when they are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import log

import numpy as np

from .. import nn, optim
from .._tensor import Tensor, tensor
from ..autograd import no_grad
from ..data import DataError
from ..gan.mlp import mlp_init
from ..gan.objectives import bce_critic, wgan_critic
from ..gan.pair import normalise_spectrally
from ..gan.penalties import gradient_penalty, slopes
from ..gan.trainer import stream
from ..generators import Generator
from ..ops.creation import zeros
from .output import host

CRITICS = {
    "clip": "weights clipped to ±0.1",
    "gp": "gradient penalty, λ = 10",
    "spectral": "spectral norm",
}
CLIP = 0.1
PENALTY = 10.0


def network(sizes: Sequence[int], rng: Generator) -> nn.Sequential:
    """Linear layers of these sizes with LeakyReLU(0.2) between them, freshly started.

    >>> network([2, 64, 1], Generator())
    Sequential(
      (0): Linear(in_features=2, out_features=64, bias=True)
      (1): LeakyReLU(negative_slope=0.2)
      (2): Linear(in_features=64, out_features=1, bias=True)
    )
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    module = nn.Sequential(*layers[:-1])
    mlp_init(module, rng)
    return module


class Discriminator:
    """A network whose logit tells real from fake, trained towards the best one, ln p/q.

    Args:
        dimensions: of a point.
        seed: of its start.
        lr: of Adam.
    """

    def __init__(self, dimensions: int, seed: int, lr: float = 5e-3):
        rng = Generator().manual_seed(stream(seed, "discriminator"))
        self.network = network([dimensions, 64, 64, 1], rng)
        self.optimizer = optim.Adam(self.network.parameters(), lr, betas=(0.5, 0.999))

    def step(self, real: Tensor, fake: Tensor) -> None:
        """One step down the cross entropy."""
        self.optimizer.zero_grad()
        bce_critic(self.network(real), self.network(fake.detach())).backward()
        self.optimizer.step()

    def js(self, real: Tensor, fake: Tensor) -> Tensor:
        """½(V(D) + 2 ln 2) with V = E ln D(x) + E ln(1 - D(G(z))): at most JS, its value at D*.

        0-d, in nats, differentiable in ``fake``.
        """
        return (2 * log(2) - bce_critic(self.network(real), self.network(fake))) / 2

    @no_grad()
    def tv(self, real: Tensor, fake: Tensor) -> float:
        """P(D > ½ | real) - P(D > ½ | fake): at most TV, its value at D*.

        A share of points that a threshold counts: it has no derivative in ``fake``.
        """
        return float((self.network(real).array > 0).mean() - (self.network(fake).array > 0).mean())

    def kl(self, real: Tensor, fake: Tensor) -> Tensor:
        """E l(x) + 1 - E exp(l(G(z))), l the logit: at most KL(real ‖ fake), its value at D*.

        0-d, in nats, differentiable in ``fake``; float64, since the exponential is large where the
        logit is wrong.

        Source: Nguyen, Wainwright & Jordan 2010, arXiv 0809.0853, with T = l + 1.
        """
        on_real, on_fake = (self.network(x).double() for x in (real, fake))
        return on_real.mean() + 1 - on_fake.exp().mean()


class Critic:
    """A network f that is kept from getting steep; E f(x) - E f(G(z)) estimates the EM distance.

    By the Kantorovich-Rubinstein duality EM is the largest such difference of any f with slopes of
    at most 1.

    Args:
        kind: "clip" (Arjovsky et al. 2017), "gp" (Gulrajani et al. 2017) or "spectral" (Miyato et
            al. 2018); the first by RMSprop(10⁻³), the others by Adam(``lr``, 0.5, 0.9).
        dimensions: of a point.
        seed: of its start and the penalty's random numbers.
        penalty: λ of "gp".
    """

    def __init__(
        self, kind: str, dimensions: int, seed: int, lr: float = 2e-3, penalty: float = PENALTY
    ):
        if kind not in CRITICS:
            raise DataError(f"Critic: kind expects one of {', '.join(CRITICS)}; got {kind!r}")
        self.kind, self.dimensions, self.penalty = kind, dimensions, penalty
        self._measuring = np.random.default_rng(stream(seed, "where slopes are measured"))
        self.rng = Generator().manual_seed(stream(seed, f"critic {kind}"))
        self.network = network([dimensions, 64, 64, 1], self.rng)
        if kind == "spectral":
            normalise_spectrally(self.network, self.rng)
        if kind == "clip":
            self.optimizer: optim.Optimizer = optim.RMSprop(self.network.parameters(), 1e-3)
            self._clip()
        else:
            self.optimizer = optim.Adam(self.network.parameters(), lr, betas=(0.5, 0.9))

    def step(self, real: Tensor, fake: Tensor) -> None:
        """One step up E f(x) - E f(G(z))."""
        fake = fake.detach()
        self.optimizer.zero_grad()
        loss = wgan_critic(self.network(real), self.network(fake))
        if self.kind == "gp":
            if len(real) != len(fake):  # the penalty lies between pairs of points
                real, fake = self._pairs(self.rng.rng, real, fake)
            wrong = gradient_penalty(self.network, real, fake, self.rng)
            loss = loss + self.penalty * wrong
        loss.backward()
        self.optimizer.step()
        if self.kind == "clip":
            self._clip()

    @no_grad()
    def _clip(self) -> None:
        for p in self.network.parameters():
            p.clamp_(-CLIP, CLIP)

    def difference(self, real: Tensor, fake: Tensor) -> Tensor:
        """E f(x) - E f(G(z)), 0-d, differentiable in ``fake``."""
        with evaluating(self.network):
            return -wgan_critic(self.network(real), self.network(fake))

    def steepest(self, real: Tensor, fake: Tensor, draws: int = 4) -> float:
        """The largest slope found at the points themselves and at random points between them."""
        places = [real, fake]
        for _ in range(draws):
            one, other = self._pairs(self._measuring, real, fake)
            share = self._measuring.random((len(one), 1), dtype=np.float32)
            share = tensor(share, device=one.device)
            places.append(one * share + other * (1 - share))
        with evaluating(self.network):
            return max(float(slopes(self.network, x).array.max()) for x in places)

    @staticmethod
    def _pairs(rng: np.random.Generator, real: Tensor, fake: Tensor) -> list[Tensor]:
        """As many of each, drawn without repetition."""
        count = min(len(real), len(fake))
        return [x[rng.permutation(len(x))[:count]] for x in (real, fake)]

    def bound(self) -> float:
        """The product of the layers' operator norms: no slope of f is larger."""
        with evaluating(self.network), no_grad():
            self.network(zeros(1, self.dimensions, device=self.network[0].weight.device))
        matrices = [layer.weight for layer in self.network if isinstance(layer, nn.Linear)]
        return float(np.prod([np.linalg.norm(host(w).astype(np.float64), 2) for w in matrices]))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A block in which looking at a network leaves it alone: spectral norm takes no step."""
    module.eval()
    try:
        yield
    finally:
        module.train()
