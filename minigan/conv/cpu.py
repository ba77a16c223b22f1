"""The convolution triple as a few matrix products.

Memory is NHWC inside (channels last), shapes are NCHW outside: a result is a transposed view, and
an input that is such a view costs no conversion.

* fprop: the R×S×C values under the filter, for every output pixel, form a row of a matrix
  ("im2col"); one product with the filter matrix gives the output.
* wgrad: the same matrix, transposed, times the output gradient.
* dgrad: a pixel of x receives from output p through tap r where  stride·p + dilation·r = h + top.
  So all pixels with the same residue of (h + top) modulo the stride see the same taps: for each
  of the stride² residue classes dgrad is a small stride-1 convolution of y, no zeros inserted and
  nothing scattered.  With few channels in x it is cheaper to multiply first and add each tap's
  contribution into place ("col2im"), because then the matrix is the smaller of the two.

The batch is cut into chunks whose matrix stays in cache.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .geometry import Geometry

CHUNK_BYTES = 4 << 20  # of im2col matrix at a time


def _chunks(n: int, bytes_per_image: int):
    step = max(1, CHUNK_BYTES // max(bytes_per_image, 1))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def _nhwc(x: np.ndarray, before: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """x (N, C, H, W) as contiguous NHWC in a zero frame of ``size``, starting at ``before``.

    Rows and columns that do not fit the frame are cut off.
    """
    image = x.transpose(0, 2, 3, 1)
    n, h, w, c = image.shape
    if before == (0, 0) and size == (h, w):
        return np.ascontiguousarray(image)
    frame = np.zeros((n, *size, c), x.dtype)
    (top, left), (height, width) = before, size
    source = image[:, : max(height - top, 0), : max(width - left, 0)]
    frame[:, top : top + source.shape[1], left : left + source.shape[2]] = source
    return frame


def _windows(image, start, step, count, taps, tap_step, groups):
    """View (groups, N, rows, columns, R, S, C/groups) of the pixels under each filter position."""
    n, _, _, c = image.shape
    sn, sh, sw, sc = image.strides
    view = as_strided(
        image[:, start[0] :, start[1] :],
        (groups, n, *count, *taps, c // groups),
        (c // groups * sc, sn, step[0] * sh, step[1] * sw, tap_step[0] * sh, tap_step[1] * sw, sc),
        writeable=False,
    )
    return view


def _matrix(windows: np.ndarray) -> np.ndarray:
    """Windows as (groups, pixels, taps): one row for each filter position."""
    groups, n, p, q, r, s, c = windows.shape
    return windows.reshape(groups, n * p * q, r * s * c)


def _frame(g: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the image starts in the part of the padded image that filters reach, and its size."""
    height = (g.P - 1) * g.stride[0] + (g.R - 1) * g.dilation[0] + 1
    width = (g.Q - 1) * g.stride[1] + (g.S - 1) * g.dilation[1] + 1
    return (g.pad[0], g.pad[2]), (height, width)


