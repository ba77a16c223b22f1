"""Changes in place, for parameters and buffers under ``no_grad``.

Every change counts up the tensor's version, so that a backward pass that still needs the old
value fails instead of giving a wrong gradient.  Operands must fit into the tensor's shape, results
into its dtype; every function returns the tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module, result_dtype, to_device
from ..autograd import no_grad
from . import arithmetic, kinks, pick, powers, smooth, steps
from ._common import begin_change, values_for


def _check_dtype(name: str, x: Tensor, dtype: np.dtype) -> None:
    if not np.can_cast(dtype, x.dtype, "same_kind"):
        raise RuntimeError(f"{name}: a {dtype} result does not fit into a {x.dtype} tensor")


def copy_(self: Tensor, source: Any) -> Tensor:
    """Take over the values of ``source`` (a Tensor, array or number that broadcasts)."""
    values = values_for("copy_", self, source)
    begin_change("copy_", self, source)
    self.array[...] = to_device(values, self.device) if isinstance(source, Tensor) else values
    return self


def _arithmetic(name: str, ufunc: str, symbol: str) -> Callable[..., Tensor]:
    """The four operations without an array between: optimizers live on them."""

    def change(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        values = values_for(name, self, other)
        if alpha != 1:
            values = values * alpha
        dtype = result_dtype(self.array, values, *[0.5] * (ufunc == "true_divide"))
        _check_dtype(name, self, dtype)
        begin_change(name, self, other)
        apply = getattr(array_module(self.array), ufunc)
        apply(self.array, values, out=self.array, casting="same_kind")
        return self

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"self ← self {symbol} alpha·other, in place."
    return change


add_ = _arithmetic("add_", "add", "+")
sub_ = _arithmetic("sub_", "subtract", "-")
mul_ = _arithmetic("mul_", "multiply", "·")
div_ = _arithmetic("div_", "true_divide", "/")


def clamp_(self: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Limit every element to [min, max]."""
    if min is None and max is None:
        raise RuntimeError("clamp_: expected min, max or both")
    begin_change("clamp_", self)
    xp = array_module(self.array)
    if min is not None:
        xp.maximum(self.array, min, out=self.array)
    if max is not None:
        xp.minimum(self.array, max, out=self.array)
    return self


# ------------------------------------------------------------------ from what gives a new tensor


def in_place(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of this name and these arguments that puts the result into its first one."""
    name = operation.__name__

    @wraps(operation)
    def change(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        operands = (*arguments, *options.values())
        for value in operands:
            if isinstance(value, Tensor):
                values_for(name, self, value)
        with no_grad():
            result = operation(self, *arguments, **options)
        _check_dtype(name, self, result.dtype)
        begin_change(name, self, *operands)
        self.array[...] = result.array
        return self

    return change


def _of(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of a function: its own with an underscore."""

    def change(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        return operation(self, *arguments, **options)

    change.__name__ = change.__qualname__ = f"{operation.__name__}_"
    change.__doc__ = f"self ← {operation.__name__}(self, …), in place."
    return in_place(change)


abs_, neg_, square_ = _of(kinks.abs), _of(arithmetic.neg), _of(arithmetic.square)
pow_, exp_, log_, sqrt_ = _of(powers.pow), _of(powers.exp), _of(powers.log), _of(powers.sqrt)
rsqrt_, reciprocal_ = _of(smooth.rsqrt), _of(smooth.reciprocal)
relu_, tanh_, sigmoid_ = _of(kinks.relu), _of(smooth.tanh), _of(smooth.sigmoid)
floor_, ceil_, round_, trunc_ = map(_of, (steps.floor, steps.ceil, steps.round, steps.trunc))
masked_fill_ = _of(pick.masked_fill)


@in_place
def lerp_(self: Tensor, end: Tensor, weight: Any) -> Tensor:
    """self ← self + weight·(end - self), in place: the way to ``end``, exactly there for 1.

    Args:
        end: broadcasts to self's shape.
        weight: a number, or a Tensor that broadcasts to self's shape.

    Raises:
        RuntimeError: an operand that does not fit, or one that requires grad.

    >>> import minigan
    >>> minigan.tensor([0.0, 4.0]).lerp_(minigan.tensor([10.0, 0.0]), 0.25)
    tensor([2.5, 3. ], dtype=float32)
    """
    way = end - self
    from_start, from_end = self + weight * way, end - way * (1 - weight)
    if isinstance(weight, Tensor):
        return kinks.where(weight < 0.5, from_start, from_end)
    return from_start if weight < 0.5 else from_end


@in_place
def addcmul_(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """self ← self + value·tensor1·tensor2, in place; the operands broadcast to self's shape.

    >>> import minigan
    >>> x = minigan.ones(2)
    >>> x.addcmul_(minigan.tensor([1.0, 2.0]), minigan.tensor([3.0, 4.0]), value=2)
    tensor([ 7., 17.], dtype=float32)
    """
    return self + tensor1 * tensor2 * value


@in_place
def addcdiv_(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """self ← self + value·tensor1/tensor2, in place; the operands broadcast to self's shape.

    >>> import minigan
    >>> x = minigan.ones(2)
    >>> x.addcdiv_(minigan.tensor([1.0, 2.0]), minigan.tensor([2.0, 2.0]), value=2)
    tensor([2., 3.], dtype=float32)
    """
    return self + tensor1 / tensor2 * value
