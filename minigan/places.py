"""Reading and writing at an index, with one meaning on every device.

NumPy says what ``x[index]`` means: a place beyond the end is an error, and of several values for
one place the last one stays.  On a GPU many threads write at once, so CuPy leaves open which value
stays and in which order values are added up, adds only a few dtypes, and lets indices that are too
large start again from the other side.  Here a GPU gives what NumPy gives, the same bits each time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import Array, array_module, to_device


def get(x: Array, index: Any) -> Array:
    """``x[index]``; on a GPU an array in the index must have been checked."""
    if isinstance(x, np.ndarray):
        return x[index]
    try:
        return x[index]
    except IndexError:
        _raise_as_numpy(x, index)
        raise


def put(x: Array, index: Any, values: Any) -> None:
    """``x[index] = values``; where the index meets a place several times, the last value stays."""
    if isinstance(x, np.ndarray) or not (_may_repeat(index) and getattr(values, "ndim", 0)):
        x[index] = values
        return
    xp, places = array_module(x), _places(x, index)
    number = xp.arange(places.size, dtype="int32" if places.size < 2**31 else "uint64")
    last = xp.zeros(x.size, number.dtype)
    xp.maximum.at(last, places.reshape(-1), number)  # of integers: in whatever order
    x[index] = xp.broadcast_to(values, places.shape).reshape(-1)[last[places]]


def add_at(x: Array, index: Any, values: Array, most: int | None = None) -> None:
    """``x[index] += values``, where values for one place add up.

    ``most`` says how many values a place gets at most, where that is known.

    >>> x = np.zeros(3)
    >>> add_at(x, np.array([2, 0, 2]), np.array([1.0, 2.0, 4.0]))
    >>> x
    array([2., 0., 5.])
    """
    if isinstance(x, np.ndarray):
        np.add.at(x, index, values)
        return
    if most == 1 or not _may_repeat(index):
        x[index] += values
        return
    xp, places = array_module(x), _places(x, index)
    values = xp.broadcast_to(values, places.shape).reshape(-1)
    places = places.reshape(-1)
    if not places.size:
        return
    order = xp.argsort(places, kind="stable")  # values for one place side by side
    places, values = places[order], values[order]
    step, most, zero = 1, most or places.size, xp.zeros((), values.dtype)
    while step < min(places.size, most):  # each becomes the sum of 2, 4, … values of its place
        values[step:] += xp.where(places[step:] == places[:-step], values[:-step], zero)
        step *= 2
    whole = xp.ones(places.size, "bool")
    whole[:-1] = places[1:] != places[:-1]
    total = xp.zeros(x.size + 1, x.dtype)  # the last takes what is only part of a sum
    total[xp.where(whole, places, x.size)] = values
    x += total[:-1].reshape(x.shape)


def check(x: Array, index: Any) -> None:
    """IndexError, as NumPy's, where arrays in ``index`` do not fit a GPU's x.

    NumPy looks itself; a GPU is asked, which takes as long as its work up to here.
    """
    if isinstance(x, np.ndarray):
        return
    entries = index if isinstance(index, tuple) else (index,)
    takes = [_takes(i) for i in entries]
    axis = 0
    for i, dimensions in zip(entries, takes, strict=True):
        if i is Ellipsis:
            axis += x.ndim - sum(takes)
        elif hasattr(i, "dtype") and i.dtype.kind != "b" and axis < x.ndim:
            n, numbers = x.shape[axis], i.dtype.kind in "iu"
            if not numbers or outside(i, -n, n) is not None:
                _raise_as_numpy(x, index)
        axis += dimensions


def outside(index: Array, low: int, high: int) -> int | None:
    """The first entry of ``index`` that is not from ``low`` to ``high`` - 1, if there is one."""
    beyond = (index < low) | (index >= high)
    return int(index[beyond][0]) if bool(beyond.any()) else None


def may_be(mask: Array) -> bool:
    """Whether any entry of ``mask`` is set; on a GPU, which is not asked (that waits), True.

    >>> may_be(np.array([False, False]))
    False
    """
    return bool(mask.any()) if isinstance(mask, np.ndarray) else True


def _raise_as_numpy(x: Array, index: Any) -> None:
    entries = index if isinstance(index, tuple) else (index,)
    host = tuple(to_device(i, "cpu") if hasattr(i, "dtype") else i for i in entries)
    np.broadcast_to(np.zeros(()), x.shape)[host if isinstance(index, tuple) else host[0]]


def _takes(i: Any) -> int:
    """How many dimensions an entry of an index stands for."""
    if i is None or i is Ellipsis:
        return 0
    return i.ndim if hasattr(i, "dtype") and i.dtype.kind == "b" else 1


def _may_repeat(index: Any) -> bool:
    """Whether an index may meet a place twice: only with an array, or a list, of integers."""
    entries = index if isinstance(index, tuple) else (index,)
    return any(
        i.ndim and i.dtype.kind != "b" if hasattr(i, "dtype") else isinstance(i, list)
        for i in entries
    )


def _places(x: Array, index: Any) -> Array:
    """Which of x's places, counted row by row, each entry of ``x[index]`` is."""
    return array_module(x).arange(x.size).reshape(x.shape)[index]
