"""More arrangements: mirrored, rolled, split, repeated, triangles, diagonals, grids."""

from __future__ import annotations

from itertools import accumulate
from operator import index as as_index
from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor, by_keyword, normalise_dim, normalise_dims, numpy_names, size_from
from .kinks import where
from .pick import gather, index_select, masked_fill, one_hot, take_along_dim
from .repeats import repeat, repeat_interleave, tile
from .shape import expand, narrow, reshape


class Flip(Function):
    """y = a copy of x read backwards along dims; the gradient is flipped back."""

    reads = ((),)

    def __init__(self, dims: tuple[int, ...]):
        self.dims = dims

    def forward(self, x):
        return array_module(x).flip(x, self.dims).copy(order="K")

    def vjp(self, needs, g, y, x):
        return (Flip(self.dims)(g),)


class Roll(Function):
    """y[i] = x[i - shift], cyclically; the gradient is rolled back."""

    reads = ((),)

    def __init__(self, shifts: tuple[int, ...], dims: tuple[int, ...]):
        self.shifts, self.dims = shifts, dims

    def forward(self, x):
        return array_module(x).roll(x, self.shifts, self.dims)

    def vjp(self, needs, g, y, x):
        return (Roll(tuple(-s for s in self.shifts), self.dims)(g),)


class Diagonal(Function):
    """y[…, i] = x[…, i, i + offset], a view; the gradient is put onto a diagonal of zeros."""

    reads = ((),)
    is_view = True

    def __init__(self, offset: int):
        self.offset = offset

    def forward(self, x):
        return _diagonal(x, self.offset)

    def vjp(self, needs, g, y, x):
        return (OnDiagonal(self.offset, x.shape)(g),)


class OnDiagonal(Function):
    """y[…, i, i + offset] = x[…, i], zeros elsewhere; the gradient is g's diagonal."""

    reads = ((),)

    def __init__(self, offset: int, shape: tuple[int, ...]):
        self.offset, self.shape = offset, shape

    def forward(self, x):
        y = array_module(x).zeros(self.shape, dtype=x.dtype)
        _diagonal(y, self.offset)[...] = x
        return y

    def vjp(self, needs, g, y, x):
        return (Diagonal(self.offset)(g),)


def _diagonal(x, offset: int):
    """A view of the diagonal of the last two dimensions (NumPy's own is read-only)."""
    x = x[..., max(-offset, 0) :, max(offset, 0) :]
    shape = (*x.shape[:-2], min(x.shape[-2:]))
    strides = (*x.strides[:-2], sum(x.strides[-2:]))
    return array_module(x).lib.stride_tricks.as_strided(x, shape, strides)


def _integers(name: str, option: str, value: Any) -> tuple[int, ...]:
    """An int or several as a tuple."""
    try:
        return tuple(map(as_index, value)) if hasattr(value, "__len__") else (as_index(value),)
    except TypeError:
        raise TypeError(f"{name}: {option} expects an int or ints, got {value!r}") from None


