"""Division with a remainder: rounded quotients and what is left over.

``//`` and ``%`` round down, so that the remainder has the divisor's sign, as in Python; ``fmod``
and ``rounding_mode="trunc"`` round towards zero.  A quotient is constant between jumps: its
gradient is zero, and a - b·q has the gradients 1 and -q.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from . import arithmetic
from ._common import operands, sum_to
from .arithmetic import broadcasting
from .steps import Rounded


class Remainder(Function):
    """y = a - b·q with q = a/b rounded down or towards zero;  ∂y/∂a = 1, ∂y/∂b = -q."""

    reads = ((), (0, 1))

    def __init__(self, kind: str):
        self.kind = kind  # "floor" or "trunc"

    def forward(self, a, b):
        xp = array_module(a if hasattr(a, "dtype") else b)
        if xp.result_type(a, b).kind != "c":
            return (xp.remainder if self.kind == "floor" else xp.fmod)(a, b)
        return a - b * getattr(xp, self.kind)(xp.real(a) / xp.real(b))

    def vjp(self, needs, g, y, a, b):
        gb = None
        if needs[1]:
            gb = sum_to(-g * Rounded(self.kind)(arithmetic.div(a, b)), b)
        return sum_to(g, a) if needs[0] else None, gb


def _whole(name: str, input: Any, other: Any) -> list:
    """Operands of one dtype; integers are not divided by 0."""
    a, b = operands(name, input, other)
    tensor = a if isinstance(a, Tensor) else b
    if tensor.dtype.kind == "b":
        raise NotImplementedError(f"{name}: expected numbers, got two bool operands")
    if tensor.dtype.kind in "iu":
        zero = b.array == 0 if isinstance(b, Tensor) else array_module(tensor.array).asarray(b == 0)
        if zero.any():
            raise RuntimeError(f"{name}: an integer was divided by 0")
    return [a, b]


def remainder(input: Any, other: Any) -> Tensor:
    """input - other·⌊input/other⌋, elementwise with broadcasting: ``input % other``.

    Raises:
        RuntimeError: an integer divided by 0 (a float gives NaN).

    >>> import minigan
    >>> remainder(minigan.tensor([5, -5]), 3)
    tensor([2, 1])
    """
    return broadcasting("remainder", Remainder("floor"), *_whole("remainder", input, other))


def fmod(input: Any, other: Any) -> Tensor:
    """The remainder with the sign of ``input``: the quotient is rounded towards zero.

    >>> import minigan
    >>> fmod(minigan.tensor([5, -5]), 3)
    tensor([ 2, -2])
    """
    return broadcasting("fmod", Remainder("trunc"), *_whole("fmod", input, other))


def floor_divide(input: Any, other: Any) -> Tensor:
    """⌊input/other⌋, elementwise with broadcasting: ``input // other``; it carries no gradient.

    Raises:
        RuntimeError: an integer divided by 0.

    >>> import minigan
    >>> floor_divide(minigan.tensor([5, -5]), 3)
    tensor([ 1, -2])
    """

    def quotient(a: Any, b: Any) -> Tensor:
        a, b = (v.array if isinstance(v, Tensor) else v for v in (a, b))
        xp = array_module(a if hasattr(a, "dtype") else b)
        return Tensor(xp.asarray(xp.floor_divide(a, b)))

    return broadcasting("floor_divide", quotient, *_whole("floor_divide", input, other))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input/other, elementwise with broadcasting; integers give floats.

    Args:
        rounding_mode: "floor" rounds the quotient down, "trunc" towards zero; then integers stay
            integers, and the gradient is 0.

    Raises:
        RuntimeError: another rounding_mode, shapes that do not broadcast, an integer divided by 0
            and rounded.

    >>> import minigan
    >>> div(minigan.tensor([5, -5]), 3, rounding_mode="trunc")
    tensor([ 1, -1])
    """
    if rounding_mode is None:
        return arithmetic.div(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(f'div: rounding_mode must be "floor" or "trunc", got "{rounding_mode}"')
    a, b = _whole("div", input, other)
    if (a if isinstance(a, Tensor) else b).dtype.kind not in "iu":
        return broadcasting("div", lambda a, b: Rounded(rounding_mode)(arithmetic.div(a, b)), a, b)
    down = floor_divide(a, b)
    if rounding_mode == "floor":
        return down
    return down + (remainder(a, b) != 0) * ((a < 0) != (b < 0))


true_divide = arithmetic.div
