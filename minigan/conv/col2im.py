"""dgrad by a matrix product whose results are added into place ("col2im").

Each output's gradient times the filter matrix gives R·S·C contributions, and each tap's are added
to the pixels that the tap has read.  With few channels in x that matrix is smaller than the one of
residues.py, which gathers first and multiplies then.

Adding a few numbers at a time would take longer than the product.  So taps that read pixels side by
side, as many as the stride is wide, are added at once.  If they have columns enough for a product
of their own, its results lie in memory as the pixels do, and whole rows are added at once.

Of a large single image each thread makes rows of its own: taps r of one residue modulo the stride
add to the rows of that residue only.
"""

from __future__ import annotations

import numpy as np

from ..cpu import memory, products
from ..cpu.blocks import multiply
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation
from .geometry import Geometry
from .layout import (
    LARGE_BYTES,
    chunks,
    columns_bytes,
    filter_matrix,
    image_frame,
    nchw,
    pixels,
    unframed,
    windows,
)

COLUMNS = 16  # of a product, at least: BLAS computes so many together
ROWS = 2048  # of outputs, for which it pays to put the filters in order


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ∗ w, at y (N, K, P, Q), plus b (C,)), of w (K, C/groups, R, S)."""
    n, c = y.shape[0], w.shape[1] * g.groups
    dtype = np.result_type(y, w)
    x = memory.empty((n, g.H, g.W, c), dtype)
    (top, left), size = image_frame(g)
    per_image = columns_bytes(g, c, dtype)
    # single channels are added by rows of outputs anyway
    beside = g.stride[1] if g.dilation[1] == 1 and c > 1 else 1
    wide = beside * w.shape[1] >= COLUMNS
    batches = chunks(n, per_image // 2 if wide else per_image)  # large, as their products are many
    apart = g.stride[0] if n == 1 and per_image >= LARGE_BYTES and g.dilation[0] == 1 else 1
    step = g.stride[0] // apart, g.stride[1]
    alone = len(batches) * apart == 1  # then threads share the product
    filters_of = _in_parts if wide and not alone else _in_one
    shape = g.groups, g.R, g.S, w.shape[1], len(w) // g.groups
    taps, rows = filter_matrix(w, g.groups).reshape(shape), range(g.R)
    classes = [filters_of(taps[:, i::apart], rows[i::apart], beside) for i in range(apart)]
    if n * g.P * g.Q >= ROWS:  # in the order that ``multiply`` is fastest with
        classes = [[(np.ascontiguousarray(m), places) for m, places in parts] for parts in classes]

    def task(index: int) -> None:
        batch, first = batches[index // apart], index % apart
        count = batch.stop - batch.start
        frame = scratch("frame", (count, len(range(first, size[0], apart)), size[1], c), dtype)
        frame[...] = 0
        given = pixels(y[batch], g.groups)
        for filters, places in classes[first]:
            shape = g.groups, filters.shape[1], given.shape[1], filters.shape[3]
            product = scratch("columns", shape, dtype)
            if alone:
                products.matmul_each(given, filters[:, 0], product[:, 0])
            else:
                multiply(given[:, None], filters, product)
            for i, columns, r, s in places:
                added = product[:, i, :, columns]
                added = added.reshape(g.groups, count, g.P, g.Q, 1, -1, w.shape[1])
                start = (r * g.dilation[0] - first) // apart, s * g.dilation[1]
                some = 1, added.shape[5]
                seen = windows(frame, start, step, (g.P, g.Q), some, (1, 1), g.groups)
                np.add(seen, added, out=seen)
        h = (first - top) % apart
        before = (h + top - first) // apart, left
        unframed(frame, before, x[batch, h::apart], b, f)

    parallel(task, len(batches) * apart)
    return nchw(x)


# Filters from taps (groups, rows, S, C/groups, K/groups): as stacks (groups, matrices, K/groups,
# columns), each with a list of (matrix, columns, r, s): where a tap is, or those from s on that are
# added at once.


def _in_one(taps: np.ndarray, rows: range, beside: int) -> list[tuple]:
    """One matrix of all taps."""
    groups, _, side, c, k = taps.shape
    matrix = taps.reshape(groups, 1, len(rows) * side * c, k)
    places = [
        (0, slice((i * side + s) * c, (i * side + min(s + beside, side)) * c), r, s)
        for i, r in enumerate(rows)
        for s in range(0, side, beside)
    ]
    return [(matrix.swapaxes(2, 3), places)]


def _in_parts(taps: np.ndarray, rows: range, beside: int) -> list[tuple]:
    """Taps that are added at once as a matrix; those of all rows are a stack."""
    groups, _, side, c, k = taps.shape
    parts = []
    for s in range(0, side, beside):
        some = taps[:, :, s : s + beside]
        matrix = some.reshape(groups, len(rows), some.shape[2] * c, k)
        parts.append((matrix.swapaxes(2, 3), [(i, slice(None), r, s) for i, r in enumerate(rows)]))
    return parts
