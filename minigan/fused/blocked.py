"""The fused operations on large NumPy arrays: block by block, while the block is in cache.

A chain of NumPy calls on a large array goes through memory once per call.  Done for a block of
64 K numbers at a time, all calls but the first find their numbers in cache.  Arrays are taken in
the order in which they lie in memory, so images may be channels-first or channels-last.

Every function gives None for what it is not made for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cpu import copies, memory, products
from ..cpu.threads import get_num_threads, parallel, scratch

LEAST = 1 << 14  # numbers; below, plain calls are as good
BLOCK = 1 << 16  # numbers in a block: with its companions it fits a second-level cache
PART = 200_000  # numbers in the least part that is worth a thread of its own


def _flat(first: np.ndarray, *others: np.ndarray) -> list[np.ndarray] | None:
    """1-D views in the memory order of ``first``, of what lies otherwise a copy; None if unlike."""
    if any(a.shape != first.shape or a.dtype != first.dtype for a in others):
        return None
    order = None if first.flags.c_contiguous else memory.memory_order(first)
    views = []
    for a in (first, *others):
        a = _alike(first, a)
        view = a if order is None else a.transpose(order)
        if not view.flags.c_contiguous:
            return None
        views.append(view.reshape(-1))
    return views


def in_order(x: np.ndarray) -> np.ndarray | None:
    """A 1-D view of a dense array, its numbers as they lie in memory; None of one with gaps."""
    dense = x.transpose(memory.memory_order(x))
    return dense.reshape(-1) if dense.flags.c_contiguous else None


def _alike(model: np.ndarray, a: np.ndarray) -> np.ndarray:
    """``a``, or a copy of it, in the memory order of ``model``: copying is cheaper than mixing."""
    if a.strides == model.strides:
        return a
    made = memory.empty_like(model)
    copies.copy(a, made)
    return made


def in_blocks(task: Callable[[slice], None], size: int) -> None:
    """task(part) for the parts of 1-D arrays of that size.

    Two threads hand the interpreter's lock to each other after every NumPy call, which takes as
    long as a call on some ten thousand numbers: threads get long parts, one thread short ones.
    """
    pieces = min(get_num_threads(), size // PART)
    if pieces < 2:
        for start in range(0, size, BLOCK):
            task(slice(start, start + BLOCK))
        return
    pieces *= -(-size // (pieces * 2 * PART))  # no part longer than two
    step = -(-size // pieces)
    parallel(lambda i: task(slice(i * step, (i + 1) * step)), pieces)


def serially(task: Callable[[int], None], count: int) -> None:
    """task(0), …, task(count - 1)."""
    for i in range(count):
        task(i)


# ------------------------------------------------------------------------------ elementwise


def leaky_relu(x: np.ndarray, slope: float) -> np.ndarray | None:
    if not 0 <= slope <= 1:
        return None
    out = memory.empty_like(x)
    flat = _flat(out, x)
    if flat is None:
        return None
    y, x = flat
    in_blocks(lambda part: rectify(x[part], slope, y[part]), x.size)
    return out


def rectify(x: np.ndarray, slope: float, out: np.ndarray) -> None:
    """out = max(x, slope·x), for one block; ``out`` may be x."""
    if slope:
        scaled = np.multiply(x, slope, out=scratch("factor", x.shape, x.dtype))
    else:
        scaled = _constant(0, x)
    np.maximum(x, scaled, out=out)


def leaky_relu_grad(g: np.ndarray, s: np.ndarray, slope: float) -> np.ndarray | None:
    """By a factor made of the comparison: choosing element by element is ten times slower."""
    if not 0 <= slope <= 1:
        return None
    out = memory.empty_like(s)
    flat = _flat(out, s, g)
    if flat is None:
        return None
    y, s, g = flat
    in_blocks(lambda part: through(g[part], s[part], slope, y[part]), g.size)
    return out


def through(g: np.ndarray, s: np.ndarray, slope: float, out: np.ndarray) -> None:
    """out = g where s > 0, else slope·g, for one block."""
    positive = scratch("positive", s.shape, np.bool_)
    factor = scratch("factor", s.shape, s.dtype)
    np.greater(s, 0, out=positive)
    np.copyto(factor, positive)
    if slope:
        np.maximum(factor, _constant(slope, factor), out=factor)
    np.multiply(g, factor, out=out)


def _constant(value: float, like: np.ndarray) -> np.ndarray:
    """An array of one value: against an array the maximum is five times faster."""
    constant = scratch("constant", like.shape, like.dtype)
    constant[...] = value
    return constant


# ------------------------------------------------------------------------------- products


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.shape[1] != b.shape[0]:
        return None
    if a.size + b.size + len(a) * b.shape[1] < LEAST:
        return None
    out = memory.empty((a.shape[0], b.shape[1]), a.dtype)
    products.matmul(a, b, out)
    return out


# ------------------------------------------------------------------------------------ shapes


def reshape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.reshape(x, shape, copy=False)
    except ValueError:  # no view can show it so, or the shape is wrong: then this says so
        ordered = memory.empty(x.shape, x.dtype)
        made = ordered.reshape(shape)
    copies.copy(x, ordered)
    return made
