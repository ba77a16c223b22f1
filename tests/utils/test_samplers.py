"""Samplers: which indices come, and how often."""

import pytest

from minigan import Generator
from minigan.utils.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigan.utils.data.distributed import DistributedSampler


def seeded(seed=0):
    return Generator().manual_seed(seed)


def test_sequential_and_random_samplers_give_every_index_once():
    assert list(SequentialSampler("abcd")) == [0, 1, 2, 3]
    sampler = RandomSampler(range(20), generator=seeded())
    first, second = list(sampler), list(sampler)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(20))
    assert len(sampler) == 20
    assert list(RandomSampler([])) == list(RandomSampler([], num_samples=3)) == []


def test_a_number_of_samples_beyond_the_length_starts_over():
    drawn = list(RandomSampler(range(4), num_samples=10, generator=seeded()))
    assert len(drawn) == len(RandomSampler(range(4), num_samples=10)) == 10
    assert sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3]
    assert len(set(drawn[8:])) == 2
    assert len(set(RandomSampler(range(9), num_samples=5, generator=seeded()))) == 5


def test_with_replacement_every_index_is_equally_likely():
    sampler = RandomSampler(range(5), replacement=True, num_samples=10_000, generator=seeded())
    drawn = list(sampler)
    assert len(drawn) == 10_000
    counts = [drawn.count(i) for i in range(5)]
    assert sum((n - 2000) ** 2 / 2000 for n in counts) < 18.5  # χ², 4 degrees: once in a thousand


def test_a_subset_comes_in_random_order():
    sampler = SubsetRandomSampler([30, 10, 20], generator=seeded())
    orders = {tuple(sampler) for _ in range(100)}
    assert len(orders) == 6
    assert all(sorted(order) == [10, 20, 30] for order in orders)
    assert len(sampler) == 3


def test_weights_are_proportional_to_probabilities():
    sampler = WeightedRandomSampler([1, 0, 3, 6], 10_000, generator=seeded())
    drawn = list(sampler)
    assert len(sampler) == len(drawn) == 10_000
    counts = [drawn.count(i) for i in range(4)]
    assert counts[1] == 0
    expected = {0: 1000, 2: 3000, 3: 6000}
    assert sum((counts[i] - n) ** 2 / n for i, n in expected.items()) < 13.9  # χ², 2 degrees


def test_without_replacement_no_index_comes_twice():
    for seed in range(20):
        sampler = WeightedRandomSampler([1, 0, 3, 6], 3, replacement=False, generator=seeded(seed))
        assert sorted(sampler) == [0, 2, 3]


def test_batches_take_the_samplers_order():
    assert list(BatchSampler([5, 3, 1, 4, 2], 2, False)) == [[5, 3], [1, 4], [2]]
    assert list(BatchSampler([5, 3, 1, 4, 2], 2, True)) == [[5, 3], [1, 4]]
    assert len(BatchSampler([5, 3, 1, 4, 2], 2, False)) == 3
    assert len(BatchSampler([5, 3, 1, 4, 2], 2, True)) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomSampler([1], num_samples=0), "num_samples must be positive, got 0"),
        (lambda: WeightedRandomSampler([1], 0), "num_samples must be positive, got 0"),
        (lambda: WeightedRandomSampler([1, -1], 2), "none negative"),
        (lambda: WeightedRandomSampler([0, 0], 2), "not all 0"),
        (lambda: WeightedRandomSampler([[1]], 2), "a sequence of weights"),
        (lambda: WeightedRandomSampler([1, 0], 2, False), "2 samples without replacement of 1"),
        (lambda: BatchSampler([1], 0, False), "batch_size must be a positive int, got 0"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sampler_of_ones_own_defines_iter():
    with pytest.raises(NotImplementedError, match="Sampler defines no __iter__"):
        iter(Sampler())


@pytest.mark.parametrize(("length", "ranks"), [(12, 3), (13, 4), (2, 5), (7, 1)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_ranks_have_equal_parts_of_one_order(length, ranks, shuffle):
    """Together they are the order, and its beginning again where the length does not divide."""
    parts = [DistributedSampler(range(length), ranks, r, shuffle, seed=3) for r in range(ranks)]
    for epoch in (0, 1):
        orders = []
        for part in parts:
            part.set_epoch(epoch)
            orders.append(list(part))
            assert len(part) == len(orders[-1]) == -(-length // ranks)
            assert list(part) == orders[-1]
        together = [index for step in zip(*orders, strict=True) for index in step]
        assert sorted(together[:length]) == list(range(length))
        assert together[length:] == (together * 2)[: len(together) - length]
    if shuffle and length > 2:
        assert orders[0] != list(DistributedSampler(range(length), ranks, 0, shuffle, seed=3))


def test_the_last_indices_can_be_left_out():
    parts = [list(DistributedSampler(range(11), 3, r, False, drop_last=True)) for r in range(3)]
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_a_rank_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="expected a rank from 0 to 2, got 3"):
        DistributedSampler(range(5), 3, 3)
    with pytest.raises(ValueError, match="init_process_group was not called"):
        DistributedSampler(range(5))
