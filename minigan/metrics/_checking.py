"""What every metric asks of its arguments."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .._tensor import Tensor


def finite(function: str, argument: str, value: Any, ndim: int | None) -> np.ndarray:
    """``value`` as an array of finite real numbers of ``ndim`` dimensions (None: two or more)."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{function}: {argument} expects real numbers, got dtype {array.dtype}")
    if array.ndim != ndim if ndim is not None else array.ndim < 2:
        expected = {1: "(d,)", 2: "two dimensions", 4: "(N, C, H, W)", None: "(n, …)"}[ndim]
        raise ValueError(f"{function}: {argument} expects {expected}, got shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise ValueError(
            f"{function}: {argument} expects finite values, {count} of {array.size} are NaN or "
            f"infinite"
        )
    return array


def two_sets(
    function: str, names: tuple[str, str], x: Any, y: Any, least: int, ndim: int | None = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of at least ``least`` samples of the same shape, in the dtypes they came in.

    With ``ndim`` None, samples of any shape come back as rows (n, d).
    """
    sets = []
    for name, value in zip(names, (x, y), strict=True):
        array = finite(function, name, value, ndim)
        if len(array) < least or array[:1].size < 1:
            raise ValueError(
                f"{function}: {name} expects at least {least} sample{'s' * (least > 1)} of at "
                f"least 1 feature, got shape {array.shape}"
            )
        sets.append(array)
    a, b = sets
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"{function}: {names[0]} and {names[1]} expect the same number of features, "
            f"got shapes {a.shape} and {b.shape}"
        )
    return a.reshape(len(a), -1), b.reshape(len(b), -1)


def whole(function: str, argument: str, value: Any, low: int, high: int | None = None) -> int:
    """``value`` as an int in [low, high]."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {argument} expects a whole number, got {value!r}") from None
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        expected = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{function}: {argument} expects a whole number {expected}, got {value!r}")
    return number
