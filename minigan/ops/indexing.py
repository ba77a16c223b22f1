"""``x[index]`` and its gradient: reading a selection and adding into one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor


def _is_basic(index: Any) -> bool:
    """Whether every entry is an int, a slice, None or Ellipsis: no element is met twice."""
    entries = index if isinstance(index, tuple) else (index,)
    return all(
        i is None or i is Ellipsis or isinstance(i, (int, np.integer, slice)) for i in entries
    )


class GetItem(Function):
    """y = x[index];  the gradient is g, added into zeros at the index."""

    reads = ((),)

    def __init__(self, index: Any):
        self.index = index
        self.is_view = _is_basic(index)

    def forward(self, x):
        return x[self.index]

    def vjp(self, needs, g, y, x):
        return (AddInto(x.shape, self.index)(g),)


class AddInto(Function):
    """y = zeros(shape) with y[index] += x (repeated entries add up); the gradient is g[index]."""

    reads = ((),)

    def __init__(self, shape: tuple[int, ...], index: Any):
        self.shape, self.index = shape, index

    def forward(self, x):
        xp = array_module(x)
        y = xp.zeros(self.shape, dtype=x.dtype)
        if _is_basic(self.index):
            y[self.index] = x
        else:
            xp.add.at(y, self.index, x)
        return y

    def vjp(self, needs, g, y, x):
        return (GetItem(self.index)(g),)


def getitem(input: Tensor, index: Any) -> Tensor:
    """``input[index]`` with ints, slices, None, Ellipsis, boolean masks and index arrays."""
    x = as_tensor("getitem", input)
    entries = index if isinstance(index, tuple) else (index,)
    entries = tuple(_own(i) for i in entries)
    for i in entries:
        if isinstance(i, slice) and i.step is not None and i.step <= 0:
            raise ValueError(f"getitem: slice step must be positive, got {i.step}")
    return GetItem(entries if isinstance(index, tuple) else entries[0])(x)


def _own(entry: Any) -> Any:
    """Lists and Tensors as index arrays of our own: the gradient reads them again later."""
    if isinstance(entry, Tensor):
        return entry.array.copy()
    if isinstance(entry, np.ndarray):
        return entry.copy()
    if isinstance(entry, list):
        return np.asarray(entry, dtype=None if entry else np.int64)
    return entry


def pad_constant(input: Tensor, widths: tuple[tuple[int, int], ...], value: float = 0) -> Tensor:
    """``input`` with (before, after) entries of ``value`` around every dimension."""
    shape = tuple(a + n + b for n, (a, b) in zip(input.shape, widths, strict=True))
    inside = tuple(slice(a, a + n) for n, (a, _) in zip(input.shape, widths, strict=True))
    padded = AddInto(shape, inside)(input)
    if value == 0:
        return padded
    border = array_module(input.array).full(shape, value, dtype=input.dtype)
    border[inside] = 0
    return padded + Tensor(border)
