"""Depthwise convolution: every channel has filters of its own, so there is no product of matrices.

With one input channel to a group, a tap multiplies the whole image it sees by one number per
output channel:  y += x[shifted by the tap]·w[tap].  R·S such passes, on images in cache, are all.
"""

from __future__ import annotations

import numpy as np

from ..cpu import memory
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import chunks, framed, image_frame, nchw, nhwc, unframed


def fits(g: Geometry, channels: int) -> bool:
    """As many groups as channels of x, and more than one."""
    return g.groups == channels > 1


def _batches(g: Geometry, n: int, c: int, k: int, dtype: np.dtype) -> list[slice]:
    return chunks(n, g.P * g.Q * (g.stride[0] * g.stride[1] * c + 2 * k) * dtype.itemsize)


def _filters(w: np.ndarray, groups: int) -> np.ndarray:
    """w (K, 1, R, S) as (R, S, C, K/C)."""
    k, _, r, s = w.shape
    return np.ascontiguousarray(w.reshape(groups, k // groups, r, s).transpose(2, 3, 0, 1))


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the convolution of x (N, C, H, W) with w (K, 1, R, S), plus b (K,)): (N, K, P, Q)."""
    (n, c), k = x.shape[:2], w.shape[0]
    dtype, taps = np.result_type(x, w), _filters(w, g.groups)
    y = memory.empty((n, g.P, g.Q, k), dtype)
    batches = _batches(g, n, c, k, dtype)

    def task(i: int) -> None:
        out = y[batches[i]].reshape(-1, g.P, g.Q, c, k // c)
        out[...] = 0 if b is None else b.reshape(c, k // c)
        product = scratch("product", out.shape, dtype)
        frame = framed(x[batches[i]], *image_frame(g))
        for r, s, rows, columns in g.taps():
            np.multiply(frame[:, rows, columns, :, None], taps[r, s], out=product)
            np.add(out, product, out=out)
        end(out, None, f)

    parallel(task, len(batches))
    return nchw(y)


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, 1, R, S), plus b (C,))."""
    (n, k), c = y.shape[:2], g.groups
    dtype, taps = np.result_type(y, w), _filters(w, g.groups)
    x = memory.empty((n, g.H, g.W, c), dtype)
    before, size = image_frame(g)
    batches = _batches(g, n, c, k, dtype)

    def task(i: int) -> None:
        out = x[batches[i]]
        given = nhwc(y[batches[i]]).reshape(-1, g.P, g.Q, c, k // c)
        frame = scratch("frame", (len(out), *size, c), dtype)
        frame[...] = 0
        for r, s, rows, columns in g.taps():
            frame[:, rows, columns] += (given * taps[r, s]).sum(axis=-1)
        unframed(frame, before, out, b, f)

    parallel(task, len(batches))
    return nchw(x)


def wgrad(g: Geometry, x, y) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    (n, c), k = x.shape[:2], y.shape[1]
    dtype = np.result_type(x, y)
    batches = _batches(g, n, c, k, dtype)
    sums = np.zeros((max(1, len(batches)), g.R, g.S, c, k // c), dtype)

    def task(i: int) -> None:
        given = nhwc(y[batches[i]]).reshape(-1, g.P, g.Q, c, k // c)
        frame = framed(x[batches[i]], *image_frame(g))
        for r, s, rows, columns in g.taps():
            sums[i, r, s] = (frame[:, rows, columns, :, None] * given).sum(axis=(0, 1, 2))

    parallel(task, len(batches))
    return sums.sum(axis=0, dtype=dtype).transpose(2, 3, 0, 1).reshape(k, 1, g.R, g.S)
