"""Logic: on truth values, and on the bits of integers.  Nothing here carries a gradient."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ._common import as_tensor, operands
from .arithmetic import broadcasting


def _logical(name: str, meaning: str):
    def apply(input: Tensor, other: Tensor) -> Tensor:
        def combined(a: Tensor, b: Tensor) -> Tensor:
            xp = array_module(a.array)
            return Tensor(xp.asarray(getattr(xp, name)(a.array, b.array)))

        return broadcasting(name, combined, as_tensor(name, input), as_tensor(name, other))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Where {meaning}, elementwise, as a bool tensor; a number is true if not 0."
    return apply


logical_and = _logical("logical_and", "both are true")
logical_or = _logical("logical_or", "at least one is true")
logical_xor = _logical("logical_xor", "exactly one is true")


def logical_not(input: Tensor) -> Tensor:
    """Where ``input`` is zero or False, elementwise, as a bool tensor."""
    x = as_tensor("logical_not", input)
    return Tensor(array_module(x.array).asarray(x.array == 0))


def _bitwise(name: str, symbol: str, ufunc: str, kinds: str = "biu"):
    def apply(input: Any, other: Any) -> Tensor:
        a, b = operands(name, input, other)
        dtype = (a if isinstance(a, Tensor) else b).dtype
        if dtype.kind not in kinds:
            raise NotImplementedError(f"{name}: expected integers, got {dtype}")
        xp = array_module((a if isinstance(a, Tensor) else b).array)

        def combined(a: Any, b: Any) -> Tensor:
            a, b = (v.array if isinstance(v, Tensor) else v for v in (a, b))
            return Tensor(xp.asarray(getattr(xp, ufunc)(a, b)))

        return broadcasting(name, combined, a, b)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"input {symbol} other, bit by bit; of two bool tensors, elementwise."
    return apply


bitwise_and = _bitwise("bitwise_and", "&", "bitwise_and")
bitwise_or = _bitwise("bitwise_or", "|", "bitwise_or")
bitwise_xor = _bitwise("bitwise_xor", "^", "bitwise_xor")
bitwise_left_shift = _bitwise("bitwise_left_shift", "<<", "left_shift", "iu")
bitwise_right_shift = _bitwise("bitwise_right_shift", ">>", "right_shift", "iu")


def bitwise_not(input: Tensor) -> Tensor:
    """Every bit turned over: the opposite of a mask, -1 - input of an integer."""
    x = as_tensor("bitwise_not", input)
    if x.dtype.kind not in "biu":
        raise TypeError(f"bitwise_not: expected a bool or integer tensor, got {x.dtype}")
    return Tensor(array_module(x.array).asarray(~x.array))
