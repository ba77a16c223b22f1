"""Least-squares GAN: the discriminator is a regression, its errors never saturate.

    repeat:  real x, noise z ~ N(0, I)
        D descends  E(D(x) - 1)² + E D(G(z))²          (no sigmoid)
        G descends  E(D(G(z)) - 1)²
    both with Adam(2·10⁻⁴, β₁ = 0.5)

The paper writes ½ before every term: loss=lsgan-half.

Source: Mao et al. 2016, arXiv 1611.04076.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """InfoGAN's networks and least squares."""

    network: common.Network = "infogan"
    latent: int = 62
    loss: common.Loss = "lsgan"


RECIPE = image_gan(
    "lsgan",
    "least-squares GAN",
    "Mao et al. 2016, arXiv 1611.04076",
    Settings,
)
