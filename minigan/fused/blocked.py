"""The fused operations on large NumPy arrays: block by block, while the block is in cache.

A chain of NumPy calls on a large array goes through memory once per call.  Done for a block of
64 K numbers at a time, all calls but the first find their numbers in cache.  Arrays are taken in
the order in which they lie in memory, so images may be channels-first or channels-last.

Per-channel work wants channels last, as convolutions do: what lies otherwise is copied, and images
leave with channels last.  Then the array is a matrix of M pixels by C channels.  As C is small,
rows are joined, k pixels to a row of k·C numbers, so that inner loops are long; sums are
made for each block and then added up in float64, in the order of the blocks.

Every function gives None for what it is not made for.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ..cpu import memory, products
from ..cpu.threads import parallel, scratch

LEAST = 1 << 14  # numbers; below, plain calls are as good
BLOCK = 1 << 16  # numbers in a block: with its companions it fits a second-level cache
SHARED = 1 << 20  # numbers from which waking other threads pays
ROW = 2048  # the least length of an inner loop over channels


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


def _alike(model: np.ndarray, a: np.ndarray) -> np.ndarray:
    """``a``, or a copy of it, in the memory order of ``model``: copying is cheaper than mixing."""
    if a.strides == model.strides:
        return a
    copy = memory.empty_like(model)
    np.copyto(copy, a)
    return copy


def in_blocks(task: Callable[[slice], None], size: int) -> None:
    """task(part) for the parts of 1-D arrays of that size.

    Threads get larger blocks: they hand the interpreter's lock to each other after every call.
    """
    shared = size >= SHARED
    block = 4 * BLOCK if shared else BLOCK
    run = parallel if shared else serially
    run(lambda i: task(slice(i * block, (i + 1) * block)), -(-size // block))


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

    def task(part: slice) -> None:
        if slope:
            np.multiply(x[part], slope, out=y[part])
            np.maximum(y[part], x[part], out=y[part])
        else:
            zero = scratch("zero", x[part].shape, x.dtype)
            zero[...] = 0  # between two arrays the maximum is several times faster
            np.maximum(x[part], zero, out=y[part])

    in_blocks(task, x.size)
    return out


def leaky_relu_grad(g: np.ndarray, s: np.ndarray, slope: float) -> np.ndarray | None:
    """The factor, 1 or slope, is made from s's bits: comparisons and choices are far slower."""
    integer = {4: np.int32, 8: np.int64}.get(g.dtype.itemsize)
    if integer is None:
        return None
    out = memory.empty_like(s)
    flat = _flat(out, s, g)
    if flat is None:
        return None
    y, s, g = flat
    one, other = g.dtype.type(1).view(integer), g.dtype.type(slope).view(integer)
    sign = g.dtype.itemsize * 8 - 1

    def task(part: slice) -> None:
        factor = scratch("factor", y[part].shape, y.dtype)
        bits = factor.view(integer)
        np.add(s[part], 0.0, out=factor)  # -0 becomes 0, whose bits are no sign
        np.negative(bits, out=bits)
        np.right_shift(bits, sign, out=bits)  # all ones where s > 0, else all zeros
        np.bitwise_and(bits, one ^ other, out=bits)
        np.bitwise_xor(bits, other, out=bits)
        np.multiply(g[part], factor, out=y[part])

    in_blocks(task, g.size)
    return out


# ------------------------------------------------------------------------------- products


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.shape[1] != b.shape[0]:
        return None
    out = memory.empty((a.shape[0], b.shape[1]), a.dtype)
    products.matmul(a, b, out)
    return out


# ------------------------------------------------------------------------------ per channel


