"""The convolution triple by im2col and one matrix product, for any array module and dtype.

R·S strided copies or additions over the whole batch at once; on CuPy arrays the product is cuBLAS.
"""

from __future__ import annotations

from ..array import array_module
from .geometry import Geometry


def _frame_size(g: Geometry) -> tuple[int, int]:
    t, b, left, right = g.pad
    return g.H + t + b, g.W + left + right


def _columns(g: Geometry, x):
    """(N, groups, C/groups · R · S, P · Q)."""
    xp = array_module(x)
    n, c = x.shape[0], x.shape[1] // g.groups
    frame = xp.zeros((n, g.groups, c, *_frame_size(g)), dtype=x.dtype)
    split = x.reshape(n, g.groups, c, g.H, g.W)
    frame[..., g.pad[0] : g.pad[0] + g.H, g.pad[2] : g.pad[2] + g.W] = split
    columns = xp.empty((n, g.groups, c, g.R, g.S, g.P, g.Q), dtype=x.dtype)
    for r, s, down, across in g.taps():
        columns[:, :, :, r, s] = frame[..., down, across]
    return columns.reshape(n, g.groups, c * g.R * g.S, g.P * g.Q)


def fprop(g: Geometry, x, w, b=None):
    """The convolution of x (N, C, H, W) with w (K, C/groups, R, S), plus b (K,): (N, K, P, Q)."""
    k = w.shape[0]
    y = array_module(x).matmul(w.reshape(g.groups, k // g.groups, -1), _columns(g, x))
    y = y.reshape(x.shape[0], k, g.P, g.Q)
    return y if b is None else y + b.reshape(-1, 1, 1)


def dgrad(g: Geometry, y, w, b=None):
    """The adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C/groups, R, S), plus b (C,)."""
    xp = array_module(y)
    n, k, c = y.shape[0], w.shape[0], w.shape[1]
    filters = w.reshape(g.groups, k // g.groups, -1).transpose(0, 2, 1)
    columns = xp.matmul(filters, y.reshape(n, g.groups, k // g.groups, g.P * g.Q))
    columns = columns.reshape(n, g.groups, c, g.R, g.S, g.P, g.Q)
    frame = xp.zeros((n, g.groups, c, *_frame_size(g)), dtype=columns.dtype)
    for r, s, down, across in g.taps():
        frame[..., down, across] += columns[:, :, :, r, s]
    x = frame[..., g.pad[0] : g.pad[0] + g.H, g.pad[2] : g.pad[2] + g.W]
    x = x.reshape(n, g.groups * c, g.H, g.W)
    return x if b is None else x + b.reshape(-1, 1, 1)


def wgrad(g: Geometry, x, y):
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    n, k = y.shape[:2]
    columns = _columns(g, x).transpose(0, 1, 3, 2)
    outputs = y.reshape(n, g.groups, k // g.groups, g.P * g.Q)
    w = array_module(y).matmul(outputs, columns).sum(axis=0)
    return w.reshape(k, x.shape[1] // g.groups, g.R, g.S)
