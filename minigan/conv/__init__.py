"""Convolution as a closed triple of array routines.

With x the image (N, C, H, W), w the filter (K, C/groups, R, S) and y the output (N, K, P, Q):

* ``fprop(g, x, w) -> y``  the convolution (a cross-correlation, as in every deep-learning library)
* ``dgrad(g, y, w) -> x``  its adjoint in x: also the forward pass of a transposed convolution
* ``wgrad(g, x, y) -> w``  its adjoint in w

    ⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩

The form on the left is linear in each of its three arguments, so the gradient of every routine is
made of the other two, and nothing else is ever needed.  Each device registers its own three.

The two that make images may add a bias and end in an activation (``activation.py``), which costs
less there than as operations of their own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from .. import fused
from ..array import Array, array_module
from .activation import NONE, Activation
from .geometry import Geometry
from .kept import NOTHING, Kept

_routines: dict[str, ModuleType] = {}  # by array module, imported when first convolved with


def _backend(array: Array) -> ModuleType:
    name = array_module(array).__name__
    if name not in _routines:
        if name == "numpy":
            from . import cpu as routines
        else:
            from . import cuda as routines
        _routines[name] = routines
    return _routines[name]


def algorithm(name: str) -> AbstractContextManager[None]:
    """A block in which convolutions on the CPU use one algorithm wherever it fits."""
    from . import cpu

    return cpu.algorithm(name)


def _call(
    routine: str, g: Geometry, operands: tuple, low: bool, *others: Any, **options: Any
) -> Array:
    """The device's routine, which rounds by itself on a GPU."""
    backend = _backend(operands[0])
    if low and backend is _routines.get("numpy"):  # copies are new: what is made of them is too
        operands, others = tuple(map(fused.rounded, operands)), (*others[:-1], NOTHING)
    elif low:
        options["low"] = True
    return getattr(backend, routine)(g, *operands, *others, **options)


def fprop(
    g: Geometry,
    x: Array,
    w: Array,
    b: Array | None = None,
    kept: Kept = NOTHING,
    low: bool = False,
    activation: Activation = NONE,
) -> Array:
    """The convolution of x with w: (N, K, P, Q); plus the bias b (K,), then the activation.

    In all three, ``kept`` holds what calls with the same operands have in common, and ``low`` asks
    for operands (not b) rounded to BF16, exact products and sums in float32.
    """
    return _call("fprop", g, (x, w), low, b, kept, activation=activation)


def dgrad(
    g: Geometry,
    y: Array,
    w: Array,
    b: Array | None = None,
    kept: Kept = NOTHING,
    low: bool = False,
    activation: Activation = NONE,
) -> Array:
    """The adjoint of ``fprop`` in x: (N, C, H, W); plus the bias b (C,), then the activation."""
    return _call("dgrad", g, (y, w), low, b, kept, activation=activation)


def wgrad(g: Geometry, x: Array, y: Array, kept: Kept = NOTHING, low: bool = False) -> Array:
    """The adjoint of ``fprop`` in w: (K, C/groups, R, S)."""
    return _call("wgrad", g, (x, y), low, kept)


__all__ = ["NONE", "Activation", "Geometry", "Kept", "algorithm", "dgrad", "fprop", "wgrad"]
