"""Copies into another memory order: the same numbers, counted, whatever the number of threads."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan.cpu import copies

SHAPES = [(64, 7, 9, 70), (5, 200_000), (3, 300_000), (0, 4), (1, 1), (copies.SHARED, 2)]


@pytest.fixture(params=[1, 2, 3], ids=lambda number: f"{number} threads")
def threads(request):
    before = minigan.get_num_threads()
    minigan.set_num_threads(request.param)
    yield
    minigan.set_num_threads(before)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_copy_has_the_same_numbers(threads, shape):
    source = np.arange(np.prod(shape), dtype=np.float32).reshape(shape[::-1]).T
    made = np.full(shape, np.nan, np.float32)
    copies.copy(source, made)
    assert_array_equal(made, source)


def test_copies_are_counted_and_what_lies_well_is_no_copy():
    array = np.ones((300, 1000), np.float32)
    number, size = copies.counted()
    assert copies.contiguous(array) is array
    assert copies.counted() == (number, size)
    made = copies.contiguous(array.T)
    assert made.flags.c_contiguous
    assert_array_equal(made, array.T)
    assert copies.counted() == (number + 1, size + array.nbytes)
