"""Tiny images whose class is plain to see: which quadrant of 8 x 8 pixels is bright."""

import numpy as np

from minigan.data import ImageData


def quadrants(count, seed, channels=1, labelled=True, classes=4):
    """``count`` images of ``classes`` classes, with noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    images = rng.integers(0, 60, (count, channels, 8, 8))
    for image, label in zip(images, labels, strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[:, top : top + 4, left : left + 4] += rng.integers(80, 180)
    images = images.astype(np.uint8)
    return ImageData("quadrants", images, labels if labelled else None, 4 if labelled else 0)
