"""Conditional GAN: both networks are told the class.

    repeat:  real x with its class y, noise z ~ N(0, I), classes c drawn evenly
        D descends  -E ln σ(D(x, y)) - E ln(1 - σ(D(G(z, c), c)))
        G descends  -E ln σ(D(G(z, c), c))
    both with Adam(2·10⁻⁴, β₁ = 0.5)

G gets the class as a one-hot vector beside z.  D gets it as constant planes beside the image's
channels (label_at=input), or beside the features of its first layer (label_at=hidden).  The
networks double the pixels and convolve (cgan), or are DCGANs (cgan-dcgan).

Source: Mirza & Osindero 2014, arXiv 1411.1784.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import settings as common
from ..game import image_gan


@dataclass(frozen=True)
class Settings(common.Settings):
    """Networks of its own, and the class at D's input."""

    network: common.Network = "cgan"
    label_at: common.LabelAt = "input"


RECIPE = image_gan(
    "cgan",
    "conditional GAN: images of the class asked for",
    "Mirza & Osindero 2014, arXiv 1411.1784",
    Settings,
)
