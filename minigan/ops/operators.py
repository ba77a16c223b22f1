"""Tensor's operators: ``a + b``, ``a[i]``, ``-a``, ``a += b`` and so on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd import is_grad_enabled
from . import (
    arithmetic,
    bits,
    compare,
    indexing,
    inplace,
    kinks,
    linalg,
    powers,
    quotients,
)


def _reflected(operation):
    return lambda self, other: operation(other, self)


def _or_not_implemented(comparison):
    """== and != with something that is no number are answered by identity, as everywhere."""

    def compare(self, other):
        if isinstance(other, (Tensor, np.ndarray, np.generic, int, float, complex)):
            return comparison(self, other)
        return NotImplemented

    return compare


def _augmented(operation, in_place):
    """``a += b``: recorded as a new tensor where gradients are wanted, else a change in place."""

    def change(self, other):
        wanted = self.requires_grad or (isinstance(other, Tensor) and other.requires_grad)
        if wanted and is_grad_enabled() and not (self.is_leaf and self.requires_grad):
            return operation(self, other)
        return in_place(self, other)

    return change


def _contains(self: Tensor, element: Any) -> bool:
    return bool((self.array == (element.array if isinstance(element, Tensor) else element)).any())


OPERATORS = {
    "__mod__": quotients.remainder,
    "__rmod__": _reflected(quotients.remainder),
    "__floordiv__": quotients.floor_divide,
    "__rfloordiv__": _reflected(quotients.floor_divide),
    "__add__": lambda a, b: arithmetic.add(a, b),
    "__radd__": _reflected(arithmetic.add),
    "__sub__": lambda a, b: arithmetic.sub(a, b),
    "__rsub__": _reflected(arithmetic.sub),
    "__mul__": lambda a, b: arithmetic.mul(a, b),
    "__rmul__": _reflected(arithmetic.mul),
    "__truediv__": lambda a, b: arithmetic.div(a, b),
    "__rtruediv__": _reflected(arithmetic.div),
    "__pow__": lambda a, b: powers.pow(a, b),
    "__rpow__": _reflected(powers.pow),
    "__matmul__": linalg.matmul,
    "__rmatmul__": _reflected(linalg.matmul),
    "__iadd__": _augmented(arithmetic.add, inplace.add_),
    "__isub__": _augmented(arithmetic.sub, inplace.sub_),
    "__imul__": _augmented(arithmetic.mul, inplace.mul_),
    "__itruediv__": _augmented(arithmetic.div, inplace.div_),
    "__imod__": _augmented(quotients.remainder, inplace.remainder_),
    "__ifloordiv__": _augmented(quotients.floor_divide, inplace.floor_divide_),
    "__ipow__": _augmented(powers.pow, inplace.pow_),
    "__neg__": arithmetic.neg,
    "__pos__": lambda a: a,
    "__abs__": kinks.abs,
    "__eq__": _or_not_implemented(compare.eq),
    "__ne__": _or_not_implemented(compare.ne),
    "__lt__": compare.lt,
    "__le__": compare.le,
    "__gt__": compare.gt,
    "__ge__": compare.ge,
    "__contains__": _contains,
    "__invert__": bits.bitwise_not,
    "__and__": bits.bitwise_and,
    "__rand__": _reflected(bits.bitwise_and),
    "__iand__": _augmented(bits.bitwise_and, inplace.bitwise_and_),
    "__or__": bits.bitwise_or,
    "__ror__": _reflected(bits.bitwise_or),
    "__ior__": _augmented(bits.bitwise_or, inplace.bitwise_or_),
    "__xor__": bits.bitwise_xor,
    "__rxor__": _reflected(bits.bitwise_xor),
    "__ixor__": _augmented(bits.bitwise_xor, inplace.bitwise_xor_),
    "__lshift__": bits.bitwise_left_shift,
    "__rlshift__": _reflected(bits.bitwise_left_shift),
    "__rshift__": bits.bitwise_right_shift,
    "__rrshift__": _reflected(bits.bitwise_right_shift),
    "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem,
}
