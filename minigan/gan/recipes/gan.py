"""The first GAN: two fully connected networks, a forger and a detective.

    repeat:  real x, noise z ~ N(0, I)
        D descends  -E ln σ(D(x)) - E ln(1 - σ(D(G(z))))
        G descends  -E ln σ(D(G(z)))          (loss=saturating: E ln(1 - σ(D(G(z)))), the minimax)
    both with Adam(2·10⁻⁴, β₁ = 0.5)

G is 100-128-256-512-pixels, D is pixels-512-256-1, LeakyReLU within.

Source: Goodfellow et al. 2014, arXiv 1406.2661.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """Fully connected, LeakyReLU throughout."""

    network: common.Network = "mlp"
    activation: common.Activation = "leaky"


RECIPE = image_gan(
    "gan",
    "the first GAN, fully connected, images of any size",
    "Goodfellow et al. 2014, arXiv 1406.2661",
    Settings,
)
