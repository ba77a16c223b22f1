"""The operations, and the one place where they become Tensor's methods and operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .._tensor import Tensor
from ..autograd import Function, is_grad_enabled
from . import (
    accumulate,
    arrange,
    compare,
    conv,
    creation,
    einsum,
    elementwise,
    extremes,
    indexing,
    inplace,
    linalg,
    norm,
    pick,
    reduction,
    shape,
    smooth,
    softmax,
    steps,
)
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
    "mm": einsum.mm,
    "bmm": einsum.bmm,
    "addmm": einsum.addmm,
    "outer": einsum.outer,
    "dot": einsum.dot,
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
    "__iadd__": _augmented(elementwise.add, inplace.add_),
    "__isub__": _augmented(elementwise.sub, inplace.sub_),
    "__imul__": _augmented(elementwise.mul, inplace.mul_),
    "__itruediv__": _augmented(elementwise.div, inplace.div_),
    "__neg__": elementwise.neg,
    "__pos__": lambda a: a,
    "__abs__": elementwise.abs,
    # comparisons
    "__eq__": _or_not_implemented(compare.eq),
    "__ne__": _or_not_implemented(compare.ne),
    "__lt__": compare.lt,
    "__le__": compare.le,
    "__gt__": compare.gt,
    "__ge__": compare.ge,
    "__invert__": compare.bitwise_not,
    # functions
    "abs": elementwise.abs,
    "maximum": extremes.maximum,
    "minimum": extremes.minimum,
    "true_divide": elementwise.div,
    "where": lambda a, condition, other: elementwise.where(condition, a, other),
    "expm1": smooth.expm1,
    "log1p": smooth.log1p,
    "sin": smooth.sin,
    "cos": smooth.cos,
    "erf": smooth.erf,
    "rsqrt": smooth.rsqrt,
    "reciprocal": smooth.reciprocal,
    "exp": elementwise.exp,
    "log": elementwise.log,
    "sqrt": elementwise.sqrt,
    "tanh": elementwise.tanh,
    "sigmoid": elementwise.sigmoid,
    "relu": elementwise.relu,
    "clamp": elementwise.clamp,
    "sign": elementwise.sign,
    "isnan": compare.isnan,
    "isinf": compare.isinf,
    "allclose": compare.allclose,
    "clip": elementwise.clamp,
    "floor": steps.floor,
    "ceil": steps.ceil,
    "round": steps.round,
    "trunc": steps.trunc,
    "isfinite": compare.isfinite,
    # reductions
    "sum": reduction.sum,
    "mean": reduction.mean,
    "var": reduction.var,
    "all": reduction.all,
    "any": reduction.any,
    "std": accumulate.std,
    "prod": accumulate.prod,
    "cumsum": accumulate.cumsum,
    "norm": accumulate.norm,
    "amax": extremes.amax,
    "amin": extremes.amin,
    "max": extremes.max,
    "min": extremes.min,
    "argmax": extremes.argmax,
    "argmin": extremes.argmin,
    "logsumexp": softmax.logsumexp,
    "softmax": softmax.softmax,
    "log_softmax": softmax.log_softmax,
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
    "split": arrange.split,
    "unbind": arrange.unbind,
    "flip": arrange.flip,
    "roll": arrange.roll,
    "repeat": arrange.repeat,
    "tile": arrange.tile,
    "broadcast_to": arrange.broadcast_to,
    "expand_as": lambda a, b: shape.expand(a, b.shape),
    "view_as": lambda a, b: shape.reshape(a, b.shape),
    "tril": arrange.tril,
    "triu": arrange.triu,
    "diagonal": arrange.diagonal,
    "index_select": pick.index_select,
    "gather": pick.gather,
    "take_along_dim": pick.take_along_dim,
    "masked_fill": pick.masked_fill,
    "__getitem__": indexing.getitem,
    # copies and conversions
    "clone": clone,
    "to": to,
    "contiguous": contiguous,
    "type_as": lambda a, b: to(a, b.dtype),
    "int": lambda a: cast(a, arrays.int32),
    "bool": lambda a: cast(a, arrays.bool_),
    "half": lambda a: cast(a, arrays.float16),
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
