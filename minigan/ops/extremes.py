"""Largest and smallest: elementwise, along dimensions, and where they are.

At a tie the derivative is not defined; as in PyTorch, ``maximum``, ``amax`` and the full ``max``
share the gradient equally among the tied, while ``max(dim)`` gives it to the one it returns.
A NaN counts as larger and as smaller than any number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor, normalise_dim, normalise_dims, numpy_names, operands, sum_to
from .arithmetic import broadcasting
from .kinks import where
from .pick import gather


class Maximum(Function):
    """y = max(a, b);  ∂y/∂a = 1 where a > b, ½ where a = b, else 0."""

    choose, loses = "maximum", "less"

    def forward(self, a, b):
        xp = array_module(a if hasattr(a, "dtype") else b)
        if xp.result_type(a, b).kind != "c":
            return getattr(xp, self.choose)(a, b)
        a, b = xp.asarray(a), xp.asarray(b)
        return xp.where(getattr(xp, self.loses)(a.real, b.real), b, a)

    def vjp(self, needs, g, y, a, b):
        ga = sum_to(self._part(g, a, b), a) if needs[0] else None
        gb = sum_to(self._part(g, b, a), b) if needs[1] else None
        return ga, gb

    def _part(self, g: Tensor, mine: Any, other: Any) -> Tensor:
        """g where mine was chosen (with a NaN both were), half of it at a tie."""
        mine, other = (v.array.real if isinstance(v, Tensor) else v for v in (mine, other))
        xp = array_module(g.array)
        lost = Tensor(xp.asarray(getattr(xp, self.loses)(mine, other)))
        tied = Tensor(xp.asarray(xp.equal(mine, other)))
        return where(lost, 0, where(tied, g / 2, g))


class Minimum(Maximum):
    """y = min(a, b);  ∂y/∂a = 1 where a < b, ½ where a = b, else 0."""

    choose, loses = "minimum", "greater"


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of two (tensors, or one and a number), elementwise with broadcasting.

    NaN if either is NaN.

    >>> import minigan
    >>> maximum(minigan.tensor([1.0, 5.0]), minigan.tensor([4.0, 2.0]))
    tensor([4., 5.], dtype=float32)
    """
    return broadcasting("maximum", Maximum(), *operands("maximum", input, other))


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of two (tensors, or one and a number), elementwise; NaN if either is NaN."""
    return broadcasting("minimum", Minimum(), *operands("minimum", input, other))


class Amax(Function):
    """y = max x over dims;  ∂y/∂x = 1/k for each of the k tied, else 0."""

    reads = ((0, "y"),)
    choose = "max"

    def __init__(self, dims: tuple[int, ...], keepdim: bool):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x):
        y = getattr(x.real, self.choose)(axis=self.dims, keepdims=True)
        if x.dtype.kind == "c":  # the tied share the imaginary part as they share the gradient
            y = (x * self._shares(x.real, y)).sum(axis=self.dims, keepdims=True)
        return y if self.keepdim else y.squeeze(axis=self.dims)

    def _shares(self, x, y):
        tied = (x == y) | (x != x) & (y != y)
        return tied.astype(x.dtype) / tied.sum(axis=self.dims, keepdims=True, dtype=x.dtype)

    def vjp(self, needs, g, y, x):
        shape = tuple([1 if d in self.dims else n for d, n in enumerate(x.shape)])
        return (g.reshape(shape) * Tensor(self._shares(x.array.real, y.array.real.reshape(shape))),)


class Amin(Amax):
    """y = min x over dims;  ∂y/∂x = 1/k for each of the k tied, else 0."""

    choose = "min"


@numpy_names
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest element over ``dim`` (default: all); ties share the gradient.

    Raises:
        RuntimeError: of all elements, where there is none.
        IndexError: over a dimension of length 0.

    >>> import minigan
    >>> amax(minigan.tensor([[1.0, 3.0], [2.0, 0.0]]), dim=1)
    tensor([3., 2.], dtype=float32)
    """
    return _over("amax", Amax, input, dim, keepdim)


@numpy_names
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest element over ``dim`` (default: all); ties share the gradient."""
    return _over("amin", Amin, input, dim, keepdim)


def _over(name: str, function: type[Amax], input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    x = as_tensor(name, input)
    if not x.numel() and (dim is None or dim == ()):
        raise RuntimeError(f"{name}: of no elements (shape {x.shape}); give dim")
    dims = normalise_dims(name, dim, x.ndim)
    _not_empty(name, x, dims)
    return function(dims, keepdim)(x)


def _not_empty(name: str, x: Tensor, dims: tuple[int, ...]) -> None:
    if any(x.shape[d] == 0 for d in dims):
        raise IndexError(f"{name}: expected dimensions {dims} not to be empty, got shape {x.shape}")


@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element stands (the first, if tied), int64; of all if ``dim`` is None.

    >>> import minigan
    >>> argmax(minigan.tensor([[1.0, 3.0], [2.0, 0.0]]), dim=0)
    tensor([1, 0])
    """
    return _argument("argmax", input, dim, keepdim)


@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element stands (the first, if tied), int64; of all if ``dim`` is None."""
    return _argument("argmin", input, dim, keepdim)


def _argument(name: str, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    x = as_tensor(name, input)
    axis = None if dim is None else normalise_dim(name, dim, x.ndim)
    axis = axis if x.ndim else None
    _not_empty(name, x, tuple(range(x.ndim)) if axis is None else (axis,))
    xp = array_module(x.array)
    found = getattr(xp, name)(x.array.real, axis=axis, keepdims=keepdim)
    return Tensor(xp.asarray(found, dtype="int64"))


class Extreme(NamedTuple):
    """Values and where they stand, as ``max(dim)`` and ``min(dim)`` return them."""

    values: Tensor
    indices: Tensor


@numpy_names
def max(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Tensor | Extreme:
    """The largest element of all; with ``dim`` (values, indices); with a Tensor, ``maximum``.

    >>> import minigan
    >>> max(minigan.tensor([[1.0, 3.0], [2.0, 0.0]]), dim=1).indices
    tensor([1, 0])
    """
    if isinstance(dim, Tensor):
        other = dim
    if other is not None:
        return maximum(input, other)
    if dim is None:
        return _over("max", Amax, input, None, keepdim)
    return _along("max", argmax, input, dim, keepdim)


@numpy_names
def min(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Tensor | Extreme:
    """The smallest element of all; with ``dim`` (values, indices); with a Tensor, ``minimum``."""
    if isinstance(dim, Tensor):
        other = dim
    if other is not None:
        return minimum(input, other)
    if dim is None:
        return _over("min", Amin, input, None, keepdim)
    return _along("min", argmin, input, dim, keepdim)


def _along(name: str, find: Any, input: Tensor, dim: int, keepdim: bool) -> Extreme:
    x = as_tensor(name, input)
    d = normalise_dim(name, dim, x.ndim)
    _not_empty(name, x, (d,) if x.ndim else ())
    indices = find(x, d, keepdim=True)
    values = gather(x, d, indices)
    if keepdim or not x.ndim:
        return Extreme(values, indices)
    return Extreme(values.squeeze(d), indices.squeeze(d))
