"""Changes in place.

Every change counts up the tensor's version, so that a backward pass that still needs the old
value fails instead of giving a wrong gradient.  Operands must fit into the tensor's shape, results
into its dtype; every function returns the tensor.

Where gradients are wanted, the tensor takes over the array and the history of the new value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .._tensor import Tensor, one_device
from ..array import array_module, result_dtype, to_device
from ..autograd import is_grad_enabled, no_grad
from . import arithmetic, bits, kinks, pick, powers, quotients, scatter, smooth, steps
from ._common import begin_change, cast, values_for
from .blends import addcdiv, addcmul, lerp
from .indexing import refuse_shared, setitem, stand_for


def _check_dtype(name: str, x: Tensor, dtype: np.dtype) -> None:
    if not np.can_cast(dtype, x.dtype, "same_kind"):
        raise RuntimeError(f"{name}: a {dtype} result does not fit into a {x.dtype} tensor")


def _check_result(name: str, x: Tensor, result: Tensor) -> None:
    if result.shape != x.shape:
        raise RuntimeError(f"{name}: shape {result.shape} does not fit into {x.shape}")
    _check_dtype(name, x, result.dtype)


def _is_recorded(x: Tensor, others: Any) -> bool:
    """Whether the change is part of a graph; a leaf of it must not change."""
    if not is_grad_enabled() or (x.is_leaf and x.requires_grad):
        return False
    return any(isinstance(v, Tensor) and v.requires_grad for v in (x, *others))


def _replaced(name: str, x: Tensor, operation: Callable[..., Tensor], *args: Any, **options: Any):
    """x, standing for the result of ``operation(x, …)``; its own gradient reads the old memory."""
    refuse_shared(name, x)
    before = Tensor(x.array, x.node)  # what the operation's own gradient reads
    result = operation(before, *args, **options)
    _check_result(name, x, result)
    result = cast(result, x.dtype)
    x.version[0] += 1  # for the gradients of earlier operations, which read x
    x.array, x.version = result.array, result.version
    stand_for(x, result.node)
    return x


def copy_(self: Tensor, source: Any) -> Tensor:
    """Take over the values of ``source`` (a Tensor, array or number that broadcasts)."""
    values = values_for("copy_", self, source)
    if _is_recorded(self, (source,)):
        setitem(self, ..., source)
        return self
    begin_change("copy_", self, source)
    self.array[...] = to_device(values, self.device) if isinstance(source, Tensor) else values
    return self


def _arithmetic(
    name: str, ufunc: str, symbol: str, operation: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """The four operations without an array between: optimizers live on them."""

    def change(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        values = values_for(name, self, other)
        one_device(name, (self, other))
        if alpha != 1:
            values = values * alpha
        dtype = result_dtype(self.array, values, *[0.5] * (ufunc == "true_divide"))
        _check_dtype(name, self, dtype)
        if _is_recorded(self, (other,)):
            options = {} if alpha == 1 else {"alpha": alpha}
            return _replaced(name, self, operation, other, **options)
        begin_change(name, self, other)
        apply = getattr(array_module(self.array), ufunc)
        apply(self.array, values, out=self.array, casting="same_kind")
        return self

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"self ← self {symbol} alpha·other, in place."
    return change


add_ = _arithmetic("add_", "add", "+", arithmetic.add)
sub_ = _arithmetic("sub_", "subtract", "-", arithmetic.sub)
mul_ = _arithmetic("mul_", "multiply", "·", arithmetic.mul)
div_ = _arithmetic("div_", "true_divide", "/", arithmetic.div)


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit every element to [min, max]: numbers or Tensors, as for ``clamp``."""
    if min is None and max is None:
        raise RuntimeError("clamp_: expected min, max or both")
    low, high = (None if v is None else values_for("clamp_", self, v) for v in (min, max))
    one_device("clamp_", (self, min, max))
    limits = [limit for limit in (low, high) if limit is not None]
    _check_dtype("clamp_", self, result_dtype(self.array, *limits))
    if _is_recorded(self, (min, max)):
        return _replaced("clamp_", self, kinks.clamp, min, max)
    begin_change("clamp_", self, min, max)
    xp = array_module(self.array)
    if low is not None:
        xp.maximum(self.array, low, out=self.array)
    if high is not None:
        xp.minimum(self.array, high, out=self.array)
    return self


# ------------------------------------------------------------------ from what gives a new tensor


def _of(operation: Callable[..., Tensor], elementwise: bool = True) -> Callable[..., Tensor]:
    """The in-place form of a function: its own name with an underscore, its own arguments.

    The operands of an elementwise one broadcast to the tensor's shape.
    """
    name = f"{operation.__name__}_"

    @wraps(operation)
    def change(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        operands = (*arguments, *options.values())
        for value in operands:
            if elementwise and isinstance(value, Tensor):
                values_for(name, self, value)
        if _is_recorded(self, operands):
            return _replaced(name, self, operation, *arguments, **options)
        with no_grad():
            result = operation(self, *arguments, **options)
        _check_result(name, self, result)
        begin_change(name, self, *operands)
        self.array[...] = result.array
        return self

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"self ← {operation.__name__}(self, …), in place."
    return change


abs_, neg_, square_ = _of(kinks.abs), _of(arithmetic.neg), _of(arithmetic.square)
pow_, exp_, log_, sqrt_ = _of(powers.pow), _of(powers.exp), _of(powers.log), _of(powers.sqrt)
rsqrt_, reciprocal_ = _of(smooth.rsqrt), _of(smooth.reciprocal)
relu_, tanh_, sigmoid_ = _of(kinks.relu), _of(smooth.tanh), _of(smooth.sigmoid)
floor_, ceil_, round_, trunc_ = map(_of, (steps.floor, steps.ceil, steps.round, steps.trunc))
remainder_, floor_divide_ = _of(quotients.remainder), _of(quotients.floor_divide)
bitwise_and_, bitwise_or_, bitwise_xor_ = map(
    _of, (bits.bitwise_and, bits.bitwise_or, bits.bitwise_xor)
)
lerp_, addcmul_, addcdiv_ = map(_of, (lerp, addcmul, addcdiv))
masked_fill_ = _of(pick.masked_fill)
scatter_ = _of(scatter.scatter, elementwise=False)
scatter_add_ = _of(scatter.scatter_add, elementwise=False)
