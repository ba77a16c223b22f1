"""``parallel``: every index once, nested, from several threads, and through errors."""

import sys
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan.cpu import threads
from minigan.cpu.threads import VIEWS, one_blas_thread, parallel, scratch


@pytest.fixture(autouse=True)
def _number_of_threads(monkeypatch):
    monkeypatch.setattr(threads._team, "size", 3)


def indices(count):
    """Those that a loop of ``count`` calls was given, in order of size."""
    seen = []
    parallel(seen.append, count)
    return sorted(seen)


@given(st.integers(0, 40), st.integers(1, 5))
def test_every_index_is_done_once(count, number):
    minigan.set_num_threads(number)
    assert indices(count) == list(range(count))


def test_calls_are_spread_over_as_many_threads_as_are_set():
    """Three calls that wait for each other can only end if three threads run them."""
    barrier = threading.Barrier(3, timeout=15)
    names = []

    def task(i):
        barrier.wait()
        names.append(threading.current_thread().name)

    parallel(task, 3)
    assert sorted(names) == ["MainThread", "minigan-worker", "minigan-worker"]
    minigan.set_num_threads(1)
    names.clear()
    parallel(lambda i: names.append(threading.current_thread().name), 5)
    assert names == ["MainThread"] * 5


def test_nested_loops():
    seen = []
    parallel(lambda i: parallel(lambda j: seen.append((i, j)), 7), 5)
    assert sorted(seen) == [(i, j) for i in range(5) for j in range(7)]


def test_loops_of_two_threads_at_once():
    found = {}

    def loops(name):
        found[name] = [indices(20) for _ in range(50)]

    both = [threading.Thread(target=loops, args=(name,)) for name in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert found == {name: [list(range(20))] * 50 for name in range(2)}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_error_is_raised_after_all_have_stopped(number, kind):
    """And what comes after the error is not begun; the threads go on serving."""
    minigan.set_num_threads(number)
    inside, most = [], []

    def task(i):
        inside.append(i)
        time.sleep(0.001)
        most.append(i)
        inside.remove(i)
        if i == 3:
            raise kind("at three")

    with pytest.raises(kind, match="at three"):
        parallel(task, 1000)
    assert not inside and len(most) < 1000
    assert indices(30) == list(range(30))


def test_an_error_of_a_helper_reaches_the_caller():
    """One that the calling thread itself does not meet."""
    caller, both = threading.get_ident(), threading.Barrier(2, timeout=15)
    minigan.set_num_threads(2)

    def task(i):
        both.wait()
        if threading.get_ident() != caller:
            raise ArithmeticError(i)

    with pytest.raises(ArithmeticError):
        parallel(task, 2)
    assert indices(9) == list(range(9))


@pytest.mark.parametrize("number", [1, 3])
def test_errstate_goes_along(number):
    """A floating-point error that the caller wants raised is raised on every thread."""
    minigan.set_num_threads(number)
    barrier = threading.Barrier(number, timeout=15)

    def task(i):
        barrier.wait()
        with pytest.raises(FloatingPointError):
            np.ones(2) / np.zeros(2)

    with np.errstate(divide="raise"):
        parallel(task, number)
    with np.errstate(divide="ignore"):
        parallel(lambda i: np.ones(2) / np.zeros(2), 6)


def test_nothing_is_kept_of_a_loop():
    """What a task holds is free when the loop ends, so that memory can be used again."""

    class Held:
        pass

    held = Held()
    for _ in range(200):
        parallel(lambda i, held=held: held, 3)
    assert sys.getrefcount(held) == 2


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "2", None])
def test_only_positive_integers_are_numbers_of_threads(number):
    with pytest.raises(RuntimeError, match="set_num_threads: expected a positive integer"):
        minigan.set_num_threads(number)
    assert minigan.get_num_threads() == 3


def test_a_number_of_threads_may_be_a_numpy_integer():
    minigan.set_num_threads(np.int64(2))
    assert minigan.get_num_threads() == 2 and type(minigan.get_num_threads()) is int


def test_working_memory_belongs_to_a_thread_and_a_purpose():
    barrier, found = threading.Barrier(3, timeout=15), {}

    def task(i):
        a, b = scratch("one", (4, 5), np.float32), scratch("two", (20,), np.float64)
        assert a.shape == (4, 5) and a.dtype == np.float32 and b.dtype == np.float64
        a[...], b[...] = i, -i
        barrier.wait()
        assert (a == i).all() and (b == -i).all()
        found[i] = a.ctypes.data
        barrier.wait()

    parallel(task, 3)
    assert len(set(found.values())) == 3
    assert scratch("one", (3,), np.int8).base is scratch("one", (2, 2), np.float64).base


def test_working_memory_that_grows_lets_go_of_what_was_smaller():
    small = weakref.ref(scratch("growing", (10,), np.float32))
    assert scratch("growing", (10,), np.float32) is small()
    large = scratch("growing", (20,), np.float32)
    assert small() is None and len(large) == 20
    for size in range(2 * VIEWS):  # many shapes, few of which are remembered
        assert scratch("growing", (size % 20, 1), np.float32).shape == (size % 20, 1)
        scratch("growing", (1, 1, size), np.float32)
    assert len(threads._scratch.views) <= VIEWS


# ---------------------------------------------------------------------- BLAS's own threads


class Library:
    """Stands for a BLAS; remembers what it was set to."""

    def __init__(self, number):
        self.number, self.calls = number, []

    def get_num_threads(self):
        return self.number

    def set_num_threads(self, number):
        self.number = number
        self.calls.append(number)


@pytest.fixture
def library(monkeypatch):
    """A BLAS that the user has set to five threads, and nobody holds it."""
    library = Library(5)
    monkeypatch.setattr(threads, "blas_libraries", lambda: [library])
    monkeypatch.setattr(one_blas_thread, "depth", 0)
    return library


@pytest.mark.parametrize("number", [1, 3])
def test_blas_keeps_to_one_thread_while_blocks_run(library, number):
    """Also when there is one thread only: BLAS rounds otherwise when it has several."""
    minigan.set_num_threads(number)
    seen = []
    parallel(lambda i: parallel(lambda j: seen.append(library.number), 3), 4)
    assert seen == [1] * 12
    assert library.number == 5 and library.calls == [1, 5]


@pytest.mark.parametrize("number", [1, 3])
def test_blas_gets_its_threads_back_after_an_error(library, number):
    minigan.set_num_threads(number)
    with pytest.raises(ZeroDivisionError):
        parallel(lambda i: i // 0, 4)
    assert library.number == 5
    with pytest.raises(KeyError, match="1"), one_blas_thread, one_blas_thread:
        {}[library.number]
    assert library.number == 5


def test_a_blas_that_has_one_thread_is_left_alone(library):
    library.number = 1
    parallel(lambda i: None, 4)
    assert library.calls == []


def test_all_works_where_blas_cannot_be_told(monkeypatch):
    """Without threadpoolctl: the import fails, and nothing is set."""
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(threads, "blas_libraries", threads.blas_libraries.__wrapped__)
    monkeypatch.setattr(one_blas_thread, "depth", 0)
    assert indices(12) == list(range(12))
    assert threads.blas_libraries() == []
