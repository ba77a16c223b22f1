"""Shuffled mini-batches whose place in the data is two integers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import partial

import numpy as np

from minigan.array import Device, to_device
from minigan.data.augment import Augment
from minigan.data.images import DataError, ImageData, whole_number
from minigan.data.mixtures import PointData
from minigan.data.pairs import PairData


class Batches:
    """Endless iterator of shuffled mini-batches, ready for training.

    Epoch e visits the samples in the order ``default_rng([seed, e]).permutation(N)``, so any
    place in the stream is known by its epoch and its position alone: restoring these two numbers
    (with the same data, batch size and seed) continues bit for bit. Each epoch visits a sample at
    most once; the N mod B samples left over at its end are dropped, others in every epoch.

    Args:
        data: images and, where there are any, their labels; or pairs of images; or points.
        batch_size: B, samples in a batch, 1 to N.
        seed: a whole number of at least 0.
        augment: random changes of the images, e.g. ``augmentation("flip,crop=4")``. They too
            follow from the seed, the epoch and the position alone.
        rank, ranks: of several processes that go through the data together each takes the batch
            of its ``rank``, from 0, out of ``ranks``·B samples at every position. For what is
            random in them ``ranks`` processes have ``ranks`` streams.

    Attributes:
        batches_per_epoch: N // (ranks·B).
        data, augment: as given.
        raw: leave images uint8.

    Each batch is what the data's ``take`` gives. For ImageData: float32 images (B, C, H, W) with
    values ``x / 127.5 - 1`` in [-1, 1], and int64 labels (B,), None for data without labels. For
    PairData: two such arrays of images. For PointData: float32 points (B, 2) and int64 labels.
    They are fresh arrays.

    Raises:
        DataError: ``batch_size`` is below 1 or larger than the data; ``seed`` is negative.

    >>> data = ImageData("ramp", np.arange(5 * 64, dtype=np.uint8).reshape(5, 1, 8, 8), None, 0)
    >>> batches = Batches(data, 2, seed=0)
    >>> batches.batches_per_epoch
    2
    >>> images, labels = next(batches)
    >>> images.shape, images.dtype, labels
    ((2, 1, 8, 8), dtype('float32'), None)
    >>> batches.state_dict()
    {'epoch': 0, 'position': 1}
    """

    def __init__(
        self,
        data: ImageData | PairData | PointData,
        batch_size: int,
        *,
        seed: int,
        augment: Augment | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._batch_size = whole_number("batch_size", batch_size, 1)
        self._seed = whole_number("seed", seed, 0)
        self._rank, self._together = rank, ranks * self._batch_size
        if self._together > len(data):
            raise DataError(
                f"batch_size: expected at most the {len(data)} {data.unit} of {data.name}, "
                f"got {self._batch_size}" + (f" for each of {ranks} ranks" if ranks > 1 else "")
            )
        self.data, self.augment, self.raw = data, augment, False
        self._device = Device("cpu")
        self.batches_per_epoch = len(data) // self._together
        self._start(0, 0)

    def _start(self, epoch: int, position: int) -> None:
        self._epoch, self._position = epoch, position
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self.data))
        self._order = to_device(order, self._device)

    def to(self, device: Device | str) -> Batches:
        """The same batches, from here on, of data that lie on ``device``, without changes."""
        moved = copy(self)
        moved.data, moved._device = self.data.to(device), Device(device)
        moved._start(self._epoch, self._position)
        return moved

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The next batch."""
        first = self._position * self._together + self._rank * self._batch_size
        chosen = self._order[first : first + self._batch_size]
        change = None
        if self.augment is not None:
            # The last word keeps this stream apart from the order's: zeros at the end would not.
            place = [self._seed, self._epoch, self._position, 1 + self._rank]
            change = partial(self.augment, np.random.default_rng(place))
        batch = self.data.take(chosen, change, **({"raw": True} if self.raw else {}))
        if self._position + 1 < self.batches_per_epoch:
            self._position += 1
        else:
            self._start(self._epoch + 1, 0)
        return batch

    def state_dict(self) -> dict[str, int]:
        """The place of the next batch: its epoch, and its index within the epoch.

        Both are Python ints, so that the state can go into JSON.
        """
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue at a place that ``state_dict`` gave.

        Raises:
            DataError: the keys are not "epoch" and "position", or a value is out of range (a
                position past the end of an epoch means another batch size or other data).
                The iterator is then unchanged.

        >>> data = ImageData("dark", np.zeros((6, 1, 8, 8), np.uint8), None, 0)
        >>> batches = Batches(data, 2, seed=0)
        >>> batches.load_state_dict({"epoch": 7, "position": 2})
        >>> _ = next(batches)
        >>> batches.state_dict()
        {'epoch': 8, 'position': 0}
        """
        if set(state) != {"epoch", "position"}:
            raise DataError(
                f"batches: state expects the keys 'epoch' and 'position', got {sorted(state)}"
            )
        epoch = whole_number("batches: state 'epoch'", state["epoch"], 0)
        last = self.batches_per_epoch - 1
        position = whole_number("batches: state 'position'", state["position"], 0)
        if position > last:
            raise DataError(
                f"batches: state 'position' expects at most {last} "
                f"({self.batches_per_epoch} batches in an epoch), got {position}"
            )
        self._start(epoch, position)
