"""Batches for a GPU.

The data lie in the GPU's memory where they fit, and a batch is gathered there.  Else every batch is
on its way while the one before is being trained on: copied from memory that the GPU can read by
itself, on a stream of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from minigan import array as arrays
from minigan import cuda, fused
from minigan.array import Array, Device
from minigan.data.background import Background
from minigan.data.batches import Batches

SHARE = 0.25  # of the GPU's free memory, that data may take

Batch = tuple[Array, Array | None]


def delivered(batches: Batches | Background, device: Device | str) -> Batches | Background | Ahead:
    """The same batches, of arrays on ``device``; ``batches`` is not to be used besides.

    On the CPU they are ``batches`` themselves.  Batches that somebody makes in the background (of
    changed images) are sent; others lie on the GPU if they take no more than SHARE of its memory.
    """
    device = Device(device)
    if device.type == "cpu":
        return batches
    if isinstance(batches, Batches) and batches.augment is None:
        free, _ = cuda.mem_get_info(device)
        if batches.data.nbytes <= SHARE * free:
            return batches.to(device)
    return Ahead(batches, device)


class Ahead:
    """Batches on a GPU, each sent while the one before it is used.

    The order, the values and the places are those of ``batches``; images travel as bytes.
    """

    def __init__(self, batches: Batches | Background, device: Device) -> None:
        self._batches, self._device = batches, device
        self.batches_per_epoch = batches.batches_per_epoch
        batches.raw = True
        self._state = batches.state_dict()
        self._coming: tuple[_Slot, dict[str, int]] | None = None
        self._slots = [_Slot(), _Slot()]
        with arrays.cupy().cuda.Device(device.index):
            self._stream = arrays.cupy().cuda.Stream(non_blocking=True)

    def __iter__(self) -> Ahead:
        return self

    def __next__(self) -> Batch:
        """The next batch; the one after it is sent on its way."""
        with arrays.cupy().cuda.Device(self._device.index):
            slot, self._state = self._coming or self._send()
            batch = slot.received()
            self._coming = None
            with suppress(Exception):  # it comes again when that batch is asked for
                self._coming = self._send()
        return batch

    def _send(self) -> tuple[_Slot, dict[str, int]]:
        """The batch in its slot, and the place of the one after it; if it fails, it comes again."""
        place = self._batches.state_dict()
        try:
            batch = next(self._batches)
            self._slots.reverse()
            self._slots[0].send(batch, self._stream)
        except BaseException:
            self._batches.load_state_dict(place)
            raise
        return self._slots[0], self._batches.state_dict()

    def state_dict(self) -> dict[str, int]:
        """The place of the next batch to be handed out, as ``Batches.state_dict``."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue at a place that ``state_dict`` gave, of this class or of ``Batches``.

        Raises:
            DataError: as ``Batches.load_state_dict``; this iterator is then unchanged.
        """
        self._batches.load_state_dict(state)
        self._coming, self._state = None, self._batches.state_dict()

    def close(self) -> None:
        """Let go of what has been sent, and of the thread behind it; batches go on after it."""
        if isinstance(self._batches, Background):
            self._batches.close()
        self.load_state_dict(self._state)


class _Slot:
    """Room for one batch on either side, and how far the GPU is with it."""

    def __init__(self) -> None:
        self._here: list[np.ndarray] = []  # memory that the GPU can read by itself
        self._there: list[Any] = []
        self._copied: Any = None
        self._read: Any = None

    def send(self, batch: tuple[np.ndarray | None, ...], stream: Any) -> None:
        cupy = arrays.cupy()
        given = [a for a in batch if a is not None]
        self._parts = [a is not None for a in batch]
        if [(a.shape, a.dtype) for a in self._here] != [(a.shape, a.dtype) for a in given]:
            from cupyx import empty_pinned

            self._here = [empty_pinned(a.shape, a.dtype) for a in given]
            self._there = [cupy.empty(a.shape, a.dtype) for a in given]
            self._read = cupy.cuda.Event(disable_timing=True)
            self._read.record()  # work before may still use what the pool gave
        if self._copied is not None:
            self._copied.synchronize()  # of two batches ago
        if self._read is not None:
            stream.wait_event(self._read)
        for here, there, array in zip(self._here, self._there, given, strict=True):
            here[...] = array
            there.set(here, stream=stream)
        self._copied = cupy.cuda.Event(disable_timing=True)
        self._copied.record(stream)

    def received(self) -> Batch:
        """Arrays of their own, as the stream in use will see them."""
        cupy = arrays.cupy()
        stream = cupy.cuda.get_current_stream()
        stream.wait_event(self._copied)
        found = iter([_finished(array) for array in self._there])
        self._read = cupy.cuda.Event(disable_timing=True)
        self._read.record(stream)
        return tuple(next(found) if part else None for part in self._parts)


def _finished(array: Array) -> Array:
    return fused.centred(array) if array.dtype == np.uint8 else array.copy()
