"""Sums, differences, products and quotients: a class is a formula and its derivative.

Operands broadcast against each other; the gradient sums back over what was broadcast.  Every
forward here and in ``powers``, ``smooth`` and ``kinks`` is also right for complex arrays as the
analytic continuation of the real function (a condition looks at the real part), which is what
lets gradcheck differentiate by a complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._tensor import Tensor
from ..autograd import Function
from ._common import Number, as_tensor, operands, sum_to


class Add(Function):
    """y = a + b;  ∂y/∂a = ∂y/∂b = 1."""

    reads = ((), ())

    def forward(self, a, b):
        return a + b

    def vjp(self, needs, g, y, a, b):
        return sum_to(g, a) if needs[0] else None, sum_to(g, b) if needs[1] else None


class Sub(Function):
    """y = a - b;  ∂y/∂a = 1, ∂y/∂b = -1."""

    reads = ((), ())

    def forward(self, a, b):
        return a - b

    def vjp(self, needs, g, y, a, b):
        return sum_to(g, a) if needs[0] else None, sum_to(-g, b) if needs[1] else None


class Mul(Function):
    """y = a·b;  ∂y/∂a = b, ∂y/∂b = a."""

    reads = ((1,), (0,))

    def forward(self, a, b):
        return a * b

    def vjp(self, needs, g, y, a, b):
        return sum_to(g * b, a) if needs[0] else None, sum_to(g * a, b) if needs[1] else None


class Div(Function):
    """y = a/b;  ∂y/∂a = 1/b, ∂y/∂b = -y/b."""

    reads = ((1,), (1, "y"))

    def forward(self, a, b):
        return a / b

    def vjp(self, needs, g, y, a, b):
        quotient = g / b
        return (
            sum_to(quotient, a) if needs[0] else None,
            sum_to(-quotient * y, b) if needs[1] else None,
        )


class Neg(Function):
    """y = -x;  ∂y/∂x = -1."""

    reads = ((),)

    def forward(self, x):
        return -x

    def vjp(self, needs, g, y, x):
        return (-g,)


def broadcasting(name: str, function: Callable[..., Tensor], *values: Any) -> Tensor:
    """``function(*values)``, with one clear error for shapes that do not broadcast."""
    try:
        return function(*values)
    except ValueError as error:
        shapes = " and ".join(str(v.shape) for v in values if isinstance(v, Tensor))
        raise RuntimeError(f"{name}: shapes {shapes} do not broadcast") from error


def add(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input + alpha·other, elementwise with broadcasting."""
    other = other if alpha == 1 else mul(other, alpha)
    return broadcasting("add", Add(), *operands("add", input, other))


def sub(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input - alpha·other, elementwise with broadcasting."""
    other = other if alpha == 1 else mul(other, alpha)
    a, b = operands("sub", input, other)
    if isinstance(a, Tensor) and a.dtype.kind == "b":
        raise RuntimeError("sub: bool tensors cannot be subtracted; use != for exclusive or")
    return broadcasting("sub", Sub(), a, b)


def mul(input: Any, other: Any) -> Tensor:
    """input·other, elementwise with broadcasting."""
    return broadcasting("mul", Mul(), *operands("mul", input, other))


def div(input: Any, other: Any) -> Tensor:
    """input/other, elementwise with broadcasting; integers give floats."""
    return broadcasting("div", Div(), *operands("div", input, other, floating=True))


def neg(input: Tensor) -> Tensor:
    """-input."""
    x = as_tensor("neg", input)
    if x.dtype.kind == "b":
        raise RuntimeError("neg: a bool tensor has no negative; use ~ to invert a mask")
    return Neg()(x)


def square(input: Tensor) -> Tensor:
    """input²."""
    return mul(input, input)
