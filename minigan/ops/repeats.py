"""Copies beside each other: of whole tensors, and of every entry."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor, by_keyword, normalise_dim, numpy_names, size_from
from .pick import index_select
from .shape import reshape


class Repeat(Function):
    """y = x copied sizes[d] times along every dimension; the gradient sums over the copies."""

    reads = ((),)

    def __init__(self, sizes: tuple[int, ...]):
        self.sizes = sizes

    def forward(self, x):
        return array_module(x).tile(x, self.sizes)

    def vjp(self, needs, g, y, x):
        lengths = (1,) * (len(self.sizes) - x.ndim) + x.shape
        apart = g.reshape([n for pair in zip(self.sizes, lengths, strict=True) for n in pair])
        copies = tuple(range(0, apart.ndim, 2))
        return ((apart.sum(copies) if copies else apart).reshape(x.shape),)


def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """``input`` copied ``sizes[d]`` times along every dimension, new ones first.

    >>> import minigan
    >>> repeat(minigan.tensor([1, 2]), 2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    x = as_tensor("repeat", input)
    sizes = size_from("repeat", sizes)
    if len(sizes) < x.ndim or any(n < 0 for n in sizes):
        raise RuntimeError(
            f"repeat: expected at least {x.ndim} non-negative counts for input of shape {x.shape}, "
            f"got {sizes}"
        )
    return Repeat(sizes)(x)


@numpy_names
def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None) -> Tensor:
    """Every entry of dimension ``dim`` (None: of the flat input) ``repeats`` times, in place.

    Args:
        repeats: an int, or an integer Tensor with a count for every entry.

    >>> import minigan
    >>> repeat_interleave(minigan.tensor([5, 6]), minigan.tensor([1, 2]))
    tensor([5, 6, 6])
    """
    x = as_tensor("repeat_interleave", input)
    x, d = (reshape(x, -1), 0) if dim is None else (x, normalise_dim("repeat", dim, x.ndim))
    xp = array_module(x.array)
    counts = repeats.array if isinstance(repeats, Tensor) else repeats
    try:
        index = xp.repeat(xp.arange(x.shape[d]), counts)
    except (ValueError, TypeError):
        raise RuntimeError(
            f"repeat_interleave: expected a count of at least 0, or one for each of {x.shape[d]} "
            f"entries, got {repeats}"
        ) from None
    return index_select(x, d, Tensor(index))


@by_keyword("dims")
def tile(input: Tensor, *dims: Any) -> Tensor:
    """As ``repeat``; missing counts are 1 for the first dimensions."""
    x, dims = as_tensor("tile", input), size_from("tile", dims)
    return repeat(x, (1,) * (x.ndim - len(dims)) + dims)
