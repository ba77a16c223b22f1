"""The pool: arrays alive never share memory, dead ones' is used again, idle memory is bounded."""

import gc
import mmap
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.testing import assert_array_equal
from strategies import in_layout

from minigan.cpu import memory
from minigan.cpu.memory import HUGE, SMALL, Pool, empty_like, inverse, memory_order, owns

SIZES = [0, 1, SMALL // 4 - 1, SMALL // 4, SMALL // 4 + 1, 20_000, 24_576, 30_000, 1 << 16]
VIEWS = {
    "itself": lambda a: a,
    "slice": lambda a: a[1::3],
    "reversed": lambda a: a[::-1],
    "column": lambda a: a.reshape(-1, 1)[:, 0],
    "another dtype": lambda a: a.view(np.uint32).view(np.int32),
    "buffer": lambda a: np.asarray(memoryview(a)),
    "strided": lambda a: np.lib.stride_tricks.as_strided(a[: a.size // 2]),
    "a view's view": lambda a: a[1:][1:],
}


class Programs(RuleBasedStateMachine):
    """Random programs that allocate, take views and let go of them in any order.

    Everything alive holds a number of its own throughout, and the pool's books are right.
    """

    def __init__(self):
        super().__init__()
        self.pool, self.alive, self.number = Pool(), [], 0

    @rule(size=st.sampled_from(SIZES))
    def allocate(self, size):
        array = self.pool.empty((size,), np.int32)
        assert array.shape == (size,) and array.dtype == np.int32 and array.flags.writeable
        self.number += 1
        array[...] = self.number
        self.alive.append((array, self.number))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), view=st.sampled_from(list(VIEWS)), alone=st.booleans())
    def look(self, data, view, alone):
        """Keep a view, with the array or in its place."""
        i = data.draw(st.integers(0, len(self.alive) - 1))
        array, number = self.alive[i]
        seen = VIEWS[view](array), number
        self.alive[i : i + 1] = [seen] if alone else [seen, (array, number)]

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def forget(self, data):
        del self.alive[data.draw(st.integers(0, len(self.alive) - 1))]

    @invariant()
    def nothing_was_overwritten(self):
        for array, number in self.alive:
            assert (array == number).all()

    @invariant()
    def the_books_are_right(self):
        pool = self.pool
        assert pool.idle == sum(size * len(blocks) for size, blocks in pool.free.items())
        assert pool.in_use == sum(len(lease.block) for lease in pool.leases.values())
        assert len({id(lease.block) for lease in pool.leases.values()}) == len(pool.leases)
        assert pool.most >= pool.in_use

    def teardown(self):
        self.alive.clear()
        gc.collect()
        assert self.pool.in_use == 0 and not self.pool.leases


TestPrograms = Programs.TestCase
TestPrograms.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.fixture
def pool():
    return Pool()


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_of_the_dead_is_used_again(pool):
    """By the next array of about its size: of the same quarter of a power of two."""
    a = pool.empty((100, 200), np.float32)
    where = address(a)
    b = pool.empty((100, 200), np.float32)
    assert address(b) != where
    del a
    c = pool.empty((9_900,), np.float64)
    assert address(c) == where
    del c
    assert address(pool.empty((50_000,), np.float64)) != where
    assert address(pool.empty((200, 100), np.float32)) == where


def test_a_block_of_up_to_twice_the_size_serves_where_none_fits(pool):
    large, twice, fitting = (pool.empty((n << 20,), np.uint8) for n in (5, 4, 2))
    places = [address(a) for a in (large, twice, fitting)]
    del large, twice, fitting
    arrays = [pool.empty((2 << 20,), np.uint8) for _ in range(3)]
    assert [address(a) for a in arrays[:2]] == places[:0:-1]
    assert address(arrays[2]) not in places  # more than twice as large
    assert pool.in_use == (4 + 2 + 2) << 20


@pytest.mark.parametrize("view", list(VIEWS))
def test_a_view_keeps_memory_from_being_used_again(pool, view):
    a = pool.empty((20_000,), np.int32)
    where, seen = address(a), VIEWS[view](a)
    again = VIEWS[view](seen)
    del a, seen
    assert address(pool.empty((20_000,), np.int32)) != where
    del again
    assert address(pool.empty((20_000,), np.int32)) == where


def test_memory_in_a_cycle_comes_back_when_the_cycle_is_collected(pool):
    holder = {"array": pool.empty((20_000,), np.int32)}
    holder["self"] = holder
    del holder
    gc.collect()
    assert pool.in_use == 0 and pool.idle > 0


@given(st.integers(SMALL, 1 << 24))
@settings(max_examples=30)
def test_little_is_wasted(size):
    """A block is at most a quarter larger than what was asked for."""
    pool = Pool()
    array = pool.empty((size,), np.uint8)
    assert size <= pool.in_use <= size * 5 / 4
    assert array.nbytes == size and address(array) % mmap.PAGESIZE == 0


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=40))
def test_idle_memory_is_bounded(steps):
    """All together never take more than 3/2 of the most that was in use, and the slack."""
    pool, held, slack = Pool(), [], 1 << 18
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "SLACK", slack)
        for pages, keep in steps:
            held.append(pool.empty((pages << 14,), np.uint8))
            if not keep:
                held.pop(0)
            assert pool.in_use + pool.idle <= pool.most * 3 // 2 + slack


