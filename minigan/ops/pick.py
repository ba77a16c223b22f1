"""Elements picked out by index arrays, and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module
from ..places import outside
from ._common import as_tensor, normalise_dim, numpy_names, operand
from .arithmetic import broadcasting
from .indexing import picked
from .kinks import Where, where
from .shape import expand, reshape


def check_indices(name: str, index: Any, length: int | None = None, error: type = RuntimeError):
    """``index`` as a tensor of integers, all of them between 0 and length - 1."""
    index = as_tensor(name, index)
    if index.dtype.kind != "i":
        raise RuntimeError(f"{name}: expected an index of int64, got {index.dtype}")
    if length is not None:
        found = outside(index.array, 0, length)
        if found is not None:
            raise error(f"{name}: index {found} is out of range for length {length}")
    return index


def places(index: Tensor, dim: int) -> tuple:
    """The index that meets every entry of ``index`` along ``dim``, and itself elsewhere."""
    xp = array_module(index.array)
    found = [
        xp.arange(n).reshape([-1 if i == k else 1 for i in range(index.ndim)])
        for k, n in enumerate(index.shape)
    ]
    found[dim] = index.array
    return tuple(found)


@numpy_names
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries ``index`` (1-D, int64) of dimension ``dim``, in that order.

    Raises:
        IndexError: an index below 0 or beyond the dimension, or one of several dimensions.

    >>> import minigan
    >>> index_select(minigan.tensor([5, 6, 7]), 0, minigan.tensor([2, 0]))
    tensor([7, 5])
    """
    x, index = as_tensor("index_select", input), check_indices("index_select", index)
    d = normalise_dim("index_select", dim, x.ndim)
    if index.ndim > 1:
        raise IndexError(f"index_select: expected a vector as index, got shape {index.shape}")
    index = check_indices(
        "index_select", reshape(index, -1), x.shape[d] if x.ndim else 1, IndexError
    )
    if x.ndim:
        return picked(x, (slice(None),) * d + (index,))
    if index.numel() != 1:
        raise RuntimeError(f"index_select: a 0-d input has 1 entry, got {index.numel()} indices")
    return reshape(picked(reshape(x, 1), (index,)), ())


@numpy_names
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """y[i, j, …] = input[…, index[i, j, …] at dim, …]: one pick for every entry of ``index``.

    Shapes: index has as many dimensions as input and is no longer in any but ``dim``.

    Raises:
        RuntimeError: shapes that do not fit, an index below 0 or beyond the dimension.

    >>> import minigan
    >>> gather(minigan.tensor([[1, 2], [3, 4]]), 1, minigan.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    x, index = as_tensor("gather", input), check_indices("gather", index)
    shape = index.shape
    x, index = (v if v.ndim else reshape(v, 1) for v in (x, index))  # a number is a vector of 1
    d = normalise_dim("gather", dim, x.ndim)
    if index.ndim != x.ndim or any(
        n > m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if i != d
    ):
        raise RuntimeError(
            f"gather: index of shape {shape} does not fit input of shape {input.shape} along "
            f"dimension {dim}"
        )
    check_indices("gather", index, x.shape[d])
    return reshape(gathered(x, d, index), shape)


def gathered(x: Tensor, d: int, index: Tensor) -> Tensor:
    """``gather`` where the index is known to fit."""
    return picked(x, places(index, d))


@numpy_names
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As ``gather``, but the other dimensions broadcast, and -1 is the last entry, as in NumPy.

    Without ``dim``: the entries of the flat input (no negative indices), as one vector.

    >>> import minigan
    >>> x = minigan.tensor([[3, 9, 6], [5, 1, 2]])
    >>> take_along_dim(x, minigan.tensor([[0], [-1]]), dim=1)
    tensor([[3],
            [2]])
    """
    x, indices = as_tensor("take_along_dim", input), check_indices("take_along_dim", indices)
    if dim is None:
        return gather(reshape(x, -1), 0, reshape(indices, -1))
    d = normalise_dim("take_along_dim", dim, x.ndim)
    if indices.ndim != x.ndim:
        raise RuntimeError(
            f"take_along_dim: expected indices of {x.ndim} dimensions, got shape {indices.shape}"
        )
    if not x.ndim:
        raise IndexError("take_along_dim: a 0-d input has no dimension to go along")
    n, count = x.shape[d], indices.shape[d]
    try:
        rest = np.broadcast_shapes(*[s[:d] + (1,) + s[d + 1 :] for s in (x.shape, indices.shape)])
    except ValueError:
        raise RuntimeError(
            f"take_along_dim: indices of shape {indices.shape} do not broadcast against input of "
            f"shape {x.shape} but for dimension {dim}"
        ) from None
    indices = where(indices < 0, indices + n, indices)
    wide = expand(x, rest[:d] + (n,) + rest[d + 1 :])
    return gather(wide, d, expand(indices, rest[:d] + (count,) + rest[d + 1 :]))


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """``value`` (a number or a 0-d tensor) where ``mask`` (bool) holds, ``input`` elsewhere.

    The result has input's dtype; the mask broadcasts.

    >>> import minigan
    >>> masked_fill(minigan.tensor([1, 2, 3]), minigan.tensor([True, False, True]), -1)
    tensor([-1,  2, -1])
    """
    x, mask = as_tensor("masked_fill", input), as_tensor("masked_fill", mask)
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_fill: expected a bool mask, got {mask.dtype}")
    value = operand("masked_fill", value)
    if not isinstance(value, Tensor):
        try:
            value = Tensor(array_module(x.array).asarray(value, dtype=x.dtype))
        except (OverflowError, ValueError, TypeError):
            raise RuntimeError(f"masked_fill: {value} is no value of {x.dtype}") from None
    if value.ndim:
        raise RuntimeError(f"masked_fill: expected a 0-d value, got shape {value.shape}")
    return broadcasting("masked_fill", Where(), mask, value.to(x.dtype), x)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 vectors with a 1 at each entry's class: shape (…, num_classes).

    ``num_classes`` of -1 means one more than the largest class there is.

    >>> import minigan
    >>> one_hot(minigan.tensor([1, 0]), 3)
    tensor([[0, 1, 0],
            [1, 0, 0]])
    """
    x = as_tensor("one_hot", tensor)
    if x.dtype.kind not in "iu":
        raise RuntimeError(f"one_hot: expected an integer tensor, got {x.dtype}")
    least, largest = (int(x.array.min()), int(x.array.max())) if x.numel() else (0, -1)
    if least < 0:
        raise RuntimeError(f"one_hot: class values must be non-negative, got {least}")
    classes = largest + 1 if num_classes == -1 else num_classes
    if classes < 1 or largest >= classes:
        raise RuntimeError(
            f"one_hot: class values must be smaller than num_classes ({classes}), got {largest}"
        )
    xp = array_module(x.array)
    return Tensor((x.array[..., None] == xp.arange(classes)).astype("int64"))
