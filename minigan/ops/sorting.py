"""Order: sorted values and where they stood, the largest few, the places that are not zero.

Values carry their gradient to the entries that they are; places are integers.  A NaN counts as
larger than any number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .._tensor import Tensor
from ..array import array_module
from ._common import as_tensor, normalise_dim, numpy_names
from .pick import gather
from .shape import narrow, reshape


class Sorted(NamedTuple):
    """Values and where they stood, as ``sort`` and ``topk`` return them."""

    values: Tensor
    indices: Tensor


@numpy_names
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Where the entries along ``dim`` stand in ascending (or ``descending``) order, int64.

    Equal entries keep their order, whether ``stable`` asks for it or not.

    >>> import minigan
    >>> argsort(minigan.tensor([0.3, 0.1, 0.2]))
    tensor([1, 2, 0])
    """
    x = as_tensor("argsort", input)
    d = normalise_dim("argsort", dim, x.ndim)
    xp = array_module(x.array)
    if not x.ndim:
        return Tensor(xp.zeros((), dtype="int64"))
    array = x.array
    if descending:  # from the other end, so that equal entries keep their order here too
        places = x.shape[d] - 1 - xp.argsort(xp.flip(array, d), axis=d, kind="stable")
        return Tensor(xp.flip(places, d).copy())
    return Tensor(xp.argsort(array, axis=d, kind="stable"))


@numpy_names
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Sorted:
    """The entries along ``dim`` in ascending (or ``descending``) order, and where they stood.

    >>> import minigan
    >>> sort(minigan.tensor([0.3, 0.1, 0.2])).values
    tensor([0.1, 0.2, 0.3], dtype=float32)
    """
    indices = argsort(input, dim, descending, stable)
    return Sorted(gather(input, dim, indices), indices)


@numpy_names
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """The ``k`` largest (or smallest) entries along ``dim``, in order, and where they stood.

    Raises:
        RuntimeError: there are fewer than ``k``.

    >>> import minigan
    >>> topk(minigan.tensor([0.3, 0.1, 0.2]), 2).indices
    tensor([0, 2])
    """
    x = as_tensor("topk", input)
    d = normalise_dim("topk", dim, x.ndim)
    length = x.shape[d] if x.ndim else 1
    if not 0 <= k <= length:
        raise RuntimeError(f"topk: expected k between 0 and {length}, got {k}")
    order = argsort(reshape(x, 1) if not x.ndim else x, d, descending=largest)
    indices = narrow(order, d, 0, k)
    if not x.ndim:
        indices = reshape(indices, ()) if k else indices
    return Sorted(gather(x, d, indices), indices)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The places of all entries that are not 0, int64: a matrix with one row for each.

    ``as_tuple`` gives one vector for every dimension instead: what ``x[...]`` takes.

    >>> import minigan
    >>> nonzero(minigan.tensor([[0, 5], [6, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    x = as_tensor("nonzero", input)
    xp = array_module(x.array)
    array = x.array if x.ndim or not as_tuple else x.array.reshape(1)
    if as_tuple:
        return tuple(Tensor(places) for places in xp.nonzero(array))
    return Tensor(xp.argwhere(array).astype("int64", copy=False))


@numpy_names
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many entries over ``dim`` (default: all) are not 0, int64."""
    return (as_tensor("count_nonzero", input) != 0).sum(dim)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The entries where ``mask`` (bool) holds, as one vector; the two broadcast.

    >>> import minigan
    >>> x = minigan.tensor([1.0, -2.0, 3.0])
    >>> masked_select(x, x > 0)
    tensor([1., 3.], dtype=float32)
    """
    x, mask = as_tensor("masked_select", input), as_tensor("masked_select", mask)
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_select: expected a bool mask, got {mask.dtype}")
    xp = array_module(x.array)
    try:
        shape = xp.broadcast_shapes(x.shape, mask.shape)
    except ValueError:
        raise RuntimeError(
            f"masked_select: shapes {x.shape} and {mask.shape} do not broadcast"
        ) from None
    return reshape(x.expand(shape), -1)[reshape(mask.expand(shape), -1)]
