"""The protocols of the toy ``mixtures``, as data that stood before any run, and what was published.

A protocol is its source's networks, start, optimizer, batch and number of steps; only the steps are
divided, by a factor that every result states.  A contender is a recipe of the image GANs with the
settings that make it what it is; whatever it leaves open, the protocol says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from .. import nn
from .._tensor import Tensor
from ..gan import ImageShape, Networks
from ..generators import Generator
from ..nn import init
from ..ops.extremes import amax
from .lipschitz_operator import spectral_norm
from .lipschitz_rules import Shape, rule

Start = Callable[[nn.Module, Generator], None]


class Maxout(nn.Module):
    """y_j = max over ``pieces`` linear functions of x, another set of them for each j.

    Source: Goodfellow et al. 2013, arXiv 1302.4389.
    """

    def __init__(self, inputs: int, outputs: int, pieces: int):
        super().__init__()
        self.pieces = nn.Linear(inputs, outputs * pieces)
        self.shape = (pieces, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return amax(self.pieces(x).reshape(len(x), *self.shape), dim=1)


@rule(Maxout)
def _maxout(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    """|max_k aₖ - max_k bₖ|² ≤ Σ_k |aₖ - bₖ|², summed over the outputs: ‖W(x - y)‖²."""
    return spectral_norm(layer.pieces.weight.array), "the largest singular value of all pieces"


class Packed(nn.Module):
    """A critic that judges ``size`` points at once: rows (N, d) become packs (N/size, size·d).

    A batch that lacks variety betrays itself in every pack.  Source: Lin et al. 2017 (PacGAN),
    arXiv 1712.04086.
    """

    def __init__(self, critic: nn.Module, size: int):
        super().__init__()
        self.critic, self.size = critic, size

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(x.reshape(len(x) // self.size, -1))


def pacgan_generator(latent: int) -> nn.Sequential:
    """latent → 4 × (400, BatchNorm, ReLU) → 2; biases where no BatchNorm follows."""
    layers: list[nn.Module] = []
    for before, after in pairwise([latent, 400, 400, 400, 400]):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(400, 2))


def pacgan_critic(inputs: int) -> nn.Sequential:
    """inputs → 3 × maxout(200 units of 5 pieces) → 1."""
    hidden = [Maxout(before, after, 5) for before, after in pairwise([inputs, 200, 200, 200])]
    return nn.Sequential(*hidden, nn.Linear(200, 1))


def layered(activation: type[nn.Module], *sizes: int) -> nn.Sequential:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def started(weights: Callable[..., Tensor], *values: float) -> Start:
    """A start of all linear layers: their weights by ``weights(…, *values)``, their biases 0."""

    def start(module: nn.Module, rng: Generator) -> None:
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                weights(layer.weight, *values, generator=rng)
                if layer.bias is not None:
                    init.zeros_(layer.bias)

    return start


class Protocol(NamedTuple):
    """Where and how everybody plays.

    Attributes:
        short, title, source: for the reader, in a figure and in words.
        latent: numbers the generator starts from.
        generator, critic: number of inputs → network.
        start: of both.
        settings: the optimizer of those contenders that bring none of their own.
        batch: points, or packs of points, that a step sees.
        steps: of the generator, in the source.
    """

    short: str
    title: str
    source: str
    latent: int
    generator: Callable[[int], nn.Sequential]
    critic: Callable[[int], nn.Sequential]
    start: Start
    settings: Mapping[str, float]
    batch: int
    steps: int

    def networks(self, pack: int, settings: Any, shape: ImageShape, rng: Generator) -> Networks:
        """As a recipe's ``networks``, for points (N, 2) and a critic that sees packs of them."""
        generator, critic = self.generator(self.latent), self.critic(pack * shape.channels)
        self.start(generator, rng)
        self.start(critic, rng)
        return Networks(generator, critic if pack == 1 else Packed(critic, pack), self.latent)


