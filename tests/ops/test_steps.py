"""Rounding: values by the math module, and a gradient that is zero, not missing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays

import minigan
from minigan import tensor

ONE = {"floor": math.floor, "ceil": math.ceil, "round": round, "trunc": math.trunc}


@pytest.mark.parametrize("name", ONE)
@given(data=st.data())
def test_values_are_those_of_the_math_module(name, data):
    x = data.draw(arrays(low=-9, high=9))
    x = np.where(np.abs(x * 2 - np.round(x * 2)) < 0.1, np.round(x * 2) / 2, x)  # halves too
    found = getattr(minigan, name)(tensor(x)).numpy()
    assert found.shape == x.shape
    for index in np.ndindex(x.shape):
        assert found[index] == ONE[name](float(x[index]))


@pytest.mark.parametrize("name", ONE)
def test_the_gradient_is_zero_and_float32_stays(name):
    x = tensor(np.float32([0.3, -1.7]), requires_grad=True)
    y = getattr(x, name)()
    assert y.dtype == np.float32
    (g,) = minigan.grad((y * x).sum(), x)
    assert np.array_equal(g.numpy(), y.detach().numpy())  # of y itself: nothing


def test_integers_stay_and_decimals_count():
    assert minigan.floor(tensor([3, -4])).tolist() == [3, -4]
    assert minigan.floor(tensor([3, -4])).dtype == np.int64
    x = tensor([1.234, 5.675], dtype="float64")
    np.testing.assert_allclose(minigan.round(x, decimals=1).numpy(), [1.2, 5.7])
    np.testing.assert_allclose(minigan.round(x * 100, decimals=-2).numpy(), [100, 600])


def test_linspace_isinf_clip_and_allclose():
    assert minigan.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert minigan.linspace(2, 3, 1).tolist() == [2]
    assert minigan.linspace(0, 1, 3).dtype == np.float32
    inf = float("inf")
    assert minigan.isinf(tensor([1.0, inf, -inf, float("nan")])).tolist() == [0, 1, 1, 0]
    assert minigan.clip(tensor([-2.0, 0.5, 3.0]), 0, 1).tolist() == [0, 0.5, 1]
    assert minigan.allclose(tensor([1.0]), tensor([1.0 + 1e-6]))
    assert not minigan.allclose(tensor([1.0]), tensor([1.1]))
