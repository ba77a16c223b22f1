"""Sets of points and their weights, read into float64 arrays; a mistake is one clear sentence."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..data import DataError

FARTHEST = 1e150  # squares of coordinates stay finite


def number(function: str, name: str, value: Any) -> float:
    """A finite number, as a float."""
    if not isinstance(value, Real) or isinstance(value, bool) or not np.isfinite(float(value)):
        raise DataError(f"{function}: {name} expects a number, got {value!r}")
    return float(value)


def whole(function: str, name: str, value: Any, least: int) -> int:
    """A whole number from ``least`` on."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise DataError(f"{function}: {name} expects a whole number from {least} on, got {value!r}")
    return int(value)


def _array(function: str, name: str, values: Any) -> np.ndarray:
    """Numbers in an array of any shape."""
    try:
        array = np.asarray(values.detach() if isinstance(values, Tensor) else values)
    except ValueError:
        raise DataError(f"{function}: {name} expects rows of one length") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{function}: {name} expects numbers, got dtype {array.dtype}")
    return array


def points(function: str, name: str, values: Any) -> np.ndarray:
    """N points as float64 (N, d): numbers (N,) count as points on a line.

    Raises:
        DataError: no points, another number of dimensions, NaN, infinite ones or above 10¹⁵⁰.
    """
    array = _array(function, name, values).astype(np.float64)
    if array.ndim not in (1, 2):
        raise DataError(f"{function}: {name} expects shape (N,) or (N, d), got {array.shape}")
    if array.size == 0:
        raise DataError(f"{function}: {name} expects at least one point, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{function}: {name} holds NaN or infinite numbers")
    if np.abs(array).max() > FARTHEST:
        raise DataError(
            f"{function}: {name} expects numbers up to {FARTHEST:g}, got {np.abs(array).max():g}"
        )
    return array[:, None] if array.ndim == 1 else array


def pair(function: str, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of points in one space."""
    x, y = points(function, "x", x), points(function, "y", y)
    if x.shape[1] != y.shape[1]:
        raise DataError(
            f"{function}: x and y expect points of one dimension, got {x.shape[1]} and {y.shape[1]}"
        )
    return x, y


def weights(function: str, name: str, values: Any, count: int) -> np.ndarray:
    """``count`` probabilities as float64 (N,), summing to 1; None: all alike."""
    if values is None:
        return np.full(count, 1 / count)
    array = _array(function, name, values)
    if array.shape != (count,):
        raise DataError(
            f"{function}: {name} expects {count} numbers, got shape {array.shape} of {array.dtype}"
        )
    array = array.astype(np.float64)
    if not (array >= 0).all() or not abs(array.sum() - 1) < 1e-6:  # NaN too
        raise DataError(
            f"{function}: {name} expects probabilities, not negative and of sum 1, got the sum "
            f"{array.sum():.6g} and the least {array.min():.6g}"
        )
    return array / array.sum()


def distribution(function: str, name: str, values: Any) -> np.ndarray:
    """Probabilities of any shape as float64 of that shape."""
    array = _array(function, name, values)
    if array.size == 0:
        raise DataError(f"{function}: {name} expects at least one probability, got none")
    return weights(function, name, array.reshape(-1), array.size).reshape(array.shape)
