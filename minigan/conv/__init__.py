"""Convolution as a closed triple of array routines.

With x the image (N, C, H, W), w the filter (K, C/groups, R, S) and y the output (N, K, P, Q):

* ``fprop(g, x, w) -> y``  the convolution (a cross-correlation, as in every deep-learning library)
* ``dgrad(g, y, w) -> x``  its adjoint in x: also the forward pass of a transposed convolution
* ``wgrad(g, x, y) -> w``  its adjoint in w

    ⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩

The form on the left is linear in each of its three arguments, so the gradient of every routine is
made of the other two, and nothing else is ever needed.  Each device registers its own three.
"""

from __future__ import annotations

from ..array import Array, array_module
from . import cpu
from .cpu import algorithm
from .geometry import Geometry
from .kept import NOTHING, Kept

_routines = {"numpy": cpu}


def _backend(array: Array):
    name = array_module(array).__name__
    if name not in _routines:
        from . import cuda

        _routines[name] = cuda
    return _routines[name]


def fprop(g: Geometry, x: Array, w: Array, b: Array | None = None, kept: Kept = NOTHING) -> Array:
    """The convolution of x with w: (N, K, P, Q); plus the bias b (K,).

    In all three, ``kept`` holds what calls with the same operands have in common.
    """
    return _backend(x).fprop(g, x, w, b, kept)


def dgrad(g: Geometry, y: Array, w: Array, b: Array | None = None, kept: Kept = NOTHING) -> Array:
    """The adjoint of ``fprop`` in x: (N, C, H, W); plus the bias b (C,)."""
    return _backend(y).dgrad(g, y, w, b, kept)


def wgrad(g: Geometry, x: Array, y: Array, kept: Kept = NOTHING) -> Array:
    """The adjoint of ``fprop`` in w: (K, C/groups, R, S)."""
    return _backend(x).wgrad(g, x, y, kept)


__all__ = ["Geometry", "Kept", "algorithm", "dgrad", "fprop", "wgrad"]
