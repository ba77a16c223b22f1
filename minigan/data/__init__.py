"""Data sets as arrays, and the mini-batches that training takes from them.

>>> from minigan import data
>>> digits = data.load("glyphs", count=20)
>>> images, labels = next(data.Batches(digits, 4, seed=0))
>>> images.shape, images.dtype, labels.shape
((4, 1, 28, 28), dtype('float32'), (4,))
"""

from __future__ import annotations

from minigan.data.augment import augmentation
from minigan.data.background import Background
from minigan.data.batches import Batches
from minigan.data.idx import read_idx
from minigan.data.images import DataError, DataWarning, ImageData
from minigan.data.mixtures import PointData, mixture
from minigan.data.pairs import PairData
from minigan.data.registry import count, full_name, is_points, load, names, short_name

__all__ = [
    "Background",
    "Batches",
    "DataError",
    "DataWarning",
    "ImageData",
    "PairData",
    "PointData",
    "augmentation",
    "count",
    "full_name",
    "is_points",
    "load",
    "mixture",
    "names",
    "read_idx",
    "short_name",
]
