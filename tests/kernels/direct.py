"""Convolutions as they are defined, in float64, one tap at a time: the kernels' oracle."""

from __future__ import annotations

import numpy as np

from minigan.conv.geometry import Geometry

U = 2.0**-24  # half the distance of 1 to the next float32


def triple(g: Geometry, x, w, y):
    """fprop(x, w), dgrad(y, w) and wgrad(x, y)."""
    n, k, per = x.shape[0], w.shape[0] // g.groups, w.shape[1]
    top, bottom, left, right = g.pad
    frame = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    frame = frame.reshape(n, g.groups, per, *frame.shape[2:])
    filters = w.astype(np.float64).reshape(g.groups, k, per, g.R, g.S)
    given = y.astype(np.float64).reshape(n, g.groups, k, g.P, g.Q)
    out, back, moved = np.zeros_like(given), np.zeros_like(frame), np.zeros_like(filters)
    for r, s, rows, columns in g.taps():
        seen, tap = frame[..., rows, columns], filters[..., r, s]
        out += np.einsum("ngchw,gkc->ngkhw", seen, tap)
        back[..., rows, columns] += np.einsum("ngkhw,gkc->ngchw", given, tap)
        moved[..., r, s] = np.einsum("ngchw,ngkhw->gkc", seen, given)
    back = back[..., top : top + g.H, left : left + g.W]
    return out.reshape(y.shape), back.reshape(x.shape), moved.reshape(w.shape)


def magnitudes(g: Geometry, x, w, y):
    """The same of absolute values, Σ|a||b|: what rounding errors are measured against."""
    return triple(g, abs(x), abs(w), abs(y))


def operands(g: Geometry, n: int, c: int, k: int, seed: int = 0, whole: bool = False):
    """x, w and y, normal or whole numbers in [-8, 8]."""
    rng = np.random.default_rng(seed)
    shapes = (n, c, g.H, g.W), (k, c // g.groups, g.R, g.S), (n, k, g.P, g.Q)
    if whole:
        return [rng.integers(-8, 9, shape).astype(np.float32) for shape in shapes]
    return [rng.standard_normal(shape, np.float32) for shape in shapes]
