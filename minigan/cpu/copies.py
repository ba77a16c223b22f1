"""A count of copies that only change the order of memory.

Convolutions want channels last, a flattened image channels first: between them somebody has to
copy.  Whoever does says so here, and ``minigan.debug.profile`` shows how often that was and how
much, so that nothing is copied back and forth unnoticed.
"""

from __future__ import annotations

import threading

import numpy as np

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


def contiguous(array: np.ndarray) -> np.ndarray:
    """``array`` in C order: itself, or a copy that is counted."""
    if array.flags.c_contiguous:
        return array
    note(array)
    return np.ascontiguousarray(array)
