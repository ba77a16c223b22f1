"""What the plans of the ladder have in common: their result, their checks and statistics."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from ..array import Array, array_module
from ..cuda.launch import Launch
from .ladder_records import DIVISOR, divisor
from .ladder_tiles import RUNGS, Tile

THREADS = 256  # of the kernels without tiles
LIMIT = 2**31  # numbers in a tensor: the kernels' indices are 32-bit


@dataclass(frozen=True)
class Plan:
    """Launches in their order, and the array that they fill; mean and variance if asked for."""

    launches: list[Launch]
    output: Array
    mean: Array | None = None
    variance: Array | None = None


@dataclass(frozen=True)
class Mask:
    """dy comes from behind a LeakyReLU: where ``saved`` ≤ 0 it is multiplied by ``slope``.

    ``saved`` has the shape of dy: the LeakyReLU's input or, for a slope that is not negative, its
    output.
    """

    saved: Array
    slope: float = 0.0


def check(routine: str, **arrays: tuple[Array | None, tuple]) -> None:
    """Raise an error that names the routine unless name=(array, shape) fits for each array."""
    for name, (array, shape) in arrays.items():
        if array is None:
            continue
        if array.dtype != np.float32:
            raise TypeError(f"{routine}: {name} must be float32, got {array.dtype}")
        if array.shape != shape:
            raise ValueError(f"{routine}: {name} must have the shape {shape}, got {array.shape}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{routine}: {name} must be contiguous")
        if array.size >= LIMIT:
            raise ValueError(f"{routine}: {name} must have fewer than 2^31 numbers")


def check_options(
    routine: str, rung: int, tile: Tile | None, activation: str, statistics: bool
) -> None:
    """Raise an error that names the routine for options that do not go together."""
    if rung not in RUNGS:
        raise ValueError(f"{routine}: rung must be 0 … 5, got {rung!r}")
    if tile is not None and tile.rung != rung:
        raise ValueError(f"{routine}: rung {rung} was asked for with a tile of rung {tile.rung}")
    if statistics and (rung == 0 or activation != "none"):
        raise ValueError(
            f"{routine}: statistics need rung 1 or higher and no activation, "
            f"got rung {rung} and {activation!r}"
        )


def numbered(last: np.void, tiles: int, first: int = 0) -> np.void:
    """The struct Epilogue with the number of tiles in a channel, and that of the launch's first."""
    last = last.copy()
    last["tiles"], last["first_tile"] = tiles, first
    return last


def aligned(*arrays: Array) -> bool:
    """Whether they begin at multiples of 16 bytes."""
    return all(
        (a.ctypes.data if isinstance(a, np.ndarray) else a.data.ptr) % 16 == 0 for a in arrays
    )


def numbers(like: Array, *shape: int) -> Array:
    """A new float32 array, of the same module as ``like``."""
    return array_module(like).empty(shape, np.float32)


def masked(mask: Mask | None) -> tuple:
    """The arguments saved and slope."""
    return (None, np.float32(0)) if mask is None else (mask.saved, np.float32(mask.slope))


def macros(tile: Tile, wide: bool = False, mask: Mask | None = None) -> tuple:
    """The tile's macros, with 16-byte loads of rows where rung 2 can do them, and the mask."""
    loads = (("WIDE", 1),) if wide and tile.rung == 2 else ()
    return tile.macros + loads + (() if mask is None else (("MASK", 1),))


def naive(name: str, outputs: int, *arguments: Any) -> list[Launch]:
    """The launch of a kernel of naive.cu."""
    grid = (ceil(outputs / THREADS), 1, 1)
    return [Launch("naive.cu", name, (), grid, (THREADS, 1, 1), 0, arguments)]


def with_statistics(launches: list[Launch], y: Array, sums: Array | None) -> Plan:
    """The launches, then those of channel_sums.cu for mean and variance, if there are sums."""
    if sums is None:
        return Plan(launches, y)
    (n, c), pixels = y.shape[:2], y.shape[2] * y.shape[3]
    mean, variance = numbers(y, c), numbers(y, c)
    slices = min(64, ceil(n * pixels / (8 * THREADS)))
    squares = numbers(y, c, slices)
    warps = THREADS // 32

    def finish(partial: Array, out: Array) -> Launch:
        parts = np.int32(partial.shape[1])
        arguments = (partial, out, np.int32(c), parts, np.float32(n * pixels))
        grid = (ceil(c / warps), 1, 1)
        return Launch("channel_sums.cu", "finish_sums", (), grid, (THREADS, 1, 1), 0, arguments)

    by_pixels = np.array(divisor(pixels), DIVISOR)[()]
    squaring = Launch(
        "channel_sums.cu",
        "centred_squares",
        (),
        (slices, c, 1),
        (THREADS, 1, 1),
        0,
        (y, mean, squares, np.int32(n), np.int32(c), by_pixels),
    )
    return Plan(
        [*launches, finish(sums, mean), squaring, finish(squares, variance)], y, mean, variance
    )
