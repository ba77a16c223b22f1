"""Logic: against Python's operators on every pair of small operands."""

import operator
from itertools import product

import numpy as np
import pytest

import minigan
from minigan import tensor

BITWISE = {
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
}
SHIFTS = {"bitwise_left_shift": operator.lshift, "bitwise_right_shift": operator.rshift}
IN_PLACE = {operator.and_: operator.iand, operator.or_: operator.ior, operator.xor: operator.ixor}
NUMBERS = [-5, -1, 0, 1, 2, 7]


@pytest.mark.parametrize("name", BITWISE | SHIFTS)
def test_integers_bit_by_bit(name):
    python = (BITWISE | SHIFTS)[name]
    numbers = NUMBERS if name in BITWISE else NUMBERS[2:]
    pairs = list(product(numbers, repeat=2))
    a, b = (tensor(list(column)) for column in zip(*pairs, strict=True))
    expected = [python(x, y) for x, y in pairs]
    assert getattr(minigan, name)(a, b).tolist() == expected == python(a, b).tolist()
    assert python(a, 2).tolist() == [python(x, 2) for x, _ in pairs]
    assert python(2, b).tolist() == [python(2, y) for _, y in pairs]
    with pytest.raises(NotImplementedError, match=f"{name}: expected integers, got float32"):
        python(minigan.ones(2), minigan.ones(2))


@pytest.mark.parametrize("python", BITWISE.values())
def test_masks_and_changes_in_place(python):
    a, b = tensor([False, False, True, True]), tensor([False, True, False, True])
    expected = [python(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert python(a, b).tolist() == expected and python(a, b).dtype == np.bool_
    changed = a.clone()
    assert IN_PLACE[python](changed, b) is changed and changed.tolist() == expected


def test_logical_functions_ask_whether_numbers_are_zero():
    a, b = tensor([0.0, 0.0, 2.0, -1.0]), tensor([0, 3, 0, 4])
    assert minigan.logical_and(a, b).tolist() == [False, False, False, True]
    assert minigan.logical_or(a, b).tolist() == [False, True, True, True]
    assert a.logical_xor(b).tolist() == [False, True, True, False]
    assert a.logical_not().tolist() == [True, True, False, False]


def test_equal_isclose_and_in():
    x = tensor([1.0, 2.0])
    assert minigan.equal(x, x.clone()) and not x.equal(x[:1]) and not x.equal(x + 1)
    assert minigan.isclose(x, x + tensor([0.0, 1e-3])).tolist() == [True, False]
    assert 2 in x and 3 not in x
    for f in (minigan.isnan, minigan.isinf, minigan.isfinite):
        with pytest.raises(TypeError, match="expected a Tensor, got float"):
            f(1.0)
