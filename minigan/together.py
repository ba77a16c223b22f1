"""``minigan train --distributed``: how ranks begin, go on and end together.

Rank 0 leads: it writes the run folder, draws, measures and speaks.  The others follow with networks
of the same values and data of their own.  What goes wrong at the beginning ends all of them with
one message.  A rank that fails later ends the others by MPI, so that none waits for it for ever;
one that is killed is noticed by ``mpiexec``, which does the same.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from . import cuda
from ._console import INTERRUPTED, interrupts_noted, interrupts_wait, say
from .config import Config, RunError
from .cpu.threads import get_num_threads, set_num_threads
from .data import DataWarning
from .distributed import barrier, broadcast, destroy_process_group, init_process_group
from .distributed.launch import place_here
from .distributed.process_group import current, tell
from .gan import NonFiniteLoss
from .gan.sampling import modules
from .nn.parallel import synchronise
from .ops.creation import from_numpy
from .run import Run
from .serialize import read_npz

Result = TypeVar("Result")


class Follower(Run):
    """A run on a rank that leaves everything but the computing to rank 0."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.record = _Silent()

    def _save(self) -> None:
        self._state()  # all ranks' random generators go into it

    def _save_samples(self) -> None:
        pass

    def save_pictures(self) -> None:
        """Rank 0 does."""


class _Silent:
    """A record that nobody reads."""

    def add(self, row: Any) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def train_together(lead: Callable[[], Run], watch: Callable[[Run], int], gpus: bool) -> int:
    """Train on all ranks; returns the exit code.

    Args:
        lead: begins the run, or opens it, on rank 0.
        watch: trains it there, and gives the exit code.
        gpus: whether the ranks may compute on GPUs, one each.

    Raises:
        RunError: MPI is missing, or GPUs are.
    """
    try:
        with interrupts_wait():
            init_process_group()
    except RuntimeError as error:
        if place_here():  # the first process of this machine says the same
            raise SystemExit(2) from error
        raise RunError(str(error).replace("init_process_group", "--distributed", 1)) from error
    rank = current().rank
    with _no_rank_waits_for_ever() as agreed:
        _share_the_machine(gpus, agreed)
        run = agreed(lead if rank == 0 else lambda: None)
        config = tell(None if run is None else asdict(run.config))
        run = agreed(lambda: run or _followed(Config(**config)))
        try:
            size = tell([len(run.data), *run.trainer.shape])
            agreed(lambda: _expect_data(run, size))
            _share(run)
            if rank == 0 and current().size > 1:
                count, unit = run.config.batch_size, run.data.unit
                each = f"{count} {unit if count > 1 else unit.removesuffix('s')}"
                say(f"{current().size} processes, {each} each in a step")
            code = (_follow if rank else watch)(run)
        finally:
            run.close()
        barrier()
    return code


def _followed(config: Config) -> Follower:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # rank 0 speaks of what it leaves out
        return Follower(config)


def _expect_data(run: Run, size: list[int]) -> None:
    """Where the ranks' machines have files of their own, they must be the same."""
    own = [len(run.data), *run.trainer.shape]
    if own != size:
        raise RunError(
            f"--data: process {current().rank} finds other data in {run.config.data} on "
            f"{platform.node()} than process 0 (count, channels, height, width …: {own} and {size})"
        )


def _follow(run: Run) -> int:
    """Train as rank 0 does, which says everything."""
    try:
        with interrupts_noted() as stopped:
            finished = run.train(stopped=stopped)
    except NonFiniteLoss as error:
        raise SystemExit(2) from error
    return 0 if finished else INTERRUPTED


@contextmanager
def _no_rank_waits_for_ever() -> Iterator[Callable[[Callable[[], Result]], Result]]:
    """A block that all ranks leave together, or not at all; gives a function for its beginnings.

    That function calls another on every rank; where one of them fails, all ranks end, and the first
    that failed says why.
    """
    group = current()
    code: int | None = 1  # what mpiexec exits with if this rank ends now (None: all ranks end)

    def agreed(function: Callable[[], Result]) -> Result:
        nonlocal code
        result, failure = None, None
        try:
            result = function()
        except Exception as error:
            failure = error
        failed = [i for i, said in enumerate(group.texts("" if failure is None else "!")) if said]
        if not failed:
            return result
        code = None
        if group.rank == failed[0]:
            raise failure
        raise SystemExit(2)

    def end() -> None:
        if code is not None:
            group.mpi.abort(code)

    if group.size > 1:
        atexit.register(end)  # after the message, and before MPI would wait for all ranks
    try:
        yield agreed
        code = None
    except BaseException as error:
        if isinstance(error.__cause__, NonFiniteLoss):  # which all ranks have come upon
            barrier()
            code = None
        elif code is not None:
            code = _exit_code(error)
        raise
    finally:
        if code is None:
            atexit.unregister(end)
            destroy_process_group()


def _exit_code(error: BaseException) -> int:
    """What a command that ends with ``error`` exits with, see ``cli.main``."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    expected = (ValueError, OSError, ArithmeticError, MemoryError)
    return 2 if isinstance(error, expected) else 1


def _share(run: Run) -> None:
    """Every rank takes over what rank 0 has: of a checkpoint everything, else the first weights."""
    arrays = {}
    if current().rank == 0 and (run.folder / "checkpoint.npz").exists():
        arrays = read_npz(run.folder / "checkpoint.npz")
    for name, dtype, shape in tell([[k, a.dtype.str, a.shape] for k, a in arrays.items()]):
        array = arrays.get(name)
        array = np.empty(shape, dtype) if array is None else np.array(array)
        broadcast(from_numpy(array))
        arrays[name] = array
    if current().rank and arrays:
        run.trainer.load_state_dict(arrays)
    trainer = run.trainer
    for network in [*modules(trainer.networks).values(), trainer.average]:
        if network is not None:
            synchronise([*network.parameters(), *network.buffers()])


# ------------------------------------------------------------------------------ the machine


def _share_the_machine(gpus: bool, agreed: Callable[[Callable[[], Any]], Any]) -> None:
    """Every rank of a machine takes its part of the cores, and a GPU of its own."""
    group = current()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    everyone = [json.loads(text) for text in group.texts(json.dumps([platform.node(), cores]))]
    if "MINIGAN_NUM_THREADS" not in os.environ:
        rivals = sum(n == platform.node() and bool({*c} & {*cores}) for n, c in everyone)
        set_num_threads(max(1, get_num_threads() // max(1, rivals)))
    if not gpus or group.size == 1:
        return
    if group.local_size > 1:
        visible = own_gpu(os.environ.get("CUDA_VISIBLE_DEVICES"), group.local_rank)
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    have = [text == "1" for text in group.texts(str(int(cuda.is_available())))]

    def check() -> None:
        if any(have) and not all(have):
            raise RunError(
                f"--distributed: {sum(have)} of {len(have)} processes have a GPU; start one for "
                "each GPU, or compute on the CPUs with --device cpu"
            )

    agreed(check)


def own_gpu(visible: str | None, local_rank: int) -> str:
    """What CUDA_VISIBLE_DEVICES is for one of the ranks of a machine.

    >>> own_gpu(None, 1), own_gpu("4,5,7", 2), own_gpu("4", 1)
    ('1', '7', '')
    """
    if visible is None:
        return str(local_rank)
    names = visible.split(",")
    return names[local_rank] if local_rank < len(names) else ""
