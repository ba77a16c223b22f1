"""The two small networks whose features the metrics compare: a classifier and an autoencoder.

Both look at an image through the same convolutions (k4 s2 p1, BatchNorm, ReLU), which halve it
until 4 to 7 pixels are left, and keep ``FEATURES`` numbers of it.  Images of more than 64 pixels
are first averaged over squares of 2 x 2 until they have at most 64, so that training stays short.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from .. import nn
from .._tensor import Tensor
from ..losses import cross_entropy, mse_loss
from ..nn.functional import avg_pool2d

FEATURES = 128
_LARGEST = 64  # pixels that the convolutions are given
_SMALLEST = 7  # pixels that are not halved again


class Shape(NamedTuple):
    """The shape of one image."""

    channels: int
    height: int
    width: int


class Classifier(nn.Module):
    """Convolutions → Linear ``FEATURES`` → ReLU (the features) → Linear, the classes' logits."""

    kind = "classifier"

    def __init__(self, shape: Shape, classes: int):
        super().__init__()
        sizes = _sizes(shape)
        self.trunk = nn.Sequential(*_convolutions(sizes), nn.Flatten())
        self.inner = nn.Sequential(nn.Linear(_numbers(sizes[-1]), FEATURES), nn.ReLU())
        self.outer = nn.Linear(FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer, (N, FEATURES)."""
        return self.inner(self.trunk(reduced(images)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy, the mean over the batch."""
        return cross_entropy(self.outer(self.features(images)), labels)


class Autoencoder(nn.Module):
    """Convolutions → Linear ``FEATURES`` (the code) → the same backwards, with tanh at the end."""

    kind = "autoencoder"

    def __init__(self, shape: Shape):
        super().__init__()
        sizes = _sizes(shape)
        self.trunk = nn.Sequential(*_convolutions(sizes), nn.Flatten())
        self.inner = nn.Linear(_numbers(sizes[-1]), FEATURES)
        self.outer = nn.Sequential(
            nn.Linear(FEATURES, _numbers(sizes[-1])),
            nn.BatchNorm1d(_numbers(sizes[-1])),
            nn.ReLU(),
            nn.Unflatten(1, sizes[-1]),
            *_transposed(sizes),
        )

    def features(self, images: Tensor) -> Tensor:
        """The code, (N, FEATURES)."""
        return self.inner(self.trunk(reduced(images)))

    def loss(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean squared error of the pixels; labels are not looked at."""
        return mse_loss(self.outer(self.features(images)), reduced(images))


def reduced(images: Tensor) -> Tensor:
    """Images of at most 64 pixels: averaged over squares of 2 x 2 as often as that takes."""
    while max(images.shape[2:]) > _LARGEST:
        images = avg_pool2d(images, 2)
    return images


def _sizes(shape: Shape) -> list[Shape]:
    """The shapes before, between and after the convolutions."""
    channels, height, width = shape
    while max(height, width) > _LARGEST:
        height, width = height // 2, width // 2
    sizes = [Shape(channels, height, width)]
    # As much work for 64 pixels as for 32.
    channels = 32 if max(height, width) <= _LARGEST // 2 else 16
    while min(height, width) > _SMALLEST:
        height, width = height // 2, width // 2
        sizes.append(Shape(channels, height, width))
        channels *= 2
    return sizes


def _numbers(shape: Shape) -> int:
    return shape.channels * shape.height * shape.width


def _convolutions(sizes: list[Shape]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Conv2d(before.channels, after.channels, 4, 2, 1)]
        layers += [nn.BatchNorm2d(after.channels), nn.ReLU()]
    return layers


def _transposed(sizes: list[Shape]) -> list[nn.Module]:
    """From the last of ``sizes`` back to the first, in [-1, 1]."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes[::-1]):
        odd = (after.height - 2 * before.height, after.width - 2 * before.width)
        layers += [nn.ConvTranspose2d(before.channels, after.channels, 4, 2, 1, odd)]
        layers += [nn.BatchNorm2d(after.channels), nn.ReLU()]
    return [*layers[:-2], nn.Tanh()]
