"""Filters and the places of ``dense.py``: U = G w, and back w = Gᵀ U.

With stride s a pixel of a block meets every s-th tap in each direction: these taps are a phase of
the filter, an r×r filter of its own.  A phase's taps are brought together some channels at a time,
so that they are still in cache when G multiplies them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cpu import memory
from ..cpu.threads import parallel, scratch
from .dense_plan import Plan

COLUMNS_BYTES = 1 << 20  # of taps and places at a time


def filters(plan: Plan, w: np.ndarray) -> np.ndarray:
    """G w as (filters, s·s·C, K), from w (K, C, R, S)."""
    (k, c), s, r = w.shape[:2], plan.s, plan.r
    taps = w.transpose(2, 3, 1, 0)
    if len(taps) < r * s:  # taps that are not there are zeros
        taps = np.pad(taps, [(0, r * s - len(taps))] * 2 + [(0, 0)] * 2)
    taps, g = _by_phase(plan, taps), plan.matrix("G", w.dtype)
    u = memory.empty((len(g), s, s, c * k), w.dtype)

    def task(a: int, b: int, part: slice) -> None:
        seen = taps[a, b, ..., part]
        given = scratch("taps", seen.shape, w.dtype)
        given[...] = seen
        np.matmul(g, given.reshape(r * r, -1), out=u[:, a, b, part])

    _in_columns(plan, c * k, w.itemsize, task)
    return u.reshape(len(u), s * s * c, k)


def filters_back(plan: Plan, u: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The adjoint of ``filters``: w (K, C, R, S), in (R, S, C, K) memory."""
    (k, c), s, r = shape, plan.s, plan.r
    w = np.empty((r * s, r * s, c, k), u.dtype)
    taps, g = _by_phase(plan, w), plan.matrix("G", u.dtype).T
    u = u.reshape(len(u), s, s, c * k)

    def task(a: int, b: int, part: slice) -> None:
        found = taps[a, b, ..., part]
        made = scratch("taps", found.shape, u.dtype)
        np.matmul(g, u[:, a, b, part], out=made.reshape(r * r, -1))
        found[...] = made

    _in_columns(plan, c * k, u.itemsize, task)
    return w.transpose(3, 2, 0, 1)[:, :, : plan.g.R, : plan.g.S]


def _by_phase(plan: Plan, taps: np.ndarray) -> np.ndarray:
    """(r·s, r·s, C, K) as (s, s, r, r, C·K): what meets the same pixel of the blocks."""
    r, s = plan.r, plan.s
    return taps.reshape(r, s, r, s, -1).transpose(1, 3, 0, 2, 4)


def _in_columns(
    plan: Plan, columns: int, itemsize: int, task: Callable[[int, int, slice], None]
) -> None:
    """task(a, b, columns) for all phases, some columns at a time: then they stay in cache."""
    pieces = -(-columns * sum(plan.G.shape) * itemsize // COLUMNS_BYTES)
    step = -(-columns // max(pieces, 1))

    def one(i: int) -> None:
        phase, piece = divmod(i, pieces)
        task(*divmod(phase, plan.s), slice(piece * step, (piece + 1) * step))

    parallel(one, plan.s**2 * pieces)
