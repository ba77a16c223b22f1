"""The fused operations by channel, on large NumPy arrays: block by block, as in blocked.py.

Work by channel wants channels last, as convolutions do: what lies otherwise is copied, and images
leave with channels last.  Then an array is a matrix of M pixels by C channels.  As C is small, rows
are joined, k pixels to a row of k·C numbers, so that inner loops are long; sums are made for each
block and then added up in float64, in the order of the blocks.

A normalisation may end in a LeakyReLU of slope ≠ 1, applied while the block is in cache.

Every function gives None for what it is not made for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cpu import copies, memory
from ..cpu.threads import parallel, scratch
from .blocked import BLOCK, PART, rectify, serially, through

TALL = 64  # rows of a block from which its mean is corrected for the rounding of its sum
ROW = 4096  # the least length of an inner loop over channels
NEAR = 4  # standard deviations from 0 within which a mean costs no more than its last digits


class _Matrix:
    """How an array of M pixels by C channels is walked: rows of k pixels, blocks of rows."""

    def __init__(self, x: np.ndarray):
        self.channels = x.shape[1]
        pixels = x.size // self.channels
        k = 1
        while k * self.channels < ROW and pixels % (2 * k) == 0:
            k *= 2
        self.k, self.shape = k, (pixels // k, k * self.channels)
        self.shared = x.size >= 2 * PART
        # blocks of nearly one size; an even number of those that are shared by threads
        blocks = x.size // (2 * PART) * 2 if self.shared else -(-x.size // BLOCK)
        self.rows = max(1, -(-self.shape[0] // max(blocks, 1)))
        self.blocks = -(-self.shape[0] // self.rows)

    @staticmethod
    def of(x: np.ndarray, dims: tuple[int, ...]) -> _Matrix | None:
        """None unless everything but dimension 1 is summed over."""
        if x.ndim < 2 or dims != (0, *range(2, x.ndim)) or not x.shape[1]:
            return None
        return _Matrix(x)

    def view(self, x: np.ndarray) -> np.ndarray:
        """The matrix; a copy where channels are not last in memory."""
        return _last(last_copy(x)).reshape(self.shape)

    def empty(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A result in the shape of x, channels last in memory, and its matrix."""
        n, c, *rest = x.shape
        made = memory.empty((n, *rest, c), x.dtype)
        return _second(made), made.reshape(self.shape)

    def tiled(self, v: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """One number per channel (or one for all), for every number in a row."""
        row = np.empty((self.k, self.channels), dtype)
        row[...] = np.reshape(v, -1)
        return row.reshape(-1)

    def each(self, task: Callable[[int, slice], None]) -> None:
        """task(i, rows) for every block."""
        rows = self.rows
        run = parallel if self.shared else serially
        run(lambda i: task(i, slice(i * rows, (i + 1) * rows)), self.blocks)

    def folded(self, row: np.ndarray) -> np.ndarray:
        """Sums by place in a row, as float64 sums by channel."""
        return row.reshape(self.k, self.channels).sum(axis=0, dtype=np.float64)

    def sums(self) -> np.ndarray:
        """Room for float64 sums by block and channel."""
        return np.empty((self.blocks, self.channels))

    def counts(self) -> np.ndarray:
        """The pixels of each block."""
        counts = np.full(self.blocks, float(self.rows * self.k))
        counts[-1] -= counts.sum() - self.shape[0] * self.k
        return counts


def _last(x: np.ndarray) -> np.ndarray:
    """x with dimension 1 last."""
    return x.transpose(0, *range(2, x.ndim), 1)


def _second(x: np.ndarray) -> np.ndarray:
    """The way back: x with its last dimension as dimension 1."""
    return x.transpose(0, -1, *range(1, x.ndim - 1))


def last_copy(x: np.ndarray) -> np.ndarray:
    """x, or a copy of it, with channels last in memory."""
    last = _last(x)
    if last.flags.c_contiguous:
        return x
    made = memory.empty(last.shape, x.dtype)
    copies.copy(last, made)
    return _second(made)


def _per_channel(v: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Channel values in x's dtype, shaped to broadcast against x."""
    return v.astype(x.dtype).reshape(1, -1, *(1,) * (x.ndim - 2))


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Σ a·b over the rows, in one pass."""
    return np.einsum("rc,rc->c", a, b)


def _near(mean: np.ndarray, var: np.ndarray) -> bool:
    """Whether the means are so small that numbers need not be centred first."""
    return bool((np.square(mean) <= NEAR**2 * var).all())


def total(x: np.ndarray, dims: tuple[int, ...], keepdims: bool) -> np.ndarray | None:
    matrix = _Matrix.of(x, dims)
    if matrix is None:
        return None
    values = matrix.view(x)
    parts = matrix.sums()

    def task(i: int, rows: slice) -> None:
        parts[i] = matrix.folded(np.add.reduce(values[rows], axis=0))

    matrix.each(task)
    sums = _per_channel(parts.sum(axis=0), x)
    return sums if keepdims else sums.reshape(-1)


def normalise(x: np.ndarray, w, b, dims: tuple[int, ...], eps: float, slope: float) -> tuple | None:
    """Blocks give their mean and the squares about it; those combine without cancellation."""
    matrix = _Matrix.of(x, dims)
    if matrix is None or any(np.size(v) not in (1, x.shape[1]) for v in (w, b)):
        return None
    if not 0 <= slope <= 1:
        return None
    values, (out, result) = matrix.view(x), matrix.empty(x)
    means, squares, counts = matrix.sums(), matrix.sums(), matrix.counts()
    rests = np.zeros_like(means)

    def statistics(i: int, rows: slice) -> None:
        block = values[rows]
        mean = matrix.folded(np.add.reduce(block, axis=0)) / counts[i]
        centre = matrix.tiled(mean, x.dtype)
        centred = np.subtract(block, centre, out=scratch("centred", block.shape, x.dtype))
        means[i] = centre[: matrix.channels]
        if len(block) > TALL:
            rests[i] = matrix.folded(np.add.reduce(centred, axis=0)) / counts[i]
        squares[i] = matrix.folded(_products(centred, centred))

    matrix.each(statistics)
    count = x.size // matrix.channels
    mean = counts @ (means + rests) / count
    between = counts @ (np.square(means + rests - mean) - np.square(rests))
    var = (squares.sum(axis=0) + between) / count
    mean, var = _per_channel(mean, x), _per_channel(var, x)
    inv_std = (var + x.dtype.type(eps)) ** -0.5
    near = _near(mean, var)
    scale, centre = matrix.tiled(inv_std * w, x.dtype), matrix.tiled(mean, x.dtype)
    shift = matrix.tiled(b - mean * (inv_std * w) if near else b, x.dtype)

    def apply(i: int, rows: slice) -> None:
        if near:  # one pass less: y = scale·x + (b - scale·mean)
            np.multiply(values[rows], scale, out=result[rows])
        else:
            np.subtract(values[rows], centre, out=result[rows])
            np.multiply(result[rows], scale, out=result[rows])
        np.add(result[rows], shift, out=result[rows])
        if slope != 1:
            rectify(result[rows], slope, result[rows])

    matrix.each(apply)
    return out, mean, var


def normalise_grad(
    g: np.ndarray,
    x: np.ndarray,
    y,
    w,
    shift: None,
    mean: np.ndarray,
    var: np.ndarray,
    dims: tuple[int, ...],
    eps: float,
    slope: float,
) -> tuple | None:
    """As BatchNorm says (``ops/norm.py``); with a slope, g first comes back through y = ``out``."""
    matrix = _Matrix.of(x, dims)
    if matrix is None or g.dtype != x.dtype or np.size(w) not in (1, x.shape[1]):
        return None
    if not 0 <= slope <= 1:
        return None
    given, values, (out, result) = matrix.view(g), matrix.view(x), matrix.empty(x)
    seen, centre = None if slope == 1 else matrix.view(y), matrix.tiled(mean, x.dtype)
    inv_std = (var + x.dtype.type(eps)) ** -0.5
    near = _near(mean, var)

    def centred(rows: slice) -> np.ndarray:
        if near:  # one pass less: what the mean makes is taken off the sums
            return values[rows]
        block = values[rows]
        return np.subtract(block, centre, out=scratch("centred", block.shape, x.dtype))

    plain, products = matrix.sums(), matrix.sums()

    def sums(i: int, rows: slice) -> None:
        passed = given[rows]
        if seen is not None:
            passed = result[rows]
            through(given[rows], seen[rows], slope, passed)
        plain[i] = matrix.folded(np.add.reduce(passed, axis=0))
        products[i] = matrix.folded(_products(centred(rows), passed))

    matrix.each(sums)
    gb, gc = plain.sum(axis=0), products.sum(axis=0)
    if near:
        gc -= gb * mean.reshape(-1)
    gb, gc = _per_channel(gb, x), _per_channel(gc, x)
    share = inv_std * w / (-x.size // matrix.channels)
    numbers = inv_std * w, share * inv_std * inv_std * gc, share * gb
    a, b, d = (matrix.tiled(v, x.dtype) for v in numbers)
    if near:
        d -= b * centre

    def apply(i: int, rows: slice) -> None:
        passed, part = given[rows] if seen is None else result[rows], result[rows]
        other = scratch("centred", part.shape, x.dtype)
        np.multiply(centred(rows), b, out=other)
        np.multiply(passed, a, out=part)
        np.add(part, other, out=part)
        np.add(part, d, out=part)

    matrix.each(apply)
    return out, gc * inv_std, gb
