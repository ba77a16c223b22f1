"""Few output channels, as at a critic's end: multiply first, then add.

With K of 1 to 4 the matrix of im2col is R·S/stride² times as large as the image, and meets K
columns of filters.  The other way round nothing is copied before the product: every pixel's
channels are multiplied with all R·S·K filters at once, and of the results each output adds up its
R·S.

    fprop   x Wᵀ, gathered into y      dgrad   x = planesᵀ W      wgrad   w = planes x

where the planes, R·S·K as large as the image, are made of y: each tap's holds y where that tap read
the image, and zeros elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..cpu import memory, products
from ..cpu.blocks import multiply, multiply_long
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import chunks, nchw, pixels, summed

OUTPUTS = 4  # at most


def fits(g: Geometry, outputs: int) -> bool:
    """Few channels in y and no groups."""
    return outputs <= OUTPUTS and g.groups == 1


def _met(size: int, count: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Which outputs p see the image through a tap, and the pixels p·stride + offset they see."""
    first = max(-(offset // stride), 0)
    last = min((size - 1 - offset) // stride, count - 1)
    if last < first:
        return slice(0), slice(0)
    start = first * stride + offset
    return slice(first, last + 1), slice(start, last * stride + offset + 1, stride)


def _taps(g: Geometry) -> Iterator[tuple[tuple, tuple]]:
    """For every tap in order, (rows, columns) of the outputs and of the pixels that they see."""
    for r in range(g.R):
        rows = _met(g.H, g.P, g.stride[0], r * g.dilation[0] - g.pad[0])
        for s in range(g.S):
            columns = _met(g.W, g.Q, g.stride[1], s * g.dilation[1] - g.pad[2])
            yield (rows[0], columns[0]), (rows[1], columns[1])


def _filters(w: np.ndarray) -> np.ndarray:
    """w (K, C, R, S) as (R·S·K, C)."""
    return w.transpose(2, 3, 0, 1).reshape(-1, w.shape[1])


def _planes(g: Geometry, y: np.ndarray) -> np.ndarray:
    """(R·S·K, N·H·W), from y (N, K, P, Q)."""
    n, k = y.shape[:2]
    planes = scratch("planes", (g.R * g.S, k, n, g.H, g.W), y.dtype)
    planes[...] = 0
    given = y.transpose(1, 0, 2, 3)
    for plane, (seers, seen) in zip(planes, _taps(g), strict=True):
        plane[:, :, seen[0], seen[1]] = given[:, :, seers[0], seers[1]]
    return planes.reshape(g.R * g.S * k, -1)


def _batches(g: Geometry, n: int, c: int, k: int, dtype: np.dtype) -> list[slice]:
    return chunks(n, g.H * g.W * (g.R * g.S * k + c) * dtype.itemsize // 2)  # few, large pieces


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the convolution of x (N, C, H, W) with w (K, C, R, S), plus b (K,)): (N, K, P, Q)."""
    (n, c), k = x.shape[:2], w.shape[0]
    dtype, filters = np.result_type(x, w), _filters(w)
    right = np.ascontiguousarray(filters.T)  # BLAS is twice as fast at x Wᵀ as at W xᵀ
    y = memory.empty((n, k, g.P, g.Q), dtype)
    batches = _batches(g, n, c, k, dtype)
    product_of = multiply if len(batches) > 1 else products.matmul

    def task(i: int) -> None:
        out = y[batches[i]]
        product = scratch("product", (len(out), g.H, g.W, g.R * g.S, k), dtype)
        rows = product.reshape(len(out) * g.H * g.W, len(filters))
        product_of(pixels(x[batches[i]], 1)[0], right, rows)
        sums = scratch("sums", (k, len(out), g.P, g.Q), dtype)
        sums[...] = 0 if b is None else b.reshape(k, 1, 1, 1)
        taps = product.transpose(3, 4, 0, 1, 2)
        for plane, (seers, seen) in zip(taps, _taps(g), strict=True):
            part = sums[:, :, seers[0], seers[1]]
            np.add(part, plane[:, :, seen[0], seen[1]], out=part)
        out[...] = sums.transpose(1, 0, 2, 3)
        end(out, None, f)

    parallel(task, len(batches))
    return y


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C, R, S), plus b (C,))."""
    (n, k), c = y.shape[:2], w.shape[1]
    dtype, filters = np.result_type(y, w), _filters(w)
    x = memory.empty((n, g.H, g.W, c), dtype)
    batches = _batches(g, n, c, k, dtype)
    product_of = multiply if len(batches) > 1 else products.matmul

    def task(i: int) -> None:
        out = x[batches[i]].reshape(-1, c)
        product_of(_planes(g, y[batches[i]]).T, filters, out)
        end(out, b, f)

    parallel(task, len(batches))
    return nchw(x)


def wgrad(g: Geometry, x, y) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    (n, c), k = x.shape[:2], y.shape[1]
    dtype = np.result_type(x, y)
    batches = _batches(g, n, c, k, dtype)

    def term(batch: slice) -> np.ndarray:
        product = scratch("product", (g.R * g.S * k, c), dtype)
        multiply_long(_planes(g, y[batch]), pixels(x[batch], 1)[0], product)
        return product

    total = summed(batches, (g.R * g.S * k, c), dtype, term)
    w = total.reshape(g.R, g.S, k, c).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(w).transpose(3, 2, 0, 1)