def _filter_matrix(w: np.ndarray, groups: int) -> np.ndarray:
    """w (K, C/groups, R, S) as (groups, R·S·C/groups, K/groups)."""
    k, c, r, s = w.shape
    return (
        w.reshape(groups, k // groups, c, r, s)
        .transpose(0, 3, 4, 2, 1)
        .reshape(groups, r * s * c, k // groups)
    )


def _to_pixels(y: np.ndarray, groups: int) -> np.ndarray:
    """y (N, K, P, Q) as (groups, N·P·Q, K/groups)."""
    n, k, p, q = y.shape
    return y.transpose(0, 2, 3, 1).reshape(n * p * q, groups, k // groups).transpose(1, 0, 2)


def fprop(g: Geometry, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The convolution of x (N, C, H, W) with w (K, C/groups, R, S): (N, K, P, Q)."""
    n, k = x.shape[0], w.shape[0]
    dtype = np.result_type(x, w)
    filters = _filter_matrix(w, g.groups)
    y = np.empty((n, g.P, g.Q, k), dtype)
    row = g.P * g.Q * filters.shape[1] * g.groups * dtype.itemsize
    for chunk in _chunks(n, row):
        image = _nhwc(x[chunk], *_frame(g))
        columns = _matrix(
            _windows(image, (0, 0), g.stride, (g.P, g.Q), (g.R, g.S), g.dilation, g.groups)
        )
        _multiply_groups(columns, filters, y[chunk].reshape(-1, k))
    return y.transpose(0, 3, 1, 2)


def _multiply_groups(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out[:, group's columns] = a[group] · b[group] (``out`` is 2-D and contiguous)."""
    if len(a) == 1:
        np.matmul(a[0], b[0], out=out)
    else:
        out.reshape(out.shape[0], len(a), -1)[...] = np.matmul(a, b).transpose(1, 0, 2)


def wgrad(g: Geometry, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    n, c, k = x.shape[0], x.shape[1] // g.groups, y.shape[1]
    dtype = np.result_type(x, y)
    total = np.zeros((g.groups, g.R * g.S * c, k // g.groups), dtype)
    row = g.P * g.Q * g.R * g.S * x.shape[1] * dtype.itemsize
    for chunk in _chunks(n, row):
        image = _nhwc(x[chunk], *_frame(g))
        columns = _matrix(
            _windows(image, (0, 0), g.stride, (g.P, g.Q), (g.R, g.S), g.dilation, g.groups)
        )
        total += np.matmul(columns.transpose(0, 2, 1), _to_pixels(y[chunk], g.groups))
    w = total.reshape(g.groups, g.R, g.S, c, k // g.groups).transpose(0, 4, 3, 1, 2)
    return w.reshape(k, c, g.R, g.S)


def dgrad(g: Geometry, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C/groups, R, S)."""
    c, k = w.shape[1], w.shape[0] // g.groups
    thin = c * 4 <= k and g.stride != (1, 1)
    return _dgrad_col2im(g, y, w) if thin else _dgrad_residues(g, y, w)


def _dgrad_col2im(g: Geometry, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    n, c = y.shape[0], w.shape[1] * g.groups
    dtype = np.result_type(y, w)
    filters = _filter_matrix(w, g.groups).transpose(0, 2, 1)
    x = np.zeros((n, g.H, g.W, c), dtype)
    (top, left), (height, width) = _frame(g)
    rows, cols = max(min(height - top, g.H), 0), max(min(width - left, g.W), 0)
    for chunk in _chunks(n, g.P * g.Q * g.R * g.S * c * dtype.itemsize):
        columns = np.matmul(_to_pixels(y[chunk], g.groups), filters)
        count = len(y[chunk])
        shape = (g.groups, count, g.P, g.Q, g.R, g.S, w.shape[1])
        taps = columns.reshape(shape).transpose(4, 5, 1, 2, 3, 0, 6)  # R, S, N, P, Q, groups, C/g
        frame = np.zeros((count, height, width, c), dtype)
        split = frame.reshape(*frame.shape[:3], g.groups, w.shape[1])
        for r in range(g.R):
            for s in range(g.S):
                i, j = r * g.dilation[0], s * g.dilation[1]
                split[
                    :,
                    i : i + (g.P - 1) * g.stride[0] + 1 : g.stride[0],
                    j : j + (g.Q - 1) * g.stride[1] + 1 : g.stride[1],
                ] += taps[r, s]
        x[chunk, :rows, :cols] = frame[:, top : top + rows, left : left + cols]
    return x.transpose(0, 3, 1, 2)


def _residue_classes(size: int, stride: int, dilation: int, taps: int, pad: int):
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


def _dgrad_residues(g: Geometry, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    n, c, k = y.shape[0], w.shape[1] * g.groups, w.shape[0]
    dtype = np.result_type(y, w)
    x = np.empty((n, g.H, g.W, c), dtype)
    rows = list(_residue_classes(g.H, g.stride[0], g.dilation[0], g.R, g.pad[0]))
    cols = list(_residue_classes(g.W, g.stride[1], g.dilation[1], g.S, g.pad[2]))
    (before_h, height), (before_w, width) = _reach(rows, g.H, g.P), _reach(cols, g.W, g.Q)
    # (groups, R, S, K/groups, C/groups): a class takes its taps out of it
    taps = w.reshape(g.groups, k // g.groups, w.shape[1], g.R, g.S).transpose(0, 3, 4, 1, 2)
    per_image = g.H * g.W * g.R * g.S * k * dtype.itemsize // (g.stride[0] * g.stride[1])
    for chunk in _chunks(n, per_image):
        image = _nhwc(y[chunk], (before_h, before_w), (height, width))
        for h, tap_r, first_h, step_h in rows:
            for v, tap_s, first_w, step_w in cols:
                target = x[chunk, h, v]
                if not tap_r or not tap_s:
                    target[...] = 0
                    continue
                columns = _matrix(
                    _windows(
                        image,
                        (before_h + first_h, before_w + first_w),
                        (1, 1),
                        target.shape[1:3],
                        (len(tap_r), len(tap_s)),
                        (step_h, step_w),
                        g.groups,
                    )
                )
                filters = taps[:, tap_r][:, :, tap_s].reshape(g.groups, -1, w.shape[1])
                product = np.matmul(columns, filters).transpose(1, 0, 2)
                target[...] = product.reshape(target.shape)
    return x.transpose(0, 3, 1, 2)


def _reach(classes: list, size: int, outputs: int) -> tuple[int, int]:
    """The zero frame that the classes read: entries before output 0, and the whole length."""
    low, high = 0, outputs
    for pixels, chosen, first, step in classes:
        if chosen:
            count = len(range(*pixels.indices(size)))
            low = min(low, first)
            high = max(high, first + count + step * (len(chosen) - 1))
    return -low, high - low
