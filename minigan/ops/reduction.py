"""Reductions: sums and what is made of sums.

``dim`` is None (everything), an int or a tuple; ``keepdim`` leaves reduced dimensions with length
1.  ``axis`` and ``keepdims`` are understood too.
"""

from __future__ import annotations

from math import prod
from typing import Any

from .._tensor import Tensor
from ..array import array_module, int64
from ..autograd import Function
from ._common import as_tensor, cast, normalise_dims, numpy_names


class Sum(Function):
    """y = Σ x over dims;  ∂y/∂x = 1: the gradient is g, broadcast back."""

    reads = ((),)

    def __init__(self, dims: tuple[int, ...], keepdim: bool):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x):
        dtype = int64 if x.dtype.kind in "biu" else x.dtype
        return x.sum(axis=self.dims, keepdims=self.keepdim, dtype=dtype)

    def vjp(self, needs, g, y, x):
        if not self.keepdim:
            g = g.reshape(tuple([1 if d in self.dims else n for d, n in enumerate(x.shape)]))
        return (g.expand(x.shape),)


@numpy_names
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Σ input over ``dim``; booleans and integers give int64.

    >>> import minigan
    >>> sum(minigan.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.], dtype=float32)
    """
    x = as_tensor("sum", input)
    if dtype is not None:
        x = cast(x, dtype)
    return Sum(normalise_dims("sum", dim, x.ndim), keepdim)(x)


@numpy_names
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over ``dim``; of no elements it is NaN."""
    x = as_tensor("mean", input)
    if dtype is not None:
        x = cast(x, dtype)
    if x.dtype.kind not in "fc":
        raise RuntimeError(f"mean: expected a float tensor, got {x.dtype}; give dtype=")
    dims = normalise_dims("mean", dim, x.ndim)
    total = Sum(dims, keepdim)(x)
    return total / prod([x.shape[d] for d in dims])


@numpy_names
def var(input: Tensor, dim: Any = None, *, correction: float = 1, keepdim: bool = False) -> Tensor:
    """The variance over ``dim``: Σ(x - mean)²/(n - correction); 1 is Bessel's correction."""
    x = as_tensor("var", input)
    dims = normalise_dims("var", dim, x.ndim)
    centred = x - mean(x, dims, keepdim=True)
    degrees = prod([x.shape[d] for d in dims]) - correction
    return sum(centred * centred, dims, keepdim=keepdim) / float(max(degrees, 0))


@numpy_names
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether every element over ``dim`` is true (of no elements: True)."""
    return _of_bools("all", input, dim, keepdim)


@numpy_names
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether some element over ``dim`` is true (of no elements: False)."""
    return _of_bools("any", input, dim, keepdim)


def _of_bools(name: str, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    x = as_tensor(name, input)
    dims = normalise_dims(name, dim, x.ndim)
    found = getattr(x.array != 0, name)(axis=dims, keepdims=keepdim)
    return Tensor(array_module(x.array).asarray(found))
