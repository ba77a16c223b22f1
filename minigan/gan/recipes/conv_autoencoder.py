"""A convolutional autoencoder: pooling makes the code small, transposed convolutions undo it.

    encoder   Conv 3×3 (C → 32), ReLU, max-pool 2, Conv 3×3 (32 → 16), ReLU, max-pool 2
    decoder   ConvT 2×2 stride 2 (16 → 32), ReLU, ConvT 2×2 stride 2 (32 → C), tanh
    both descend  E (x - x')²  with Adam(10⁻³)

The code is an image itself: 16 channels of a quarter of the size.

Source: Masci, Meier, Cireşan & Schmidhuber, ICANN 2011.
"""

from __future__ import annotations

from ... import nn
from ...generators import Generator
from .. import autoencoding
from ..autoencoding import Settings
from ..schema import ImageShape
from ..values import SettingError


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> autoencoding.Coder:
    """Two halvings and two doublings."""
    channels, height, width = shape.size
    if height % 4 or width % 4:
        raise SettingError(
            f"conv-autoencoder takes images of sides divisible by 4; got {height}×{width}"
        )
    encoder = nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    decoder = nn.Sequential(
        nn.ConvTranspose2d(16, 32, 2, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(32, channels, 2, stride=2),
        nn.Tanh(),
    )
    for network in (encoder, decoder):
        autoencoding.start(network, rng)
    return autoencoding.Coder(encoder, decoder, (16, height // 4, width // 4))


RECIPE = autoencoding.autoencoder(
    "conv-autoencoder",
    "convolutional autoencoder",
    "Masci, Meier, Cireşan & Schmidhuber 2011",
    Settings,
    networks,
    {"reconstructions.png": autoencoding.save_reconstructions},
)
