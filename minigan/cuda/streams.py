"""What plans of streaming kernels (``kernels/streams.cuh``) share: vectors, slices, sizes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..array import array_module
from .launch import Launch, LaunchError

THREADS = 256  # as in streams.cuh
BLOCKS = 2048  # in one launch: enough to fill any GPU a few times over
SLICES = 32  # of one channel: the next kernel adds so many partial sums in order
STEPS = 4  # vectors for a thread, below which one more slice costs more than it brings

CHANNELS = np.dtype([("batch", np.int32), ("channels", np.int32), ("inner", np.int32)])
Configuration = tuple[str, tuple[tuple[str, int], ...], int]
"""(file, macros, least architecture): what the compile gate compiles."""


def vector(count: int, *arrays: Any) -> int:
    """How many numbers a load can fetch: 4 if runs of ``count`` and all addresses allow it."""
    return 1 if count % 4 or any(address(a) % 16 for a in arrays if a is not None) else 4


def address(array: Any) -> int:
    """Where an array begins."""
    if isinstance(array, np.ndarray):
        return array.ctypes.data
    return array.__cuda_array_interface__["data"][0]


def flat_grid(vectors: int) -> tuple[int, int, int]:
    """Blocks for a flat array of so many vectors."""
    return min(-(-vectors // (THREADS * STEPS)), BLOCKS), 1, 1


def channel_shape(x: Any) -> np.void:
    """(N, C, …) as the struct ``Channels``."""
    n, c, *rest = x.shape
    return np.array((n, c, prod(rest)), CHANNELS)[()]


def channel_grid(x: Any, width: int) -> tuple[int, int, int]:
    """Blocks (channel, slice) for an array (N, C, …) read in vectors of ``width``."""
    n, c, *rest = x.shape
    wanted = -(-n * prod(rest) // (width * THREADS * STEPS))
    return c, max(1, min(wanted, -(-BLOCKS // c), SLICES)), 1


def partial_sums(like: Any, grid: tuple[int, int, int], dtype: Any = np.float32) -> Any:
    """Room for one number from each block."""
    return array_module(like).empty(prod(grid), dtype)


def check(function: str, shape: tuple[int, ...], **arrays: Any) -> None:
    """Raise LaunchError unless every array that is given has that shape."""
    for name, array in arrays.items():
        if array is not None and tuple(array.shape) != tuple(shape):
            raise LaunchError(f"{function}: {name} expects shape {shape}, got {array.shape}")


def check_images(function: str, x: Any) -> None:
    """Raise LaunchError unless ``x`` is (N, C, …) and its numbers can be counted in 31 bits."""
    if x.ndim < 2:
        raise LaunchError(f"{function}: expected an array (N, C, …), got shape {x.shape}")
    if x.size >= 2**31:
        raise LaunchError(f"{function}: at most 2³¹ - 1 numbers, got shape {x.shape}")


def launcher(file: str, **macros: int) -> Callable[..., Launch]:
    """(kernel, grid, arguments) → Launch, for the kernels of one file compiled in one way."""
    defines = tuple(macros.items())

    def launch(name: str, grid: tuple[int, int, int], *arguments: Any) -> Launch:
        return Launch(file, name, defines, grid, (THREADS, 1, 1), 0, arguments)

    return launch
