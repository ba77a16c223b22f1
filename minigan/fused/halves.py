"""BF16 on a CPU: large float32 arrays rounded to it, block by block.

BF16 is the upper half of a float32's bits.  In a block that is in cache the rounding is five calls
on integers; NaN, whose bits could carry over, shows in the block's maximum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cpu import memory
from ..cpu.threads import scratch
from . import blocked, plain


def packed(x: np.ndarray) -> np.ndarray | None:
    def write(bits: np.ndarray, part: np.ndarray) -> None:
        np.right_shift(bits, 16, out=bits)
        np.copyto(part, bits, casting="unsafe")

    return _made(x, np.dtype(np.uint16), write)


def unpacked(halves: np.ndarray) -> np.ndarray | None:
    def task(numbers: np.ndarray, part: np.ndarray) -> None:
        bits = part.view(np.uint32)
        np.left_shift(numbers, 16, out=bits, dtype=np.uint32)

    return _in_order(halves, np.dtype(np.float32), task)


def rounded(x: np.ndarray) -> np.ndarray | None:
    def write(bits: np.ndarray, part: np.ndarray) -> None:
        np.bitwise_and(bits, 0xFFFF0000, out=part.view(np.uint32))

    return _made(x, x.dtype, write)


def _made(
    x: np.ndarray, dtype: np.dtype, write: Callable[[np.ndarray, np.ndarray], None]
) -> np.ndarray | None:
    """An array like x of what ``write(bits, part)`` makes of the rounded bits of each block."""

    def task(numbers: np.ndarray, part: np.ndarray) -> None:
        bits = numbers.view(np.uint32)
        nearest = scratch("nearest", bits.shape, bits.dtype)
        np.right_shift(bits, 16, out=nearest)
        nearest &= 1
        nearest += 0x7FFF
        nearest += bits
        write(nearest, part)
        if np.isnan(numbers.max()):
            part[...] = (plain.packed if dtype == np.uint16 else plain.rounded)(numbers)

    return _in_order(x, dtype, task) if x.dtype == np.float32 else None


def _in_order(
    x: np.ndarray, dtype: np.dtype, task: Callable[[np.ndarray, np.ndarray], None]
) -> np.ndarray | None:
    """An array like x, made by ``task(numbers, part)`` in blocks that follow each other in memory.

    None where x has gaps.
    """
    flat = blocked.in_order(x)
    if flat is None:
        return None
    out = memory.empty_like(x, dtype)
    result = blocked.in_order(out)
    blocked.in_blocks(lambda part: task(flat[part], result[part]), flat.size)
    return out
