"""A linear autoencoder: what principal components do, found by gradient descent.

    code = W x + b                   64 numbers for an image
    x'   = V code + c                no activation anywhere
    W, b, V, c descend  E (x - x')²  with Adam(10⁻³)

No linear autoencoder beats the projection of the centred data on its first 64 principal components
(Baldi & Hornik 1989), and a good one comes near it: figures/principal-components.png says how near.

Source: Baldi & Hornik, Neural Networks 2, 1989; Hinton & Salakhutdinov, Science 313, 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ... import nn
from ...generators import Generator
from .. import autoencoding
from ..principal import save_comparison
from ..schema import ImageShape


@dataclass(frozen=True)
class Settings(autoencoding.Settings):
    """An autoencoder's, and how small the code is."""

    code: int = 64

    def __post_init__(self):
        super().__post_init__()
        autoencoding.counted(self, "code")


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> autoencoding.Coder:
    """One linear layer each way."""
    pixels = prod(shape.size)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, settings.code))
    decoder = nn.Sequential(nn.Linear(settings.code, pixels), nn.Unflatten(1, shape.size))
    for network in (encoder, decoder):
        autoencoding.start(network, rng)
    return autoencoding.Coder(encoder, decoder, (settings.code,))


RECIPE = autoencoding.autoencoder(
    "autoencoder",
    "linear autoencoder, beside the principal components",
    "Baldi & Hornik 1989; Hinton & Salakhutdinov 2006",
    Settings,
    networks,
    {"principal-components.png": save_comparison},
)
