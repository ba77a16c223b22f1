"""Functions that are constant between jumps: rounding.  Their gradient is zero."""

from __future__ import annotations

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor


class Rounded(Function):
    """y = x rounded down, up, to the nearest or towards zero;  ∂y/∂x = 0."""

    reads = ((),)

    def __init__(self, kind: str):
        self.kind = kind  # the name of the array function

    def forward(self, x):
        return getattr(array_module(x), self.kind)(x.real).astype(x.dtype, copy=False)

    def vjp(self, needs, g, y, x):
        return (None,)


def _rounded(name: str, kind: str, input: Tensor) -> Tensor:
    x = as_tensor(name, input)
    return Rounded(kind)(x) if x.dtype.kind in "fc" else x.clone()


def floor(input: Tensor) -> Tensor:
    """The largest integer that is not above."""
    return _rounded("floor", "floor", input)


def ceil(input: Tensor) -> Tensor:
    """The smallest integer that is not below."""
    return _rounded("ceil", "ceil", input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest multiple of 10^-decimals; halves go to the even one.

    >>> import minigan
    >>> round(minigan.tensor([0.5, 1.5, -0.6]))
    tensor([ 0.,  2., -1.], dtype=float32)
    """
    if decimals == 0:
        return _rounded("round", "rint", input)
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return _rounded("round", "rint", input * scale) / scale
    return _rounded("round", "rint", input / scale) * scale


def trunc(input: Tensor) -> Tensor:
    """The integer part: rounded towards zero."""
    return _rounded("trunc", "trunc", input)
