"""A few threads that share one loop over blocks of an array.

NumPy and BLAS release the interpreter's lock while they compute, so that a loop over independent
blocks runs on several cores at once.  The blocks are chosen by the caller and never depend on the
number of threads: a result is bit for bit the same on one thread and on many.

While blocks run, BLAS keeps to one thread (two levels of threads would only get in each other's
way) and gets back afterwards what the user had set.  Where it cannot be told, all still works.
"""

from __future__ import annotations

import _thread
import contextvars
import itertools
import os
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from queue import SimpleQueue
from typing import Any

import numpy as np

VIEWS = 1024  # of working memory that are remembered


def get_num_threads() -> int:
    """How many threads large operations on the CPU are spread over.

    At first that is the environment's MINIGAN_NUM_THREADS, else the number of cores this process
    may use.

    Raises:
        ValueError: MINIGAN_NUM_THREADS is not a positive integer.
    """
    if _team.size is None:
        _team.size = _wished()
    return _team.size


def set_num_threads(number: int) -> None:
    """Spread large operations on the CPU over ``number`` threads; results do not depend on it.

    >>> import minigan
    >>> before = minigan.get_num_threads()
    >>> minigan.set_num_threads(1)
    >>> minigan.get_num_threads()
    1
    >>> minigan.set_num_threads(before)
    """
    if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or number < 1:
        raise RuntimeError(f"set_num_threads: expected a positive integer, got {number!r}")
    _team.size = int(number)


def _wished() -> int:
    text = os.environ.get("MINIGAN_NUM_THREADS", "").strip()
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    if text:
        raise ValueError(f'MINIGAN_NUM_THREADS: expected a positive integer, got "{text}"')
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel(task: Callable[[int], Any], count: int) -> None:
    """Call ``task(0)``, …, ``task(count - 1)`` in any order, on as many threads as are set.

    The calls must not depend on each other.  The first error of any call is raised here, after
    all threads have stopped.
    """
    if count <= 1:
        for i in range(count):
            task(i)
        return
    with one_blas_thread:  # also on one thread: BLAS rounds otherwise when it has several
        if get_num_threads() > 1 and not _team.free.locked():
            with _team.free:  # no interrupt leaves it locked, as one could after an acquire()
                _team.share(task, count)
        else:  # one thread; or inside a task, or another thread of the program's has the team
            for i in range(count):
                task(i)


class _Job:
    """One helper's part in a loop.  It may come too late: then it finds nothing left to do.

    The lock is held while the part is done, so that closing the job waits for its end.  Every
    loop has jobs of its own: an interrupt at any moment leaves nothing behind for the next.
    """

    def __init__(self, work: Callable[[], None]):
        self.lock = threading.Lock()
        # A copy of this context: np.errstate goes along.
        self.work = partial(contextvars.copy_context().run, work)

    def help(self) -> None:
        with self.lock:
            if self.work is not None:
                self.work()

    def close(self) -> None:
        with self.lock:
            self.work = None  # and with it all that the task holds


def _serve(jobs: SimpleQueue) -> None:
    threading.current_thread().name = "minigan-worker"
    while True:
        jobs.get().help()


class _Team:
    """The workers, made when first needed."""

    def __init__(self):
        self.size: int | None = None  # read from the environment when first asked for
        self.start_afresh()

    def start_afresh(self) -> None:
        """No workers yet (also in a forked process, where threads do not live on)."""
        self.workers: list[int] = []  # their identifiers
        self.jobs: SimpleQueue[_Job] = SimpleQueue()
        self.free = threading.Lock()

    def share(self, task: Callable[[int], Any], count: int) -> None:
        indices, errors = itertools.count(), []

        def work() -> None:
            try:
                while not errors and (i := next(indices)) < count:
                    task(i)
            except BaseException as error:
                errors.append(error)

        while len(self.workers) < self.size - 1:
            # Not threading.Thread: its start() waits for the thread in Python, where an interrupt
            # at a bad moment comes out as "RuntimeError: release unlocked lock".  (So what traces
            # threads by threading.settrace does not see these.)
            worker = _thread.start_new_thread(_serve, (self.jobs,))
            self.workers.append(worker)  # last: an interrupt may cost one too many, never one
        jobs = [_Job(work) for _ in range(min(self.size, count) - 1)]
        try:
            for job in jobs:
                self.jobs.put(job)
            work()
        finally:
            _close(jobs, errors)
        if errors:
            raise errors[0]


def _close(jobs: list[_Job], errors: list[BaseException]) -> None:
    """Wait for the helpers, whatever happens: they write into arrays of ours."""
    while True:
        try:
            for job in jobs:
                job.close()
            return
        except KeyboardInterrupt as error:
            errors.append(error)


class _OneBlasThread:
    """A block in which BLAS uses one thread, where its library lets that be set."""

    def __init__(self):
        self.before: list[int] = []
        self.start_afresh()

    def start_afresh(self) -> None:
        """Nobody is inside, and nobody holds the lock (also in a forked process)."""
        self.depth = 0
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth > 1:
                return
            self.before = [library.get_num_threads() for library in blas_libraries()]
            self._set([1] * len(self.before))

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            self.depth -= 1
            if not self.depth:
                self._set(self.before)

    def _set(self, numbers: list[int]) -> None:
        for library, number in zip(blas_libraries(), numbers, strict=True):
            if library.get_num_threads() != number:
                library.set_num_threads(number)


@lru_cache(maxsize=1)
def blas_libraries() -> list[Any]:
    """threadpoolctl's controllers of the BLAS libraries of this process; none without it."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return ThreadpoolController().select(user_api="blas").lib_controllers


class _Scratch(threading.local):
    """Every thread's working memory: one buffer for each purpose, as large as was ever needed."""

    def __init__(self):
        self.buffers: dict[str, np.ndarray] = {}
        self.views: dict[tuple, np.ndarray] = {}  # of buffers, as they were asked for: for speed


def scratch(purpose: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array for the use of this thread until it asks for ``purpose`` again."""
    views = _scratch.views
    view = views.get((purpose, shape, dtype))
    if view is None:
        size = np.dtype(dtype).itemsize * prod(shape)
        buffer = _scratch.buffers.get(purpose)
        if buffer is None or buffer.size < size or len(views) >= VIEWS:
            views.clear()  # some are of the buffer that goes, or there are many
        if buffer is None or buffer.size < size:
            buffer = _scratch.buffers[purpose] = np.empty(size, np.uint8)
        view = views[purpose, shape, dtype] = buffer[:size].view(dtype).reshape(shape)
    return view


one_blas_thread = _OneBlasThread()
_scratch = _Scratch()
_team = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.start_afresh)
    os.register_at_fork(after_in_child=one_blas_thread.start_afresh)
