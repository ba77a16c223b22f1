"""A pool of memory for large arrays.

Fresh memory is expensive: the system clears every page when it is first touched, and takes it
back when the array dies.  A training step makes the same arrays again and again, so a dead array's
memory is kept here for the next one of about its size.

``empty`` works as ``numpy.empty``.  The array it gives is an ordinary one; when it and all its
views are gone, a weak reference calls back and the memory returns to the pool.  (A view refers to
the array it was made from.  NumPy would shorten that to the array's own base if it were an array
too, and then the first might die before its views: so the memory is a mapping, not an array.)
"""

from __future__ import annotations

import mmap
import weakref
from math import prod

import numpy as np

SMALL = 1 << 16  # bytes; below, NumPy's own allocator is as good
HUGE = 1 << 22  # bytes from which large pages are asked for, as NumPy does
SLACK = 1 << 26  # bytes that may lie idle beyond a half of the most that was ever in use


class _Block(mmap.mmap):
    """Memory of the pool, told from a mapping of somebody else's, as that of a ``np.memmap``."""


class _Lease(weakref.ref):
    """A weak reference to an array that remembers whose memory it is."""

    __slots__ = ("block",)


class Pool:
    """Free blocks by size; sizes are rounded up to four steps per power of two."""

    def __init__(self):
        self.free: dict[int, list[_Block]] = {}
        self.leases: dict[int, _Lease] = {}  # by identity: a weak reference hashes as its array
        self.in_use = self.idle = self.most = 0

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An uninitialised array in C order."""
        dtype = np.dtype(dtype)
        need = prod(shape) * dtype.itemsize
        if need < SMALL:
            return np.empty(shape, dtype)
        step = 1 << (need.bit_length() - 3)
        size = -(-need // step) * step
        block = self._idle_block(size) or self._larger_block(size)
        if block is None:
            self._trim(size)
            block = _mapping(size)
        array = np.ndarray(shape, dtype, buffer=block)  # views keep this very array alive
        lease = _Lease(array, self._back)
        lease.block = block
        self.leases[id(lease)] = lease
        self.in_use += len(block)
        self.most = max(self.most, self.in_use)
        return array

    def _idle_block(self, size: int) -> _Block | None:
        try:
            block = self.free[size].pop()
        except (KeyError, IndexError):  # none; so also when another thread was faster
            return None
        self.idle -= size
        return block

    def _larger_block(self, size: int) -> _Block | None:
        """An idle block of up to twice the size: clearing fresh pages costs more than what is
        wasted."""
        for held in sorted(self.free):
            if size < held <= 2 * size and (block := self._idle_block(held)) is not None:
                return block
        return None

    def _back(self, lease: _Lease) -> None:
        del self.leases[id(lease)]
        size = len(lease.block)
        self.in_use -= size
        self.idle += size
        self.free.setdefault(size, []).append(lease.block)

    def _trim(self, size: int) -> None:
        """Give idle blocks back to the system, the largest first, before more is taken from it."""
        allowed = max(self.most, self.in_use + size) * 3 // 2 + SLACK
        for held in sorted(self.free, reverse=True):
            while self.in_use + self.idle + size > allowed:
                if self._idle_block(held) is None:
                    break


def _mapping(size: int) -> _Block:
    """Fresh memory of this process's own (without these flags a forked child would share it)."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows has no fork
        return _Block(-1, size)
    block = _Block(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE") and size >= HUGE:
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


_pool = Pool()
empty = _pool.empty


def empty_like(array: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """As ``numpy.empty_like``: the same shape and, where it is dense, the same memory order."""
    dtype = array.dtype if dtype is None else dtype
    if array.nbytes < SMALL:
        return np.empty_like(array, dtype)
    if array.flags.c_contiguous:
        return empty(array.shape, dtype)
    order = memory_order(array)
    return empty(tuple([array.shape[d] for d in order]), dtype).transpose(inverse(order))


def owns(array: np.ndarray) -> bool:
    """Whether ``empty`` made this very array."""
    return isinstance(array.base, _Block)


def memory_order(array: np.ndarray) -> list[int]:
    """The dimensions from the one with the longest strides to the one with the shortest."""
    strides = array.strides
    return sorted(range(array.ndim), key=lambda d: (-abs(strides[d]), -array.shape[d]))


def inverse(order: list[int]) -> list[int]:
    """The transposition that undoes ``order``."""
    return sorted(range(len(order)), key=order.__getitem__)
