"""Hinge GAN: the discriminator cares only for images within its margin.

    repeat:  real x, noise z ~ N(0, I)
        D descends  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))
        G descends  -E D(G(z))
    both with Adam(2·10⁻⁴, β₁ = 0.5)

Source: Lim & Ye 2017 (geometric GAN), arXiv 1705.02894.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """InfoGAN's networks and the hinge loss."""

    network: common.Network = "infogan"
    latent: int = 62
    loss: common.Loss = "hinge"


RECIPE = image_gan(
    "hinge",
    "GAN with the hinge loss",
    "Lim & Ye 2017, arXiv 1705.02894",
    Settings,
)
