"""Collectives of NumPy arrays by MPI, in its non-blocking forms."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from .work import Work

MOMENT = 0.5  # seconds
OPERATIONS = {"sum": "SUM", "avg": "SUM", "min": "MIN", "max": "MAX", "product": "PROD"}


def load() -> Any:
    """The module ``mpi4py.MPI``; importing it starts MPI.

    Raises:
        RuntimeError: it, or an MPI library, is not installed.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py finds no library
        raise RuntimeError(
            "init_process_group: needs mpi4py and an MPI library, which can be had by "
            'pip install "minigan[mpi]" mpich'
        ) from error
    return MPI


class Mpi:
    """All processes that ``mpiexec`` started; without it, this one alone.

    Attributes:
        rank, size: this process's number, and how many there are.
        local_rank, local_size: the same among those of this machine.
    """

    def __init__(self):
        self.module = load()
        self.world = self.module.COMM_WORLD
        self.rank, self.size = self.world.Get_rank(), self.world.Get_size()
        machine = self.world.Split_type(self.module.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = machine.Get_rank(), machine.Get_size()
        machine.Free()
        self.comm = self.world.Dup()  # our messages never meet those of the caller's own

    def all_reduce(self, array: np.ndarray, op: str) -> Work:
        """``array`` becomes the sum (average, minimum, …) of all ranks' arrays."""
        buffer = _buffer(array)
        operation = getattr(self.module, OPERATIONS[op])
        request = self.comm.Iallreduce(self.module.IN_PLACE, buffer, operation)

        def finish() -> None:
            if op == "avg":
                np.divide(buffer, self.size, out=buffer)
            _put_back(buffer, array)

        return Work(request.Test, finish)

    def broadcast(self, array: np.ndarray, source: int) -> Work:
        """``array`` becomes what it is on rank ``source``."""
        buffer = _buffer(array)
        return Work(self.comm.Ibcast(buffer, source).Test, lambda: _put_back(buffer, array))

    def barrier(self) -> Work:
        """Is over when all ranks have come to it."""
        return Work(self.comm.Ibarrier().Test)

    def abort(self, code: int) -> None:
        """End all ranks; ``mpiexec`` exits with ``code``.

        It drops what it has not yet passed on of the ranks' output, so it is given a moment before.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(MOMENT)
        self.world.Abort(code)


def _buffer(array: np.ndarray) -> np.ndarray:
    """The numbers in a row, as MPI takes them: those of ``array`` itself where that can be."""
    kinds = {"float16": np.float32, "bool": np.uint8}  # which MPI does not know
    return np.ascontiguousarray(array, kinds.get(array.dtype.name)).reshape(-1)


def _put_back(buffer: np.ndarray, array: np.ndarray) -> None:
    """Take over what has arrived, where ``buffer`` had to be a copy."""
    if not np.may_share_memory(buffer, array):
        array[...] = buffer.reshape(array.shape)
