"""A trainer as one of several ranks: data and random streams of its own, everything learnt shared.

Rank r of n takes images r·b to (r + 1)·b of each step's n·b.  Gradients are averaged while they are
computed (``distributed.buckets``), so that networks and optimizers are the same bits on all ranks,
as long as everything else that moves them is an average too: ``mean`` and ``average``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor
from ..distributed.buckets import Reducer
from ..distributed.nn import AllGather, AllReduce
from ..distributed.process_group import current
from ..generators import Generator
from ..nn import Module, SyncBatchNorm
from ..ops.arrange import split
from ..ops.shape import cat
from .streams import stream


class Ranks(NamedTuple):
    """Which rank this is, of how many.

    Attributes:
        synchronised: whether BatchNorm takes the statistics of all ranks' images.
    """

    rank: int = 0
    size: int = 1
    synchronised: bool = False

    def stream(self, seed: int, purpose: str) -> int:
        """A seed as ``streams.stream``, another one on every rank.

        >>> len({Ranks(rank, 4).stream(0, "training") for rank in range(4)})
        4
        """
        return stream(seed, purpose if self.rank == 0 else f"{purpose}, rank {self.rank}")

    def prepare(self, network: Module) -> None:
        """Before there are optimizers: statistics of all ranks, where that is asked for."""
        if self.synchronised and self.size > 1:
            SyncBatchNorm.convert_sync_batchnorm(network)

    def reducers(self, networks: Iterable[Module]) -> list[Reducer]:
        """What averages the networks' gradients; one for each, as they are trained in turns."""
        return [Reducer(network.parameters()) for network in networks] if self.size > 1 else []

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number's values on all ranks (0-d, no history)."""
        return Tensor(AllReduce()(value.detach()).array / self.size) if self.size > 1 else value

    def average(self, tensors: list[Tensor]) -> list[Tensor]:
        """The ranks' averages, which can be differentiated."""
        if self.size == 1:
            return tensors
        together = AllReduce()(cat([t.flatten() for t in tensors])) / self.size
        parts = split(together, [t.numel() for t in tensors])
        return [part.reshape(t.shape) for part, t in zip(parts, tensors, strict=True)]

    def averaged(self, row: dict[str, float]) -> dict[str, float]:
        """A row of the record as the ranks' average: what is not finite on one is so on all."""
        if self.size == 1:
            return row
        values = np.array(list(row.values()), np.float64)
        with np.errstate(all="ignore"):
            current().all_reduce(values, "avg").wait()
        return dict(zip(row, values.tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set on any rank."""
        if self.size == 1:
            return flag
        found = np.array([flag], np.uint8)
        current().all_reduce(found, "max").wait()
        return bool(found[0])


def of_all_ranks(rows: Tensor) -> Tensor:
    """The rows (N, …) of a batch on all ranks, one below the other; gradients flow through it.

    For losses that compare the images of a batch.  Averaged over the ranks, the gradient of a loss
    that every rank takes of these rows is its gradient in one process with the whole batch.
    """
    if current().size == 1:
        return rows
    return AllGather()(rows).reshape(-1, *rows.shape[1:])


ALONE = Ranks()


def here(synchronised: bool = False) -> Ranks:
    """This process, in the group that ``distributed.init_process_group`` found (else alone)."""
    return Ranks(current().rank, current().size, synchronised)


def streams_of(trainer: Any, own: dict[str, Any]) -> dict[str, Any]:
    """The states of all ranks' random generators, for a checkpoint; ``own`` is this rank's."""
    if trainer.ranks.size == 1:
        return {}
    return {"ranks": [json.loads(text) for text in current().texts(json.dumps(own))]}


def place_of(trainer: Any, plain: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, int]]:
    """Where this rank goes on: the states of its generators (none: anew), its place in the data.

    With as many ranks as before exactly there.  With another number each epoch still takes an image
    at most once: the place is the next whole step of the new size, and every rank begins streams
    that follow from the seed, the step and its number.
    """
    rank, size = trainer.ranks.rank, trainer.ranks.size
    states = plain.get("ranks", [plain])
    if len(states) == size:
        return states[rank], plain["data"]
    place = dict(plain["data"])
    place["position"] = -(-place["position"] * len(states) // size)
    if place["position"] >= trainer.batches.batches_per_epoch:
        place = {"epoch": place["epoch"] + 1, "position": 0}
    return {}, place


def begin_anew(trainer: Any, name: str, generator: Generator) -> None:
    """Seed a generator of this rank from the seed, the step and the rank."""
    purpose = f"{name} from step {trainer.step}, rank {trainer.ranks.rank}"
    generator.manual_seed(stream(trainer.seed, purpose))
