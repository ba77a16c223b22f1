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
    return _backend(x).fprop(g, x, w, b, kept, low, activation)


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
    return _backend(y).dgrad(g, y, w, b, kept, low, activation)


def wgrad(g: Geometry, x: Array, y: Array, kept: Kept = NOTHING, low: bool = False) -> Array:
    """The adjoint of ``fprop`` in w: (K, C/groups, R, S)."""
    return _backend(x).wgrad(g, x, y, kept, low)


__all__ = ["NONE", "Activation", "Geometry", "Kept", "algorithm", "dgrad", "fprop", "wgrad"]
