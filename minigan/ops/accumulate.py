"""Running sums, products, deviations and norms."""

from __future__ import annotations

from math import inf
from math import prod as product_of
from numbers import Real
from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor, cast, normalise_dim, normalise_dims, numpy_names
from .arrange import flip
from .extremes import Amax, Amin
from .kinks import abs as absolute
from .kinks import where
from .reduction import Var, require_float, variance_options
from .reduction import sum as total_of
from .shape import cat


def _wide(x: Tensor, dtype: Any) -> Tensor:
    """``x`` in the dtype asked for; else integers and booleans as int64."""
    if dtype is None and x.dtype.kind in "biu":
        dtype = "int64"
    return x if dtype is None else cast(x, dtype)


class CumSum(Function):
    """y_i = Σ_{j ≤ i} x_j along dim;  the gradient is the same sum from the other end."""

    reads = ((),)

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x):
        return x.cumsum(axis=self.dim, dtype=x.dtype)

    def vjp(self, needs, g, y, x):
        return (flip(CumSum(self.dim)(flip(g, self.dim)), self.dim),)


@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Σ of all entries up to each one along ``dim``; integers give int64.

    >>> import minigan
    >>> cumsum(minigan.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    x = _wide(as_tensor("cumsum", input), dtype)
    d = normalise_dim("cumsum", dim, x.ndim)
    return CumSum(d)(x) if x.ndim else CumSum(0)(x.reshape(1)).reshape(())


class Prod(Function):
    """y = Π x along the last dimension;  ∂y/∂x_i = Π_{j ≠ i} x_j, right also where x has zeros."""

    reads = ((0,),)

    def forward(self, x):
        return x.prod(axis=-1, dtype=x.dtype)

    def vjp(self, needs, g, y, x):
        return (g.unsqueeze(-1) * _others(x),)


def _others(x: Tensor) -> Tensor:
    """Π_{j ≠ i} x_j for every i of the last dimension, without a division.

    The entries are paired: both of a pair take the product of all other pairs, and each other.
    """
    n = x.shape[-1]
    one = Tensor(array_module(x.array).ones((*x.shape[:-1], 1), dtype=x.dtype))
    if n <= 1:
        return one[..., :n]
    if n % 2:
        return _others(cat([x, one], -1))[..., :n]
    a, b = x[..., : n // 2], x[..., n // 2 :]
    rest = _others(a * b)
    return cat([rest * b, rest * a], -1)


@numpy_names
def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Π input over ``dim`` (default: all); booleans and integers give int64.

    >>> import minigan
    >>> prod(minigan.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([ 2., 12.], dtype=float32)
    """
    x = _wide(as_tensor("prod", input), dtype)
    dims = normalise_dims("prod", dim, x.ndim)
    kept = [d for d in range(x.ndim) if d not in dims]
    flat = x.permute(*kept, *dims).reshape(
        *[x.shape[d] for d in kept], product_of([x.shape[d] for d in dims])
    )
    y = Prod()(flat)
    return y.reshape([1 if d in dims else n for d, n in enumerate(x.shape)]) if keepdim else y


class Root(Function):
    """y = √x for x ≥ 0 with the gradient at 0 taken as 0: for norms, which have none there."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).sqrt(x)

    def vjp(self, needs, g, y, x):
        zero = Tensor(y.array == 0)
        return (where(zero, 0, g / (where(zero, 1, y) * 2)),)


class Present(Function):
    """y = 1 where x ≠ 0, else 0;  ∂y/∂x = 0."""

    reads = ((),)

    def forward(self, x):
        return (x != 0).astype(x.dtype)

    def vjp(self, needs, g, y, x):
        return (None,)


@numpy_names
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The standard deviation over ``dim``: √(Σ(x - mean)²/(n - correction)), options as of ``var``.

    The gradient of a deviation of 0 is 0.

    >>> import minigan
    >>> std(minigan.tensor([1.0, 2.0, 3.0]))
    tensor(1., dtype=float32)
    """
    x = require_float("std", input)
    return Root()(Var(*variance_options("std", x, dim, unbiased, correction), keepdim)(x))


@numpy_names
def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """(Σ |x|^p)^(1/p) over ``dim`` (default: all).

    p of inf and -inf: the largest and smallest |x|; 0: how many are not 0; "fro" and None: as 2.
    The gradient of a norm of 0 is 0, and so is that with respect to an x of 0.

    Raises:
        RuntimeError: integers, another p, and p = ±inf or p < 0 of no elements.

    >>> import minigan
    >>> norm(minigan.tensor([3.0, 4.0]))
    tensor(5., dtype=float32)
    """
    x = as_tensor("norm", input)
    x = require_float("norm", x if dtype is None else cast(x, dtype))
    dims = normalise_dims("norm", dim, x.ndim)
    if p is None or p in ("fro", 2):
        return Root()(total_of(x * x, dims, keepdim=keepdim))
    if not isinstance(p, Real):
        raise RuntimeError(f'norm: p must be a number or "fro", got {p!r}')
    if (p < 0 or p == inf) and any(x.shape[d] == 0 for d in dims):
        raise RuntimeError(f"norm: there is no {p}-norm of no elements (shape {x.shape})")
    if p == 0:
        return total_of(Present()(x), dims, keepdim=keepdim)
    size = absolute(x)
    if p in (inf, -inf):
        return (Amax if p > 0 else Amin)(dims, keepdim)(size)
    if p == 1:
        return total_of(size, dims, keepdim=keepdim)
    zero = size == 0
    total = total_of(where(zero, 0, where(zero, 1, size) ** p), dims, keepdim=keepdim)
    none = total == 0 if p > 0 else zero.any(dims, keepdim)  # for p < 0 one 0 makes the norm 0
    return where(none, 0, where(none, 1, total) ** (1 / p))
