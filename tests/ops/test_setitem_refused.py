"""x[index] = value: what would give a wrong gradient, and what does not fit, is an error."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import grad, no_grad, tensor


def test_a_needed_value_that_was_changed_is_an_error_and_no_wrong_gradient():
    w = tensor([1.0, 2.0], requires_grad=True)
    x = w * 2
    y = (x * x).sum()
    x[0] = 0.0
    with pytest.raises(RuntimeError, match="has been changed in place"):
        y.backward()
    plain = tensor([1.0, 2.0])
    y = (w * plain).sum()
    plain[0] = 5
    with pytest.raises(RuntimeError, match="has been changed in place"):
        y.backward()


def test_a_leaf_that_requires_grad_is_changed_under_no_grad_only():
    w = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="setitem: a tensor that requires grad cannot"):
        w[0] = 1
    with no_grad():
        w[0] = 5
    assert w.tolist() == [5, 2] and w.is_leaf and w.requires_grad


SHARING = {
    "a view of a leaf": lambda w: w[:],
    "a view whose base lives": lambda w, keep=[]: keep.append(w * 1) or keep[-1][1:],
    "a base whose view lives": lambda w, keep=[]: keep.append((x := w * 1)[1:]) or x,
    "a base that was detached": lambda w, keep=[]: keep.append((x := w * 1).detach()) or x,
    "a view of a view": lambda w, keep=[]: keep.append((x := w * 1)[1:][0:1]) or x,
    "a result that its gradient needs": lambda w: w.exp(),
    "a view that a product needs": lambda w, keep=[]: keep.append((x := w * 1)[1:] * w[1:]) or x,
    "a plain buffer with a view": lambda w, keep=[]: keep.append((x := minigan.zeros(3))[0]) or x,
    "an array of the caller's": lambda w, keep=[]: (
        keep.append(np.zeros(3)) or minigan.from_numpy(keep[-1])
    ),
}


@pytest.mark.parametrize("make", SHARING.values(), ids=SHARING)
def test_where_others_see_the_memory_nothing_is_recorded(make):
    """Their history would be wrong: an error, and nothing has changed."""
    w = tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = make(w)
    before = x.tolist()
    with pytest.raises(RuntimeError, match="setitem: a tensor that shares its memory"):
        x[0] = w[0]
    assert x.tolist() == before
    copy = x.clone()
    copy[0] = w[0] * 2
    assert copy.tolist() == [2, *before[1:]]
    assert grad(copy.sum(), w)[0][0].item() == 2


X = minigan.ones(2, 3)
ERRORS = [
    (
        0,
        minigan.ones(2),
        RuntimeError,
        r"setitem: a value of shape \(2,\) does not fit into \(3,\)",
    ),
    (X > 0, minigan.ones(2), RuntimeError, r"does not fit into \(6,\) of float32"),
    ([0], minigan.ones(2, 1, 3), RuntimeError, r"does not fit into \(1, 3\)"),
    (
        [0, 1],
        minigan.ones(3, dtype="float64"),
        RuntimeError,
        "expect values of float32, got float64",
    ),
    (0, 1 + 2j, RuntimeError, r"setitem: \(1\+2j\) does not fit into \(3,\) of float32"),
    (0, [1.0, 2.0, 3.0], TypeError, "setitem: expected Tensors, arrays or numbers, got list"),
    (0, "a", TypeError, "setitem: expected Tensors, arrays or numbers, got str"),
    (2, 1.0, IndexError, "out of bounds"),
    ([5], 1.0, IndexError, "out of bounds"),
    (slice(None, None, -1), 1.0, ValueError, "setitem: slice step must be positive, got -1"),
    (tensor([0.5]), 1.0, IndexError, "indices"),
    ("a", 1.0, IndexError, "indices"),
]


@pytest.mark.parametrize(("index", "value", "error", "message"), ERRORS)
def test_what_does_not_fit_is_one_clear_error(index, value, error, message):
    x = X.clone()
    with pytest.raises(error, match=message):
        x[index] = value
    assert_array_equal(x.numpy(), 1)
    w = minigan.ones(2, 3, requires_grad=True)
    y = w * 1
    with pytest.raises(error, match=message):
        y[index] = value


def test_a_number_the_dtype_cannot_hold_and_an_expanded_view():
    small = minigan.zeros(2, dtype="uint8")
    with pytest.raises(RuntimeError, match=r"setitem: 300 does not fit into \(\) of uint8"):
        small[0] = 300
    with pytest.raises(RuntimeError, match="setitem: this tensor is an expanded view; clone"):
        minigan.zeros(1).expand(3)[0] = 1
