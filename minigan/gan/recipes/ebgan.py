"""EBGAN: the discriminator is an autoencoder that reconstructs real images well and others badly.

    e(x) = mean (x - D(x))², for each image
    repeat:  real x, noise z ~ N(0, I)
        D descends  E e(x) + E max(0, m - e(G(z)))
        G descends  E e(G(z)) + 0.1·E over pairs i ≠ j of cos²(code i, code j)       (pull-away)
    both with Adam(2·10⁻⁴, β₁ = 0.5), m = 1

The pull-away term keeps the codes of a generated batch from pointing all in one direction, that is
from collapsing; where several processes train together, their images are one batch.  In G's energy
both the image and what D makes of it move with G.

Source: Zhao, Mathieu & LeCun 2016, arXiv 1609.03126.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from ..._tensor import Tensor
from ...generators import Generator
from ...nn import Module
from ...ops.kinks import relu
from .. import energy
from ..augmentation import augmented
from ..game import image_gan
from ..ranks import of_all_ranks
from ..schema import NOTHING, Known, Losses
from ..values import SettingError


@dataclass(frozen=True)
class Settings(energy.Settings):
    """The margin, and the weight of the pull-away term."""

    margin: float = 1.0
    pull_away: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        if not (self.margin > 0 and isfinite(self.margin)):
            raise SettingError("setting margin must be positive and finite")
        if not (self.pull_away >= 0 and isfinite(self.pull_away)):
            raise SettingError("setting pull_away must not be negative and must be finite")


def pull_away(codes: Tensor) -> Tensor:
    """The mean squared cosine between different rows of codes (N, F); 0 of a single row.

    >>> import minigan
    >>> codes = minigan.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    >>> round(pull_away(codes).item(), 4)  # of 0, ½ and ½
    0.3333
    """
    n = len(codes)
    if n == 1:
        return codes.sum() * 0.0
    directions = codes / (codes.norm(dim=1, keepdim=True) + 1e-12)
    squares = (directions @ directions.T) ** 2
    return (squares.sum() - (directions**2).sum(1).pow(2).sum()) / (n * (n - 1))


def critic_loss(
    settings: Any,
    critic: Module,
    real: Tensor,
    fake: Tensor,
    rng: Generator,
    known: Known = NOTHING,
) -> Losses:
    """Low energy for real images, at least the margin for others."""
    real, fake = (augmented(x, settings.augment, rng) for x in (real, fake))
    on_real = energy.squared_error(real, critic(real)[0])
    on_fake = energy.squared_error(fake, critic(fake)[0])
    loss = on_real.mean() + relu(settings.margin - on_fake).mean()
    return Losses(
        loss,
        {
            "d_loss": loss.detach(),
            "energy_real": on_real.detach().mean(),
            "energy_fake": on_fake.detach().mean(),
        },
    )


def generator_loss(
    settings: Any, critic: Module, fake: Tensor, rng: Generator, known: Known = NOTHING
) -> Losses:
    """Low energy, in many directions."""
    fake = augmented(fake, settings.augment, rng)
    reconstruction, codes = critic(fake)
    loss = energy.squared_error(fake, reconstruction).mean()
    loss = loss + pull_away(of_all_ranks(codes)) * settings.pull_away
    return Losses(loss, {"g_loss": loss.detach()})


RECIPE = image_gan(
    "ebgan",
    "energy-based GAN: the discriminator is an autoencoder",
    "Zhao, Mathieu & LeCun 2016, arXiv 1609.03126",
    Settings,
    networks=energy.networks,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    lines=energy.no_lines,
)
