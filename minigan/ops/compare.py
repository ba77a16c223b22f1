"""Comparisons and questions about elements: they answer in booleans and carry no gradient."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ._common import as_tensor, operands
from .arithmetic import broadcasting


def _comparison(name: str, symbol: str):
    def apply(a: Any, b: Any) -> Tensor:
        a, b = (v.array.real if isinstance(v, Tensor) else v for v in (a, b))
        module = array_module(a if hasattr(a, "dtype") else b)
        return Tensor(module.asarray(getattr(module, numpy_name)(a, b)))

    def compare(input: Any, other: Any) -> Tensor:
        return broadcasting(name, apply, *operands(name, input, other))

    numpy_name = {
        "eq": "equal",
        "ne": "not_equal",
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
    }[name]
    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"input {symbol} other, elementwise, as a bool tensor."
    return compare


eq = _comparison("eq", "==")
ne = _comparison("ne", "!=")
lt = _comparison("lt", "<")
le = _comparison("le", "<=")
gt = _comparison("gt", ">")
ge = _comparison("ge", ">=")


def logical_not(input: Tensor) -> Tensor:
    """True where ``input`` is zero or False."""
    return Tensor(array_module(input.array).asarray(input.array == 0))


def bitwise_not(input: Tensor) -> Tensor:
    """Every bit turned over: the opposite of a mask, -1 - input of an integer."""
    x = as_tensor("bitwise_not", input)
    if x.dtype.kind not in "biu":
        raise TypeError(f"bitwise_not: expected a bool or integer tensor, got {x.dtype}")
    return Tensor(array_module(x.array).asarray(~x.array))


def isfinite(input: Tensor) -> Tensor:
    """True where ``input`` is neither infinite nor NaN."""
    return Tensor(
        array_module(input.array).asarray(array_module(input.array).isfinite(input.array))
    )


def isinf(input: Tensor) -> Tensor:
    """True where ``input`` is inf or -inf."""
    xp = array_module(input.array)
    return Tensor(xp.asarray(xp.isinf(input.array)))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether |input - other| ≤ atol + rtol·|other| everywhere."""
    xp = array_module(input.array)
    return bool(xp.allclose(input.array, other.array, rtol, atol, equal_nan=equal_nan))


def isnan(input: Tensor) -> Tensor:
    """True where ``input`` is NaN."""
    return Tensor(array_module(input.array).asarray(array_module(input.array).isnan(input.array)))
