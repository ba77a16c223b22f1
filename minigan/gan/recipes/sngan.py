"""SNGAN: every layer of the discriminator is divided by its spectral norm.

    repeat:  real x, noise z ~ N(0, I)
        in each pass through D:  v ← Wᵀu/‖Wᵀu‖,  u ← Wv/‖Wv‖,  W̄ = W/(uᵀWv)     for every layer
        D descends  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))
        G descends  -E D(G(z))
    both with Adam(2·10⁻⁴, β₁ = 0, β₂ = 0.9); no BatchNorm in D

A convolution counts as the matrix of its kernel, out × (in·k·k).

Source: Miyato et al. 2018, arXiv 1802.05957.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """InfoGAN's networks, spectral norm in the place of BatchNorm."""

    network: common.Network = "infogan"
    latent: int = 62
    loss: common.Loss = "hinge"
    critic_norm: common.CriticNorm = "spectral"
    beta1: float = 0.0
    beta2: float = 0.9


RECIPE = image_gan(
    "sngan",
    "spectral normalisation, hinge loss",
    "Miyato et al. 2018, arXiv 1802.05957",
    Settings,
)
