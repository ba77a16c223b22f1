"""Functions with kinks and choices: both sides, the kink itself, comparisons, masks."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import arrays, broadcast_shapes, broadcasting_arrays, in_layout, layouts, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.nn.functional import leaky_relu
from minigan.ops.bits import logical_not

SLOPES = (0.01, 0.2, 0, 1, 1.5, -0.3)

# name: the function, the same of one number, its kinks
KINKED = {
    "abs": (minigan.abs, lambda v: v if v > 0 else -v, [0]),
    "relu": (minigan.relu, lambda v: v if v > 0 else 0.0, [0]),
    "clamp": (lambda x: minigan.clamp(x, -0.5, 1), lambda v: min(max(v, -0.5), 1), [-0.5, 1]),
    "clamp below": (lambda x: minigan.clamp(x, min=0.3), lambda v: max(v, 0.3), [0.3]),
    "clamp above": (lambda x: minigan.clamp(x, max=-0.3), lambda v: min(v, -0.3), [-0.3]),
    "sign": (minigan.sign, lambda v: int(v > 0) - int(v < 0), [0]),
} | {
    f"leaky_relu {slope}": (
        lambda x, slope=slope: leaky_relu(x, slope),
        lambda v, slope=slope: v if v > 0 else slope * v,
        [0],
    )
    for slope in SLOPES
}
EVERY = pytest.mark.parametrize(("f", "one", "kinks"), KINKED.values(), ids=KINKED)


@EVERY
@given(data=st.data())
def test_values_are_those_of_the_formula(f, one, kinks, data):
    x = data.draw(arrays())
    if x.size:
        x = x.copy()
        x.flat[0] = kinks[0]
    found = f(tensor(x))
    assert_array_equal(found.numpy(), np.array([one(v) for v in x.ravel()]).reshape(x.shape))


@EVERY
@settings(max_examples=15)
@given(data=st.data())
def test_gradients_are_right_to_order_3_beside_the_kinks(f, one, kinks, data):
    """Also the second derivative in the direction of what multiplies the function."""
    x = data.draw(arrays())
    for kink in kinks:
        x = np.where(abs(x - kink) < 0.01, kink + 0.1, x)
    gradcheck(f, x, order=3, probes=1)
    gradcheck(lambda x: f(x) * x, x, order=3, probes=1)


def test_the_subgradient_at_a_kink_is_pytorchs():
    """relu and leaky_relu: the left slope at 0; abs and sign: 0; clamp: 1 on its borders."""

    def slope_at(f, value):
        x = tensor(value, dtype="float64", requires_grad=True)
        return grad(f(x), x)[0].item()

    assert slope_at(minigan.relu, 0.0) == 0
    for slope in SLOPES:
        assert slope_at(lambda x, s=slope: leaky_relu(x, s), 0.0) == slope
        assert slope_at(lambda x, s=slope: leaky_relu(x, s), 1e-300) == 1
        assert slope_at(lambda x, s=slope: leaky_relu(x, s), -1e-300) == slope
    assert slope_at(minigan.abs, 0.0) == slope_at(minigan.sign, 0.0) == 0
    assert slope_at(lambda x: minigan.clamp(x, -1, 2), 2.0) == 1
    assert slope_at(lambda x: minigan.clamp(x, -1, 2), -1.0) == 1
    assert slope_at(lambda x: minigan.clamp(x, -1, 2), 2.1) == 0
    assert slope_at(lambda x: minigan.clamp(x, 3, 2), 2.5) == 0


@pytest.mark.parametrize("slope", SLOPES)
def test_leaky_relu_keeps_one_array_and_survives_underflow(slope):
    """The sign of the output tells the input's, also where slope·x rounds to zero."""
    x = tensor([-1e-45, -2.0, 1e-45, 3.0], requires_grad=True)
    y = leaky_relu(x, slope)
    kept = [s for s in y.node.saved if isinstance(s, minigan.Tensor)]
    assert len(kept) + (y.node.output is not None) == 1
    expected = np.array([slope, slope, 1, 1], np.float32)
    assert_array_equal(grad(y.sum(), x)[0].numpy(), expected)


def test_clamp_with_crossed_limits_gives_the_upper_one():
    assert_array_equal(minigan.clamp(tensor([0.0, 2.5, 9.0]), 3, 2).numpy(), [2, 2, 2])


def test_clamp_needs_a_limit():
    with pytest.raises(RuntimeError, match="clamp: expected min, max or both"):
        minigan.clamp(minigan.ones(2))


def test_nan_goes_through_functions_with_kinks():
    for f, *_ in KINKED.values():
        assert math.isnan(f(tensor(math.nan)).item())


# ------------------------------------------------------------------------------ where


