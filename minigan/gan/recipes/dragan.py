"""DRAGAN: the original game, with the discriminator's slope held at 1 around the real images.

    repeat:  real x, noise z ~ N(0, I), δ = ½·std(x)·U[0, 1) for every pixel
        D descends  -E ln σ(D(x)) - E ln(1 - σ(D(G(z)))) + λ·E(‖∇D(x + δ)‖ - 1)²
        G descends  -E ln σ(D(G(z)))
    both with Adam(2·10⁻⁴, β₁ = 0.5); λ is the setting dragan

D has BatchNorm here, as its authors' has, so that the gradient is of the whole batch;
critic_norm=none makes it each image's own.

Source: Kodali, Abernethy, Hays & Kira 2017, arXiv 1705.07215.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """InfoGAN's networks and the penalty."""

    of_batch: ClassVar[tuple[str, ...]] = ("dragan",)
    network: common.Network = "infogan"
    latent: int = 62
    dragan: float = 10.0


RECIPE = image_gan(
    "dragan",
    "GAN with a gradient penalty around the data",
    "Kodali et al. 2017, arXiv 1705.07215",
    Settings,
)
