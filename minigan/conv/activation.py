"""The activation that a convolution may end in: y = f(x ∗ w + b).

As an operation of its own it would read all of y from memory and write it again.  The kernels do it
while a sum is still in its register (``kernels/epilogue.cuh``), the algorithms of the CPU while a
few images of the result are in cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import fused
from ..array import Array, array_module
from ..fused import blocked


class Activation(NamedTuple):
    """ "none", "relu", "leaky_relu" (max(v, slope·v) with 0 < slope < 1) or "tanh"."""

    name: str = "none"
    slope: float = 0.0


NONE = Activation()


def rectifier(slope: float) -> Activation:
    """The LeakyReLU of that slope, from 0 to 1.

    >>> rectifier(0.0), rectifier(0.2)
    (Activation(name='relu', slope=0.0), Activation(name='leaky_relu', slope=0.2))
    """
    return Activation("leaky_relu", slope) if slope else Activation("relu")


def finished(y: Array, f: Activation) -> Array:
    """f(y) of a result that nobody else holds: in its own memory, where that can be."""
    if f == NONE:
        return y
    if f.name == "tanh":
        return array_module(y).tanh(y, out=y)
    flat = blocked.in_order(y) if isinstance(y, np.ndarray) and y.dtype.kind == "f" else None
    if flat is None:
        return fused.leaky_relu(y, f.slope)
    for start in range(0, flat.size, blocked.BLOCK):
        part = flat[start : start + blocked.BLOCK]
        blocked.rectify(part, f.slope, part)
    return y


def end(out: np.ndarray, b: np.ndarray | None, f: Activation) -> None:
    """out ← f(out + b), of images (N, H, W, C) just computed, or (N, C, H, W) where b is None."""
    if b is not None:
        out += b
    if f != NONE:
        y = finished(out, f)
        if y is not out:  # complex numbers, and views with gaps
            out[...] = y
