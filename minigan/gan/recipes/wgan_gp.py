"""WGAN-GP: a Wasserstein critic whose slope is held at 1 by a penalty, not by clipping.

    repeat:
        n_critic = 5 times:  real x, noise z ~ N(0, I), ε ~ U[0, 1) for each image
            x̂ = ε·x + (1 - ε)·G(z)
            f descends  E f(G(z)) - E f(x) + 10·E(‖∇f(x̂)‖₂ - 1)²
        G descends  -E f(G(z))
    both with Adam(10⁻⁴, β₁ = 0.5, β₂ = 0.9)

No BatchNorm in f: the penalty is about each image's own gradient (critic_norm=layer is fine).
Minus the critic's loss without the penalty, the column "estimate", is about W₁.

Source: Gulrajani et al. 2017, arXiv 1704.00028.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """Algorithm 1 of the paper, with the β₁ of its image experiments."""

    loss: common.Loss = "wgan"
    gp: float = 10.0
    lr: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9
    n_critic: int = 5
    critic_norm: common.CriticNorm = "none"


RECIPE = image_gan(
    "wgan-gp",
    "Wasserstein GAN with a gradient penalty",
    "Gulrajani et al. 2017, arXiv 1704.00028",
    Settings,
)
