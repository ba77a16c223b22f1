"""Sums of exponentials and what is normalised by them, stable for any finite input."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_float, cast, normalise_dim, normalise_dims, numpy_names
from .kinks import where


def _largest(x, dims: tuple[int, ...]):
    """The largest element along dims (0 of none): with it taken off, no e^x overflows."""
    xp = array_module(x)
    if any(x.shape[d] == 0 for d in dims):
        return xp.zeros([1 if d in dims else n for d, n in enumerate(x.shape)], x.real.dtype)
    return x.real.max(axis=dims, keepdims=True)


class Softmax(Function):
    """y_i = e^x_i / Σ e^x_j over dims;  the gradient is y·(g - Σ g·y)."""

    reads = (("y",),)

    def __init__(self, dims: tuple[int, ...]):
        self.dims = dims

    def forward(self, x):
        y = array_module(x).exp(x - _largest(x, self.dims))
        y /= y.sum(axis=self.dims, keepdims=True)
        return y

    def vjp(self, needs, g, y, x):
        gy = g * y
        return (gy - y * gy.sum(self.dims, keepdim=True),)


class LogSoftmax(Function):
    """y_i = x_i - ln Σ e^x_j over dims;  the gradient is g - e^y·Σ g."""

    reads = (("y",),)

    def __init__(self, dims: tuple[int, ...]):
        self.dims = dims

    def forward(self, x):
        xp = array_module(x)
        shifted = x - _largest(x, self.dims)
        total = xp.exp(shifted).sum(axis=self.dims, keepdims=True)
        return shifted - xp.log(total) if x.size else shifted

    def vjp(self, needs, g, y, x):
        return (g - y.exp() * g.sum(self.dims, keepdim=True),)


class LogSumExp(Function):
    """y = ln Σ e^x over dims;  ∂y/∂x is the softmax (0 where all x are -inf)."""

    reads = ((0, "y"),)

    def __init__(self, dims: tuple[int, ...]):
        self.dims = dims

    def forward(self, x):
        xp = array_module(x)
        top = _largest(x, self.dims)
        top = xp.where(xp.isinf(top), 0, top)
        total = xp.exp(x - top).sum(axis=self.dims, keepdims=True)
        empty = total == 0
        return xp.log(xp.where(empty, 1, total)) + xp.where(empty, -xp.inf, top)

    def vjp(self, needs, g, y, x):
        empty = Tensor(y.array.real == -array_module(y.array).inf)
        shares = Softmax(self.dims)(where(empty, 0, x))  # e^(x - y) would have y's rounding error
        return (where(empty, 0, g * shares),)


@numpy_names
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """ln Σ e^input over ``dim``, without overflow.

    >>> import minigan
    >>> logsumexp(minigan.tensor([1000.0, 1000.0]), 0)
    tensor(1000.6932, dtype=float32)
    """
    x = as_float("logsumexp", input)
    dims = normalise_dims("logsumexp", dim, x.ndim)
    y = LogSumExp(dims)(x)
    return y if keepdim or not x.ndim else y.squeeze(dims)


def _along(name: str, function: type, input: Tensor, dim: int | None, dtype: Any) -> Tensor:
    x = as_float(name, input)
    if dtype is not None:
        x = cast(x, dtype)
    if dim is None:
        raise TypeError(f"{name}: expected dim, the dimension to normalise over")
    d = normalise_dim(name, dim, x.ndim)
    return function((d,) if x.ndim else ())(x)


@numpy_names
def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """e^input normalised to sum 1 along ``dim``.

    >>> import minigan
    >>> softmax(minigan.zeros(4), dim=0)
    tensor([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    return _along("softmax", Softmax, input, dim, dtype)


@numpy_names
def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """The logarithm of ``softmax``, exact also where that underflows.

    >>> import minigan
    >>> log_softmax(minigan.tensor([0.0, -1000.0]), dim=0)
    tensor([    0., -1000.], dtype=float32)
    """
    return _along("log_softmax", LogSoftmax, input, dim, dtype)
