"""Few input channels, as at the image's end of a network: plane by plane.

With 1 to 4 channels the runs that im2col copies are a handful of numbers long.  Turned round they
are long: a row of the matrix for each tap and channel, holding that one value for every output
pixel.  The padded image is first split into stride² planes by the residues of row and column, so
that a tap sees whole runs of one plane, and nothing is left but copies of runs and one product.

    fprop   y = columnsᵀ W      wgrad   w = columns y      dgrad   columns = W yᵀ, added into planes

The images of dgrad come channels first, as these routines like them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..cpu import memory
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import chunks, filter_matrix, image_frame, nchw, pixels, summed

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


def _columns(g: Geometry, x: np.ndarray) -> np.ndarray:
    """(R·S·C, N·P·Q)."""
    n, c = x.shape[:2]
    planes = scratch("planes", _planes_shape(g, c, n), x.dtype)
    planes[...] = 0
    image = x.transpose(1, 0, 2, 3)
    for a in range(g.stride[0]):
        for b in range(g.stride[1]):
            (rows, cols), (tall, wide) = _residue(g, a, b, planes)
            planes[a, b][:, :, tall, wide] = image[:, :, rows, cols]
    columns = scratch("columns", (g.R * g.S, c, n, g.P, g.Q), x.dtype)
    for tap, seen in enumerate(_taps(g, planes)):
        np.copyto(columns[tap], seen)
    return columns.reshape(g.R * g.S * c, -1)


def fprop(
    g: Geometry,
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    f: Activation = NONE,
) -> np.ndarray:
    """f(the convolution of x (N, C, H, W) with w (K, C, R, S), plus b (K,)): (N, K, P, Q)."""
    n, k = x.shape[0], w.shape[0]
    dtype, filters = np.result_type(x, w), filter_matrix(w, 1)[0]
    y = memory.empty((n, g.P, g.Q, k), dtype)
    batches = chunks(n, g.P * g.Q * (len(filters) + k) * dtype.itemsize)

    def task(i: int) -> None:
        out = y[batches[i]].reshape(-1, k)
        np.matmul(_columns(g, x[batches[i]]).T, filters, out=out)
        end(out, b, f)

    parallel(task, len(batches))
    return nchw(y)


def wgrad(g: Geometry, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    (n, c), k = x.shape[:2], y.shape[1]
    dtype = np.result_type(x, y)
    batches = chunks(n, g.P * g.Q * (g.R * g.S * c + k) * dtype.itemsize)

    def term(batch: slice) -> np.ndarray:
        return _columns(g, x[batch]) @ pixels(y[batch], 1)[0]

    total = summed(batches, (g.R * g.S * c, k), dtype, term)
    return total.reshape(g.R, g.S, c, k).transpose(3, 2, 0, 1)


def dgrad(
    g: Geometry,
    y: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    f: Activation = NONE,
) -> np.ndarray:
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