PROTOCOLS = {
    "pacgan": Protocol(
        "PacGAN's protocol",
        "G 2-400-400-400-400-2 BatchNorm ReLU, D 3 × maxout(200, 5), Adam(1e-4, β1 0.8), batch 100",
        "Lin et al. 2017, arXiv 1712.04086: 400 epochs of 100,000 points",
        2,
        pacgan_generator,
        pacgan_critic,
        started(init.normal_, 0.0, 0.02),
        {"lr": 1e-4, "beta1": 0.8},
        100,
        400_000,
    ),
    "poolio": Protocol(
        "Poole's protocol",
        "G 256-128-128-2 tanh, D 2-128-128-1 tanh, orthogonal start of gain 1.4, "
        "Adam(D 1e-4, G 1e-3, β1 0.5), batch 512",
        "Poole 2017, github.com/poolio/unrolled_gan",
        256,
        lambda latent: layered(nn.Tanh, latent, 128, 128, 2),
        lambda inputs: layered(nn.Tanh, inputs, 128, 128, 1),
        started(init.orthogonal_, 1.4),
        {"lr": 1e-3, "critic_lr": 1e-4, "beta1": 0.5},
        512,
        25_000,
    ),
    "wgan-gp": Protocol(
        "WGAN-GP's protocol",
        "G 2-512-512-512-2 ReLU, D 2-512-512-512-1 ReLU, Adam(1e-4, β1 0.5, β2 0.9), batch 256",
        "Gulrajani et al. 2017, arXiv 1704.00028, its toy",
        2,
        lambda latent: layered(nn.ReLU, latent, 512, 512, 512, 2),
        lambda inputs: layered(nn.ReLU, inputs, 512, 512, 512, 1),
        started(init.kaiming_uniform_),
        {"lr": 1e-4, "beta1": 0.5, "beta2": 0.9},
        256,
        100_000,
    ),
}


class Contender(NamedTuple):
    """A recipe of ``minigan.gan`` and what sets it apart.

    Attributes:
        recipe: its name there.
        settings: its own, before the protocol's.
        own: whether its optimizer is part of what it is, so that the recipe's stays.
        pack: points that its critic sees at once.
    """

    recipe: str
    settings: Mapping[str, Any] = {}
    own: bool = False
    pack: int = 1


CONTENDERS = {
    "gan": Contender("gan"),
    "pacgan": Contender("gan", pack=2),
    "unrolled": Contender("unrolled", {"unroll": 5}),
    "unrolled-0": Contender("unrolled", {"unroll": 0}),
    "unrolled-1": Contender("unrolled", {"unroll": 1}),
    "unrolled-10": Contender("unrolled", {"unroll": 10}),
    "wgan": Contender("wgan", own=True),
    "wgan-gp": Contender("wgan-gp", {"gp": 0.1}, own=True),
    "lsgan": Contender("lsgan"),
    "hinge": Contender("hinge"),
}


class Published(NamedTuple):
    """Modes and the share of high-quality samples in %, with the spread of the modes if stated."""

    modes: float
    quality: float
    spread: float | None = None

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:g}"
        return f"{self.modes:g}{spread} / {self.quality:g}"


PUBLISHED = {
    "PacGAN's (Lin et al. 2017: its networks above, 400,000 steps, 10 trials)": {
        ("ring", "gan"): Published(6.3, 98.2, 0.5),
        ("grid", "gan"): Published(17.3, 94.8, 0.8),
        ("ring", "pacgan"): Published(7.9, 95.6),
        ("grid", "pacgan"): Published(23.8, 91.3),
    },
    "VEEGAN's (Srivastava et al. 2017, arXiv 1705.07761: networks of its own)": {
        ("ring", "gan"): Published(1, 99.3),
        ("grid", "gan"): Published(3.3, 0.5),
        ("ring", "unrolled"): Published(7.6, 35.6),
        ("grid", "unrolled"): Published(23.6, 16),
    },
}
