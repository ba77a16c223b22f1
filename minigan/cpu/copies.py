"""A count of copies that only change the order of memory.

Convolutions want channels last, a flattened image channels first: between them somebody has to
copy.  Whoever does says so here, and ``minigan.debug.profile`` shows how often that was and how
much, so that nothing is copied back and forth unnoticed.
"""

from __future__ import annotations

import threading

import numpy as np

from .threads import parallel

SHARED = 200_000  # numbers in a copy from which several threads share it
PIECES = 4

_lock = threading.Lock()
_count = _bytes = 0


def note(array: np.ndarray) -> None:
    """``array`` is, or will be, such a copy."""
    global _count, _bytes
    with _lock:
        _count += 1
        _bytes += array.nbytes


def counted() -> tuple[int, int]:
    """(copies, bytes) since the program began."""
    return _count, _bytes


def copy(source: np.ndarray, out: np.ndarray) -> None:
    """out = source, where the two lie differently in memory: counted, and shared by threads."""
    note(out)
    if out.size < SHARED or len(out) < PIECES:
        np.copyto(out, source)
        return
    bounds = [len(out) * i // PIECES for i in range(PIECES + 1)]

    def task(i: int) -> None:
        part = slice(bounds[i], bounds[i + 1])
        np.copyto(out[part], source[part])

    parallel(task, PIECES)


def contiguous(array: np.ndarray) -> np.ndarray:
    """``array`` in C order: itself, or a copy that is counted."""
    if array.flags.c_contiguous:
        return array
    made = np.empty(array.shape, array.dtype)
    copy(array, made)
    return made
