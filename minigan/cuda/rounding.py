"""Plans of ``kernels/rounding.cu``: float32 numbers rounded to BF16, kept as such, and back.

All arrays of a call are contiguous and of one shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .streams import Configuration, check, flat_grid, launcher, vector

FILE = "rounding.cu"
_DTYPES = {
    "rounded": (np.float32, np.float32),
    "packed": (np.float32, np.uint16),
    "unpacked": (np.uint16, np.float32),
}


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (("VECTOR", width),), 75) for width in (1, 4)]


def plan(kernel: str, given: Any, made: Any) -> list[Launch]:
    """The launch of "rounded", "packed" or "unpacked" (see the file) from one array to another.

    >>> x, halves = np.zeros(8, np.float32), np.zeros(8, np.uint16)
    >>> [(launch.name, launch.macros) for launch in plan("packed", x, halves)]
    [('packed', ('-DVECTOR=4',))]
    """
    if kernel not in _DTYPES:
        raise LaunchError(f"rounding: expected one of {', '.join(_DTYPES)}, got {kernel!r}")
    check(kernel, given.shape, given=given, made=made)
    expected = tuple(map(np.dtype, _DTYPES[kernel]))
    if (given.dtype, made.dtype) != expected:
        raise LaunchError(
            f"{kernel}: expected arrays of {expected[0]} and {expected[1]}, got {given.dtype} and "
            f"{made.dtype}"
        )
    if not given.size:
        return []
    width = vector(given.size, given, made)
    launch = launcher(FILE, VECTOR=width)
    return [launch(kernel, flat_grid(given.size // width), given, made, np.uint64(given.size))]
