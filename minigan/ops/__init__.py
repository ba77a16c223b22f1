"""The operations, and the one place where they become Tensor's methods and operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .._tensor import Tensor
from ..autograd import is_grad_enabled
from . import (
    accumulate,
    arithmetic,
    arrange,
    compare,
    conv,
    copies,
    creation,
    einsum,
    extremes,
    fills,
    indexing,
    inplace,
    kinks,
    linalg,
    norm,
    pick,
    powers,
    reduction,
    shape,
    smooth,
    softmax,
    steps,
)
from ._common import cast
from .copies import clone


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
    "add": arithmetic.add,
    "sub": arithmetic.sub,
    "mul": arithmetic.mul,
    "div": arithmetic.div,
    "pow": powers.pow,
    "neg": arithmetic.neg,
    "square": arithmetic.square,
    "matmul": linalg.matmul,
    "mm": einsum.mm,
    "bmm": einsum.bmm,
    "addmm": einsum.addmm,
    "outer": einsum.outer,
    "dot": einsum.dot,
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
    "__neg__": arithmetic.neg,
    "__pos__": lambda a: a,
    "__abs__": kinks.abs,
    # comparisons
    "__eq__": _or_not_implemented(compare.eq),
    "__ne__": _or_not_implemented(compare.ne),
    "__lt__": compare.lt,
    "__le__": compare.le,
    "__gt__": compare.gt,
    "__ge__": compare.ge,
    "__invert__": compare.bitwise_not,
    # functions
    "abs": kinks.abs,
    "maximum": extremes.maximum,
    "minimum": extremes.minimum,
    "true_divide": arithmetic.div,
    "where": lambda a, condition, other: kinks.where(condition, a, other),
    "expm1": smooth.expm1,
    "log1p": smooth.log1p,
    "sin": smooth.sin,
    "cos": smooth.cos,
    "erf": smooth.erf,
    "rsqrt": smooth.rsqrt,
    "reciprocal": smooth.reciprocal,
    "exp": powers.exp,
    "log": powers.log,
    "sqrt": powers.sqrt,
    "tanh": smooth.tanh,
    "sigmoid": smooth.sigmoid,
    "relu": kinks.relu,
    "clamp": kinks.clamp,
    "sign": kinks.sign,
    "isnan": compare.isnan,
    "isinf": compare.isinf,
    "allclose": compare.allclose,
    "clip": kinks.clamp,
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
    "clone": copies.clone,
    "to": copies.to,
    "contiguous": copies.contiguous,
    "type_as": lambda a, b: cast(a, b.dtype),
    "int": lambda a: cast(a, arrays.int32),
    "bool": lambda a: cast(a, arrays.bool_),
    "half": lambda a: cast(a, arrays.float16),
    "float": lambda a: cast(a, arrays.float32),
    "double": lambda a: cast(a, arrays.float64),
    "long": lambda a: cast(a, arrays.int64),
    "cpu": lambda a: copies.to(a, device="cpu"),
    "cuda": lambda a, device="cuda": copies.to(a, device=device),
    # in place
    "__setitem__": indexing.setitem,
    "fill_": fills.fill_,
    "zero_": fills.zero_,
    "normal_": fills.normal_,
    "uniform_": fills.uniform_,
    "bernoulli_": fills.bernoulli_,
    "random_": fills.random_,
    "copy_": inplace.copy_,
    "add_": inplace.add_,
    "sub_": inplace.sub_,
    "mul_": inplace.mul_,
    "div_": inplace.div_,
    "clamp_": inplace.clamp_,
    "clip_": inplace.clamp_,
    "abs_": inplace.abs_,
    "neg_": inplace.neg_,
    "square_": inplace.square_,
    "pow_": inplace.pow_,
    "exp_": inplace.exp_,
    "log_": inplace.log_,
    "sqrt_": inplace.sqrt_,
    "rsqrt_": inplace.rsqrt_,
    "reciprocal_": inplace.reciprocal_,
    "relu_": inplace.relu_,
    "tanh_": inplace.tanh_,
    "sigmoid_": inplace.sigmoid_,
    "floor_": inplace.floor_,
    "ceil_": inplace.ceil_,
    "round_": inplace.round_,
    "trunc_": inplace.trunc_,
    "masked_fill_": inplace.masked_fill_,
    "lerp_": inplace.lerp_,
    "addcmul_": inplace.addcmul_,
    "addcdiv_": inplace.addcdiv_,
}
for _name, _method in _methods.items():
    setattr(Tensor, _name, _method)

__all__ = [
    "arithmetic",
    "clone",
    "conv",
    "creation",
    "indexing",
    "inplace",
    "kinks",
    "linalg",
    "norm",
    "powers",
    "reduction",
    "shape",
    "smooth",
]
