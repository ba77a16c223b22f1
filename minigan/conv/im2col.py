"""Convolution as one matrix product: the plain way, for every geometry.

The R×S×C values under the filter, for every output pixel, form a row of a matrix ("im2col").
One product with the filter matrix gives the output; the same matrix, transposed, times the output
gradient gives the filter gradient.  A pixel is copied R·S/stride² times, so the batch is cut into
chunks whose matrix stays in cache, and threads take whole chunks.

For dgrad the product comes first: each output's gradient times the filter matrix gives a row of
contributions, and each tap's are added into place ("col2im").  With few channels in x the matrix
is the smaller of the two sides, and this is the cheaper way; see residues.py for the other.
"""

from __future__ import annotations

import numpy as np

from ..cpu import memory, products
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import (
    PARTS,
    ROWS,
    chunks,
    filter_matrix,
    framed,
    image_frame,
    matrix,
    nchw,
    pixels,
    unframed,
    windows,
)


def _columns(g: Geometry, x: np.ndarray) -> np.ndarray:
    """(groups, N·P·Q, R·S·C/groups)."""
    image = framed(x, *image_frame(g))
    return matrix(windows(image, (0, 0), g.stride, (g.P, g.Q), (g.R, g.S), g.dilation, g.groups))


def _bytes(g: Geometry, channels: int, dtype: np.dtype) -> int:
    """Of working memory for an image: twice its rows, as much again is read and made of them."""
    return 2 * g.P * g.Q * g.R * g.S * channels * dtype.itemsize


def _by_group(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """The products of all groups, each of them shared among threads."""
    for left, right, result in zip(a, b, out, strict=True):
        products.matmul(left, right, result)


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(x ∗ w + b), of x (N, C, H, W), w (K, C/groups, R, S) and b (K,): (N, K, P, Q)."""
    n, k = x.shape[0], w.shape[0]
    dtype = np.result_type(x, w)
    filters = filter_matrix(w, g.groups)
    y = memory.empty((n, g.P, g.Q, k), dtype)
    batches = chunks(n, _bytes(g, x.shape[1], dtype))
    multiply = np.matmul if len(batches) > 1 else products.matmul

    def task(i: int) -> None:
        columns, out = _columns(g, x[batches[i]]), y[batches[i]].reshape(-1, k)
        if g.groups == 1:
            multiply(columns[0], filters[0], out=out)
        else:
            product = np.matmul(columns, filters)
            out.reshape(len(out), g.groups, -1)[...] = product.transpose(1, 0, 2)
        end(out, b, f)

    parallel(task, len(batches))
    return nchw(y)


def wgrad(g: Geometry, x, y) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    n, c, k = x.shape[0], x.shape[1] // g.groups, y.shape[1]
    dtype = np.result_type(x, y)
    batches = chunks(n, _bytes(g, x.shape[1], dtype), least=max(1, ROWS // (g.P * g.Q)))
    parts = min(PARTS, len(batches))
    shape = (g.groups, g.R * g.S * c, k // g.groups)
    sums = memory.empty((max(parts, 1), *shape), dtype)
    multiply = np.matmul if parts > 1 else _by_group

    def task(part: int) -> None:
        for j, batch in enumerate(batches[part::parts]):
            columns = _columns(g, x[batch]).transpose(0, 2, 1)
            if j == 0:
                multiply(columns, pixels(y[batch], g.groups), out=sums[part])
            else:
                product = scratch("product", shape, dtype)
                np.matmul(columns, pixels(y[batch], g.groups), out=product)
                sums[part] += product

    parallel(task, parts)
    for other in sums[1:]:
        sums[0] += other
    w = sums[0].reshape(g.groups, g.R, g.S, c, k // g.groups).transpose(0, 4, 3, 1, 2)
    return w.reshape(k, c, g.R, g.S)


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ∗ w, at y (N, K, P, Q), plus b (C,)), of w (K, C/groups, R, S)."""
    n, c = y.shape[0], w.shape[1] * g.groups
    dtype = np.result_type(y, w)
    filters = filter_matrix(w, g.groups).transpose(0, 2, 1)
    x = memory.empty((n, g.H, g.W, c), dtype)
    before, size = image_frame(g)
    batches = chunks(n, _bytes(g, c, dtype))
    multiply = np.matmul if len(batches) > 1 else _by_group
    # taps that read pixels side by side are added at once; single channels by rows of outputs
    beside = g.stride[1] if g.dilation[1] == 1 and c > 1 else 1

    def task(index: int) -> None:
        batch = batches[index]
        count = batch.stop - batch.start
        product = scratch("columns", (g.groups, count * g.P * g.Q, filters.shape[2]), dtype)
        multiply(pixels(y[batch], g.groups), filters, out=product)
        shape = (g.groups, count, g.P, g.Q, g.R, g.S, w.shape[1])
        taps = product.reshape(shape)
        frame = scratch("frame", (count, *size, c), dtype)
        frame[...] = 0
        for r in range(g.R):
            for s in range(0, g.S, beside):
                added = taps[:, :, :, :, r : r + 1, s : s + beside]
                start, some = (r * g.dilation[0], s * g.dilation[1]), (1, added.shape[5])
                seen = windows(frame, start, g.stride, (g.P, g.Q), some, (1, 1), g.groups)
                np.add(seen, added, out=seen)
        unframed(frame, before, x[batch], b, f)

    parallel(task, len(batches))
    return nchw(x)
