"""``x[index]`` and ``x[index] = value``, and their gradients: reading, adding into, replacing."""

from __future__ import annotations

from math import prod
from sys import getrefcount
from typing import Any

import numpy as np

from .. import places
from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function, is_grad_enabled
from ._common import as_tensor, begin_change, operand, sum_to
from .kinks import where


def _is_basic(index: Any) -> bool:
    """Whether every entry is an int, a slice, None or Ellipsis: no element is met twice."""
    entries = index if isinstance(index, tuple) else (index,)
    return all(
        i is None
        or i is Ellipsis
        or (isinstance(i, (int, np.integer, slice)) and not isinstance(i, bool))
        for i in entries
    )


class GetItem(Function):
    """y = x[index];  the gradient is g, added into zeros at the index."""

    reads = ((),)

    def __init__(self, index: Any):
        self.index = index
        self.is_view = _is_basic(index)

    def forward(self, x):
        return places.get(x, self.index)

    def vjp(self, needs, g, y, x):
        return (AddInto(x.shape, self.index)(g),)


class AddInto(Function):
    """y = zeros(shape) with y[index] += x (repeated entries add up); the gradient is g[index]."""

    reads = ((),)

    def __init__(self, shape: tuple[int, ...], index: Any):
        self.shape, self.index = shape, index

    def forward(self, x):
        xp = array_module(x)
        y = xp.zeros(self.shape, dtype=x.dtype)
        if _is_basic(self.index):
            y[self.index] = x
        else:
            places.add_at(y, self.index, x)
        return y

    def vjp(self, needs, g, y, x):
        return (GetItem(self.index)(g),)


class SetItem(Function):
    """x[index] = v in x's own memory, y = x;  ∂y/∂x = 0 at the index, ∂y/∂v = 1 there.

    An element that the index meets several times keeps the last value, which alone gets the
    gradient.
    """

    reads = ((), ())
    is_view = True

    def __init__(self, index: Any):
        self.index = index

    def forward(self, x, v):
        places.put(x, self.index, v)
        return x

    def vjp(self, needs, g, y, x, v):
        gv = None
        if needs[1]:
            gv = sum_to(self._of_what_stayed(GetItem(self.index)(g), x.shape), v)
        return SetItem(self.index)(g.clone(), 0) if needs[0] else None, gv

    def _of_what_stayed(self, g, shape):
        """``g``, but 0 where a later value replaced an earlier one."""
        if _is_basic(self.index):
            return g
        xp = array_module(g.array)
        number = xp.arange(prod(g.shape)).reshape(g.shape)  # of every value that was written
        last = xp.empty(shape, dtype=number.dtype)
        places.put(last, self.index, number)
        return where(Tensor(xp.asarray(last[self.index] == number)), g, 0)


def getitem(input: Tensor, index: Any) -> Tensor:
    """``input[index]`` with ints, slices, None, Ellipsis, boolean masks and index arrays.

    Without masks and index arrays the result is a view: it shares the input's memory.

    >>> import minigan
    >>> x = minigan.tensor([1, 2, 3])
    >>> x[0].fill_(9)
    tensor(9)
    >>> x
    tensor([9, 2, 3])
    """
    x, index = as_tensor("getitem", input), _own("getitem", index)
    if isinstance(index, tuple) and any(type(i) is int for i in index) and not _is_basic(index):
        first, index = _ints_first(index)
        x = GetItem(first)(x)
    places.check(x.array, index)
    return GetItem(index)(x)


def picked(x: Tensor, index: tuple) -> Tensor:
    """``x[index]`` of masks and index arrays that are known to fit."""
    return GetItem(_own("getitem", index))(x)


def _ints_first(index: tuple) -> tuple[tuple, tuple]:
    """The index in two steps: ints, then all else.

    NumPy would take the ints beside masks and index arrays for arrays too, and move dimensions.
    """
    first: list[Any] = []
    for i in index:
        if i is Ellipsis or type(i) is int:
            first.append(i)
        elif i is not None and not isinstance(i, bool):
            mask = isinstance(i, np.ndarray) and i.dtype.kind == "b"
            first += [slice(None)] * (i.ndim if mask else 1)
    if not any(i is Ellipsis for i in first):
        first.append(Ellipsis)
    return tuple(first), tuple(i for i in index if type(i) is not int)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """``input[index] = value``, in place, for every index that ``input[index]`` takes.

    Where a gradient is wanted, the change is recorded: from then on ``input`` stands for the
    result, with gradient 0 for what it held at the index, and ``value`` gets the gradient of what
    it holds there.

    Args:
        value: a number, or a Tensor that broadcasts to ``input[index]``; it is converted to
            input's dtype, but with masks and index arrays more than one element must have it.

    Raises:
        RuntimeError: a value that does not fit; ``input`` is a leaf that requires grad, or shares
            its memory with another tensor (as a view does) whose history would become wrong.
        IndexError: an index that is none.

    >>> import minigan
    >>> w = minigan.tensor(3.0, requires_grad=True)
    >>> x = minigan.zeros(3)
    >>> x[1] = w * w
    >>> x[2:] = 5
    >>> x.detach()
    tensor([0., 9., 5.], dtype=float32)
    >>> minigan.grad(x.sum(), w)[0]
    tensor(6., dtype=float32)
    """
    x, index = as_tensor("setitem", input), _own("setitem", index)
    places.check(x.array, index)
    value = _fitting(x, index, value)
    wanted = x.requires_grad or (isinstance(value, Tensor) and value.requires_grad)
    try:
        if wanted and is_grad_enabled() and not (x.is_leaf and x.requires_grad):
            _record(x, index, value)
        else:
            begin_change("setitem", x)
            places.put(x.array, index, value.array if isinstance(value, Tensor) else value)
    except (ValueError, TypeError, OverflowError) as error:
        what = f"a value of shape {value.shape}" if isinstance(value, Tensor) else repr(value)
        raise RuntimeError(
            f"setitem: {what} does not fit into {x.array[index].shape} of {x.dtype}"
        ) from error


