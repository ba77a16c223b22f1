"""A data set shared out among the ranks, as ``torch.utils.data.distributed``."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np

from ...distributed import get_rank, get_world_size
from .samplers import Sampler


class DistributedSampler(Sampler):
    """This rank's part of an order that all ranks share: every ``num_replicas``-th index.

    Every rank has as many.  Where the length does not divide, the first indices come again at the
    end, or with ``drop_last`` the last ones are left out.

    Args:
        dataset: has a length.
        num_replicas, rank: how many ranks, and which (default: of the process group).
        shuffle: a random order, another one in every epoch that ``set_epoch`` names.
        seed: of that order, the same on all ranks.
        drop_last: leave out what does not divide.

    Raises:
        ValueError: ``rank`` is none of 0 to ``num_replicas`` - 1; or there is no process group.

    >>> [list(DistributedSampler(range(7), 3, rank, shuffle=False)) for rank in range(3)]
    [[0, 3, 6], [1, 4, 0], [2, 5, 1]]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ):
        self.num_replicas = get_world_size() if num_replicas is None else num_replicas
        self.rank = get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(
                f"DistributedSampler: expected a rank from 0 to {self.num_replicas - 1}, "
                f"got {self.rank}"
            )
        self.dataset, self.shuffle, self.drop_last = dataset, shuffle, drop_last
        self.seed, self.epoch = seed, 0
        share = len(dataset) / self.num_replicas
        self.num_samples = int(share) if drop_last else ceil(share)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        return iter(np.resize(order, self.total_size)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Which order the next iteration shuffles into."""
        self.epoch = epoch
