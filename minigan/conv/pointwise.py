"""1×1 filters of stride 1 without padding: the images are the matrix already.

y = x W,   x = y Wᵀ,   w = xᵀ y    with pixels as rows and channels as columns
"""

from __future__ import annotations

import numpy as np

from ..cpu import copies, memory, products
from ..cpu.blocks import multiply, multiply_long
from ..cpu.threads import parallel
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import PARTS, ROWS, chunks, nchw, nhwc


def fits(g: Geometry) -> bool:
    """One tap, every pixel, all channels."""
    return g.R == g.S == 1 and g.stride == (1, 1) and not any(g.pad) and g.groups == 1


def _times(x: np.ndarray, matrix: np.ndarray, b: np.ndarray | None, f: Activation) -> np.ndarray:
    """f(the pixels of x (N, C, H, W) times a matrix (C, K), plus b (K,)): (N, K, H, W)."""
    n, h, w, c = nhwc(x).shape
    dtype = np.result_type(x, matrix)
    y = memory.empty((n, h, w, matrix.shape[1]), dtype)
    batches = chunks(n, h * w * (c + matrix.shape[1]) * dtype.itemsize)
    product_of = multiply if len(batches) > 1 else products.matmul

    def task(i: int) -> None:
        out = y[batches[i]].reshape(-1, matrix.shape[1])
        product_of(copies.contiguous(nhwc(x[batches[i]])).reshape(-1, c), matrix, out)
        end(out, b, f)

    parallel(task, len(batches))
    return nchw(y)


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the convolution of x (N, C, H, W) with w (K, C, 1, 1), plus b (K,)): (N, K, H, W)."""
    return _times(x, w[:, :, 0, 0].T, b, f)


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ``fprop`` in x, from y (N, K, H, W) and w (K, C, 1, 1), plus b (C,))."""
    return _times(y, w[:, :, 0, 0], b, f)


def wgrad(g: Geometry, x, y) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, H, W)."""
    c, k = x.shape[1], y.shape[1]
    left, right = (copies.contiguous(nhwc(v)).reshape(-1, v.shape[1]) for v in (x, y))
    parts = max(1, min(PARTS, len(left) // ROWS))
    sums = np.empty((parts, c, k), np.result_type(x, y))
    product_of = multiply_long if parts > 1 else products.matmul
    bounds = [len(left) * i // parts for i in range(parts + 1)]

    def task(i: int) -> None:
        part = slice(bounds[i], bounds[i + 1])
        product_of(left[part].T, right[part], sums[i])

    parallel(task, parts)
    for other in sums[1:]:
        sums[0] += other
    return sums[0].T.reshape(k, c, 1, 1)
