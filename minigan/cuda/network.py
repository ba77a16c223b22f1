"""Plans of ``kernels/network.cu``: norms, clipping and averages of all arrays of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..array import array_module
from .launch import Launch, LaunchError
from .segments import launches, tables
from .streams import Configuration, launcher

FILE = "network.cu"


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (), 75)]


def norm(arrays: Sequence[Any], out: Any, max_norm: float | None = None) -> list[Launch]:
    """``out``, one number, is √Σ of all squares; with ``max_norm`` they are then clipped to it.

    >>> g = [np.ones((2, 3), np.float32), np.ones(5, np.float32)]
    >>> [launch.name for launch in norm(g, np.empty(1, np.float32), max_norm=1.0)]
    ['squares', 'total_norm', 'clip']
    """
    if max_norm is not None and not max_norm >= 0:
        raise LaunchError(f"norm: max_norm must not be negative, got {max_norm}")
    given = tables("norm", arrays=arrays)
    count = sum(blocks for _, blocks in given)
    parts = array_module(out).zeros(max(1, count), np.float64)
    plan, start = [], 0
    for table, blocks in given:
        plan += launches(FILE, "squares", [(table, blocks)], parts[start : start + blocks])
        start += blocks
    known = parts, np.int32(count)
    plan.append(launcher(FILE)("total_norm", (1, 1, 1), *known, out))
    if max_norm is not None:
        plan += launches(FILE, "clip", given, *known, np.float64(max_norm))
    return plan


def limit(arrays: Sequence[Any], low: float, high: float) -> list[Launch]:
    """Every number is limited to [low, high]."""
    return launches(
        FILE, "limit", tables("limit", arrays=arrays), np.float32(low), np.float32(high)
    )


def average(
    means: Sequence[Any], arrays: Sequence[Any], decay: float, share: float
) -> list[Launch]:
    """means ← decay·means + share·arrays."""
    rows = tables("average", means=means, arrays=arrays)
    return launches(FILE, "average", rows, np.float32(decay), np.float32(share))
