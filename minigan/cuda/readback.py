"""Small results read back from the GPU some time later, so that nothing waits for them.

A program that asks for a loss after every step waits until the GPU has computed it, and the GPU
then waits for the program to launch more.  Here the numbers of a step are copied, when the GPU
gets there, to memory that the CPU can read, and are handed out when they have long arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import array as arrays


class Readback:
    """Rows of numbers on their way from the GPU.

    Args:
        ahead: how many rows may be on their way at most, an even number from 2 on.

    Raises:
        ValueError: another ``ahead``.

    Rows come back in halves of that, a half when the next one is full: always after the same number
    of pushes, however fast the GPU is.
    """

    def __init__(self, ahead: int):
        if ahead < 2 or ahead % 2:
            raise ValueError(f"Readback: ahead expects an even number from 2 on, got {ahead}")
        self._half = ahead // 2
        self._filling, self._sent = _Half(), _Half()

    def push(self, numbers: Sequence[Any]) -> list[np.ndarray]:
        """Send a row of 0-d arrays on its way; gives the rows that come back now, float64."""
        back: list[np.ndarray] = []
        if not self._filling.holds(len(numbers)):  # rows of another length
            back += self.drain()
        self._filling.add(numbers, self._half)
        if self._filling.count == self._half:
            self._filling.seal()
            back += self._sent.taken()
            self._filling, self._sent = self._sent, self._filling
        return back

    def drain(self) -> list[np.ndarray]:
        """All rows that are on their way; waits for them."""
        self._filling.seal()
        return [*self._sent.taken(), *self._filling.taken()]


class _Half:
    """Rows in memory that the GPU writes to by itself, and a mark behind the last of them."""

    def __init__(self) -> None:
        self.count = 0
        self._rows: Any = None
        self._mark: Any = None

    def holds(self, length: int) -> bool:
        """Whether a row of that length fits."""
        return not self.count or self._rows.shape[1] == length

    def add(self, numbers: Sequence[Any], room: int) -> None:
        row = arrays.cupy().stack([n.astype(np.float64, copy=False) for n in numbers])
        if self._rows is None or self._rows.shape[1] != len(numbers):
            from cupyx import empty_pinned

            self._rows = empty_pinned((room, len(numbers)), np.float64)
        row.get(out=self._rows[self.count], blocking=False)
        self.count += 1

    def seal(self) -> None:
        """Nothing is added until these rows are taken."""
        if self.count:
            self._mark = arrays.cupy().cuda.Event(disable_timing=True)
            self._mark.record()

    def taken(self) -> list[np.ndarray]:
        """The rows, once they are there."""
        if not self.count:
            return []
        self._mark.synchronize()
        count, self.count = self.count, 0
        return [row.copy() for row in self._rows[:count]]
