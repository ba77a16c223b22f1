"""Order: against Python's stable sort."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan import tensor

ROWS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


@given(row=ROWS, descending=st.booleans())
def test_values_and_places_are_those_of_pythons_stable_sort(row, descending):
    order = sorted(range(len(row)), key=lambda i: -row[i] if descending else row[i])
    found = minigan.sort(tensor(row), descending=descending)
    assert found.indices.tolist() == order
    assert found.values.tolist() == [row[i] for i in order]
    assert tensor(row).argsort(descending=descending).tolist() == order


@given(row=ROWS, data=st.data())
def test_topk_is_the_beginning_of_the_order(row, data):
    k = data.draw(st.integers(0, len(row)))
    for largest in (True, False):
        found = tensor(row).topk(k, largest=largest)
        assert found.values.tolist() == sorted(row, reverse=largest)[:k]
        assert [row[i] for i in found.indices.tolist()] == found.values.tolist()


def test_dimensions_nan_and_numbers():
    x = tensor([[3.0, 1.0], [2.0, 5.0]])
    assert x.sort(0).values.tolist() == [[2, 1], [3, 5]]
    assert x.sort(dim=-1).indices.tolist() == [[1, 0], [0, 1]]
    nan = minigan.sort(tensor([math.nan, 1.0, math.inf])).indices.tolist()
    assert nan == [1, 2, 0]
    assert minigan.sort(tensor(2.0)).values.item() == 2 and minigan.topk(tensor(2.0), 1)[1] == 0
    with pytest.raises(RuntimeError, match="topk: expected k between 0 and 2, got 3"):
        x.topk(3)
    with pytest.raises(IndexError, match="dimension out of range"):
        x.sort(2)


def test_the_gradient_goes_to_the_entries():
    x = tensor([3.0, 1.0, 2.0], requires_grad=True)
    (g,) = minigan.grad((x.sort().values * tensor([10.0, 20.0, 30.0])).sum(), x)
    assert g.tolist() == [30, 10, 20]
    (g,) = minigan.grad(x.topk(2).values.sum(), x)
    assert g.tolist() == [1, 0, 1]


def test_nonzero_finds_all_places():
    values = np.random.default_rng(0).integers(0, 2, (3, 4, 2))
    x = tensor(values)
    places = [list(i) for i in np.ndindex(values.shape) if values[i]]
    assert x.nonzero().tolist() == places and x.count_nonzero().item() == len(places)
    assert (x[x.nonzero(as_tuple=True)] == 1).all()
    assert tensor(5).nonzero().shape == (1, 0) and tensor(0).nonzero().shape == (0, 0)
    assert x.count_nonzero(2).tolist() == values.sum(2).tolist()


def test_masked_select():
    x = tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
    assert x.masked_select(x > 0).tolist() == [1, 3, 4]
    assert x.masked_select(tensor([True, False])).tolist() == [1, 3]
    (g,) = minigan.grad((x.masked_select(x > 0) ** 2).sum(), x)
    assert g.tolist() == [[2, 0], [6, 8]]
    with pytest.raises(RuntimeError, match="expected a bool mask, got float32"):
        x.masked_select(x)
    with pytest.raises(RuntimeError, match="do not broadcast"):
        x.masked_select(tensor([True, False, True]))
