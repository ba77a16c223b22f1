"""Changes in place: a graph that needs the old value fails, whichever tensor was changed."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigan import grad, no_grad, tensor


def leaf(value, dtype="float64"):
    return tensor(value, dtype=dtype, requires_grad=True)


def needs_a_factor():
    x, w = tensor([1.0, 2.0]), leaf([3.0, 4.0], "float32")
    return x, (x * w).sum()


CHANGED = "gradient of Mul .* needs has been changed in place"


@pytest.mark.parametrize(
    "through",
    [
        lambda x: x,
        lambda x: x.detach(),
        lambda x: x.data,
        lambda x: x[:1],
        lambda x: x.reshape(1, 2),
        lambda x: x.reshape(2, 1).transpose(0, 1).squeeze(0),
        lambda x: x.detach().unsqueeze(0).narrow(1, 0, 1),
    ],
    ids=["itself", "detach", "data", "slice", "reshape", "transpose", "views of views"],
)
def test_a_needed_value_changed_in_place_is_an_error(through):
    """Whichever tensor on the same memory was used to change it."""
    x, y = needs_a_factor()
    through(x).add_(1)
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_a_view_saved_and_its_base_changed_is_an_error():
    base, w = tensor([[1.0, 2.0], [3.0, 4.0]]), leaf([3.0, 4.0], "float32")
    y = (base[0] * w).sum()
    base.mul_(2)
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_replacing_data_is_an_error_for_graphs_that_need_the_old_values():
    x, y = needs_a_factor()
    x.data = tensor([5.0, 6.0])
    assert_array_equal(x.numpy(), [5, 6])
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()


def test_after_replacing_data_both_names_of_the_memory_count_changes():
    x, w, other = tensor([1.0, 2.0]), leaf([3.0, 4.0], "float32"), tensor([5.0, 6.0])
    x.data = other
    y = (x * w).sum()
    other.zero_()
    with pytest.raises(RuntimeError, match=CHANGED):
        y.backward()
    with pytest.raises(TypeError, match="data: expected a Tensor, got ndarray"):
        x.data = np.ones(2)


def test_an_output_that_its_own_gradient_reads_may_not_change():
    """tanh keeps its output: 1 - y²."""
    x = leaf([0.1, 0.2])
    y = x.tanh()
    loss = y.sum()
    with no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError, match=r"gradient of Tanh .* changed in place"):
        loss.backward()


def test_an_output_that_a_recorded_gradient_reads_may_not_change_either():
    """exp keeps its output y; the recorded gradient v·y keeps the same array and its version."""
    x, v = leaf([0.1, 0.2]), leaf([1.0, 1.0])
    y = x.exp()
    (g,) = grad(y, x, v, create_graph=True)
    with no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError, match=CHANGED):
        grad(g.sum(), v)


def test_values_that_are_not_needed_may_change():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = x + w
    loss = y.sum()
    with no_grad():
        for t in (x, w, y):
            t.mul_(100)
    loss.backward()
    assert_array_equal(x.grad.numpy(), [1, 1])


def test_a_copy_is_not_the_same_memory():
    x, w = tensor([1.0, 2.0]), leaf([3.0, 4.0], "float32")
    y = (x * w).sum()
    x.clone().add_(1)
    x.to("float64").add_(1)
    x[[0, 1]].add_(1)
    copy.deepcopy(x).add_(1)
    x.reshape(2, 1).expand(2, 3).reshape(6).add_(1)
    y.backward()
    assert x.tolist() == w.grad.tolist() == [1, 2]


def test_index_arrays_may_change_after_use():
    """The graph has its own: the gradient goes where the values came from."""
    x, index, mask = leaf([1.0, 2.0, 3.0]), tensor([0, 2]), np.array([True, False, True])
    y = x[index].sum() + 10 * x[mask].sum()
    index.fill_(1)
    mask[:] = True
    y.backward()
    assert_array_equal(x.grad.numpy(), [11, 0, 11])
