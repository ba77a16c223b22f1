"""Copies: in new memory, in another order of memory, on another device, of another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .._tensor import Tensor
from ..autograd import Function
from ._common import cast


class Clone(Function):
    """y = a copy of x;  ∂y/∂x = 1."""

    reads = ((),)

    def forward(self, x):
        return x.copy(order="K")

    def vjp(self, needs, g, y, x):
        return (g,)


def clone(input: Tensor) -> Tensor:
    """A copy with memory of its own, still part of the graph."""
    return Clone()(input)


class Contiguous(Function):
    """y = x in row-major memory;  ∂y/∂x = 1."""

    reads = ((),)

    def forward(self, x):
        return arrays.array_module(x).ascontiguousarray(x)

    def vjp(self, needs, g, y, x):
        return (g,)


def contiguous(input: Tensor) -> Tensor:
    """``input`` with its elements in row-major order in memory, itself if they are."""
    return input if input.array.flags.c_contiguous else Contiguous()(input)


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements apart neighbours along every dimension (or one) lie in memory."""
    steps = tuple(n // self.array.itemsize for n in self.array.strides)
    return steps if dim is None else steps[dim]


class ToDevice(Function):
    """y = x on another device; the gradient comes back."""

    reads = ((),)

    def __init__(self, device: arrays.Device):
        self.device = device

    def forward(self, x):
        self.before = arrays.device_of(x)
        return arrays.to_device(x, self.device)

    def vjp(self, needs, g, y, x):
        return (ToDevice(self.before)(g),)


def to(
    self: Tensor,
    *target: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
) -> Tensor:
    """With another dtype and/or on another device; itself if nothing changes, unless ``copy``.

    ``non_blocking`` is of PyTorch's signature and has no effect.
    """
    before = self
    for value in target:
        if isinstance(value, bool):  # non_blocking, by position
            continue
        if isinstance(value, Tensor):
            dtype, device = value.dtype, value.device
        elif isinstance(value, int):
            device = f"cuda:{value}"
        elif isinstance(value, arrays.Device) or str(value).partition(":")[0] in ("cpu", "cuda"):
            device = value
        else:
            dtype = value
    if device is not None and arrays.Device(device) != self.device:
        self = ToDevice(arrays.Device(device))(self)
    self = self if dtype is None else cast(self, np.dtype(dtype))
    return clone(self) if copy and self is before else self
