"""The default group: which process this is, and of how many."""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..array import Array
from .launch import limited, started_processes
from .mpi import Mpi
from .nccl import Nccl
from .work import Work

BACKENDS = (None, "mpi", "nccl", "cpu:mpi,cuda:nccl")
START = timedelta(minutes=5)  # for all processes to have come


class Solo:
    """A group of one, in which everything has arrived already."""

    rank = local_rank = 0
    size = local_size = 1

    def all_reduce(self, array: Array, op: str) -> Work:
        return Work()

    def broadcast(self, array: Array, source: int) -> Work:
        return Work()

    def barrier(self) -> Work:
        return Work()

    def texts(self, text: str) -> list[str]:
        return [text]


class Group:
    """All ranks: MPI between the processes, and from the first array on a GPU on NCCL too."""

    def __init__(self):
        self.mpi = Mpi()
        self.rank, self.size = self.mpi.rank, self.mpi.size
        self.local_rank, self.local_size = self.mpi.local_rank, self.mpi.local_size
        self.nccl: Nccl | None = None

    def all_reduce(self, array: Array, op: str) -> Work:
        """Begin it; ``array`` holds the result once the Work was waited for."""
        return Work() if self.size == 1 else self._for(array).all_reduce(array, op)

    def broadcast(self, array: Array, source: int) -> Work:
        """Begin it; ``array`` holds the result once the Work was waited for."""
        return Work() if self.size == 1 else self._for(array).broadcast(array, source)

    def barrier(self) -> Work:
        """Is over when all ranks have begun theirs."""
        return self.mpi.barrier()

    def texts(self, text: str) -> list[str]:
        """The texts of all ranks, in their order."""
        data = np.frombuffer(text.encode(), np.uint8)
        lengths = np.zeros(self.size, np.int64)
        lengths[self.rank] = len(data)
        self.all_reduce(lengths, "sum").wait()
        ends = lengths.cumsum()
        together = np.zeros(ends[-1], np.uint8)
        together[ends[self.rank] - len(data) : ends[self.rank]] = data
        self.all_reduce(together, "sum").wait()
        return [part.tobytes().decode() for part in np.split(together, ends[:-1])]

    def _for(self, array: Array) -> Any:
        if isinstance(array, np.ndarray):
            return self.mpi
        if self.nccl is None:
            self.nccl = Nccl(self.rank, self.size, lambda text: self.texts(text)[0])
        return self.nccl


_solo = Solo()
_default: Group | None = None
_alone = 0


def current() -> Group | Solo:
    """The group that collectives belong to now; a group of one where there is no other."""
    return _solo if _default is None or _alone else _default


@contextmanager
def alone() -> Iterator[None]:
    """A block in which this rank is the only one, for work that the others have no part in.

    Whatever averages over the ranks otherwise, such as SyncBatchNorm, does without them.

    >>> with alone():
    ...     current().size
    1
    """
    global _alone
    _alone += 1
    try:
        yield
    finally:
        _alone -= 1


def is_available() -> bool:
    """Whether mpi4py is installed."""
    return find_spec("mpi4py") is not None


def is_initialized() -> bool:
    """Whether ``init_process_group`` was called."""
    return _default is not None


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
) -> None:
    """Find the other processes that ``mpiexec`` started; without ``mpiexec`` there are none.

    A process that ends with an exception from then on, or is killed, ends all others.  One that
    leaves without, by ``sys.exit`` say, is waited for by those who still call collectives.

    Args:
        backend: None, "mpi", "nccl" or "cpu:mpi,cuda:nccl", which all mean the last: arrays on the
            CPU travel by MPI, arrays on a GPU by NCCL.  For NCCL every rank has a GPU of its own
            as its current device, e.g. by CUDA_VISIBLE_DEVICES.
        init_method: of PyTorch's signature, without effect.
        timeout: how long to wait here for the others (None: 5 minutes); then all end.  Collectives
            wait as long as it takes.
        world_size, rank: -1, or what ``mpiexec`` gives.

    Raises:
        ValueError: called twice, another backend, or world_size or rank are not what they are.
        TypeError: ``timeout`` is no timedelta.
        RuntimeError: mpi4py or an MPI library is not installed.
    """
    global _default
    if _default is not None:
        raise ValueError("init_process_group: was called before")
    if backend not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise ValueError(f"init_process_group: backend expects one of {known}, got {backend!r}")
    if timeout is not None and not isinstance(timeout, timedelta):
        raise TypeError(
            f"init_process_group: timeout expects a datetime.timedelta, got {timeout!r}"
        )
    with limited((timeout or START).total_seconds()):
        group = Group()
    for name, given, found in (("world_size", world_size, group.size), ("rank", rank, group.rank)):
        if given not in (-1, found):
            raise ValueError(
                f"init_process_group: {name} is {found} by mpiexec, got {given}; leave it out"
            )
    _default = group
    if group.size > 1:
        atexit.register(_end_the_others)


def _end_the_others() -> None:
    """At the end of this program: if an exception brought it about, nobody must wait for it."""
    if hasattr(sys, "last_value"):  # its traceback has been printed
        _default.mpi.abort(130 if isinstance(sys.last_value, KeyboardInterrupt) else 1)


def destroy_process_group(group: None = None) -> None:
    """Forget the group; MPI itself ends with the program.

    Raises:
        ValueError: there is none.
    """
    global _default
    if _initialized("destroy_process_group", group).nccl is not None:
        _default.nccl.close()
    atexit.unregister(_end_the_others)
    _default = None


def get_rank(group: None = None) -> int:
    """This process's number, from 0.

    Raises:
        ValueError: ``init_process_group`` was not called.
    """
    return _initialized("get_rank", group) and current().rank


def get_world_size(group: None = None) -> int:
    """How many processes there are.

    Raises:
        ValueError: ``init_process_group`` was not called.
    """
    return _initialized("get_world_size", group) and current().size


def get_backend(group: None = None) -> str:
    """ "cpu:mpi,cuda:nccl", whatever ``init_process_group`` was told."""
    return _initialized("get_backend", group) and BACKENDS[-1]


def expect_default(where: str, group: Any) -> None:
    """Refuse groups: there is only the one of all ranks."""
    if group is not None:
        raise ValueError(f"{where}: group expects None (all ranks), got {group!r}")


def expect_group(where: str, group: Any) -> None:
    """Refuse groups, and to be alone by mistake: where ``mpiexec`` started others.

    A program of one process may do without ``init_process_group``.
    """
    expect_default(where, group)
    if _default is None and started_processes() > 1:
        raise ValueError(
            f"{where}: mpiexec started {started_processes()} processes, and init_process_group was "
            "not called"
        )


def _initialized(where: str, group: Any) -> Group:
    expect_default(where, group)
    if _default is None:
        raise ValueError(f"{where}: init_process_group was not called")
    return _default


def tell(value: Any) -> Any:
    """Rank 0's ``value``, anything that JSON can hold, on every rank."""
    group = current()
    return json.loads(group.texts(json.dumps(value) if group.rank == 0 else "")[0])