@st.composite
def choices(draw):
    """A condition and two operands that broadcast against each other."""
    shapes = draw(broadcast_shapes(3))
    condition = numbers(draw(st.integers(0, 99)), shapes[0]) > 0
    condition = in_layout(condition, draw(layouts))
    return condition, *[draw(arrays(shape=shape)) for shape in shapes[1:]]


@given(choices())
def test_where_takes_from_one_or_the_other(operands):
    condition, a, b = operands
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    spread = [np.broadcast_to(v, shape) for v in operands]
    found = minigan.where(*map(tensor, operands)).numpy()
    assert found.shape == shape
    for index in np.ndindex(shape):
        c, x, y = (v[index] for v in spread)
        assert found[index] == (x if c else y)


@settings(max_examples=15)
@given(choices())
def test_where_gives_each_operand_the_gradient_of_its_part(operands):
    condition, a, b = operands
    c = tensor(condition)
    gradcheck(lambda a, b: minigan.where(c, a, b) ** 3, a, b, order=3, probes=1)
    gradcheck(lambda a: minigan.where(c, a, 2.0) ** 3, a, order=2, probes=1)
    gradcheck(lambda b: minigan.where(c, 2.0, b) ** 3, b, order=2, probes=1)


def test_where_hides_an_infinite_slope():
    """The usual guard: √x where x > 0, else 0, if the root itself is taken of a safe value."""
    x = tensor([0.0, 4.0], dtype="float64", requires_grad=True)
    safe = minigan.where(x > 0, x, 1.0)
    (g,) = grad(minigan.where(x > 0, safe.sqrt(), 0.0).sum(), x)
    assert_array_equal(g.numpy(), [0, 0.25])


def test_where_wants_a_bool_condition():
    with pytest.raises(RuntimeError, match="where: expected a bool condition, got int64"):
        minigan.where(tensor([1, 0]), 1.0, 2.0)
    with pytest.raises(TypeError, match="where: expected a Tensor, got ndarray"):
        minigan.where(np.array([True]), 1.0, 2.0)


# ------------------------------------------------------------------------------ comparisons

COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
@given(data=st.data())
def test_comparisons_are_elementwise_and_never_recorded(compare, data):
    a, b = (np.round(v) for v in data.draw(broadcasting_arrays(2)))
    x = tensor(a, requires_grad=True)
    found = compare(x, tensor(b))
    assert found.dtype == bool and not found.requires_grad
    assert_array_equal(found.numpy(), compare(a, b))
    assert_array_equal(compare(x, 1).numpy(), compare(a, 1))
    assert_array_equal(compare(0.5, x).numpy(), compare(0.5, a))
    assert_array_equal(getattr(minigan, compare.__name__)(x, tensor(b)).numpy(), found.numpy())


def test_a_number_is_compared_in_the_precision_of_the_tensor():
    """0.1 in float32 is the same float32, not the nearest float64."""
    assert (tensor(0.1) == 0.1).item()
    assert (tensor([0.1]) == np.float64(0.1)).item()


def test_complex_numbers_are_compared_by_their_real_parts():
    """A complex step must take the branch of the real point that it starts from."""
    x = tensor([1 + 1e-30j, -1 - 1e-30j, 0 + 1e-30j])
    assert (x == tensor([1.0, -1.0, 0.0])).all()
    assert (x > 0).tolist() == [True, False, False] and (x >= 0).tolist() == [True, False, True]


def test_equality_with_something_else_is_identity_as_for_any_object():
    x = minigan.ones(2)
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert (x == "x") is False
    with pytest.raises(TypeError):
        _ = x < None
    assert x in [x] and {x: 1}[x] == 1


def test_masks_are_inverted_and_tested():
    x = tensor([0.0, math.nan, math.inf, -1.0])
    assert_array_equal(minigan.isnan(x).numpy(), [False, True, False, False])
    assert_array_equal(minigan.isfinite(x).numpy(), [True, False, False, True])
    assert_array_equal((~minigan.isnan(x)).numpy(), [True, False, True, True])
    assert_array_equal(logical_not(x).numpy(), [True, False, False, False])
    assert_array_equal((~tensor([0, 5, -1])).numpy(), [-1, -6, 0])
    assert_array_equal((~tensor([1], dtype="uint8")).numpy(), [254])
    with pytest.raises(TypeError, match="expected a bool or integer tensor, got float32"):
        _ = ~x


def test_bools_have_no_arithmetic_of_signs():
    mask = tensor([True, False])
    with pytest.raises(RuntimeError, match="neg: a bool tensor has no negative; use ~"):
        _ = -mask
    with pytest.raises(RuntimeError, match="sub: bool tensors cannot be subtracted"):
        _ = mask - mask
    assert_array_equal((1 - mask).numpy(), [0, 1])
    assert_array_equal((mask + mask).numpy(), [True, False])
    assert_array_equal((mask * mask).numpy(), [True, False])
