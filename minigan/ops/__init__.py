"""The operations, and the one place where they become Tensor's methods and operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .._tensor import Tensor
from ..autograd import Function
from . import conv, creation, elementwise, indexing, inplace, linalg, norm, reduction, shape
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


def to(self: Tensor, *target: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """With another dtype and/or on another device; itself if nothing changes."""
    for value in target:
        if isinstance(value, Tensor):
            dtype, device = value.dtype, value.device
        elif isinstance(value, arrays.Device) or str(value).partition(":")[0] in ("cpu", "cuda"):
            device = value
        else:
            dtype = value
    if device is not None and arrays.Device(device) != self.device:
        self = ToDevice(arrays.Device(device))(self)
    return self if dtype is None else cast(self, np.dtype(dtype))


def _reflected(operation):
    return lambda self, other: operation(other, self)


def _reshape_as_view(self: Tensor, *sizes: Any) -> Tensor:
    return shape.reshape(self, *sizes)


_methods = {
    # arithmetic
    "add": elementwise.add,
    "sub": elementwise.sub,
    "mul": elementwise.mul,
    "div": elementwise.div,
    "pow": elementwise.pow,
    "neg": elementwise.neg,
    "square": elementwise.square,
    "matmul": linalg.matmul,
    "__add__": lambda a, b: elementwise.add(a, b),
    "__radd__": _reflected(elementwise.add),
    "__sub__": lambda a, b: elementwise.sub(a, b),
    "__rsub__": _reflected(elementwise.sub),
    "__mul__": lambda a, b: elementwise.mul(a, b),
    "__rmul__": _reflected(elementwise.mul),
    "__truediv__": lambda a, b: elementwise.div(a, b),
    "__rtruediv__": _reflected(elementwise.div),
    "__pow__": lambda a, b: elementwise.pow(a, b),
    "__rpow__": _reflected(elementwise.pow),
    "__matmul__": linalg.matmul,
    "__rmatmul__": _reflected(linalg.matmul),
    "__neg__": elementwise.neg,
    "__pos__": lambda a: a,
    "__abs__": elementwise.abs,
    # comparisons
    "__eq__": elementwise.eq,
    "__ne__": elementwise.ne,
    "__lt__": elementwise.lt,
    "__le__": elementwise.le,
    "__gt__": elementwise.gt,
    "__ge__": elementwise.ge,
    "__invert__": elementwise.logical_not,
    # functions
    "abs": elementwise.abs,
    "exp": elementwise.exp,
    "log": elementwise.log,
    "sqrt": elementwise.sqrt,
    "tanh": elementwise.tanh,
    "sigmoid": elementwise.sigmoid,
    "relu": elementwise.relu,
    "clamp": elementwise.clamp,
    "sign": elementwise.sign,
    "isnan": elementwise.isnan,
    "isfinite": elementwise.isfinite,
    # reductions
    "sum": reduction.sum,
    "mean": reduction.mean,
    "var": reduction.var,
    "all": lambda a: Tensor(np.asarray(a.array.all())),
    "any": lambda a: Tensor(np.asarray(a.array.any())),
    # shape
    "reshape": shape.reshape,
    "view": _reshape_as_view,
    "permute": shape.permute,
    "transpose": shape.transpose,
    "t": shape.t,
    "T": property(shape.t),
    "flatten": shape.flatten,
    "unflatten": shape.unflatten,
    "squeeze": shape.squeeze,
    "unsqueeze": shape.unsqueeze,
    "expand": shape.expand,
    "narrow": shape.narrow,
    "chunk": shape.chunk,
    "__getitem__": indexing.getitem,
    # copies and conversions
    "clone": clone,
    "to": to,
    "type_as": lambda a, b: to(a, b.dtype),
    "float": lambda a: cast(a, arrays.float32),
    "double": lambda a: cast(a, arrays.float64),
    "long": lambda a: cast(a, arrays.int64),
    "cpu": lambda a: to(a, device="cpu"),
    "cuda": lambda a, device="cuda": to(a, device=device),
    # in place
    "copy_": inplace.copy_,
    "add_": inplace.add_,
    "sub_": inplace.sub_,
    "mul_": inplace.mul_,
    "div_": inplace.div_,
    "fill_": inplace.fill_,
    "zero_": inplace.zero_,
    "clamp_": inplace.clamp_,
    "normal_": inplace.normal_,
    "uniform_": inplace.uniform_,
}
for _name, _method in _methods.items():
    setattr(Tensor, _name, _method)

__all__ = [
    "clone",
    "conv",
    "creation",
    "elementwise",
    "indexing",
    "inplace",
    "linalg",
    "norm",
    "reduction",
    "shape",
]
