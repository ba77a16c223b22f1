"""scatter and scatter_add against their definition, written as a loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import minigan
from minigan import tensor


def loop(x, dim, index, src, add):
    y = x.copy()
    for place in np.ndindex(index.shape):
        at = list(place)
        at[dim] = index[place]
        y[tuple(at)] = src[place] + (y[tuple(at)] if add else 0)
    return y


@given(data=st.data(), add=st.booleans())
def test_values_are_those_of_the_loop(data, add):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    dim = data.draw(st.integers(0, len(shape) - 1))
    part = tuple(data.draw(st.integers(0, n)) for n in shape)
    index = rng.integers(0, shape[dim], part)
    x, src = rng.standard_normal(shape), rng.standard_normal(shape)
    f = minigan.scatter_add if add else minigan.scatter
    found = f(tensor(x), dim - len(shape), tensor(index), tensor(src))
    assert_allclose(found.numpy(), loop(x, dim, index, src, add), rtol=1e-14)


def test_one_hot_labels_the_way_scripts_write_them():
    labels = tensor([2, 0, 1])
    found = minigan.zeros(3, 4).scatter_(1, labels.unsqueeze(1), 1)
    assert minigan.equal(found, minigan.eye(4)[labels])
    assert minigan.equal(found, minigan.zeros(3, 4).scatter(1, labels.view(-1, 1), value=1.0))


def test_gradients_reach_what_stayed_and_what_was_put():
    x, v = tensor([1.0, 2.0, 3.0], requires_grad=True), tensor([5.0, 6.0], requires_grad=True)
    index, weights = tensor([1, 1]), tensor([1.0, 10.0, 100.0])
    gx, gv = minigan.grad((minigan.scatter_add(x, 0, index, v) * weights).sum(), (x, v))
    assert gx.tolist() == [1, 10, 100] and gv.tolist() == [10, 10]
    gx, gv = minigan.grad((minigan.scatter(x, 0, index, v) * weights).sum(), (x, v))
    assert gx.tolist() == [1, 0, 100] and gv.tolist() == [0, 10]


def test_what_does_not_fit_is_refused():
    x, index = minigan.zeros(2, 3), tensor([[0, 1, 2]])
    with pytest.raises(RuntimeError, match=r"index of shape .* does not fit input of shape"):
        x.scatter(0, tensor([0]), 1.0)
    with pytest.raises(RuntimeError, match="does not fit"):
        x.scatter(0, index, minigan.zeros(1, 2))
    with pytest.raises(RuntimeError, match="index 2 is out of range for length 2"):
        x.scatter(0, index, 1.0)
    with pytest.raises(RuntimeError, match="expected src of dtype float32, got int64"):
        x.scatter_add(1, index, index)
    with pytest.raises(RuntimeError, match="expected an index of int64"):
        x.scatter(1, x, 1.0)
    with pytest.raises(TypeError, match="expected src or value"):
        x.scatter(1, index)
