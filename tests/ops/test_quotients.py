"""Remainders and rounded quotients: values by Python's own, gradients by the definition."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan import tensor

WHOLE = st.integers(-50, 50)
DIVISOR = WHOLE.filter(bool)


@given(a=WHOLE, b=DIVISOR)
def test_integers_divide_as_pythons(a, b):
    x, y = tensor([a]), tensor([b])
    for left, right in ((x, y), (x, b), (a, y)):
        assert (left // right).tolist() == [a // b] and (left % right).tolist() == [a % b]
        assert minigan.fmod(left, right).item() == math.fmod(a, b)
        assert minigan.div(left, right, rounding_mode="floor").item() == a // b
        truncated = minigan.div(left, right, rounding_mode="trunc")
        assert truncated.item() == math.trunc(a / b) and truncated.dtype == np.int64


@given(a=st.floats(-9, 9), b=st.floats(0.5, 4), negative=st.booleans())
def test_floats_divide_as_pythons(a, b, negative):
    b = -b if negative else b
    x, y = tensor([a], dtype="float64"), tensor([b], dtype="float64")
    assert (x % y).item() == pytest.approx(a % b, abs=1e-12)
    assert (x // y).item() == a // b
    assert minigan.fmod(x, b).item() == pytest.approx(math.fmod(a, b), abs=1e-12)


def test_gradients_are_1_and_minus_the_quotient():
    a, b = tensor([7.5, -7.5], requires_grad=True), tensor([2.0], requires_grad=True)
    ga, gb = minigan.grad((a % b).sum(), (a, b))
    assert ga.tolist() == [1, 1] and gb.tolist() == [-3 + 4]
    ga, gb = minigan.grad(minigan.fmod(a, b).sum(), (a, b))
    assert ga.tolist() == [1, 1] and gb.tolist() == [-3 + 3]
    assert not (a // b).requires_grad
    (ga,) = minigan.grad((minigan.div(a, 2, rounding_mode="floor") * a).sum(), a)
    assert ga.tolist() == [3, -4]  # of the other factor alone


def test_dtypes_zero_and_wrong_modes():
    assert (tensor([5]) % 2.0).dtype == np.float32
    assert (tensor([5], dtype="int32") % 2).dtype == np.int32
    for f in (operator.mod, operator.floordiv, minigan.fmod):
        with pytest.raises(RuntimeError, match="divided by 0"):
            f(tensor([5]), 0)
        with pytest.raises(NotImplementedError, match="expected numbers"):
            f(tensor([True]), tensor([True]))
        with pytest.raises(RuntimeError, match="do not broadcast"):
            f(minigan.ones(2), minigan.ones(3))
    with np.errstate(invalid="ignore"):
        assert math.isnan((tensor([5.0]) % 0).item())
    with pytest.raises(RuntimeError, match='rounding_mode must be "floor" or "trunc", got "up"'):
        minigan.div(tensor([5]), 2, rounding_mode="up")


def test_augmented_forms_keep_the_tensor():
    x = tensor([7, -7])
    same = x
    x %= 4
    assert x is same and x.tolist() == [3, 1]
    x //= 2
    x **= 3
    assert x is same and x.tolist() == [1, 0]
