"""Changes of shape: the same numbers in another arrangement."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .. import fused
from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_tensor, by_keyword, normalise_dim, numpy_names, operands, size_from, sum_to


class Reshape(Function):
    """The same elements in the same (row-major) order under another shape."""

    reads = ((),)
    is_view = True

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def forward(self, x):
        return fused.reshape(x, self.shape)

    def vjp(self, needs, g, y, x):
        return (g.reshape(x.shape),)


class Permute(Function):
    """y's dimension i is x's dimension dims[i]; the gradient is permuted back."""

    reads = ((),)
    is_view = True

    def __init__(self, dims: tuple[int, ...]):
        self.dims = dims

    def forward(self, x):
        return x.transpose(self.dims)

    def vjp(self, needs, g, y, x):
        inverse = [0] * len(self.dims)
        for i, d in enumerate(self.dims):
            inverse[d] = i
        return (Permute(tuple(inverse))(g),)


class Expand(Function):
    """x repeated along new or length-1 dimensions without a copy; the gradient sums over them."""

    reads = ((),)
    is_view = True

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def forward(self, x):
        return array_module(x).broadcast_to(x, self.shape)

    def vjp(self, needs, g, y, x):
        return (sum_to(g, x),)


class Cat(Function):
    """Inputs joined along dim; each gets its slice of the gradient."""

    def __init__(self, dim: int, count: int):
        self.dim = dim
        self.reads = ((),) * count

    def forward(self, *inputs):
        return array_module(inputs[0]).concatenate(inputs, axis=self.dim)

    def vjp(self, needs, g, y, *inputs):
        gradients, start = [], 0
        for x, need in zip(inputs, needs, strict=True):
            n = x.shape[self.dim]
            gradients.append(narrow(g, self.dim, start, n) if need else None)
            start += n
        return tuple(gradients)


def reshape(input: Tensor, *lengths: Any, shape: Any = None) -> Tensor:
    """``input`` with another shape of as many elements; one length may be -1.

    The lengths are given one by one, as one sequence, or as ``shape=``.

    >>> import minigan
    >>> reshape(minigan.zeros(2, 6), (3, -1)).shape
    (3, 4)
    """
    x = as_tensor("reshape", input)
    shape = size_from("reshape", lengths if shape is None else (*lengths, shape))
    if shape == x.shape:
        return x
    if min(shape, default=0) >= -1:  # NumPy takes any negative length for -1
        try:
            return Reshape(shape)(x)
        except ValueError:
            pass
    raise RuntimeError(f"reshape: shape {shape} is invalid for input of shape {x.shape}")


@by_keyword("dims")
def permute(input: Tensor, *dims: Any) -> Tensor:
    """Dimensions in another order: the result's i-th is input's ``dims[i]``-th."""
    x = as_tensor("permute", input)
    given = size_from("permute", dims, "dims")
    order = tuple(normalise_dim("permute", d, x.ndim) for d in given)
    if sorted(order) != list(range(x.ndim)):
        raise RuntimeError(f"permute: expected every one of {x.ndim} dimensions once, got {given}")
    return Permute(order)(x)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """``input`` with two dimensions swapped."""
    x = as_tensor("transpose", input)
    order = list(range(x.ndim))
    a, b = normalise_dim("transpose", dim0, x.ndim), normalise_dim("transpose", dim1, x.ndim)
    if x.ndim:
        order[a], order[b] = order[b], order[a]
    return Permute(tuple(order))(x)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions (one, or several) put at other places; the rest keep their order.

    >>> import minigan
    >>> movedim(minigan.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    x = as_tensor("movedim", input)
    moved = [
        [normalise_dim("movedim", d, x.ndim) for d in (v if isinstance(v, (tuple, list)) else [v])]
        for v in (source, destination)
    ]
    if len(moved[0]) != len(moved[1]) or any(len(set(dims)) != len(dims) for dims in moved):
        raise RuntimeError(
            f"movedim: expected as many different destinations as sources, got {source} and "
            f"{destination}"
        )
    order = [d for d in range(x.ndim) if d not in moved[0]]
    for place, d in sorted(zip(moved[1], moved[0], strict=True)):
        order.insert(place, d)
    return permute(x, order)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and scalars stay as they are."""
    if as_tensor("t", input).ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {input.shape}")
    return input if input.ndim < 2 else transpose(input, 0, 1)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions ``start_dim`` to ``end_dim`` made one."""
    x = as_tensor("flatten", input)
    if x.ndim == 0:
        return reshape(x, 1)
    a, b = normalise_dim("flatten", start_dim, x.ndim), normalise_dim("flatten", end_dim, x.ndim)
    if a > b:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(x, x.shape[:a] + (prod(x.shape[a : b + 1]),) + x.shape[b + 1 :])


@numpy_names
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension ``dim`` split into ``sizes`` (one of which may be -1)."""
    x = as_tensor("unflatten", input)
    d, length = _dimension("unflatten", x, dim)
    sizes = tuple(sizes)
    rest = prod([n for n in sizes if n != -1])
    if sizes.count(-1) == 1 and rest and length % rest == 0:
        sizes = tuple(length // rest if n == -1 else n for n in sizes)
    if -1 in sizes or prod(sizes) != length:
        raise RuntimeError(
            f"unflatten: sizes {sizes} do not multiply to {length}, "
            f"the length of dimension {dim} of input of shape {x.shape}"
        )
    return reshape(x, x.shape[:d] + sizes + x.shape[d + 1 :])


@numpy_names
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without dimensions of length 1 (all of them, or those in ``dim`` that have length 1)."""
    x = as_tensor("squeeze", input)
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    drop = {normalise_dim("squeeze", d, x.ndim) for d in dims}
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if n != 1 or d not in drop))


@numpy_names
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new dimension of length 1 at ``dim``."""
    x = as_tensor("unsqueeze", input)
    d = normalise_dim("unsqueeze", dim, x.ndim + 1)
    return reshape(x, x.shape[:d] + (1,) + x.shape[d:])


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """``input`` repeated along dimensions of length 1 and new leading ones; -1 keeps a length."""
    x = as_tensor("expand", input)
    sizes = size_from("expand", sizes)
    lead = len(sizes) - x.ndim
    shape = tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(sizes))
    if min(lead, *shape, 0) < 0 or any(
        n not in (1, m) for n, m in zip(x.shape, shape[lead:], strict=True)
    ):
        raise RuntimeError(f"expand: shape {sizes} does not fit input of shape {x.shape}")
    return x if shape == x.shape else Expand(shape)(x)


