"""utils.data: which samples come, in which order."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan import Generator
from minigan.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)

Point = namedtuple("Point", "x y")


class Squares(Dataset):
    """Counts how often every entry was asked for."""

    def __init__(self, n):
        self.asked = [0] * n

    def __getitem__(self, index):
        self.asked[index] += 1
        return index * index

    def __len__(self):
        return len(self.asked)


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


def lists(loader):
    return [batch.tolist() for batch in loader]


def flat(loader):
    return [x for batch in loader for x in batch.tolist()]


# -- which samples


@given(
    n=st.integers(0, 20),
    batch_size=st.integers(1, 8),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    num_workers=st.integers(0, 2),
)
def test_an_epoch_is_every_sample_once_in_batches_of_the_size(
    n, batch_size, shuffle, drop_last, num_workers
):
    data = Squares(n)
    loader = DataLoader(data, batch_size, shuffle, drop_last=drop_last, num_workers=num_workers)
    whole, rest = divmod(n, batch_size)
    for epoch in range(1, 3):
        batches = lists(loader)
        sizes = [batch_size] * whole + [rest] * (rest > 0 and not drop_last)
        assert [len(batch) for batch in batches] == sizes
        assert len(loader) == len(sizes)
        seen = [x for batch in batches for x in batch]
        assert len(set(seen)) == len(seen)
        assert set(seen) <= {i * i for i in range(n)}
        if not drop_last:
            assert data.asked == [epoch] * n
        if not shuffle:
            assert seen == [i * i for i in range(len(seen))]


def test_the_order_follows_the_generator_and_is_new_every_epoch():
    def loader(generator):
        return DataLoader(range(50), 7, shuffle=True, generator=generator)

    one, again, other = (loader(Generator().manual_seed(seed)) for seed in (3, 3, 4))
    first = [flat(one) for _ in range(3)]
    assert first == [flat(again) for _ in range(3)]
    assert first[0] != flat(other)
    assert len({tuple(order) for order in first}) == 3
    assert first[0] != list(range(50))


def test_without_a_generator_manual_seed_decides():
    orders = []
    for seed in (5, 5, 6):
        minigan.manual_seed(seed)
        orders.append(flat(DataLoader(range(30), 4, shuffle=True)))
    assert orders[0] == orders[1] != orders[2]


def test_every_order_of_three_is_equally_likely():
    loader = DataLoader(range(3), 3, shuffle=True, generator=Generator().manual_seed(0))
    counts = {}
    for _ in range(6000):
        order = tuple(flat(loader))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    # χ² with 5 degrees of freedom exceeds 20.5 once in a thousand times.
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


def test_two_iterators_of_one_loader_do_not_disturb_each_other():
    loader = DataLoader(range(6), 2)
    pairs = zip(loader, loader, strict=True)
    assert all(a.tolist() == b.tolist() for a, b in pairs)


def test_a_sampler_or_batch_sampler_gives_the_indices():
    assert lists(DataLoader(range(10), 2, sampler=[4, 2, 2])) == [[4, 2], [2]]
    assert len(DataLoader(range(10), 2, sampler=[4, 2, 2])) == 2
    loader = DataLoader(range(10), batch_sampler=[[0, 1], (4,), [5, 5, 5]])
    assert lists(loader) == [[0, 1], [4], [5, 5, 5]]
    assert len(loader) == 3
    assert loader.batch_size is None
    tensors = TensorDataset(minigan.arange(10), minigan.arange(10) * 2)
    loader = DataLoader(tensors, batch_sampler=[(3, 1)])
    assert [[part.tolist() for part in batch] for batch in loader] == [[[3, 1], [6, 2]]]


def test_without_a_batch_size_samples_come_alone_with_arrays_as_tensors():
    samples = [np.ones(2), (1, "a", {"z": np.zeros(1)}), Point(np.float32(2.0), None)]
    first, second, third = DataLoader(samples, batch_size=None)
    assert first.tolist() == [1.0, 1.0]
    assert second[:2] == [1, "a"]  # a list, as in PyTorch
    assert isinstance(second[2]["z"], minigan.Tensor)
    assert third.x.dtype == np.float32
    assert third.y is None
    assert len(DataLoader(samples, batch_size=None)) == 3
    assert list(DataLoader(range(3), batch_size=None, collate_fn=str)) == ["0", "1", "2"]


def test_an_iterable_data_set_is_batched_as_it_comes():
    loader = DataLoader(Stream(5), 2)
    for _ in range(2):
        assert lists(loader) == [[0, 1], [2, 3], [4]]
    assert lists(DataLoader(Stream(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    with pytest.raises(TypeError, match="has no len"):
        len(loader)


def test_the_collate_function_gets_the_list_of_samples():
    assert list(DataLoader(Squares(5), 2, collate_fn=sum)) == [1, 13, 16]
    tensors = TensorDataset(minigan.arange(3))
    assert list(DataLoader(tensors, 2, collate_fn=len)) == [2, 1]


EXCLUDING = [
    ({"shuffle": True, "sampler": [1]}, "shuffle and sampler exclude each other"),
    ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler excludes batch_size"),
    ({"batch_sampler": [[1]], "shuffle": True}, "batch_sampler excludes"),
    ({"batch_sampler": [[1]], "sampler": [1]}, "batch_sampler excludes"),
    ({"batch_sampler": [[1]], "drop_last": True}, "batch_sampler excludes"),
    ({"batch_size": None, "drop_last": True}, "batch_size=None excludes drop_last"),
    ({"batch_size": 0}, "batch_size must be a positive int, got 0"),
    ({"batch_size": 2.0}, "batch_size must be a positive int, got 2.0"),
    ({"batch_size": True}, "batch_size must be a positive int, got True"),
    ({"num_workers": -1}, "num_workers must not be negative, got -1"),
]


@pytest.mark.parametrize(("options", "message"), EXCLUDING)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(range(3), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_an_iterable_data_set_takes_no_order(options):
    with pytest.raises(ValueError, match="has its own order and no sampler"):
        DataLoader(Stream(3), **options)


def test_what_is_neither_indexed_nor_an_iterable_data_set_is_refused():
    with pytest.raises(TypeError, match="has no len"):
        list(DataLoader(iter([1, 2])))
    with pytest.raises(NotImplementedError, match="Dataset defines no __getitem__"):
        Dataset()[0]


# -- data sets


@given(st.integers(1, 12), st.integers(1, 5), st.booleans())
def test_the_short_way_of_tensor_data_sets_gives_what_sample_by_sample_gives(n, size, drop_last):
    rng = np.random.default_rng(n)
    arrays = (rng.standard_normal((n, 2, 3)).astype("float32"), rng.integers(9, size=n))
    tensors = TensorDataset(*map(minigan.tensor, arrays))
    order = rng.permutation(n).tolist()
    fast = DataLoader(tensors, size, sampler=order, drop_last=drop_last)
    slow = DataLoader(Subset(tensors, range(n)), size, sampler=order, drop_last=drop_last)
    for k, (a, b) in enumerate(zip(fast, slow, strict=True)):
        assert type(a) is type(b) is list
        for x, y, array in zip(a, b, arrays, strict=True):
            assert x.dtype == y.dtype == array.dtype
            np.testing.assert_array_equal(x.numpy(), array[order[k * size : (k + 1) * size]])
            np.testing.assert_array_equal(y.numpy(), x.numpy())


def test_batches_have_memory_of_their_own():
    x = minigan.zeros(4)
    (batch,) = next(iter(DataLoader(TensorDataset(x), 2)))
    batch.fill_(1)
    assert x.tolist() == [0.0] * 4


def test_gradients_reach_a_data_set_that_wants_them():
    x = minigan.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for data in (TensorDataset(x), Subset(TensorDataset(x), [0, 1, 2])):
        x.grad = None
        for (batch,) in DataLoader(data, 2, sampler=[2, 0]):
            (batch * minigan.tensor([10.0, 1.0])).sum().backward()
        assert x.grad.tolist() == [1.0, 0.0, 10.0]


def test_tensors_of_a_data_set_are_of_one_length():
    for tensors in ((), (minigan.zeros(2), minigan.zeros(3))):
        with pytest.raises(ValueError, match="expected tensors of one length"):
            TensorDataset(*tensors)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_a_split_is_a_partition_and_repeatable(lengths, seed):
    n = sum(lengths)
    parts, again = (
        random_split(range(100, 100 + n), lengths, Generator().manual_seed(seed)) for _ in range(2)
    )
    assert [len(part) for part in parts] == lengths
    assert sorted(part[i] for part in parts for i in range(len(part))) == list(range(100, 100 + n))
    assert [list(part.indices) for part in parts] == [list(part.indices) for part in again]


def test_fractions_are_rounded_as_in_pytorch():
    for n, fractions, lengths in (
        (11, [0.3, 0.3, 0.4], [4, 3, 4]),
        (10, [0.7, 0.25, 0.05], [8, 2, 0]),
        (7, [0.5, 0.5], [4, 3]),
        (5, [1.0], [5]),
    ):
        assert [len(part) for part in random_split(range(n), fractions)] == lengths
    for wrong in ([3, 3], [0.5, 0.4], [12, -2], [1.5, -0.5], [1.05, -0.05], []):
        with pytest.raises(ValueError, match="random_split"):
            random_split(range(10), wrong)
