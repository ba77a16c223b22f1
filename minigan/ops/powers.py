"""Powers, roots, the exponential and the logarithm."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..array import array_module, result_dtype
from ..autograd import Function
from ._common import Number, as_float, as_scalar, operands, sum_to
from .arithmetic import broadcasting
from .kinks import where


class PowNumber(Function):
    """y = x^p for a number p;  ∂y/∂x = p·x^(p-1), and 0 for p = 0 also at x = 0."""

    reads = ((0,),)

    def __init__(self, exponent: Number):
        self.exponent = exponent

    def forward(self, x):
        return x**self.exponent

    def vjp(self, needs, g, y, x):
        p = self.exponent
        if p == 0:
            return (g * 0,)
        return (g * p if p == 1 else g * (x * p if p == 2 else x ** (p - 1) * p),)


class Pow(Function):
    """y = a^b;  ∂y/∂a = b·a^(b-1) (0 where a = b = 0), ∂y/∂b = y·ln a (0 where a = 0, b ≥ 0)."""

    reads = ((0, 1), (0, 1, "y"))

    def forward(self, a, b):
        return a**b

    def vjp(self, needs, g, y, a, b):
        ga = gb = None
        zero = a == 0
        if needs[0]:
            ga = sum_to(g * (b * a ** where(zero * (b == 0), b, b - 1)), a)
        if needs[1]:
            gb = sum_to(g * (y * log(where(zero * (b >= 0), 1.0, a))), b)
        return ga, gb


class Exp(Function):
    """y = e^x;  ∂y/∂x = y."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).exp(x)

    def vjp(self, needs, g, y, x):
        return (g * y,)


class Log(Function):
    """y = ln x;  ∂y/∂x = 1/x."""

    reads = ((0,),)

    def forward(self, x):
        return array_module(x).log(x)

    def vjp(self, needs, g, y, x):
        return (g / x,)


class Sqrt(Function):
    """y = √x;  ∂y/∂x = 1/(2y)."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).sqrt(x)

    def vjp(self, needs, g, y, x):
        return (g / (y * 2),)


def pow(input: Any, exponent: Any) -> Tensor:
    """input^exponent, elementwise with broadcasting."""
    a, b = operands("pow", input, exponent)
    if not isinstance(b, Tensor):
        if a.dtype.kind in "iu" and b < 0:
            raise RuntimeError("pow: integers to negative integer powers are not integers")
        return PowNumber(b)(a)
    if b.dtype.kind == "i" and (b.array < 0).any():
        raise RuntimeError("pow: integers to negative integer powers are not integers")
    if not isinstance(a, Tensor):
        a = as_scalar(a, b, result_dtype(a, b.array))
    return broadcasting("pow", Pow(), a, b)


def exp(input: Tensor) -> Tensor:
    """e^input."""
    return Exp()(as_float("exp", input))


def log(input: Tensor) -> Tensor:
    """The natural logarithm."""
    return Log()(as_float("log", input))


def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2."""
    return log(input) / math.log(2)


def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10."""
    return log(input) / math.log(10)


def sqrt(input: Tensor) -> Tensor:
    """The square root; its gradient at 0 is inf."""
    return Sqrt()(as_float("sqrt", input))
