"""DCGAN: two convolutional networks play the original game.

    repeat:  real x, noise z ~ N(0, I)
        D descends  -E ln σ(D(x)) - E ln(1 - σ(D(G(z))))     (real and fake in separate batches)
        G descends  -E ln σ(D(G(z)))
    both with Adam(2·10⁻⁴, β₁ = 0.5)

A batch is 64 images where the paper has 128, which --batch-size 128 gives.  Another pair of DCGANs,
5×5 convolutions of stride 2, is network=5x5.

Source: Radford, Metz & Chintala 2015, arXiv 1511.06434.
"""

from __future__ import annotations

from ..game import image_gan
from ..settings import Settings

RECIPE = image_gan(
    "dcgan",
    "convolutional GAN, 28, 32 or 64 pixels",
    "Radford, Metz & Chintala 2015, arXiv 1511.06434",
    Settings,
)
