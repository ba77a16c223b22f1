"""Plans of ``kernels/random.cu``: arrays of random numbers, each from its own place in a sequence.

A sequence is a ``STATE`` in the GPU's memory, and a draw an offset in it, in counters; ``counters``
says how many a draw takes, which is where the next one begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .streams import THREADS, Configuration, launcher

FILE = "random.cu"
STATE = np.dtype([("key", np.uint64), ("base", np.uint64), ("stream", np.uint64)])
PER_COUNTER = {
    "words": (np.uint32, 4),
    "uniform": (np.float32, 4),
    "uniform_double": (np.float64, 2),
    "normal": (np.float32, 4),
    "normal_double": (np.float64, 2),
    "integers": (np.int64, 2),
    "kept": (np.float32, 4),
}
BLOCKS = 1024  # in one launch; how many does not change the numbers


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (), 75)]


def counters(kind: str, count: int) -> int:
    """How many counters ``count`` numbers take.

    >>> counters("normal", 9), counters("integers", 9)
    (3, 5)
    """
    return -(-count // PER_COUNTER[kind][1])


def draw(kind: str, state: Any, offset: int, out: Any, *options: np.generic) -> list[Launch]:
    """Fill ``out``: "uniform" on [0, 1), "normal", "integers" of (low, span), "kept" of p, "words".

    >>> out = np.empty((2, 3), np.float32)
    >>> [launch.name for launch in draw("uniform", np.zeros(3, np.uint64), 0, out)]
    ['uniform']
    """
    dtype, _ = PER_COUNTER[kind]
    if out.dtype != dtype:
        raise LaunchError(f"{kind}: out expects {np.dtype(dtype)}, got {out.dtype}")
    if not out.size:
        return []
    grid = min(-(-counters(kind, out.size) // THREADS), BLOCKS), 1, 1
    place = np.uint64(offset % 2**64)
    return [launcher(FILE)(kind, grid, state, place, out, np.uint64(out.size), *options)]


def begin(state: Any, key: int, base: int = 0, stream: int = 0) -> Launch:
    """Begin at a place of a sequence."""
    given = np.array((key, base % 2**64, stream), STATE)[()]
    return launcher(FILE)("begin", (1, 1, 1), state, given)


def advance(state: Any, count: int) -> Launch:
    """Go on by so many counters; also when it is launched again."""
    return launcher(FILE)("go_on", (1, 1, 1), state, np.uint64(count))
