"""Changes in place: values, memory, what they refuse, and augmented assignment."""

import math
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


def test_clamp_and_copy():
    x = tensor([-2.0, 0.5, 3.0])
    assert x.clamp_(-1, 1).tolist() == [-1, 0.5, 1]
    assert x.clamp_(max=0.25).tolist() == [-1, 0.25, 0.25]
    assert x.clip_(min=0).tolist() == [0, 0.25, 0.25]
    assert x.copy_(np.array([1, 2, 3])).tolist() == [1, 2, 3] and x.copy_(5).tolist() == [5, 5, 5]
    with pytest.raises(RuntimeError, match="clamp_: expected min, max or both"):
        x.clamp_()


def test_clamp_takes_tensors_and_keeps_the_dtype():
    x = tensor([[-2.0, 0.5], [3.0, 9.0]])
    assert x.clamp_(tensor(-1.0), tensor([4.0, 5.0])).tolist() == [[-1, 0.5], [3, 5]]
    count = tensor([1, 5])
    before = count.version[0]
    for refused, message in (
        (lambda: count.clamp_(1.5), "clamp_: a float32 result does not fit into a int64 tensor"),
        (lambda: count.clamp_(max=minigan.ones(3)), r"clamp_: shape \(3,\) does not fit into"),
    ):
        with pytest.raises(RuntimeError, match=message):
            refused()
    assert count.tolist() == [1, 5] and count.version[0] == before


# name: the same of numbers, and the interval that the elements are drawn from
OF_ONE = {
    "abs_": (abs, -3, 3),
    "neg_": (operator.neg, -3, 3),
    "square_": (lambda v: v * v, -3, 3),
    "exp_": (math.exp, -3, 3),
    "log_": (math.log, 0.2, 4),
    "sqrt_": (math.sqrt, 0.2, 4),
    "rsqrt_": (lambda v: 1 / math.sqrt(v), 0.2, 4),
    "reciprocal_": (lambda v: 1 / v, 0.3, 3),
    "relu_": (lambda v: max(v, 0.0), -3, 3),
    "tanh_": (math.tanh, -3, 3),
    "sigmoid_": (lambda v: 1 / (1 + math.exp(-v)), -5, 5),
    "floor_": (math.floor, -3, 3),
    "ceil_": (math.ceil, -3, 3),
    "round_": (round, -3, 3),
    "trunc_": (math.trunc, -3, 3),
}
OF_SEVERAL = {
    "pow_": (lambda x, a: x**a, 1),
    "lerp_": (lambda x, a, b: x + b * (a - x), 2),
    "addcmul_": (lambda x, a, b: x + a * b, 2),
    "addcdiv_": (lambda x, a, b: x + a / b, 2),
}
SAME = {"rtol": 1e-13, "atol": 1e-14}


def changed(name, x, layout, *operands, **options):
    """The memory of a tensor after a method changed it, which must say so and return the tensor."""
    t = minigan.from_numpy(in_layout(x, layout))
    array, version = t.array, t.version[0]
    assert getattr(t, name)(*operands, **options) is t
    assert t.array is array and t.version[0] > version
    return array


@pytest.mark.parametrize("name", OF_ONE)
@given(data=st.data())
def test_functions_in_place_on_any_layout(name, data):
    one, low, high = OF_ONE[name]
    x = data.draw(arrays(low=low, high=high))
    found = changed(name, x, data.draw(st.sampled_from(LAYOUTS[:-1])))
    expected = np.array([one(float(v)) for v in x.ravel()], dtype=float).reshape(x.shape)
    assert_allclose(found, expected, **SAME)


@pytest.mark.parametrize("name", OF_SEVERAL)
@given(data=st.data())
def test_operands_broadcast_to_the_tensor(name, data):
    formula, count = OF_SEVERAL[name]
    x = data.draw(arrays(low=0.5, high=2))
    others = [
        data.draw(arrays(shape=x.shape[data.draw(st.integers(0, x.ndim)) :], low=0.5, high=2))
        for _ in range(count)
    ]
    found = changed(name, x, data.draw(st.sampled_from(LAYOUTS[:-1])), *map(tensor, others))
    assert_allclose(found, formula(x, *others), **SAME)


def test_numbers_as_operands():
    x = numbers(0, 5, 0.5, 2)
    a, b = tensor(numbers(1, 5)), tensor(numbers(2, 5, 1, 2))
    for weight in (0, 0.25, 0.5, 0.75):
        found = changed("lerp_", x, "contiguous", a, weight)
        assert_allclose(found, x + weight * (a.numpy() - x), **SAME)
    assert_array_equal(changed("lerp_", x, "contiguous", a, 1), a.numpy())  # to the last bit
    assert_allclose(changed("pow_", x, "contiguous", -1.5), x**-1.5, **SAME)
    found = changed("addcmul_", x, "contiguous", a, b, value=-2)
    assert_allclose(found, x - 2 * a.numpy() * b.numpy(), **SAME)
    found = changed("addcdiv_", x, "contiguous", a, b, value=3)
    assert_allclose(found, x + 3 * a.numpy() / b.numpy(), **SAME)
    assert tensor([1.26, -1.74]).round_(decimals=1).tolist() == pytest.approx([1.3, -1.7])


def test_masked_fill():
    x = minigan.zeros(2, 3)
    x.masked_fill_(tensor([True, False, True]), 5).masked_fill_(x > 9, tensor(1.0))
    assert x.tolist() == [[5, 0, 5], [5, 0, 5]]
    assert tensor([1, 2]).masked_fill_(tensor([False, True]), 7).tolist() == [1, 7]


