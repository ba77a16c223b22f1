"""Reductions: sums and what is made of sums.

``dim`` is None (everything), an int or a tuple; ``keepdim`` leaves reduced dimensions with length
1.  ``axis`` and ``keepdims`` are understood too.
"""

from __future__ import annotations

from math import inf, nan, prod
from typing import Any

import numpy as np

from .. import fused
from .._tensor import Tensor
from ..array import array_module, int64, uint8
from ..autograd import Function
from ._common import as_tensor, cast, normalise_dims, numpy_names
from .kinks import where


class Sum(Function):
    """y = Σ x over dims;  ∂y/∂x = 1: the gradient is g, broadcast back."""

    reads = ((),)

    def __init__(self, dims: tuple[int, ...], keepdim: bool):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x):
        dtype = int64 if x.dtype.kind in "biu" else x.dtype
        return fused.total(x, self.dims, self.keepdim, dtype)

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
    y = Sum(normalise_dims("sum", dim, x.ndim), keepdim)(x)
    return y if dtype is None else cast(y, dtype)


def require_float(name: str, x: Any, remedy: str = "") -> Tensor:
    """``x`` if it is a float tensor: what is made of quotients is not defined for integers."""
    if as_tensor(name, x).dtype.kind not in "fc":
        raise RuntimeError(f"{name}: expected a float tensor, got {x.dtype}{remedy}")
    return x


@numpy_names
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over ``dim``; of no elements it is NaN."""
    x = as_tensor("mean", input)
    if dtype is not None:
        x = cast(x, dtype)
    x = require_float("mean", x, "; give dtype=")
    dims = normalise_dims("mean", dim, x.ndim)
    total = Sum(dims, keepdim)(x)
    return total / prod([x.shape[d] for d in dims])


class Var(Function):
    """y = Σ (x - mean)²/(n - c) over dims, n - c taken as 0 below 0;  ∂y/∂x = 2(x - mean)/(n - c).

    For n ≤ c, where y is inf or NaN, there is nothing to derive, and the gradient is what PyTorch
    gives: the same formula, and over all dimensions (``whole``) inf or, where x is the mean, NaN.
    """

    reads = ((0,),)

    def __init__(self, dims: tuple[int, ...], correction: float, whole: bool, keepdim: bool):
        self.dims, self.correction, self.keepdim, self.whole = dims, correction, keepdim, whole

    def degrees(self, x):
        """n - c, a float64 that divides to inf and NaN."""
        return np.float64(prod([x.shape[d] for d in self.dims]) - self.correction)

    def forward(self, x):
        count = prod([x.shape[d] for d in self.dims])
        centred = x - x.sum(axis=self.dims, keepdims=True) / count
        total = (centred * centred).sum(axis=self.dims, keepdims=self.keepdim)
        return total / float(max(self.degrees(x), 0))

    def vjp(self, needs, g, y, x):
        if not self.keepdim:
            g = g.reshape(tuple([1 if d in self.dims else n for d, n in enumerate(x.shape)]))
        centred, degrees = x - mean(x, self.dims, keepdim=True), self.degrees(x)
        if degrees <= 0 and self.whole:
            return (g * where(centred == 0, nan, inf),)
        return (g * centred * float(2 / degrees),)


@numpy_names
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance over ``dim`` (default: all): Σ(x - mean)²/(n - correction).

    ``correction`` is 1 (Bessel's) unless given; ``unbiased`` says 1 or 0 instead, and may also
    stand in the place of ``dim``, as in PyTorch.  Of n ≤ correction values it is inf, or NaN where
    they are equal.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0, 3.0, 4.0])
    >>> var(x, unbiased=False).item(), var(x, False).item(), var(x, 0, correction=2).item()
    (1.25, 1.25, 2.5)
    """
    x = require_float("var", input)
    return Var(*variance_options("var", x, dim, unbiased, correction), keepdim)(x)


def variance_options(
    name: str, x: Tensor, dim: Any, unbiased: bool | None, correction: float | None
) -> tuple[tuple[int, ...], float, bool]:
    """The dimensions, the correction, and whether no dimension was named."""
    if isinstance(dim, bool):  # var(x, unbiased)
        if unbiased is not None:
            raise TypeError(f"{name}: got unbiased twice")
        dim, unbiased = None, dim
    if unbiased is not None:
        if not isinstance(unbiased, bool):
            raise TypeError(f"{name}: expected True or False as unbiased, got {unbiased!r}")
        if correction is not None:
            raise TypeError(f"{name}: got both unbiased and correction")
        correction = int(unbiased)
    whole = dim is None or x.ndim == 0
    return normalise_dims(name, dim, x.ndim), 1 if correction is None else correction, whole


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
    return Tensor(array_module(x.array).asarray(found, dtype=uint8 if x.dtype == uint8 else None))
