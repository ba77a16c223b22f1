"""A generator and a critic as the settings ask for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import nn
from .._tensor import Tensor
from ..autograd import no_grad
from ..generators import Generator
from ..nn.utils import spectral_norm
from ..ops.creation import randn
from ..ops.shape import cat
from ..ops.smooth import erf
from .conditional import Labelled
from .mlp import mlp_critic, mlp_generator, mlp_init
from .networks import (
    dcgan_critic,
    dcgan_generator,
    dcgan_init,
    five_critic,
    five_generator,
    infogan_critic,
    infogan_generator,
)
from .networks_cgan import (
    cgan_critic,
    cgan_dcgan_critic,
    cgan_dcgan_generator,
    cgan_generator,
)
from .schema import ImageShape, Networks
from .values import SettingError

CONVOLUTIONAL = {
    "dcgan": (dcgan_generator, dcgan_critic),
    "infogan": (infogan_generator, infogan_critic),
    "cgan": (cgan_generator, cgan_critic),
    "cgan-dcgan": (cgan_dcgan_generator, cgan_dcgan_critic),
}


class Scale(nn.Module):
    """y = factor·x + shift."""

    def __init__(self, factor: float, shift: float):
        super().__init__()
        self.factor, self.shift = factor, shift

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.shift

    def extra_repr(self) -> str:
        return f"{self.factor}, {self.shift}"


class Uniform(nn.Module):
    """N(0, 1) to U(-1, 1), number by number: y = 2Φ(x) - 1 = erf(x/√2), of the first ``count``.

    With it in front, a generator that wants uniform latents is asked as every other.
    """

    def __init__(self, count: int):
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] == self.count:
            return erf(x * 0.5**0.5)
        return cat([erf(x[:, : self.count] * 0.5**0.5), x[:, self.count :]], 1)


def pair(settings: Any, shape: ImageShape, rng: Generator) -> Networks:
    """The networks of ``settings`` (see gan/settings.py) for images of ``shape``, freshly started.

    Raises:
        SettingError: the network cannot make images of this shape, or there are no classes for a
            conditional one.
    """
    if settings.label_at == "none":
        return started(settings, shape, rng)
    if not shape.classes:
        raise SettingError(
            f"label_at={settings.label_at} needs data with labels, and these have none; "
            "give label_at=none or other data"
        )
    labelled = partial(Labelled, classes=shape.classes, label_at=settings.label_at)
    return started(settings, shape, rng, shape.classes, finish=labelled)


def started(
    settings: Any,
    shape: ImageShape,
    rng: Generator,
    classes: int = 0,
    codes: int = 0,
    finish: Callable[[nn.Sequential], nn.Module] = lambda critic: critic,
) -> Networks:
    """A generator that takes ``classes`` and ``codes`` beside the noise, and a critic that
    ``finish`` makes of a plain one."""
    s = settings
    generator, critic = _plain(s, shape, s.latent + classes + codes)
    if s.output == "sigmoid":
        critic = nn.Sequential(Scale(0.5, 0.5), *critic)
    critic = finish(critic)
    start = mlp_init if s.network == "mlp" else dcgan_init
    start(generator, rng)
    start(critic, rng)
    if s.critic_norm == "spectral":
        normalise_spectrally(critic, rng)
    if s.output == "sigmoid":
        layers = [nn.Sigmoid() if isinstance(layer, nn.Tanh) else layer for layer in generator]
        generator = nn.Sequential(*layers, Scale(2.0, -1.0))
    if s.prior == "uniform":
        generator = nn.Sequential(Uniform(s.latent), *generator)
    return Networks(generator, critic, s.latent, classes, codes)


def _plain(s: Any, shape: ImageShape, inputs: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The layers of both, not started yet."""
    norms = {"activation": s.activation, "norm": s.norm_of_generator}
    if s.network == "mlp":
        generator = mlp_generator(shape, inputs, s.widths, **norms)
        return generator, mlp_critic(shape, s.critic_widths, s.norm_of_critic)
    if s.network == "5x5":
        generator = five_generator(shape, inputs, **norms, norm_after=s.norm_after)
        return generator, five_critic(shape, s.norm_of_critic)
    if s.network == "dcgan":
        norms["kernel"] = s.kernel
    generator, critic = CONVOLUTIONAL[s.network]
    return generator(shape, inputs, **norms), critic(shape, s.norm_of_critic)


@no_grad()
def normalise_spectrally(critic: nn.Module, rng: Generator, iterations: int = 15) -> None:
    """Spectral norm on every layer with a weight, its vectors drawn from ``rng``.

    Some power iterations at the start, so that σ is close from the first step on; afterwards every
    pass through the critic takes one.

    Source: Miyato et al. 2018, arXiv 1802.05957.
    """
    for layer in list(critic.modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            spectral_norm(layer)
            matrix = layer.weight_orig.reshape(len(layer.weight_orig), -1)
            u = randn(len(matrix), generator=rng, device=matrix.device)
            for _ in range(iterations):
                v = u @ matrix
                v = v / v.norm()
                u = matrix @ v
                u = u / u.norm()
            layer.weight_u.copy_(u)
            layer.weight_v.copy_(v)
