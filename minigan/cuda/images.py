"""Plans of ``kernels/images.cu``: batches of images out of a data set of bytes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .streams import Configuration, check, flat_grid, launcher, vector

FILE = "images.cu"


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (("VECTOR", width),), 75) for width in (1, 4)]


def centred(images: Any, chosen: Any | None, y: Any) -> list[Launch]:
    """y = images[chosen]/127.5 - 1, from uint8 (N, …) to float32; all images if none are chosen.

    >>> images, y = np.zeros((9, 1, 4, 4), np.uint8), np.empty((2, 1, 4, 4), np.float32)
    >>> [(launch.name, launch.grid) for launch in centred(images, np.array([3, 8]), y)]
    [('centred', (1, 2, 1))]
    """
    count = len(images if chosen is None else chosen)
    check("centred", (count, *images.shape[1:]), y=y)
    if images.dtype != np.uint8 or (chosen is not None and chosen.dtype != np.int64):
        raise LaunchError(
            f"centred: expected images of uint8 and indices of int64, got {images.dtype} and "
            f"{'none' if chosen is None else chosen.dtype}"
        )
    if not y.size:
        return []
    size = prod(images.shape[1:])
    width = vector(size, images, y)
    grid = flat_grid(size // width)[0], min(count, 65535), 1
    arguments = images, chosen, y, np.uint64(size), np.int32(count)
    return [launcher(FILE, VECTOR=width)("centred", grid, *arguments)]