def test_the_largest_idle_blocks_go_first(pool, monkeypatch):
    monkeypatch.setattr(memory, "SLACK", 0)
    sizes = [1 << 20, 1 << 18, 1 << 17]
    arrays = [pool.empty((size,), np.uint8) for size in sizes]
    del arrays
    assert pool.idle == pool.most == sum(sizes)
    kept = pool.empty((1 << 19,), np.uint8)
    assert len(kept) == 1 << 19 and pool.idle == (1 << 18) + (1 << 17)


def test_small_arrays_are_numpys_own(pool):
    assert pool.empty((SMALL - 1,), np.uint8).base is None
    assert pool.empty((), np.float64).shape == () and pool.empty((0, 5), np.float32).size == 0
    assert pool.empty((SMALL,), np.uint8).base is not None


def test_only_the_pools_arrays_are_owned(tmp_path):
    """Not views of them, and not somebody else's mapping."""
    a = memory.empty((SMALL,), np.uint8)
    assert owns(a) and not owns(a[:]) and not owns(np.empty(SMALL))
    for other in (
        np.memmap(tmp_path / "file", np.uint8, "w+", shape=(SMALL,)),
        np.ndarray((SMALL,), np.uint8, buffer=mmap.mmap(-1, SMALL)),
    ):
        assert not owns(other)


def test_threads_allocate_at_once():
    """Six threads with few sizes among them, switched as often as can be, memory short."""
    pool, errors = Pool(), []

    def program(number):
        rng, held = np.random.default_rng(number), []
        try:
            for _ in range(500):
                array = pool.empty((int(rng.integers(1, 5)) << 14,), np.int32)
                array[::512] = number
                held.append(array)
                if len(held) > 4:
                    gone = held.pop(int(rng.integers(4)))
                    assert (gone[::512] == number).all()
                    del gone
                del array
        except BaseException as error:
            errors.append(error)

    before = sys.getswitchinterval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "SLACK", 1 << 16)
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=program, args=(i,)) for i in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
    assert not errors
    assert pool.in_use == 0 and pool.idle == sum(k * len(v) for k, v in pool.free.items())


def test_large_pages_are_asked_for_where_there_are_any(pool):
    a = pool.empty((HUGE,), np.uint8)
    a[...] = 7
    assert (a == 7).all()


# ---------------------------------------------------------------------------- memory order

SHAPES = [(), (0,), (0, 5), (7,), (3, 5, 2), (2, 3, 4, 5), (4, 64, 16, 20), (30_000,), (1, 70_000)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@given(data=st.data())
@settings(max_examples=12)
def test_empty_like_keeps_shape_dtype_and_order(shape, data):
    """Dense, whatever the model: as ``numpy.empty_like`` lays it out."""
    order = data.draw(st.permutations(range(len(shape))))
    dtype = data.draw(st.sampled_from([None, np.float64, np.int8]))
    layout = data.draw(st.sampled_from(["contiguous", "strided", "reversed"]))
    size = tuple([shape[d] for d in order])
    model = in_layout(np.zeros(size, np.float32), layout).transpose(inverse(order))
    made = empty_like(model, dtype)
    assert made.shape == model.shape == shape and made.dtype == (dtype or np.float32)
    expected = np.empty_like(model, dtype)
    if model.size:
        wide = [d for d in range(model.ndim) if shape[d] > 1]
        assert [made.strides[d] for d in wide] == [expected.strides[d] for d in wide]
    made[...] = 3
    assert (made == 3).all()


@given(st.permutations(range(5)))
def test_inverse_undoes_a_transposition(order):
    a = np.zeros((2, 3, 4, 5, 6))
    assert a.transpose(order).transpose(inverse(order)).shape == a.shape
    dense = a.transpose(order)
    assert dense.transpose(memory_order(dense)).flags.c_contiguous
    assert_array_equal(memory_order(a), range(5))
