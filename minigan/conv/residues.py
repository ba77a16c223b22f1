"""dgrad, and so the transposed convolution, by residue classes: no zeros inserted, no scatter.

A pixel of x receives from output p through tap r where  stride·p + dilation·r = h + top.  So all
pixels with the same residue of (h + top) modulo the stride see the same taps: for each of the
stride² residue classes dgrad is a small stride-1 convolution of y, done as a matrix product of the
pixels under each filter position (as in im2col.py) and the class's filters.

For k4 s2 p1, say, the even rows of x see taps 1 and 3 and the odd rows taps 0 and 2: four classes
("phases") of 2×2 taps each.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

import numpy as np

from ..cpu import memory, products
from ..cpu.blocks import multiply
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .layout import chunks, framed, matrix, nchw, windows

SHORT = 24  # numbers under a filter's row, at most, for which its columns are put together first


def _classes(size: int, stride: int, dilation: int, taps: int, pad: int) -> Iterator[tuple]:
    """For one dimension, each class of pixels as (pixels, taps, first output, output step).

    ``pixels`` is a slice of h with (h + pad) ≡ ρ modulo the stride.  Their taps r solve
    dilation·r ≡ ρ and lie stride/gcd(stride, dilation) apart.  They are listed from the last to
    the first, so that the outputs they read, ``first + i + step·tap`` for the i-th pixel of the
    class, ascend.
    """
    common = gcd(stride, dilation)
    for rho in range(min(stride, size + pad)):
        first_pixel = (rho - pad) % stride
        if first_pixel >= size:
            continue
        chosen = [r for r in range(taps) if (r * dilation - rho) % stride == 0][::-1]
        m = (first_pixel + pad - rho) // stride
        first = m - (chosen[0] * dilation - rho) // stride if chosen else 0
        yield slice(first_pixel, size, stride), chosen, first, dilation // common


def _reach(classes: list, size: int, outputs: int) -> tuple[int, int]:
    """The zero frame that the classes read: entries before output 0, and the whole length."""
    low, high = 0, outputs
    for pixels, chosen, first, step in classes:
        if chosen:
            count = len(range(*pixels.indices(size)))
            low = min(low, first)
            high = max(high, first + count + step * (len(chosen) - 1))
    return -low, high - low


def _by_columns(image, start, count, taps, step) -> np.ndarray:
    """(1, pixels, S·R·K) of the pixels under each filter position.

    What lies under a column of the filter is brought together first: then all that lies under the
    filter is side by side, and is copied at once.
    """
    n, (p, q), (r, s) = len(image), count, taps
    wide = q + (s - 1) * step[1]
    seen = windows(image, start, (1, 1), (p, wide), (r, 1), step, 1)[0, ..., 0, :]
    rows = scratch("rows", seen.shape, image.dtype)
    for i in range(r):
        rows[:, :, :, i] = seen[:, :, :, i]
    rows = rows.reshape(n, p, wide, -1)
    return matrix(windows(rows, (0, 0), (1, 1), count, (1, s), (1, step[1]), 1))


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE) -> np.ndarray:
    """f(the adjoint of ∗ w, at y (N, K, P, Q), plus b (C,)), of w (K, C/groups, R, S)."""
    n, c, k = y.shape[0], w.shape[1] * g.groups, w.shape[0]
    dtype = np.result_type(y, w)
    x = memory.empty((n, g.H, g.W, c), dtype)
    rows = list(_classes(g.H, g.stride[0], g.dilation[0], g.R, g.pad[0]))
    cols = list(_classes(g.W, g.stride[1], g.dilation[1], g.S, g.pad[2]))
    (before_h, height), (before_w, width) = _reach(rows, g.H, g.P), _reach(cols, g.W, g.Q)
    # (groups, R, S, K/groups, C/groups): a class takes its taps out of it
    taps = w.reshape(g.groups, k // g.groups, w.shape[1], g.R, g.S).transpose(0, 3, 4, 1, 2)
    short = g.groups == 1 and k * g.S <= SHORT
    filters = {}
    for _, r, _, _ in rows:
        for _, s, _, _ in cols:
            chosen = taps[:, r][:, :, s]
            if short:  # as _by_columns has them
                chosen = chosen.swapaxes(1, 2)
            filters[tuple(r), tuple(s)] = chosen.reshape(g.groups, -1, w.shape[1])
    per_image = g.H * g.W * g.R * g.S * k * dtype.itemsize // (g.stride[0] * g.stride[1]) ** 2
    batches = chunks(n, per_image)
    product_of = multiply if len(batches) > 1 else products.matmul_each

    def task(index: int) -> None:
        batch = batches[index]
        image = framed(y[batch], (before_h, before_w), (height, width))
        for h, tap_r, first_h, step_h in rows:
            for v, tap_s, first_w, step_w in cols:
                target = x[batch, h, v]
                if not tap_r or not tap_s:
                    target[...] = 0
                    end(target, b, f)
                    continue
                start = (before_h + first_h, before_w + first_w)
                count, step = target.shape[1:3], (step_h, step_w)
                some = len(tap_r), len(tap_s)
                if short:
                    columns = _by_columns(image, start, count, some, step)
                else:
                    columns = matrix(windows(image, start, (1, 1), count, some, step, g.groups))
                class_filters = filters[tuple(tap_r), tuple(tap_s)]
                shape = g.groups, columns.shape[1], w.shape[1]
                whole = g.groups == 1 and target.flags.c_contiguous  # rows, as with stride 1
                product = target.reshape(shape) if whole else scratch("product", shape, dtype)
                product_of(columns, class_filters, product)
                if not whole:
                    target[...] = product.transpose(1, 0, 2).reshape(target.shape)
                end(target, b, f)

    parallel(task, len(batches))
    return nchw(x)
