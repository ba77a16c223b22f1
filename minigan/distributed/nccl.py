"""Collectives of CuPy arrays by NCCL, on a stream of their own.

A collective begins when all that was asked of the current stream before it is done, and what is
asked of that stream after ``wait`` begins when the collective is over.  The CPU waits for neither,
so that gradients travel while others are computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module

from ..array import Array, cupy
from .work import Work

# By a dtype's character; complex numbers are pairs.
DTYPES = {
    **{"b": "INT8", "B": "UINT8", "?": "UINT8", "i": "INT32", "I": "UINT32"},
    **{"l": "INT64", "q": "INT64", "L": "UINT64", "Q": "UINT64"},
    **{"e": "FLOAT16", "f": "FLOAT32", "d": "FLOAT64", "F": "FLOAT32", "D": "FLOAT64"},
}
OPERATIONS = {"sum": "SUM", "avg": "SUM", "min": "MIN", "max": "MAX", "product": "PROD"}


class _Asked(Work):
    """Waiting is the current stream's: the CPU goes on at once."""

    def wait(self) -> bool:
        if not self._over:
            self._over = True
            self._finish()
        return True


class Nccl:
    """The communicator of this rank's GPU, the current one, with those of all others.

    Args:
        rank, size: this process's number, and how many there are.
        tell: gives every rank the text of rank 0; by MPI.

    Raises:
        RuntimeError: NCCL is not installed.
    """

    def __init__(self, rank: int, size: int, tell: Callable[[str], str]):
        self.cupy, self.size = cupy(), size
        self.library = import_module(f"{self.cupy.__name__}.cuda.nccl")
        if not self.library.available:
            raise RuntimeError(
                "all_reduce: arrays on a GPU need NCCL: pip install nvidia-nccl-cu13 (or cu12)"
            )
        name = self.library.get_unique_id() if rank == 0 else b""
        is_bytes, numbers = json.loads(tell(json.dumps([type(name) is bytes, list(name)])))
        name = bytes(numbers) if is_bytes else tuple(numbers)  # tuple: CuPy before 14
        self.comm = self.library.NcclCommunicator(size, name, rank)
        self.stream = self.cupy.cuda.Stream(non_blocking=True)

    def all_reduce(self, array: Array, op: str) -> Work:
        """``array`` becomes the sum (average, minimum, …) of all ranks' arrays."""
        if op == "product" and array.dtype.kind == "c":  # it would multiply the parts by themselves
            raise TypeError(f"all_reduce: NCCL cannot multiply {array.dtype}")
        operation = getattr(self.library, f"NCCL_{OPERATIONS[op]}")

        def run(pointer: int, count: int, dtype: int) -> None:
            self.comm.allReduce(pointer, pointer, count, dtype, operation, self.stream.ptr)

        def finish(buffer: Array) -> None:
            if op == "avg":
                buffer /= self.size

        return self._work(array, run, finish)

    def broadcast(self, array: Array, source: int) -> Work:
        """``array`` becomes what it is on rank ``source``."""

        def run(pointer: int, count: int, dtype: int) -> None:
            self.comm.broadcast(pointer, pointer, count, dtype, source, self.stream.ptr)

        return self._work(array, run)

    def _work(
        self,
        array: Array,
        run: Callable[[int, int, int], None],
        finish: Callable[[Array], None] = lambda buffer: None,
    ) -> Work:
        if array.dtype.char not in DTYPES:
            raise TypeError(f"all_reduce, broadcast: NCCL has no {array.dtype}")
        cuda = self.cupy.cuda
        buffer = self.cupy.ascontiguousarray(array)
        dtype = getattr(self.library, f"NCCL_{DTYPES[array.dtype.char]}")
        ready, over = (cuda.Event(disable_timing=True) for _ in range(2))
        ready.record()
        self.stream.wait_event(ready)
        run(buffer.data.ptr, buffer.size * (1 + (array.dtype.kind == "c")), dtype)
        over.record(self.stream)

        def arrived() -> None:
            cuda.get_current_stream().wait_event(over)
            finish(buffer)
            if buffer is not array:
                array[...] = buffer.reshape(array.shape)

        return _Asked(lambda: over.done, arrived)

    def close(self) -> None:
        """Let go of NCCL."""
        self.comm.destroy()
