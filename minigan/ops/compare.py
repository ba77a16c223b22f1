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


def _question(name: str, meaning: str):
    def ask(input: Tensor) -> Tensor:
        x = as_tensor(name, input)
        xp = array_module(x.array)
        return Tensor(xp.asarray(getattr(xp, name)(x.array)))

    ask.__name__ = ask.__qualname__ = name
    ask.__doc__ = f"True where ``input`` is {meaning}."
    return ask


isfinite = _question("isfinite", "neither infinite nor NaN")
isinf = _question("isinf", "inf or -inf")
isnan = _question("isnan", "NaN")


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Where |input - other| ≤ atol + rtol·|other|."""
    a, b = as_tensor("isclose", input).array, as_tensor("isclose", other).array
    xp = array_module(a)
    return Tensor(xp.asarray(xp.isclose(a, b, rtol, atol, equal_nan=equal_nan)))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether |input - other| ≤ atol + rtol·|other| everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are the same.

    >>> import minigan
    >>> equal(minigan.ones(2), minigan.ones(2)), equal(minigan.ones(2), minigan.ones(3))
    (True, False)
    """
    a, b = as_tensor("equal", input).array, as_tensor("equal", other).array
    return a.shape == b.shape and bool((a == b).all())
