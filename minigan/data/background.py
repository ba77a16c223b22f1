"""Batches made ahead of time by a thread of their own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

import numpy as np

from minigan.data.batches import Batches
from minigan.data.images import whole_number


class Background:
    """The batches of ``batches``, made by one thread while the caller computes.

    It gives the same batches in the same order. Its state is that of the last batch handed out,
    however far the thread has run ahead, so that a run goes on bit for bit with or without it.
    ``batches`` belongs to the thread from then on; do not use it besides.

    The thread starts with the first batch. What goes wrong in it is raised where the batch is
    asked for; asking again tries again. It ends with ``close``, which a ``with`` block calls, or
    when this object or the program goes; after ``close`` the next batch starts it anew.

    Args:
        batches: where they come from.
        ahead: how many batches may be ready and waiting, at least 1.

    Raises:
        DataError: ``ahead`` is out of range.

    >>> from minigan.data import Batches, ImageData
    >>> data = ImageData("dark", np.zeros((6, 1, 8, 8), np.uint8), None, 0)
    >>> with Background(Batches(data, 2, seed=0)) as batches:
    ...     images, _ = next(batches)
    ...     images.shape, batches.state_dict()
    ((2, 1, 8, 8), {'epoch': 0, 'position': 1})
    """

    def __init__(self, batches: Batches, ahead: int = 2) -> None:
        self._batches = batches
        self._ahead = whole_number("ahead", ahead, 1)
        self.batches_per_epoch = batches.batches_per_epoch
        self._state = batches.state_dict()
        self._worker: _Worker | None = None

    @property
    def raw(self) -> bool:
        """Whether images are left uint8, as ``Batches.raw``; to be set before the first batch."""
        return self._batches.raw

    @raw.setter
    def raw(self, raw: bool) -> None:
        self._batches.raw = raw

    def __iter__(self) -> Background:
        return self

    def __next__(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The next batch; waits for it where it is not ready."""
        if self._worker is None:
            self._batches.load_state_dict(self._state)
            self._worker = _Worker(self._batches, self._ahead)
            self._stop = weakref.finalize(self, self._worker.stop)
        batch, state, error = self._worker.take()
        if error is not None:
            self.close()
            raise error
        self._state = state
        return batch

    def state_dict(self) -> dict[str, int]:
        """The place of the next batch to be handed out, as ``Batches.state_dict``."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue at a place that ``state_dict`` gave, of this class or of ``Batches``.

        Raises:
            DataError: as ``Batches.load_state_dict``; this iterator is then unchanged.
        """
        self.close()
        self._batches.load_state_dict(state)
        self._state = self._batches.state_dict()

    def close(self) -> None:
        """End the thread and wait for it; batches that it had ready are made again if needed."""
        if self._worker is not None:
            self._stop()
            self._worker = None

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Worker:
    """The thread. It does not know the Background, which can thus be collected."""

    def __init__(self, batches: Batches, ahead: int) -> None:
        self._slots = threading.Semaphore(ahead)
        self._ready: SimpleQueue[tuple[Any, Any, BaseException | None]] = SimpleQueue()
        self._stopped = threading.Event()
        # A daemon, because a program ends its other threads before it ends what we registered.
        self._thread = threading.Thread(
            target=self._run, args=(batches,), name="minigan-batches", daemon=True
        )
        self._thread.start()

    def _run(self, batches: Batches) -> None:
        try:
            while True:
                self._slots.acquire()
                if self._stopped.is_set():
                    return
                batch = next(batches)
                self._ready.put((batch, batches.state_dict(), None))
        except BaseException as error:
            self._ready.put((None, None, error))

    def take(self) -> tuple[Any, Any, BaseException | None]:
        taken = self._ready.get()
        self._slots.release()
        return taken

    def stop(self) -> None:
        self._stopped.set()
        self._slots.release()
        if threading.current_thread() is not self._thread:  # a collection may run anywhere
            self._thread.join()
