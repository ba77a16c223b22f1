"""One launch of one kernel, described as data, and where the kernels' sources are.

A plan (``minigan.conv.ladder`` and others) turns a problem into a list of launches.  It touches no
device, so the same plan is compiled without a GPU, run on the CPU by the emulator of the tests and
run on a GPU by ``minigan.cuda.launcher``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

GRID_LIMIT = (2**31 - 1, 65535, 65535)
BLOCK_LIMIT = (1024, 1024, 64)
SHARED_LIMIT = {75: 64 * 1024, 80: 163 * 1024, 86: 99 * 1024, 90: 227 * 1024, 120: 99 * 1024}
"""Most bytes of shared memory that one block can have, from a compute capability on."""


class LaunchError(ValueError):
    """A launch that no GPU can run as it stands; the message says what is wrong with it."""


class GridError(LaunchError):
    """A launch of more blocks than a grid can have: the problem is too large for the plan."""


@dataclass(frozen=True, eq=False)
class Table:
    """A struct with addresses in it, as an argument: ``record`` but for its field ``at``.

    Row r of ``at`` takes the addresses of the arrays ``rows[r]``; None is a null pointer.
    """

    record: np.void
    rows: tuple[Sequence[Any | None], ...]

    @property
    def arrays(self) -> list[Any]:
        """All arrays in it."""
        return [array for row in self.rows for array in row if array is not None]

    def filled(self, address: Callable[[Any], int]) -> np.void:
        """The struct, given where an array lies."""
        record = np.array(self.record)
        for r, row in enumerate(self.rows):
            record["at"][r, : len(row)] = [0 if a is None else address(a) for a in row]
        return record[()]

    def mapped(self, change: Callable[[Any], Any]) -> Table:
        """The same of other arrays: None stays None."""
        rows = tuple([None if a is None else change(a) for a in row] for row in self.rows)
        return Table(self.record, rows)


@dataclass(frozen=True, eq=False)
class Launch:
    """``name<<<grid, block, shared>>>(*arguments)`` of a kernel in ``kernels/file``.

    ``defines`` are the macros that the file is compiled with (tile sizes, rung, epilogue).
    ``arguments`` are arrays, which pass their address, ``None`` for a null pointer, and NumPy
    scalars, records and Tables, which pass their bytes: a Python number has no size of its own.

    Raises LaunchError for a value outside the limits of CUDA, TypeError for a value of another
    kind.

    >>> x = np.ones(300, np.float32)
    >>> launch = Launch("fill.cu", "fill", (("THREADS", 128),), (3, 1, 1), (128, 1, 1), 0,
    ...                 (x, np.int32(300), np.float32(2.0)))
    >>> launch.threads, launch.macros
    (128, ('-DTHREADS=128',))
    >>> Launch("fill.cu", "fill", (), (3, 1, 1), (2048, 1, 1), 0, ())
    Traceback (most recent call last):
    ...
    minigan.cuda.launch.LaunchError: fill: a block has at most 1024 threads, got (2048, 1, 1)
    """

    file: str
    name: str
    defines: tuple[tuple[str, int], ...]
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    arguments: tuple[Any, ...]
    architecture: int = 75

    def __post_init__(self):
        if not self.file.endswith(".cu") or Path(self.file).name != self.file:
            raise LaunchError(f"{self.name}: expected the name of a .cu file, got {self.file!r}")
        if not self.name.isidentifier():
            raise LaunchError(f"{self.file}: {self.name!r} is no kernel's name")
        for macro, value in self.defines:
            if not macro.isidentifier() or not isinstance(value, (int, np.integer)):
                raise TypeError(f"{self.name}: a macro is (name, int), got {(macro, value)!r}")
        for what, sizes, limits in (
            ("grid", self.grid, GRID_LIMIT),
            ("block", self.block, BLOCK_LIMIT),
        ):
            if len(sizes) != 3 or not all(isinstance(n, (int, np.integer)) for n in sizes):
                raise TypeError(f"{self.name}: {what} expects three integers, got {sizes!r}")
            if min(sizes) < 1:
                raise LaunchError(f"{self.name}: {what} {sizes} is outside 1 … {limits}")
            if what == "grid" and any(map(int.__gt__, map(int, sizes), limits)):
                raise GridError(f"{self.name}: {what} {sizes} is outside 1 … {limits}")
        if self.threads > 1024 or self.block[2] > BLOCK_LIMIT[2]:
            raise LaunchError(f"{self.name}: a block has at most 1024 threads, got {self.block}")
        limit = shared_limit(self.architecture)
        if not 0 <= self.shared <= limit:
            raise LaunchError(
                f"{self.name}: a block of sm_{self.architecture} has at most {limit} bytes of "
                f"shared memory, got {self.shared}"
            )
        for position, value in enumerate(self.arguments):
            if not (value is None or isinstance(value, (np.generic, Table)) or is_array(value)):
                raise TypeError(
                    f"{self.name}: argument {position} must be an array, None or a NumPy scalar, "
                    f"got {type(value).__name__} {value!r}"
                )

    @property
    def arrays(self) -> list[Any]:
        """The arrays among the arguments, and those in Tables among them."""
        found = []
        for value in self.arguments:
            if isinstance(value, Table):
                found += value.arrays
            elif is_array(value):
                found.append(value)
        return found

    @property
    def threads(self) -> int:
        """Threads of one block."""
        x, y, z = self.block
        return int(x) * int(y) * int(z)

    @property
    def macros(self) -> tuple[str, ...]:
        """The macros as a compiler's options."""
        return tuple(f"-D{name}={int(value)}" for name, value in self.defines)


def shared_limit(architecture: int) -> int:
    """Most bytes of shared memory that one block can have on GPUs of a compute capability.

    >>> shared_limit(75), shared_limit(89), shared_limit(100)
    (65536, 101376, 232448)
    """
    known = [least for least in SHARED_LIMIT if least <= architecture]
    if not known:
        raise LaunchError(f"compute capability {architecture} is below {min(SHARED_LIMIT)}")
    return SHARED_LIMIT[max(known)]


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array with an address, of NumPy or CuPy."""
    return isinstance(value, np.ndarray) or hasattr(value, "__cuda_array_interface__")


def kernel_folder() -> Path:
    """The folder of the .cu files: ``minigan/kernels`` in a wheel, ``kernels`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    places = package / "kernels", package.parent / "kernels"
    for place in places:
        if next(place.glob("*.cu"), None):
            return place
    raise RuntimeError(f"the CUDA kernels are in neither {places[0]} nor {places[1]}")
