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

from collections.abc import Iterator

import numpy as np

from ..cpu import memory, products
from ..cpu.blocks import multiply
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation
from .geometry import Geometry
from .layout import LARGE_BYTES, chunks, filter_matrix, image_frame, pixels, unframed, windows

COLUMNS = 16  # of a product, at least: BLAS computes so many together
ROWS = 2048  # of outputs, for which it pays to put the filters in order


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ∗ w, at y (N, K, P, Q), plus b (C,)), of w (K, C/groups, R, S)."""
    n, c = y.shape[0], w.shape[1] * g.groups
    dtype = np.result_type(y, w)
    x = memory.empty((n, g.H, g.W, c), dtype)
    (top, left), size = image_frame(g)
    per_image = 2 * g.P * g.Q * g.R * g.S * c * dtype.itemsize
    wide = _beside(g, c) * w.shape[1] >= COLUMNS
    batches = chunks(n, per_image // 2 if wide else per_image)  # large, as their products are many
    apart = g.stride[0] if n == 1 and per_image >= LARGE_BYTES and g.dilation[0] == 1 else 1
    step = g.stride[0] // apart, g.stride[1]
    alone = len(batches) * apart == 1  # then threads share the product
    classes = [list(_filters(g, w, first, apart, wide and not alone)) for first in range(apart)]
    if n * g.P * g.Q >= ROWS:  # in the order that ``multiply`` is fastest with
        classes = [[(np.ascontiguousarray(m), taps) for m, taps in parts] for parts in classes]

    def task(index: int) -> None:
        batch, first = batches[index // apart], index % apart
        count = batch.stop - batch.start
        frame = scratch("frame", (count, len(range(first, size[0], apart)), size[1], c), dtype)
        frame[...] = 0
        given = pixels(y[batch], g.groups)
        for filters, taps in classes[first]:
            shape = g.groups, filters.shape[1], given.shape[1], filters.shape[3]
            product = scratch("columns", shape, dtype)
            if alone:
                for i in range(g.groups):
                    products.matmul(given[i], filters[i, 0], product[i, 0])
            else:
                multiply(given[:, None], filters, product)
            for i, columns, r, s in taps:
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
    return x.transpose(0, 3, 1, 2)


def _beside(g: Geometry, c: int) -> int:
    """How many taps are added at once; single channels are added by rows of outputs anyway."""
    return g.stride[1] if g.dilation[1] == 1 and c > 1 else 1


def _filters(g: Geometry, w: np.ndarray, first: int, apart: int, wide: bool) -> Iterator[tuple]:
    """The taps of every ``apart``-th row as stacks (groups, matrices, K/groups, columns), each with
    a list of (matrix, columns, r, s): where a tap is, or several from s on that are added at once.
    """
    k, c = len(w) // g.groups, w.shape[1]
    taps = filter_matrix(w, g.groups).reshape(g.groups, g.R, g.S, c, k)[:, first::apart]
    rows = range(first, g.R, apart)
    beside = _beside(g, c * g.groups)
    starts = range(0, g.S, beside)
    if wide:
        for s in starts:
            some = taps[:, :, s : s + beside]
            matrix = some.reshape(g.groups, len(rows), some.shape[2] * c, k)
            yield matrix.swapaxes(2, 3), [(i, slice(None), r, s) for i, r in enumerate(rows)]
    else:
        matrix = taps.reshape(g.groups, 1, len(rows) * g.S * c, k)
        places = []
        for i, r in enumerate(rows):
            ends = [(i * g.S + min(s + beside, g.S)) * c for s in starts]
            places += [
                (0, slice((i * g.S + s) * c, end), r, s)
                for s, end in zip(starts, ends, strict=True)
            ]
        yield matrix.swapaxes(2, 3), places
