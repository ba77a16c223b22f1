"""Plans of ``kernels/elementwise.cu``: functions of each number alone, and their gradients.

All arrays of a call are float32 in contiguous memory and of one shape; a result may be the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .streams import Configuration, check, flat_grid, launcher, vector

FILE = "elementwise.cu"
SMOOTH = {"sigmoid": 0, "softplus": 1}
BACKWARD = {"leaky_relu": 0, "tanh": 1, "sigmoid": 2}


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (("VECTOR", width),), 75) for width in (1, 4)]


def smooth(function: str, x: Any, y: Any) -> list[Launch]:
    """y = 1/(1 + e^-x) for "sigmoid", ln(1 + e^x) for "softplus".

    >>> x = np.zeros(5, np.float32)
    >>> smooth("sigmoid", x, x)[0].macros
    ('-DVECTOR=1',)
    """
    return _flat("smooth", {"x": x, "y": y}, _number("smooth", SMOOTH, function))


def backward(function: str, g: Any, s: Any, dx: Any, slope: float = 0.01) -> list[Launch]:
    """dx = f'·g: s is the result of "tanh" and "sigmoid", or has the sign of "leaky_relu"'s."""
    chosen = _number("backward", BACKWARD, function), np.float32(slope)
    return _flat("backward", {"g": g, "s": s, "dx": dx}, *chosen)


def logistic(x: Any, p: Any, q: Any, y: Any) -> list[Launch]:
    """y = p·ln(1 + e^-x) + q·ln(1 + e^x)."""
    return _flat("logistic", {"x": x, "p": p, "q": q, "y": y})


def logistic_backward(g: Any, x: Any, p: Any, q: Any, dx: Any) -> list[Launch]:
    """dx = g·(q·σ(x) - p·σ(-x)), the gradient of ``logistic`` in x."""
    return _flat("logistic_backward", {"g": g, "x": x, "p": p, "q": q, "dx": dx})


def _number(kernel: str, known: dict[str, int], function: str) -> np.int32:
    if function not in known:
        raise LaunchError(f"{kernel}: expected one of {', '.join(known)}, got {function!r}")
    return np.int32(known[function])


def _flat(kernel: str, arrays: dict[str, Any], *options: Any) -> list[Launch]:
    first = next(iter(arrays.values()))
    check(kernel, first.shape, **arrays)
    if not first.size:
        return []
    width = vector(first.size, *arrays.values())
    launch = launcher(FILE, VECTOR=width)
    grid = flat_grid(first.size // width)
    return [launch(kernel, grid, *arrays.values(), np.uint64(first.size), *options)]
