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
    columns_bytes,
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


def _frame(g: Geometry, x: np.ndarray, rows: slice) -> np.ndarray:
    """What some rows of outputs see of x (N, C, H, W) and its padding: (N, height, width, C)."""
    (top, left), (height, width) = image_frame(g)
    first = rows.start * g.stride[0] - top
    height -= (g.P - (rows.stop - rows.start)) * g.stride[0]
    seen = x[:, :, max(first, 0) : max(first + height, 0)]
    return framed(seen, (max(-first, 0), left), (height, width))


def _columns(g: Geometry, image: np.ndarray, first: int, count: int) -> np.ndarray:
    """(groups, N·count·Q, R·S·C/groups), for so many rows of outputs of a frame."""
    start, shape = (first * g.stride[0], 0), (count, g.Q)
    return matrix(windows(image, start, g.stride, shape, (g.R, g.S), g.dilation, g.groups))


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(x ∗ w + b), of x (N, C, H, W), w (K, C/groups, R, S) and b (K,): (N, K, P, Q)."""
    n, k = x.shape[0], w.shape[0]
    dtype = np.result_type(x, w)
    filters = filter_matrix(w, g.groups)
    y = memory.empty((n, g.P, g.Q, k), dtype)
    per_image = columns_bytes(g, x.shape[1], dtype)
    rows = row_chunks(n, g.P, per_image)
    pieces = [(batch, some) for batch in chunks(n, per_image) for some in rows]
    product_of = multiply if len(pieces) > 1 else products.matmul_each
    shared = _frame(g, x, slice(0, g.P)) if n == 1 else None

    def task(i: int) -> None:
        batch, some = pieces[i]
        image = _frame(g, x[batch], some) if shared is None else shared
        columns = _columns(g, image, 0 if shared is None else some.start, some.stop - some.start)
        out = y[batch, some].reshape(-1, k)  # a view: there are some rows of one image, or all
        by_group = out.reshape(len(out), g.groups, -1).transpose(1, 0, 2)
        product = by_group if g.groups == 1 else scratch("product", by_group.shape, dtype)
        product_of(columns, filters, product)
        if g.groups > 1:
            by_group[...] = product
        end(out, b, f)

    parallel(task, len(pieces))
    return nchw(y)


def wgrad(g: Geometry, x, y) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    n, c, k = x.shape[0], x.shape[1] // g.groups, y.shape[1]
    dtype = np.result_type(x, y)
    batches = chunks(n, columns_bytes(g, x.shape[1], dtype), least=max(1, ROWS // (g.P * g.Q)))
    parts = min(PARTS, len(batches))
    shape = (g.groups, g.R * g.S * c, k // g.groups)
    sums = memory.empty((parts, *shape), dtype)
    product_of = multiply_long if parts > 1 else products.matmul_each

    def task(part: int) -> None:
        for j, batch in enumerate(batches[part::parts]):
            image = _frame(g, x[batch], slice(0, g.P))
            columns = _columns(g, image, 0, g.P).transpose(0, 2, 1)
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
