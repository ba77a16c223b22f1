"""Samples of a run, asked of it in the way that its system wants to be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.images import centred
from ..trained import load_networks, sample
from .halves import Halves


class Drawn(NamedTuple):
    """Samples, and how they came about."""

    images: np.ndarray
    """float32 (n, C, H, W) in [-1, 1], or points (n, 2)"""
    labels: np.ndarray | None = None
    """the classes that they were asked to be, int64 (n,)"""
    said: str = ""
    """for the reader"""


Draw = Callable[[Path, Halves, int], Drawn]
"""Makes as many samples of a run as there are images in a half, from a seed."""


def draw(folder: Path, real: Halves, seed: int) -> Drawn:
    """As many samples of the run in ``folder`` as there are images in a half.

    A conditional system is asked for the classes of the second real half, which are distributed as
    the data's. A system that makes images from images is given the second half: what is measured
    are its reconstructions, and the floor is what perfect ones would score.
    """
    trained = load_networks(folder)
    view = trained.recipe.view
    if view.from_images:
        images = sample(folder, len(real), seed, inputs=centred(real.second))
        return Drawn(images, said="made from other real images")
    space = None if view.space is None else view.space(trained.networks)
    if space is None or not space.classes or space.discovered or real.labels is None:
        return Drawn(sample(folder, len(real), seed))
    weights = np.eye(space.classes, dtype=np.float32)[real.labels]
    images = sample(folder, len(real), seed, labels=weights)
    return Drawn(images, real.labels, "asked for classes as often as real ones have them")
