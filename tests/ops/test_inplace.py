"""Changes in place: values, memory, what they refuse, and augmented assignment."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, arrays, in_layout, numbers

import minigan
from minigan import no_grad, tensor

PLAIN = {
    "add_": lambda a, b: a + b,
    "sub_": lambda a, b: a - b,
    "mul_": lambda a, b: a * b,
    "div_": lambda a, b: a / b,
    "copy_": lambda a, b: np.broadcast_to(b, a.shape),
}


@pytest.mark.parametrize("name", PLAIN)
@given(data=st.data())
def test_arithmetic_in_place_on_any_layout(name, data):
    """The operand broadcasts to the tensor's shape; the array stays the same object."""
    x = data.draw(arrays())
    shape = data.draw(st.sampled_from([x.shape[i:] for i in range(x.ndim + 1)]))
    other = data.draw(arrays(shape=shape, low=0.5, high=2))
    array = in_layout(x, data.draw(st.sampled_from(LAYOUTS[:-1])))
    t, expected = minigan.from_numpy(array), PLAIN[name](x, other)
    version = t.version[0]
    assert getattr(t, name)(tensor(other)) is t
    assert t.array is array and t.version[0] > version
    assert_allclose(array, expected, rtol=1e-15)


def test_numbers_alpha_and_wider_operands_keep_the_dtype():
    x = tensor([1.0, 2.0])
    x.add_(2, alpha=0.5).sub_(tensor([1.0, 1.0], dtype="float64"), alpha=2).mul_(
        np.float64(3)
    ).div_(2)
    assert x.dtype == np.float32 and x.tolist() == [0, 1.5]
    assert x.add_(np.array([1.0, 2.0])).tolist() == [1, 3.5]
    count = tensor(0)
    assert count.add_(1).dtype == np.int64 and count.item() == 1


def test_fill_zero_clamp_and_copy():
    x = tensor([-2.0, 0.5, 3.0])
    assert x.clamp_(-1, 1).tolist() == [-1, 0.5, 1]
    assert x.clamp_(max=0.25).tolist() == [-1, 0.25, 0.25]
    assert x.fill_(7).tolist() == [7, 7, 7] and x.zero_().tolist() == [0, 0, 0]
    assert x.copy_(np.array([1, 2, 3])).tolist() == [1, 2, 3] and x.copy_(5).tolist() == [5, 5, 5]
    with pytest.raises(RuntimeError, match="clamp_: expected min, max or both"):
        x.clamp_()


def test_random_fills_have_their_moments():
    g = minigan.Generator().manual_seed(0)
    for dtype in ("float32", "float64"):
        x = minigan.empty(100_000, dtype=dtype)
        assert x.normal_(3, 2, generator=g) is x
        assert abs(x.numpy().mean() - 3) < 0.04 and abs(x.numpy().std() - 2) < 0.03
        x.uniform_(-1, 3, generator=g)
        assert x.numpy().min() >= -1 and x.numpy().max() <= 3 and abs(x.numpy().mean() - 1) < 0.02


def test_an_operand_may_be_the_tensor_itself_or_a_view_of_it():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.mul_(x).tolist() == [[1, 4], [9, 16]]
    assert x.add_(x.t()).tolist() == [[2, 13], [13, 32]]
    row = tensor([1.0, 2.0, 3.0])
    row[1:].copy_(row[:2])
    assert row.tolist() == [1, 1, 2]


@pytest.mark.parametrize("name", ["add_", "sub_", "mul_", "div_", "copy_"])
def test_shapes_that_do_not_fit_are_a_runtime_error_and_change_nothing(name):
    x = minigan.ones(2, 3)
    for shape in ((2,), (1, 2, 3), (2, 4), (4, 3)):
        with pytest.raises(RuntimeError, match=rf"{name}: shape .* does not fit into \(2, 3\)"):
            getattr(x, name)(minigan.full(shape, 9.0))
    assert x.version[0] == 0
    assert_array_equal(x.numpy(), np.ones((2, 3)))


def test_results_that_the_dtype_cannot_hold_are_a_runtime_error():
    x = tensor([1, 2])
    for call in (lambda: x.add_(0.5), lambda: x.div_(2), lambda: x.mul_(minigan.ones(2))):
        with pytest.raises(RuntimeError, match="a float32 result does not fit into a int64 tensor"):
            call()
    with pytest.raises(TypeError, match="add_: expected Tensors, arrays or numbers, got str"):
        x.add_("1")


def test_what_the_graph_would_miss_is_refused():
    x, y = minigan.ones(2, requires_grad=True), minigan.ones(2)
    calls = (
        lambda: x.add_(1),
        lambda: y.add_(x),
        lambda: (x * 2).zero_(),
        lambda: x.copy_(y),
        lambda: x.normal_(),
        lambda: x.uniform_(),
        lambda: x.clamp_(0, 1),
    )
    for call in calls:
        with pytest.raises(RuntimeError, match="requires grad cannot be changed in place"):
            call()
    with no_grad():
        for call in calls[:2]:
            call()
    assert x.tolist() == [2, 2] and y.tolist() == [3, 3] and x.requires_grad


def test_expanded_views_are_read_only():
    with pytest.raises(RuntimeError, match="mul_: this tensor is an expanded view; clone"):
        tensor([1.0]).expand(3).mul_(2)


# ------------------------------------------------------------------------------ a += b

AUGMENTED = [operator.iadd, operator.isub, operator.imul, operator.itruediv]


@pytest.mark.parametrize("change", AUGMENTED, ids=lambda f: f.__name__)
def test_augmented_assignment_changes_a_tensor_without_history_in_place(change):
    x = tensor(numbers(0, 3))
    array, expected = x.array, change(x.array.copy(), 2.0)
    y = change(x, 2.0)
    assert y is x and x.array is array
    assert_array_equal(array, expected)


def test_a_gradient_step_written_by_hand_moves_the_parameter():
    """``w -= lr·w.grad`` under no_grad has to act on the leaf, not to give its name away."""
    w = tensor([1.0, 2.0], requires_grad=True)
    same = w
    for _ in range(2):
        (w * w).sum().backward()
        with no_grad():
            w -= 0.25 * w.grad
        w.grad = None
    assert w is same and w.requires_grad and w.tolist() == [0.25, 0.5]


def test_augmented_assignment_in_a_recorded_program_is_differentiable():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y += x
    y *= y
    assert minigan.grad(y.sum(), x)[0].tolist() == [32, 64]
    total = tensor(0.0)
    total += x.sum()
    assert total.requires_grad
    with pytest.raises(RuntimeError, match="requires grad cannot be changed in place"):
        x += 1
