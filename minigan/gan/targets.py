"""Targets of the cross entropy other than 1 and 0: smoothed, noisy, sometimes exchanged.

Smoothing: Salimans et al. 2016, arXiv 1606.03498, section 3.4.
"""

from __future__ import annotations

from .._tensor import Tensor
from ..generators import Generator
from ..ops.creation import rand
from ..ops.kinks import where

Bounds = tuple[float, float]


def draw_targets(
    like: Tensor, bounds: Bounds, other: Bounds, flip: float, rng: Generator
) -> Tensor:
    """U(bounds) clipped to [0, 1]; a share ``flip`` of them from the ``other`` side's bounds.

    Args:
        like: the critic's logits, whose shape, dtype and device the targets take.
    """
    size = {"generator": rng, "dtype": like.dtype, "device": like.device}
    low, high = bounds
    targets = rand(like.shape, **size) * (high - low) + low
    if flip:
        low, high = other
        flipped = rand(like.shape, **size) * (high - low) + low
        targets = where(rand(like.shape, **size) < flip, flipped, targets)
    return targets.clamp(0, 1)


def mean_target(bounds: Bounds) -> float:
    """The mean of U(bounds) clipped to [0, 1].

    >>> mean_target((0.5, 1.5))
    0.875
    """
    low, high = bounds
    if low == high:
        return min(max(low, 0.0), 1.0)
    a, b = min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
    inside = (b * b - a * a) / 2  # the part of the interval between 0 and 1 ...
    above = max(high, 1.0) - max(low, 1.0)  # ... and what is clipped down to 1
    return (inside + above) / (high - low)