@numpy_names
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an existing dimension.

    >>> import minigan
    >>> cat([minigan.zeros(2, 3), minigan.ones(1, 3)]).shape
    (3, 3)
    """
    tensors = [as_tensor("cat", x) for x in tensors]
    if not tensors:
        raise ValueError("cat: expected a non-empty list of Tensors")
    if any(x.ndim > 1 for x in tensors):  # a vector of no elements is nothing beside matrices
        tensors = [x for x in tensors if x.shape != (0,)]
    first = tensors[0]
    d = normalise_dim("cat", dim, first.ndim)
    for x in tensors:
        if x.ndim == 0 or x.shape[:d] + x.shape[d + 1 :] != first.shape[:d] + first.shape[d + 1 :]:
            raise RuntimeError(
                f"cat: sizes must match except in dimension {d}: {first.shape} and {x.shape}"
            )
    return Cat(d, len(tensors))(*operands("cat", *tensors))


@numpy_names
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension."""
    tensors = [as_tensor("stack", x) for x in tensors]
    if not tensors:
        raise RuntimeError("stack: expected a non-empty list of Tensors")
    for x in tensors:
        if x.shape != tensors[0].shape:
            raise RuntimeError(
                f"stack: expected tensors of one shape, got {tensors[0].shape} and {x.shape}"
            )
    return cat([unsqueeze(x, dim) for x in tensors], dim)


@numpy_names
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at ``index`` of dimension ``dim``, without that dimension; a view."""
    d, n = _dimension("select", input, dim)
    if not -n <= index < n:
        raise IndexError(f"select: index {index} is out of range for length {n}")
    return input[(slice(None),) * d + (index,)]


@numpy_names
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``length`` entries of dimension ``dim`` from ``start`` on (negative: from the end)."""
    d, n = _dimension("narrow", input, dim)
    if not -n <= start <= n:
        raise IndexError(f"narrow: start out of range (expected {-n} to {n}, got {start})")
    first = start + n if start < 0 else start
    if not 0 <= length <= n - first:
        raise RuntimeError(
            f"narrow: start {start} and length {length} exceed dimension {dim} "
            f"of input of shape {input.shape}"
        )
    return input[(slice(None),) * d + (slice(first, first + length),)]


@numpy_names
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """``input`` cut along ``dim`` into at most ``chunks`` pieces of equal length but the last."""
    d, n = _dimension("chunk", input, dim)
    if chunks < 1:
        raise RuntimeError(f"chunk: expected at least 1 chunk, got {chunks}")
    step = -(-n // chunks)
    starts = range(0, n, step) if n else [0] * chunks
    return tuple(narrow(input, d, i, min(step, n - i)) for i in starts)


def _dimension(name: str, x: Tensor, dim: int) -> tuple[int, int]:
    """``dim`` counted from 0 and its length."""
    if as_tensor(name, x).ndim == 0:
        raise RuntimeError(f"{name}: expected at least 1 dimension, got a 0-d tensor")
    d = normalise_dim(name, dim, x.ndim)
    return d, x.shape[d]
