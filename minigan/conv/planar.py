"""dgrad to few channels, as at the image's end of a network: plane by plane.

col2im.py gets here a few numbers for each tap of each output, and adds them into place: with 2 to 4
channels these are short runs.  Turned round they are long: W yᵀ has a row for each tap and channel,
with what that one adds for every output.  The padded image is split into stride² planes by the
residues of row and column, so that a row of W yᵀ is added to whole runs of one plane.

The images come channels first, as this routine likes them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..cpu import memory
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import chunks, filter_matrix, image_frame, pixels

CHANNELS = 4  # at most


def fits(g: Geometry, channels: int) -> bool:
    """Few channels in x and no groups."""
    return channels <= CHANNELS and g.groups == 1


def _planes_shape(g: Geometry, c: int, n: int) -> tuple[int, ...]:
    """(row residues, column residues, C, N, rows, columns) of the split frame."""
    (_, (height, width)), (down, right) = image_frame(g), g.stride
    return down, right, c, n, -(-height // down), -(-width // right)


def _taps(g: Geometry, planes: np.ndarray) -> Iterator[np.ndarray]:
    """For every tap in order, the part (C, N, P, Q) of the planes that it sees."""
    for r in range(g.R):
        for s in range(g.S):
            i, j = r * g.dilation[0], s * g.dilation[1]
            top, left = i // g.stride[0], j // g.stride[1]
            plane = planes[i % g.stride[0], j % g.stride[1]]
            yield plane[:, :, top : top + g.P, left : left + g.Q]


def _residue(g: Geometry, a: int, b: int, planes: np.ndarray) -> tuple[tuple, tuple]:
    """Where the image's pixels of a residue lie in x and in their plane, as (rows, columns)."""
    here, there = [], []
    for residue, stride, before, size, length in (
        (a, g.stride[0], g.pad[0], g.H, planes.shape[4]),
        (b, g.stride[1], g.pad[2], g.W, planes.shape[5]),
    ):
        first = max(-(-(before - residue) // stride), 0)  # the first entry that is no padding
        start = first * stride + residue - before
        count = max(min(-(-(size - start) // stride), length - first), 0)
        here.append(slice(start, start + count * stride, stride))
        there.append(slice(first, first + count))
    return tuple(here), tuple(there)


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C, R, S), plus b (C,))."""
    n, c = y.shape[0], w.shape[1]
    dtype, filters = np.result_type(y, w), filter_matrix(w, 1)[0]
    x = memory.empty((n, c, g.H, g.W), dtype)
    batches = chunks(n, g.P * g.Q * (len(filters) + len(w)) * dtype.itemsize)

    def task(i: int) -> None:
        out = x[batches[i]]
        columns = scratch("columns", (len(filters), len(out) * g.P * g.Q), dtype)
        np.matmul(filters, pixels(y[batches[i]], 1)[0].T, out=columns)
        planes = scratch("planes", _planes_shape(g, c, len(out)), dtype)
        planes[...] = 0
        parts = columns.reshape(g.R * g.S, c, len(out), g.P, g.Q)
        for part, seen in zip(parts, _taps(g, planes), strict=True):
            np.add(seen, part, out=seen)
        out[...] = 0 if b is None else b.reshape(c, 1, 1)
        for a in range(g.stride[0]):
            for s in range(g.stride[1]):
                (rows, cols), (tall, wide) = _residue(g, a, s, planes)
                out[:, :, rows, cols] += planes[a, s][:, :, tall, wide].transpose(1, 0, 2, 3)
        end(out, None, f)

    parallel(task, len(batches))
    return x