def test_float32_stays_and_integers_take_integer_results_only():
    x = tensor([1.0, 4.0])
    x.sqrt_().exp_().lerp_(minigan.ones(2), 0.5).addcmul_(x, x, value=0.5).pow_(np.float64(2))
    assert x.dtype == np.float32
    assert tensor([2, 3]).pow_(2).neg_().addcmul_(tensor(2), tensor(5)).tolist() == [6, 1]
    for call in (
        lambda: tensor([1]).sqrt_(),
        lambda: tensor([1]).pow_(0.5),
        lambda: tensor([1]).addcdiv_(tensor([1]), tensor([2])),
    ):
        with pytest.raises(RuntimeError, match="_: a float32 result does not fit into a int64"):
            call()


def test_an_operand_may_be_the_tensor_itself_or_a_view_of_it():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.mul_(x).tolist() == [[1, 4], [9, 16]]
    assert x.add_(x.t()).tolist() == [[2, 13], [13, 32]]
    row = tensor([1.0, 2.0, 3.0])
    row[1:].copy_(row[:2])
    assert row.tolist() == [1, 1, 2]


@pytest.mark.parametrize("name", [*PLAIN, "pow_"])
def test_shapes_that_do_not_fit_are_a_runtime_error_and_change_nothing(name):
    x = minigan.ones(2, 3)
    for shape in ((2,), (1, 2, 3), (2, 4), (4, 3)):
        with pytest.raises(RuntimeError, match=rf"{name}: shape .* does not fit into \(2, 3\)"):
            getattr(x, name)(minigan.full(shape, 9.0))
    for call in (
        lambda: x.lerp_(minigan.ones(4), 0.5),
        lambda: x.lerp_(minigan.ones(3), minigan.ones(2)),
        lambda: x.addcmul_(minigan.ones(3), minigan.ones(4)),
        lambda: x.addcdiv_(tensor1=minigan.ones(4), tensor2=minigan.ones(3)),
        lambda: x.masked_fill_(minigan.ones(4, 2, 3) > 0, 1),
    ):
        with pytest.raises(RuntimeError, match=r"_: shape .* does not fit into \(2, 3\)"):
            call()
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
        lambda: x.copy_(y),
        lambda: x.normal_(),
        lambda: x.uniform_(),
        lambda: x.clamp_(0, 1),
        lambda: x.relu_(),
        lambda: x.masked_fill_(y > 0, 1),
        lambda: x.bernoulli_(),
        lambda: x.random_(),
    )
    for call in calls:
        with pytest.raises(RuntimeError, match="requires grad cannot be changed in place"):
            call()
    with no_grad():
        calls[0]()
    assert x.tolist() == [2, 2] and x.requires_grad


def test_changes_of_results_are_recorded():
    """Every form gives the value and the gradients of the operation without the underscore."""
    rng = np.random.default_rng(0)
    a, b = (tensor(rng.uniform(0.2, 1.5, (2, 3)), requires_grad=True) for _ in range(2))
    where, index = tensor([True, False, True]), tensor([[0, 1], [2, 0]])
    for change, same in (
        (lambda t: t.add_(b, alpha=3), lambda t: t + 3 * b),
        (lambda t: t.sub_(1).mul_(b), lambda t: (t - 1) * b),
        (lambda t: t.div_(b[0]), lambda t: t / b[0]),
        (lambda t: t.clamp_(0.5, 1), lambda t: t.clamp(0.5, 1)),
        (lambda t: t.clamp_(max=b), lambda t: t.clamp(max=b)),
        (lambda t: t.exp_(), lambda t: t.exp()),
        (lambda t: t.pow_(3).neg_(), lambda t: -t * t * t),
        (lambda t: t.lerp_(b, 0.3), lambda t: t + 0.3 * (b - t)),
        (lambda t: t.addcmul_(b, b, value=2), lambda t: t + 2 * b * b),
        (lambda t: t.masked_fill_(where, 5), lambda t: minigan.where(where, 5.0, t)),
        (lambda t: t.copy_(b), lambda t: b + 0 * t),
        (lambda t: t.zero_(), lambda t: t * 0),
        (lambda t: t.fill_(2), lambda t: t * 0 + 2),
        (lambda t: t.scatter_add_(1, index, b), lambda t: minigan.scatter_add(t, 1, index, b)),
    ):
        found, results = a * 2, []
        assert change(found) is found
        for y in (found, same(a * 2)):
            loss = (y * y * tensor([1.0, 2.0, 3.0], dtype="float64") + 0 * a).sum()
            gradients = minigan.grad(loss, (a, b), materialize_grads=True)
            results.append([y.detach().numpy(), *[g.numpy() for g in gradients]])
        for x, y in zip(*results, strict=True):
            assert_allclose(x, y, rtol=1e-12, atol=1e-14)


def test_a_plain_tensor_takes_up_the_history_of_what_is_added():
    x, total = minigan.ones(2, requires_grad=True), minigan.zeros(2)
    for k in (1, 2, 3):
        total.add_(x * x, alpha=k)
    total.sum().backward()
    assert total.tolist() == [6, 6] and x.grad.tolist() == [12, 12]


def test_a_value_that_an_earlier_gradient_needs_is_missed():
    x = minigan.ones(2, requires_grad=True)
    y = x * 3
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


def test_memory_that_others_see_is_not_given_another_history():
    """The other tensor would keep a history that is wrong."""
    x = minigan.ones(2, requires_grad=True)
    base = x * 2
    view = base[:1]
    with pytest.raises(RuntimeError, match="mul_: a tensor that shares its memory"):
        view.mul_(3)
    y = x.exp()  # the exponential's gradient needs y itself
    with pytest.raises(RuntimeError, match="add_: a tensor that shares its memory"):
        y.add_(1)
    assert base.tolist() == [2, 2]


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
