"""What a generator starts from: [noise | class | codes], one row for each image.

noise    ``latent`` numbers from N(0, 1)
class    weights of the classes: one-hot, drawn evenly, or as asked for
codes    numbers from U(-1, 1), which InfoGAN finds a meaning for
"""

from __future__ import annotations

import numpy as np

from .._tensor import Tensor
from ..array import Array, array_module
from ..generators import Generator
from ..ops.creation import rand, randint, randn
from ..ops.shape import cat
from .schema import Networks, Space
from .streams import stream


def one_hot(labels: Array, classes: int) -> Array:
    """float32 (N, classes): 1 where the label is; on the labels' device.

    >>> one_hot(np.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return array_module(labels).eye(classes, dtype=np.float32)[labels]


def width(space: Networks | Space) -> int:
    """How many numbers a generator takes for an image."""
    return space.latent + space.classes + space.codes


def draw_latents(
    networks: Networks, count: int, rng: Generator, device: str, labels: Tensor | None = None
) -> Tensor:
    """``count`` rows for training (count, width), with the classes ``labels`` where given."""
    parts = [randn(count, networks.latent, generator=rng, device=device)]
    if networks.classes:
        if labels is None:
            drawn = randint(0, networks.classes, (count,), generator=rng, device=device)
            labels = Tensor(one_hot(drawn.array, networks.classes))
        parts.append(labels)
    if networks.codes:
        parts.append(rand(count, networks.codes, generator=rng, device=device) * 2 - 1)
    return cat(parts, 1) if len(parts) > 1 else parts[0]


def parts_of(networks: Networks, latents: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The classes' weights and the codes in ``latents``, None where there are none."""
    first, second = networks.latent, networks.latent + networks.classes
    classes = latents[:, first:second] if networks.classes else None
    return classes, latents[:, second:] if networks.codes else None


def sampled_latents(
    space: Networks | Space, count: int, seed: int, labels: np.ndarray | None = None
) -> np.ndarray:
    """``count`` rows (count, width) to show, with the classes ``labels`` where given.

    Noise, classes and codes each have random numbers of their own, so that the first rows of a seed
    are the same for every count, and their noise for every label.
    """
    noise, classes, codes = (
        Generator().manual_seed(stream(seed, part)).rng
        for part in ("sample", "sample classes", "sample codes")
    )
    parts = [noise.standard_normal((count, space.latent), dtype=np.float32)]
    if space.classes:
        drawn = classes.integers(0, space.classes, count)
        parts.append(one_hot(drawn, space.classes) if labels is None else labels)
    if space.codes:
        parts.append(codes.uniform(-1, 1, (count, space.codes)))
    return np.concatenate(parts, 1, dtype=np.float32)
