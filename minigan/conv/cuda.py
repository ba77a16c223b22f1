"""The convolution triple on CuPy arrays: the project's own kernels (``kernels/``) compute float32.

What they are not made for (another dtype, an empty batch, tensors of 2³¹ numbers, more groups than
a grid has blocks) goes the plain way, im2col and cuBLAS.  Arithmetic is float32 unless
``minigan.cuda.allow_tf32`` or ``allow_bf16`` is set and the GPU has tensor cores for it (compute
capability 8.0), or ``low`` asks for operands rounded to BF16, which they are then in any case.
Winograd's form, whose rounding errors are some times larger, is taken where
``ladder_tiles.WINOGRAD`` says that it is faster: so far nowhere; nothing is kept between calls.
Bias and activation are the kernels' epilogue: no launch of their own.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from .. import cuda, fused
from ..array import Array, array_module
from ..cuda import launcher
from ..cuda.launch import GridError, Launch
from . import ladder, ladder_plan, ladder_thin, ladder_winograd, plain
from .activation import NONE, Activation, finished
from .geometry import Geometry
from .kept import NOTHING, Kept
from .ladder_tiles import choose_rung, choose_winograd

OLDEST = 75  # the compute capability that the kernels are written for
FIRST_ROUNDED = 4  # the first rung that rounds its operands, for the tensor cores
BF16 = 5  # the rung that rounds them to BF16


def fprop(
    g: Geometry,
    x: Array,
    w: Array,
    b: Array | None = None,
    kept: Kept = NOTHING,
    low: bool = False,
    activation: Activation = NONE,
) -> Array:
    """f(x ∗ w + b), of x (N, C, H, W), w (K, C/groups, R, S) and b (K,): (N, K, P, Q)."""
    shape = (x.shape[0], w.shape[0], g.P, g.Q)
    return _computed("fprop", g, (x, w, b), shape, x.shape[1], w.shape[0], low, activation)


def dgrad(
    g: Geometry,
    y: Array,
    w: Array,
    b: Array | None = None,
    kept: Kept = NOTHING,
    low: bool = False,
    activation: Activation = NONE,
) -> Array:
    """f(dgrad(y, w) + b), of y (N, K, P, Q), w (K, C/groups, R, S) and b (C,): (N, C, H, W)."""
    channels = w.shape[1] * g.groups
    shape = (y.shape[0], channels, g.H, g.W)
    return _computed("dgrad", g, (y, w, b), shape, channels, w.shape[0], low, activation)


def wgrad(g: Geometry, x: Array, y: Array, kept: Kept = NOTHING, low: bool = False) -> Array:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    shape = (y.shape[1], x.shape[1] // g.groups, g.R, g.S)
    return _computed("wgrad", g, (x, y), shape, x.shape[1], y.shape[1], low)


def _computed(
    routine: str,
    g: Geometry,
    operands: tuple,
    shape: tuple[int, ...],
    c: int,
    k: int,
    low: bool,
    activation: Activation = NONE,
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
        return finished(getattr(plain, routine)(g, *_factors(operands, low)), activation)
    contiguous = array_module(given[0]).ascontiguousarray
    operands = tuple(a if a is None else contiguous(a) for a in operands)
    try:
        launches, out = _plan(routine, g, operands, shape, c, k, capability, low, activation)
    except GridError:
        return finished(getattr(plain, routine)(g, *_factors(operands, low)), activation)
    launcher.run(launches)
    return out


def _factors(operands: tuple, low: bool) -> tuple:
    """The operands, but the bias rounded to BF16 where that is asked for."""
    return (*map(fused.rounded, operands[:2]), *operands[2:]) if low else operands


def _plan(
    routine: str,
    g: Geometry,
    operands: tuple,
    shape: tuple,
    c: int,
    k: int,
    capability: int,
    low: bool,
    activation: Activation,
) -> tuple[list[Launch], Array]:
    """The launches, and the array that they fill: the ladder where nothing special is faster."""
    rung = choose_rung(capability, cuda.allow_tf32, cuda.allow_bf16 or low)
    special = _special(routine, g, c, k, rung, capability)
    if special is not None or rung < BF16:  # which rounds what it loads
        operands = _factors(operands, low)
    last = {} if activation == NONE else {"activation": activation.name, "slope": activation.slope}
    if special is None:
        plan = getattr(ladder, routine)(g, *operands, rung=rung, architecture=capability, **last)
        return plan.launches, plan.output
    first, second, *bias = operands
    out = array_module(first).empty(shape, np.float32)
    return getattr(special, routine)(g, first, second, out, *bias, **last), out


def _special(
    routine: str, g: Geometry, c: int, k: int, rung: int, capability: int
) -> ModuleType | None:
    """The plans for few channels, or Winograd's where float32 is asked for and it is faster."""
    if ladder_thin.fits(routine, g, c, k):
        return ladder_thin
    if rung >= FIRST_ROUNDED or not ladder_winograd.fits(g):
        return None
    faster = choose_winograd(capability, ladder_winograd.saving(g, c, k))
    return ladder_winograd if faster else None