@by_keyword("dims")
def flip(input: Tensor, *dims: Any) -> Tensor:
    """A copy of ``input`` read backwards along ``dims`` (none: as it is).

    >>> import minigan
    >>> flip(minigan.arange(3), 0)
    tensor([2, 1, 0])
    """
    x = as_tensor("flip", input)
    if not dims:
        raise TypeError("flip: expected dims, the dimensions to read backwards")
    dims = size_from("flip", dims, "dims")
    return Flip(normalise_dims("flip", dims, x.ndim) if dims else ())(x)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """``input`` shifted cyclically along ``dims``; without them, as one flat sequence.

    >>> import minigan
    >>> roll(minigan.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    x, shifts = as_tensor("roll", input), _integers("roll", "shifts", shifts)
    dims = () if dims is None else _integers("roll", "dims", dims)
    if len(shifts) == 1 and not dims:
        return reshape(Roll(shifts, (0,))(reshape(x, -1)), x.shape)
    if not shifts or len(dims) != len(shifts):
        raise RuntimeError(f"roll: expected one shift per dimension, got {shifts} and {dims}")
    if not x.ndim:
        raise IndexError(f"roll: dimensions {dims} given, but the tensor has none")
    return Roll(shifts, tuple(normalise_dim("roll", d, x.ndim) for d in dims))(x)


@numpy_names
def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """``input`` cut along ``dim`` into pieces of one size (the last may be shorter), or of given.

    The pieces are views.

    >>> import minigan
    >>> [len(part) for part in split(minigan.arange(5), 2)]
    [2, 2, 1]
    """
    x = as_tensor("split", input)
    if not x.ndim:
        raise RuntimeError("split: expected at least 1 dimension, got a 0-d tensor")
    n = x.shape[normalise_dim("split", dim, x.ndim)]
    sections = _integers("split", "split_size_or_sections", split_size_or_sections)
    if not hasattr(split_size_or_sections, "__len__"):
        (size,) = sections
        if size < 0 or (size == 0 and n):
            raise RuntimeError(f"split: size must be positive, got {size}")
        sections = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    elif sum(sections) != n or min(sections, default=0) < 0:
        raise RuntimeError(
            f"split: sections {sections} do not add up to {n}, the length of dimension {dim}"
        )
    ends = accumulate(sections)
    return tuple(narrow(x, dim, end - n, n) for end, n in zip(ends, sections, strict=True))


@numpy_names
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along ``dim``, without that dimension; they are views."""
    x = as_tensor("unbind", input)
    if not x.ndim:
        raise IndexError("unbind: expected at least 1 dimension, got a 0-d tensor")
    d = normalise_dim("unbind", dim, x.ndim)
    return tuple(x[(slice(None),) * d + (i, Ellipsis)] for i in range(x.shape[d]))


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """``input`` repeated to shape ``size`` without a copy."""
    return expand(as_tensor("broadcast_to", input), size)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two dimensions, up to ``diagonal``; zeros above.

    >>> import minigan
    >>> tril(minigan.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return _triangle("tril", input, diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dimensions, from ``diagonal`` on; zeros below."""
    return _triangle("triu", input, diagonal)


def _triangle(name: str, input: Tensor, diagonal: int) -> Tensor:
    x, (k,) = as_tensor(name, input), _integers(name, "diagonal", diagonal)
    if x.ndim < 2:
        raise RuntimeError(f"{name}: expected at least 2 dimensions, got shape {x.shape}")
    xp = array_module(x.array)
    keep = getattr(xp, name)(xp.ones(x.shape[-2:], dtype=bool), k)
    return where(Tensor(keep), x, Tensor(xp.zeros((), dtype=x.dtype)))


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The entries i, i + offset of dimensions ``dim1`` and ``dim2``, as the last dimension: a view.

    >>> import minigan
    >>> diagonal(minigan.tensor([[1, 2, 3], [4, 5, 6]]), 1)
    tensor([2, 6])
    """
    x, (k,) = as_tensor("diagonal", input), _integers("diagonal", "offset", offset)
    a, b = (normalise_dim("diagonal", d, x.ndim) for d in (dim1, dim2))
    if a == b:
        raise RuntimeError(f"diagonal: expected two different dimensions, got {dim1} and {dim2}")
    return Diagonal(k)(x.permute(*[d for d in range(x.ndim) if d not in (a, b)], a, b))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Grids of coordinates from vectors: the i-th varies along dimension i ("xy": 0 and 1 swapped).

    >>> import minigan
    >>> meshgrid(minigan.arange(2), minigan.arange(3))[1]
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    vectors = [as_tensor("meshgrid", v) for v in tensors]
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be "ij" or "xy", got "{indexing}"')
    if not vectors or any(v.ndim > 1 or v.dtype != vectors[0].dtype for v in vectors):
        raise RuntimeError(
            "meshgrid: expected vectors of one dtype, got "
            + (", ".join(f"{v.dtype} of shape {v.shape}" for v in vectors) or "none")
        )
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    shape = [0] * len(vectors)
    for place, v in zip(order, vectors, strict=True):
        shape[place] = v.numel()
    return tuple(
        expand(reshape(v, [-1 if d == place else 1 for d in range(len(shape))]), shape)
        for place, v in zip(order, vectors, strict=True)
    )


__all__ = [
    "broadcast_to",
    "diagonal",
    "flip",
    "gather",
    "index_select",
    "masked_fill",
    "meshgrid",
    "one_hot",
    "repeat",
    "repeat_interleave",
    "roll",
    "split",
    "take_along_dim",
    "tile",
    "tril",
    "triu",
    "unbind",
]
