"""Data sets and loaders with the names and meanings of ``torch.utils.data``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from math import isclose
from typing import Any

import numpy as np

from ..._tensor import Tensor, tensor
from ...array import float64
from ...generators import Generator, default_generator
from ...ops.shape import stack
from .distributed import DistributedSampler
from .samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "random_split",
]


class Dataset:
    """Anything with ``__getitem__`` and ``__len__``; subclass it or do without."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__")


class IterableDataset(Dataset):
    """A data set that is only iterated; subclass it and define ``__iter__``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__")


class TensorDataset(Dataset):
    """Tuples of the i-th entries of tensors of one length.

    >>> import minigan
    >>> data = TensorDataset(minigan.arange(3), minigan.arange(3) * 10)
    >>> data[1]
    (tensor(1), tensor(10))
    """

    def __init__(self, *tensors: Tensor):
        if not tensors or any(len(t) != len(tensors[0]) for t in tensors):
            raise ValueError(
                "TensorDataset: expected tensors of one length, got lengths "
                f"{[len(t) for t in tensors]}"
            )
        self.tensors = tensors

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The entries of ``dataset`` at ``indices``."""

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset]:
    """Non-overlapping random subsets of the given lengths, which must add up.

    Fractions that add up to 1 are rounded down; the entries left over go to the first subsets, one
    each.

    >>> import minigan
    >>> [len(part) for part in random_split(range(10), [0.7, 0.25, 0.05])]
    [8, 2, 0]
    """
    lengths, n = list(lengths), len(dataset)
    if isclose(sum(lengths), 1) and sum(lengths) <= 1:
        if min(lengths) < 0:
            raise ValueError(f"random_split: expected fractions from 0 to 1, got {lengths}")
        lengths = [int(n * fraction) for fraction in lengths]
        for i in range(n - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != n or min(lengths, default=0) < 0:
        raise ValueError(f"random_split: lengths {lengths} do not add up to the {n} entries")
    order = (generator or default_generator()).rng.permutation(n).tolist()
    parts, start = [], 0
    for length in lengths:
        parts.append(Subset(dataset, order[start : start + length]))
        start += length
    return parts


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of samples as one batch: tensors stacked, numbers as a tensor, containers inside.

    Python floats become float64, texts a list, a tuple a list of batches (a named tuple stays
    one); all this is PyTorch's.

    Raises:
        TypeError: samples of another type.
        RuntimeError: tensors that differ in shape, or sequences in length.

    >>> default_collate([(1, "a"), (3, "b")])
    [tensor([1, 3]), ('a', 'b')]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind not in "biufc":
            raise TypeError(f"default_collate: expected arrays of numbers, got {first.dtype}")
        return stack([tensor(x) for x in batch])
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, Mapping):
        columns = {key: default_collate([sample[key] for sample in batch]) for key in first}
        return _like(first, columns)
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("default_collate: samples of a batch differ in length")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    raise TypeError(
        "default_collate: expected tensors, arrays, numbers, texts, mappings or sequences, got "
        f"{type(first).__name__}"
    )


def default_convert(data: Any) -> Any:
    """A sample as it is, arrays in it as tensors: what a loader without batches gives."""
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "biufc":
        return Tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*[default_convert(value) for value in data])
    if isinstance(data, (list, tuple)):
        return [default_convert(value) for value in data]
    return data


def _like(mapping: Mapping, columns: dict) -> Mapping:
    """``columns`` as a mapping of the same type, where that can be copied and updated."""
    if type(mapping) is dict or not hasattr(mapping, "update"):
        return columns
    result = copy(mapping)
    result.update(columns)
    return result


class DataLoader:
    """Mini-batches of a data set, loaded in this process when they are asked for.

    Args:
        dataset: has ``__getitem__`` and ``__len__``, or is an IterableDataset.
        batch_size: samples in a batch; None: samples, not batches.
        shuffle: a new order every time the loader is iterated.
        sampler: gives the indices instead.
        batch_sampler: gives lists of indices instead.
        num_workers, pin_memory, timeout, worker_init_fn, multiprocessing_context, prefetch_factor,
            persistent_workers, pin_memory_device, in_order: accepted; there are no workers.
        collate_fn: makes a batch of a list of samples (default: ``default_collate``).
        drop_last: leave out the last batch if it is short.
        generator: of the order (default: the CPU's default generator).

    Raises:
        ValueError: options that exclude each other, or make no sense.

    >>> import minigan
    >>> loader = DataLoader(TensorDataset(minigan.arange(5)), batch_size=2, drop_last=True)
    >>> [batch.tolist() for (batch,) in loader]
    [[0, 1], [2, 3]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader: an IterableDataset has its own order and no sampler")
        if shuffle and sampler is not None:
            raise ValueError("DataLoader: shuffle and sampler exclude each other")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: batch_size=None excludes drop_last")
        if num_workers < 0:
            raise ValueError(f"DataLoader: num_workers must not be negative, got {num_workers}")
        if sampler is None:
            if self._iterable:
                sampler = dataset  # its samples are batched as elsewhere indices are
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.num_workers, self.generator = num_workers, generator
        default = default_convert if batch_sampler is None else default_collate
        self.collate_fn = default if collate_fn is None else collate_fn

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        if self.batch_sampler is None:
            for index in self.sampler:
                yield self.collate_fn(index if self._iterable else self.dataset[index])
            return
        for indices in self.batch_sampler:
            yield self._batch(indices)

    def _batch(self, indices: list) -> Any:
        if self.collate_fn is default_collate and type(self.dataset) is TensorDataset:
            return [t[list(indices)] for t in self.dataset.tensors]  # one indexing instead of many
        samples = indices if self._iterable else [self.dataset[i] for i in indices]
        return self.collate_fn(samples)