def _fitting(x: Tensor, index: Any, value: Any) -> Any:
    """``value`` as a number, or as a Tensor of x's dtype and device without leading ones."""
    value = operand("setitem", value)
    if not isinstance(value, Tensor):
        return value
    if value.dtype != x.dtype and value.numel() != 1 and not _is_basic(index):
        raise RuntimeError(
            f"setitem: masks and index arrays expect values of {x.dtype}, got {value.dtype}"
        )
    value = value.to(dtype=x.dtype, device=x.device)
    leading = next((d for d, n in enumerate(value.shape) if n != 1), value.ndim)
    return value.reshape(value.shape[leading:]) if leading else value


def _record(x: Tensor, index: Any, value: Any) -> None:
    """Change x's memory, and let x stand for the result."""
    refuse_shared("setitem", x, index, value)
    begin_change("setitem", x, recorded=True)
    stand_for(x, SetItem(index)(x, value).node)


def stand_for(x: Tensor, node: Any) -> None:
    """Give x another place in the graph, after a change that is recorded."""
    retains = x.retains_grad
    if retains:  # it is the tensor's gradient that was asked for, whatever it stands for
        x.node.hooks.retains = False
    x.node = node
    if retains:
        x.retain_grad()


def refuse_shared(name: str, x: Tensor, index: Any = ..., value: Any = None) -> None:
    """An error where a recorded change would leave another tensor's history wrong."""
    if _is_shared(x, index, value):
        raise RuntimeError(
            f"{name}: a tensor that shares its memory with another one (a view and its base, "
            "detach(), numpy(), a result that a gradient needs) cannot be assigned to while "
            "operations are recorded; clone() it first"
        )


def _is_shared(x: Tensor, index: Any, value: Any) -> bool:
    """Whether others see x's memory, going by Python's count of references to arrays.

    A view does not know that its base has got a new history, nor a base what happens to its
    views, so their gradients would be wrong.  As in ``numpy.ndarray.resize``: an array that one
    tensor holds is counted there and in the call of ``getrefcount``, the base of a view in the
    view and in the call.  ``value`` may be a view, where it is not itself overwritten.
    """
    base = value.array.base if isinstance(value, Tensor) else None
    lent = base is not None and (base is x.array or base is x.array.base)
    if lent and array_module(x.array).may_share_memory(x.array[index], value.array):
        return True
    del base
    if x.array.base is None:
        return getrefcount(x.array) > 2 + lent
    return getrefcount(x.array) > 2 or getrefcount(x.array.base) > 2 + lent


def _own(name: str, index: Any) -> Any:
    """The index with lists and Tensors as arrays of our own: the gradient reads them again later.

    The Ellipsis makes a view also of one element, which NumPy would give as a number.
    """
    entries = tuple(_own_entry(i) for i in (index if isinstance(index, tuple) else (index,)))
    for i in entries:
        if isinstance(i, slice) and i.step is not None and i.step <= 0:
            raise ValueError(f"{name}: slice step must be positive, got {i.step}")
    if _is_basic(entries):
        return entries if any(i is Ellipsis for i in entries) else (*entries, Ellipsis)
    return entries if isinstance(index, tuple) else entries[0]


def _own_entry(entry: Any) -> Any:
    if isinstance(entry, Tensor):
        if not entry.ndim and entry.dtype.kind in "iu":
            return entry.item()
        return entry.array.copy()
    if isinstance(entry, np.integer):
        return int(entry)
    if isinstance(entry, np.ndarray):
        return entry.copy()
    if isinstance(entry, list):
        return np.asarray(entry, dtype=None if entry else np.int64)
    return entry


def pad_constant(input: Tensor, widths: tuple[tuple[int, int], ...], value: float = 0) -> Tensor:
    """``input`` with (before, after) entries of ``value`` around every dimension."""
    shape = tuple(a + n + b for n, (a, b) in zip(input.shape, widths, strict=True))
    inside = tuple(slice(a, a + n) for n, (a, _) in zip(input.shape, widths, strict=True))
    padded = AddInto(shape, inside)(input)
    if value == 0:
        return padded
    border = array_module(input.array).full(shape, value, dtype=input.dtype)
    border[inside] = 0
    return padded + Tensor(border)