class _Matrix:
    """How an array of M pixels by C channels is walked: rows of k pixels, blocks of rows."""

    def __init__(self, x: np.ndarray, dims: tuple[int, ...]):
        self.channels = x.shape[1]
        pixels = x.size // self.channels
        k = 1
        while k * self.channels < ROW and pixels % (2 * k) == 0:
            k *= 2
        self.k, self.shape = k, (pixels // k, k * self.channels)
        self.rows = max(1, BLOCK // self.shape[1])
        self.blocks = -(-self.shape[0] // self.rows)

    @staticmethod
    def of(x: np.ndarray, dims: tuple[int, ...]) -> _Matrix | None:
        """None unless everything but dimension 1 is summed over."""
        if x.ndim < 2 or dims != (0, *range(2, x.ndim)) or not x.shape[1]:
            return None
        return _Matrix(x, dims)

    def view(self, x: np.ndarray) -> np.ndarray:
        """The matrix; a copy where channels are not last in memory."""
        last = _last(x)
        if not last.flags.c_contiguous:
            copy = memory.empty(last.shape, x.dtype)
            np.copyto(copy, last)
            last = copy
        return last.reshape(self.shape)

    def empty(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A result in the shape of x, channels last in memory, and its matrix."""
        n, c, *rest = x.shape
        made = memory.empty((n, *rest, c), x.dtype)
        return made.transpose(0, -1, *range(1, x.ndim - 1)), made.reshape(self.shape)

    def tiled(self, v: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """One number per channel (or one for all), for every number in a row."""
        values = np.broadcast_to(np.asarray(v, dtype).reshape(-1), (self.channels,))
        return np.tile(values, self.k)

    def each(self, task: Callable[[int, slice], None]) -> None:
        """task(i, rows) for every block."""
        rows = self.rows
        run = parallel if prod(self.shape) >= SHARED else serially
        run(lambda i: task(i, slice(i * rows, (i + 1) * rows)), self.blocks)

    def summed(self, parts: np.ndarray) -> np.ndarray:
        """Sums by block and place in the row, as float64 sums by channel."""
        return parts.reshape(-1, self.channels).sum(axis=0, dtype=np.float64)


def _last(x: np.ndarray) -> np.ndarray:
    """x with dimension 1 last."""
    return x.transpose(0, *range(2, x.ndim), 1)


def _per_channel(v: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Channel values in x's dtype, shaped to broadcast against x."""
    return v.astype(x.dtype).reshape(1, -1, *(1,) * (x.ndim - 2))


def total(x: np.ndarray, dims: tuple[int, ...], keepdims: bool) -> np.ndarray | None:
    matrix = _Matrix.of(x, dims)
    if matrix is None:
        return None
    values = matrix.view(x)
    parts = np.empty((matrix.blocks, matrix.shape[1]), x.dtype)
    matrix.each(lambda i, rows: np.add.reduce(values[rows], axis=0, out=parts[i]))
    sums = _per_channel(matrix.summed(parts), x)
    return sums if keepdims else sums.reshape(-1)


def normalise(x: np.ndarray, w, b, dims: tuple[int, ...], eps: float) -> tuple | None:
    """Blocks give their mean and the squares about it; those combine without cancellation."""
    matrix = _Matrix.of(x, dims)
    if matrix is None or any(np.size(v) not in (1, x.shape[1]) for v in (w, b)):
        return None
    values, (out, result) = matrix.view(x), matrix.empty(x)
    means = np.empty((matrix.blocks, matrix.shape[1]), x.dtype)
    squares = np.empty_like(means)

    def statistics(i: int, rows: slice) -> None:
        block = values[rows]
        np.add.reduce(block, axis=0, out=means[i])
        means[i] /= len(block)
        centred = scratch("centred", block.shape, x.dtype)
        np.subtract(block, means[i], out=centred)
        np.multiply(centred, centred, out=centred)
        np.add.reduce(centred, axis=0, out=squares[i])

    matrix.each(statistics)
    height = np.full((matrix.blocks, 1, 1), float(matrix.rows))
    height[-1] = matrix.shape[0] - matrix.rows * (matrix.blocks - 1)
    count = x.size // matrix.channels
    means = means.reshape(matrix.blocks, matrix.k, matrix.channels).astype(np.float64)
    mean = (means * height).sum(axis=(0, 1)) / count
    between = (np.square(means - mean) * height).sum(axis=(0, 1))
    var = (matrix.summed(squares) + between) / count
    mean, var = _per_channel(mean, x), _per_channel(var, x)
    scale = matrix.tiled((var + x.dtype.type(eps)) ** -0.5 * w, x.dtype)
    shift, centre = matrix.tiled(b, x.dtype), matrix.tiled(mean, x.dtype)

    def apply(i: int, rows: slice) -> None:
        np.subtract(values[rows], centre, out=result[rows])
        np.multiply(result[rows], scale, out=result[rows])
        np.add(result[rows], shift, out=result[rows])

    matrix.each(apply)
    return out, mean, var


def normalise_sums(g: np.ndarray, x: np.ndarray, mean, dims: tuple[int, ...]) -> tuple | None:
    matrix = _Matrix.of(x, dims)
    if matrix is None or g.dtype != x.dtype:
        return None
    given, values, centre = matrix.view(g), matrix.view(x), matrix.tiled(mean, x.dtype)
    plain = np.empty((matrix.blocks, matrix.shape[1]), x.dtype)
    products = np.empty_like(plain)

    def task(i: int, rows: slice) -> None:
        np.add.reduce(given[rows], axis=0, out=plain[i])
        product = scratch("centred", given[rows].shape, x.dtype)
        np.subtract(values[rows], centre, out=product)
        np.multiply(product, given[rows], out=product)
        np.add.reduce(product, axis=0, out=products[i])

    matrix.each(task)
    return tuple(_per_channel(matrix.summed(parts), x) for parts in (plain, products))


def scaled_sum(g: np.ndarray, x: np.ndarray, mean, a, b, c, dims: tuple) -> np.ndarray | None:
    matrix = _Matrix.of(x, dims)
    if matrix is None or g.dtype != x.dtype:
        return None
    given, values, (out, result) = matrix.view(g), matrix.view(x), matrix.empty(x)
    centre, a, b, c = (matrix.tiled(v, x.dtype) for v in (mean, a, b, c))

    def task(i: int, rows: slice) -> None:
        part = result[rows]
        other = scratch("centred", part.shape, x.dtype)
        np.subtract(values[rows], centre, out=part)
        np.multiply(part, b, out=part)
        np.multiply(given[rows], a, out=other)
        np.add(part, other, out=part)
        np.add(part, c, out=part)

    matrix.each(task)
    return out
