"""The convolution triple on CuPy arrays: the project's own kernels (``kernels/``) compute float32.

What they are not made for (another dtype, an empty batch, tensors of 2³¹ numbers) goes the plain
way, im2col and cuBLAS.  Arithmetic is exact float32 unless ``minigan.cuda.allow_tf32`` is set and
the GPU has tensor cores for it (compute capability 8.0).
"""

from __future__ import annotations

import numpy as np

from .. import cuda
from ..array import Array, array_module
from ..cuda import launcher
from ..cuda.launch import Launch
from . import ladder, ladder_plan, ladder_thin, plain
from .geometry import Geometry
from .ladder_tiles import choose_rung

OLDEST = 75  # the compute capability that the kernels are written for


def fprop(g: Geometry, x: Array, w: Array, b: Array | None = None) -> Array:
    """The convolution of x (N, C, H, W) with w (K, C/groups, R, S), plus b (K,): (N, K, P, Q)."""
    shape = (x.shape[0], w.shape[0], g.P, g.Q)
    return _computed("fprop", g, (x, w, b), shape, x.shape[1], w.shape[0])


def dgrad(g: Geometry, y: Array, w: Array, b: Array | None = None) -> Array:
    """The adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C/groups, R, S), plus b (C,)."""
    channels = w.shape[1] * g.groups
    shape = (y.shape[0], channels, g.H, g.W)
    return _computed("dgrad", g, (y, w, b), shape, channels, w.shape[0])


def wgrad(g: Geometry, x: Array, y: Array) -> Array:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    shape = (y.shape[1], x.shape[1] // g.groups, g.R, g.S)
    return _computed("wgrad", g, (x, y), shape, x.shape[1], y.shape[1])


def _computed(
    routine: str, g: Geometry, operands: tuple, shape: tuple[int, ...], c: int, k: int
) -> Array:
    given = [a for a in operands if a is not None]
    capability = launcher.capability(given[0])
    if (
        capability is None
        or capability < OLDEST
        or any(a.dtype != np.float32 for a in given)
        or not min(a.size for a in given)
        or max(int(np.prod(shape)), *(a.size for a in given)) >= ladder_plan.LIMIT
    ):
        return getattr(plain, routine)(g, *operands)
    contiguous = array_module(given[0]).ascontiguousarray
    operands = tuple(a if a is None else contiguous(a) for a in operands)
    launches, out = _plan(routine, g, operands, shape, c, k, capability)
    launcher.run(launches)
    return out


def _plan(
    routine: str, g: Geometry, operands: tuple, shape: tuple, c: int, k: int, capability: int
) -> tuple[list[Launch], Array]:
    """The launches, and the array that they fill: thin kernels where they fit, else the ladder."""
    if ladder_thin.fits(routine, g, c, k):
        first, second, *bias = operands
        out = array_module(first).empty(shape, np.float32)
        return getattr(ladder_thin, routine)(g, first, second, out, *bias), out
    rung = choose_rung(capability, cuda.allow_tf32)
    plan = getattr(ladder, routine)(g, *operands, rung=rung, architecture=capability)
    return plan.launches, plan.output
