"""Discriminators that are autoencoders: how badly an image is reconstructed is its energy.

D    Conv 64 k4 s2 p1 ReLU → Linear 32 (the code) → Linear 64·(size/2)² ReLU → ConvT C k4 s2 p1
G    InfoGAN's, from 62 numbers

With critic_norm=batch D has a BatchNorm before its second ReLU and DCGAN's start, as some have
built it.  Then a batch of nearly equal images is a trap: BatchNorm blows up what little tells them
apart, D makes different images of them whatever their size, and the generator's gradient no longer
says where to go.  On MNIST it stayed at one grey image; without BatchNorm it draws digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .. import nn
from .._tensor import Tensor
from ..generators import Generator
from . import settings as common
from .autoencoding import start
from .networks import dcgan_init, infogan_generator
from .pair import Uniform
from .schema import ImageShape, Networks
from .values import SettingError


@dataclass(frozen=True)
class Settings(common.Settings):
    """The common ones, and the size of the discriminator's code.

    An energy has no use for what is about logits, other networks, or penalties.
    """

    fixed: ClassVar[tuple[str, ...]] = (
        *("loss", "network", "widths", "critic_widths", "norm_after", "output"),
        *("gp", "dragan", "r1", "real_targets", "fake_targets", "flip", "label_at"),
        *("kernel", "one_batch"),
    )
    because: ClassVar[str] = (
        "the discriminator is an autoencoder, and what it minimises are reconstruction errors"
    )
    latent: int = 62
    network: common.Network = "infogan"
    code: int = 32

    def __post_init__(self):
        if not 0 < self.code <= common.MOST:
            raise SettingError(f"setting code must be positive and at most {common.MOST}")
        if self.critic_norm not in ("auto", "none", "batch"):
            raise SettingError(
                f"critic_norm={self.critic_norm} has no part here: give none (the same as auto) or "
                "batch"
            )
        super().__post_init__()

    @property
    def norm_of_critic(self) -> str:
        """Nothing, unless BatchNorm is asked for."""
        return "batch" if self.critic_norm == "batch" else "none"


class Energy(nn.Module):
    """x (N, C, H, W) → its reconstruction (N, C, H, W) and its code (N, code)."""

    def __init__(self, shape: ImageShape, code: int, norm: bool):
        super().__init__()
        side = shape.height // 2
        between = [nn.BatchNorm1d(64 * side * side)] if norm else []
        self.encoder = nn.Sequential(
            nn.Conv2d(shape.channels, 64, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * side * side, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 64 * side * side, bias=not norm),
            *between,
            nn.ReLU(),
            nn.Unflatten(1, (64, side, side)),
            nn.ConvTranspose2d(64, shape.channels, 4, 2, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(x)
        return self.decoder(code), code


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> Networks:
    """The two; the generator starts as DCGAN's."""
    norms = {"activation": settings.activation, "norm": settings.norm_of_generator}
    generator = infogan_generator(shape, settings.latent, **norms)
    norm = settings.norm_of_critic == "batch"
    critic = Energy(shape, settings.code, norm)
    dcgan_init(generator, rng)
    (dcgan_init if norm else start)(critic, rng)
    if settings.prior == "uniform":
        generator = nn.Sequential(Uniform(settings.latent), *generator)
    return Networks(generator, critic, settings.latent)


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """The mean over each image's pixels (N,)."""
    return ((reconstruction - x) ** 2).reshape(len(x), -1).mean(1)


def absolute_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """The mean over each image's pixels (N,)."""
    return (reconstruction - x).abs().reshape(len(x), -1).mean(1)


def no_lines(settings: Any) -> dict[str, tuple[float, str]]:
    """Where an energy settles depends on the data."""
    return {}
