"""Changes in place, for parameters and buffers under ``no_grad``.

Every change counts up the tensor's version, so that a backward pass that still needs the old
value fails instead of giving a wrong gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module, default_generator, result_dtype, to_device
from ..autograd import is_grad_enabled
from ._common import operand


def _change(name: str, x: Tensor, *others: Any) -> None:
    """Refuse what the graph would miss, then count the change."""
    if is_grad_enabled() and (
        x.requires_grad or any(isinstance(o, Tensor) and o.requires_grad for o in others)
    ):
        raise RuntimeError(
            f"{name}: a tensor that requires grad cannot be changed in place while operations are "
            f"recorded; do it under no_grad() or use the operation without the underscore"
        )
    if isinstance(x.array, np.ndarray) and not x.array.flags.writeable:
        raise RuntimeError(f"{name}: this tensor is an expanded view; clone() it first")
    x.version[0] += 1


def _values(name: str, x: Tensor, other: Any) -> Any:
    """The array or number in ``other``, which must broadcast to x's shape."""
    other = operand(name, other)
    if not isinstance(other, Tensor):
        return other
    lengths = zip(other.shape[::-1], x.shape[::-1], strict=False)
    if other.ndim > x.ndim or not all(n in (1, m) for n, m in lengths):
        raise RuntimeError(f"{name}: shape {other.shape} does not fit into {x.shape}")
    return other.array


def copy_(self: Tensor, source: Any) -> Tensor:
    """Take over the values of ``source`` (a Tensor, array or number that broadcasts)."""
    values = _values("copy_", self, source)
    _change("copy_", self, source)
    self.array[...] = to_device(values, self.device) if isinstance(source, Tensor) else values
    return self


def _arithmetic(name: str, ufunc: str, symbol: str) -> Callable:
    def change(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        values = _values(name, self, other)
        if alpha != 1:
            values = values * alpha
        dtype = result_dtype(self.array, values, *[0.5] * (ufunc == "true_divide"))
        if not np.can_cast(dtype, self.dtype, "same_kind"):
            raise RuntimeError(f"{name}: a {dtype} result does not fit into a {self.dtype} tensor")
        _change(name, self, other)
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


def fill_(self: Tensor, value: float) -> Tensor:
    """Set every element to ``value``."""
    _change("fill_", self)
    self.array.fill(value)
    return self


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return fill_(self, 0)


def clamp_(self: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Limit every element to [min, max]."""
    if min is None and max is None:
        raise RuntimeError("clamp_: expected min, max or both")
    _change("clamp_", self)
    xp = array_module(self.array)
    if min is not None:
        xp.maximum(self.array, min, out=self.array)
    if max is not None:
        xp.minimum(self.array, max, out=self.array)
    return self


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator=None) -> Tensor:
    """Fill with draws of N(mean, std²)."""
    _change("normal_", self)
    rng = (generator or default_generator(self.device)).rng
    draws = rng.standard_normal(self.shape, dtype=_drawn(self.dtype))
    self.array[...] = draws * std + mean
    return self


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator=None) -> Tensor:
    """Fill with draws of U[a, b)."""
    _change("uniform_", self)
    rng = (generator or default_generator(self.device)).rng
    self.array[...] = rng.random(self.shape, dtype=_drawn(self.dtype)) * (b - a) + a
    return self


def _drawn(dtype: np.dtype) -> np.dtype:
    """Random numbers are drawn in float32 or float64."""
    return np.dtype("float64" if dtype == np.float64 else "float32")
