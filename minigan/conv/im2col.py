"""Convolution as one matrix product: the plain way, for every geometry.

The R×S×C values under the filter, for every output pixel, form a row of a matrix ("im2col").
One product with the filter matrix gives the output; the same matrix, transposed, times the output
gradient gives the filter gradient.  A pixel is copied R·S/stride² times, so the batch is cut into
chunks whose matrix stays in cache, and threads take whole chunks.

For dgrad the product comes first and its results are added into place: see col2im.py.
"""

from __future__ import annotations

import numpy as np

from ..cpu import memory, products
from ..cpu.blocks import multiply, multiply_long
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .col2im import dgrad
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
    row_chunks,
    windows,
)

__all__ = ["dgrad", "fprop", "wgrad"]


def _columns(g: Geometry, x: np.ndarray, rows: slice) -> np.ndarray:
    """(groups, N·rows·Q, R·S·C/groups), for some rows of outputs."""
    (top, left), (height, width) = image_frame(g)
    first, count = rows.start * g.stride[0] - top, rows.stop - rows.start
    size = height - (g.P - count) * g.stride[0], width
    image = framed(x[:, :, max(first, 0) :], (max(-first, 0), left), size)
    return matrix(windows(image, (0, 0), g.stride, (count, g.Q), (g.R, g.S), g.dilation, g.groups))


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
    per_image = _bytes(g, x.shape[1], dtype)
    rows = row_chunks(g.P, per_image)
    pieces = [(batch, some) for batch in chunks(n, per_image) for some in rows]
    product_of = multiply if len(pieces) > 1 else products.matmul

    def task(i: int) -> None:
        batch, some = pieces[i]
        columns, out = _columns(g, x[batch], some), y[batch, some].reshape(-1, k)
        if g.groups == 1:
            product_of(columns[0], filters[0], out)
        else:
            product = np.matmul(columns, filters)
            out.reshape(len(out), g.groups, -1)[...] = product.transpose(1, 0, 2)
        end(out, b, f)

    parallel(task, len(pieces))
    return nchw(y)


def wgrad(g: Geometry, x, y) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    n, c, k = x.shape[0], x.shape[1] // g.groups, y.shape[1]
    dtype = np.result_type(x, y)
    batches = chunks(n, _bytes(g, x.shape[1], dtype), least=max(1, ROWS // (g.P * g.Q)))
    parts = min(PARTS, len(batches))
    shape = (g.groups, g.R * g.S * c, k // g.groups)
    sums = memory.empty((max(parts, 1), *shape), dtype)
    product_of = multiply_long if parts > 1 else _by_group

    def task(part: int) -> None:
        for j, batch in enumerate(batches[part::parts]):
            columns = _columns(g, x[batch], slice(0, g.P)).transpose(0, 2, 1)
            if j == 0:
                product_of(columns, pixels(y[batch], g.groups), sums[part])
            else:
                product = scratch("product", shape, dtype)
                multiply_long(columns, pixels(y[batch], g.groups), product)
                sums[part] += product

    parallel(task, parts)
    for other in sums[1:]:
        sums[0] += other
    w = sums[0].reshape(g.groups, g.R, g.S, c, k // g.groups).transpose(0, 4, 3, 1, 2)
    return w.reshape(k, c, g.R, g.S)
