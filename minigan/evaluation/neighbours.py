"""Has it memorised?  Samples beside the training images that they are nearest to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import report
from ..data import ImageData
from ..metrics import nearest_neighbours
from .halves import Halves

MOST = 500  # samples, and real images, for which neighbours are sought
SHOWN = 3  # neighbours of each
_LARGEST = 32  # pixels in which distances are taken
_COLUMNS = 10


class Neighbours(NamedTuple):
    """Distances between pixels of 0 to 255, of images averaged to at most 32 pixels a side."""

    indices: np.ndarray
    """of the nearest training images of each sample, from the nearest on, int64 (n, 3)"""
    distances: np.ndarray
    """of those, float64 (n, 3)"""
    first: np.ndarray
    """from each image of the first real half to its two nearest training images, float64 (n, 2)"""
    second: np.ndarray
    """from each image of the second real half"""


def to_training_images(samples: np.ndarray, train: ImageData, real: Halves) -> Neighbours:
    """The nearest training images of the first 500 samples and of the first 500 of each half.

    Real images that were trained on are compared with the other training images.

    Args:
        samples: float32 (N, C, H, W) in [-1, 1].
        train: at least 3 images.
        real: the halves.
    """
    known = small(train.images)
    pixels = report.to_uint8(samples[:MOST]).transpose(0, 3, 1, 2)  # as they would be saved
    distances, indices = nearest_neighbours(small(pixels), known, SHOWN)
    itself = 0 if real.held_out else 1  # the nearest training image of a training image
    halves = (
        nearest_neighbours(small(half[:MOST]), known, itself + 2)[0][:, itself:]
        for half in (real.first, real.second)
    )
    return Neighbours(indices, distances, *halves)


def small(images: np.ndarray) -> np.ndarray:
    """uint8 images of at most 32 pixels: averaged over squares of 2 x 2 as often as that takes.

    >>> small(np.tile(np.array([[0, 2], [4, 8]], np.uint8), (1, 1, 32, 32)))[0, 0, 0, :2]
    array([4, 4], dtype=uint8)
    """
    while max(images.shape[2:]) > _LARGEST:
        height, width = images.shape[2] // 2 * 2, images.shape[3] // 2 * 2
        corners = [images[:, :, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
        total = sum((corner.astype(np.uint16) for corner in corners), np.uint16(2))
        images = (total // 4).astype(np.uint8)
    return images


def picture(samples: np.ndarray, train: ImageData, neighbours: Neighbours) -> np.ndarray:
    """Samples above their three nearest training images, as one picture.

    Two rows of blocks: the first ten samples; and the ten that lie nearest to a training image,
    where copies would be.

    Returns:
        uint8, shape (height, width) or (height, width, 3).
    """
    count = min(_COLUMNS, len(neighbours.indices))
    nearest = np.argsort(neighbours.distances[:, 0], kind="stable")[:count]
    size = max(train.images.shape[2:])
    scale = max(1, min(680 // (_COLUMNS * size), 56 // size))
    titles = (f"the first {count} samples", f"the {count} samples nearest to a training image")
    parts = []
    for title, chosen in zip(titles, (np.arange(count), nearest), strict=True):
        rows = [report.to_uint8(samples[chosen])]
        rows += [
            train.images[neighbours.indices[chosen, k]].transpose(0, 2, 3, 1)
            for k in range(neighbours.indices.shape[1])
        ]
        top = report.image_grid(rows[0], count, scale=scale)
        below = report.image_grid(np.concatenate(rows[1:]), count, scale=scale)
        parts += [_words(f"{title}; below, the training images nearest to each", top), top, below]
    return np.concatenate(parts)


def _words(text: str, below: np.ndarray) -> np.ndarray:
    """A strip with ``text``, as wide as the picture below it."""
    from PIL import Image, ImageDraw, ImageFont

    size = 15
    while size > 6 and ImageFont.load_default(size).getlength(text) > below.shape[1] - 8:
        size -= 1
    strip = Image.new("RGB" if below.ndim == 3 else "L", (below.shape[1], 26), "white")
    font = ImageFont.load_default(size)
    ImageDraw.Draw(strip).text((4, 13), text, fill="black", font=font, anchor="lm")
    return np.asarray(strip)
