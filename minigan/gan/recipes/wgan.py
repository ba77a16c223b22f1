"""Wasserstein GAN: the critic estimates how far the two distributions are apart.

    repeat:
        n_critic times:  real x, noise z ~ N(0, I)
            f descends  E f(G(z)) - E f(x)                       by RMSprop(5·10⁻⁵)
            every weight of f is clipped to [-0.01, 0.01]        (so f is K-Lipschitz, for some K)
        G descends  -E f(G(z))                                   by RMSprop(5·10⁻⁵)

n_critic is 5, but 100 in the first 25 steps and at every 500th, where f must catch up.  Minus the
critic's loss, the column "estimate", is about K·W₁: it falls as the images get better.

Source: Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """Algorithm 1 of the paper; the schedule of its authors' program."""

    loss: common.Loss = "wgan"
    optimizer: common.Optimizer = "rmsprop"
    lr: float = 5e-5
    clip_weights: float = 0.01
    n_critic: int = 5
    critic_burst: int = 100
    critic_norm: common.CriticNorm = "none"


RECIPE = image_gan(
    "wgan",
    "Wasserstein GAN with clipped weights",
    "Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875",
    Settings,
)
