"""Arithmetic and smooth functions: values from the math module, gradients to the third order."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, broadcasting_arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.nn.functional import softplus

# name: the function, the same of one number, and the interval that its argument is drawn from
UNARY = {
    "neg": (minigan.neg, operator.neg, -3, 3),
    "square": (minigan.square, lambda v: v * v, -3, 3),
    "exp": (minigan.exp, math.exp, -3, 3),
    "log": (minigan.log, math.log, 0.2, 4),
    "sqrt": (minigan.sqrt, math.sqrt, 0.2, 4),
    "tanh": (minigan.tanh, math.tanh, -3, 3),
    "sigmoid": (minigan.sigmoid, lambda v: 1 / (1 + math.exp(-v)), -5, 5),
    "softplus": (softplus, lambda v: math.log(1 + math.exp(v)), -5, 5),
    "pow 3": (lambda x: x**3, lambda v: v * v * v, -2, 2),
    "pow -1": (lambda x: x**-1, lambda v: 1 / v, 0.3, 3),
    "pow -2.5": (lambda x: x**-2.5, lambda v: math.exp(-2.5 * math.log(v)), 0.3, 3),
    "2 pow x": (lambda x: 2**x, lambda v: math.exp(v * math.log(2)), -2, 2),
    "1 / x": (lambda x: 1 / x, lambda v: 1 / v, 0.3, 3),
    "3 - x": (lambda x: 3 - x, lambda v: 3 - v, -3, 3),
}
BINARY = {
    "add": (minigan.add, operator.add, -3, 3),
    "sub": (minigan.sub, operator.sub, -3, 3),
    "mul": (minigan.mul, operator.mul, -3, 3),
    "div": (minigan.div, operator.truediv, 0.3, 3),
    "pow": (minigan.pow, lambda a, b: math.exp(b * math.log(a)), 0.3, 3),
    "add alpha": (lambda a, b: minigan.add(a, b, alpha=2.5), lambda a, b: a + 2.5 * b, -3, 3),
    "sub alpha": (lambda a, b: minigan.sub(a, b, alpha=-2), lambda a, b: a + 2 * b, -3, 3),
}
TABLE = [(name, 1, *row) for name, row in UNARY.items()]
TABLE += [(name, 2, *row) for name, row in BINARY.items()]
EVERY = pytest.mark.parametrize(
    ("count", "f", "one", "low", "high"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)


def element_by_element(one, *operands):
    shape = np.broadcast_shapes(*[x.shape for x in operands])
    spread = [np.broadcast_to(x, shape) for x in operands]
    result = np.empty(shape)
    for index in np.ndindex(shape):
        result[index] = one(*[float(x[index]) for x in spread])
    return result


@EVERY
@given(data=st.data())
def test_values_are_those_of_the_formula_and_operands_broadcast(count, f, one, low, high, data):
    operands = data.draw(broadcasting_arrays(count, low=low, high=high))
    before = [x.copy() for x in operands]
    found = f(*map(minigan.from_numpy, operands))
    expected = element_by_element(one, *operands)
    assert found.shape == expected.shape
    assert_allclose(found.numpy(), expected, rtol=1e-14)
    for x, old in zip(operands, before, strict=True):
        assert_array_equal(x, old)


@EVERY
@settings(max_examples=12)
@given(data=st.data())
def test_gradients_are_right_to_order_3_through_every_broadcast(count, f, one, low, high, data):
    operands = data.draw(broadcasting_arrays(count, low=low, high=high))
    report = gradcheck(f, *operands, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


@pytest.mark.parametrize("number", [2, 0.5, np.float64(0.5), np.float32(0.5), np.int64(3)])
@pytest.mark.parametrize(
    "operation",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow],
    ids=lambda f: f.__name__,
)
def test_python_and_numpy_numbers_on_either_side(operation, number):
    x = numbers(0, (2, 3), 0.5, 2)
    for a, b in ((tensor(x), number), (number, tensor(x))):
        plain = [v.numpy() if isinstance(v, minigan.Tensor) else float(v) for v in (a, b)]
        found = operation(a, b)
        assert isinstance(found, minigan.Tensor)
        assert_allclose(found.numpy(), operation(*plain), rtol=1e-15)


def test_numpy_arrays_count_as_tensors_on_either_side():
    x, y = tensor([1.0, 2.0], dtype="float64"), np.array([10.0, 20.0])
    assert_array_equal((x + y).numpy(), [11, 22])
    assert_array_equal((y - x).numpy(), [9, 18])
    assert_array_equal((y / x).numpy(), [10, 10])


# ------------------------------------------------------------------------------ powers at zero


@pytest.mark.parametrize(
    ("a", "b", "ga", "gb"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 0.0),
        (2.0, 0.0, 0.0, math.log(2)),
        (-2.0, 2.0, -4.0, math.nan),
        (-2.0, 3.0, 12.0, math.nan),
    ],
)
def test_the_gradient_of_a_power_where_the_logarithm_or_the_quotient_has_a_pole(a, b, ga, gb):
    base, exponent = (tensor(v, dtype="float64", requires_grad=True) for v in (a, b))
    with np.errstate(invalid="ignore"):
        found = grad(base**exponent, (base, exponent))
    assert_array_equal([g.item() for g in found], [ga, gb])
    assert grad(base**b, base)[0].item() == ga
    with np.errstate(invalid="ignore"):
        assert_array_equal(grad(a**exponent, exponent)[0].numpy(), gb)


def test_zero_to_a_negative_power_is_infinite_and_falls_infinitely_fast():
    exponent = tensor(-1.0, dtype="float64", requires_grad=True)
    with np.errstate(divide="ignore"):
        (g,) = grad(0.0**exponent, exponent)
    assert g.item() == -math.inf


def test_mixed_derivatives_of_a_power_exist_where_the_exponent_is_zero():
    """∂²(a^b)/∂a∂b = a^(b-1)·(1 + b·ln a), which is 1/a at b = 0."""
    a, b = (tensor(v, dtype="float64", requires_grad=True) for v in (4.0, 0.0))
    (ga,) = grad(a**b, a, create_graph=True)
    assert grad(ga, b)[0].item() == 0.25
    (gb,) = grad(a**b, b, create_graph=True)
    assert grad(gb, a)[0].item() == 0.25


@pytest.mark.parametrize("power", [0, 1, 2, 3, 0.0, 1.0, 2.0])
def test_powers_of_zero_and_of_negative_numbers_have_exact_derivatives(power):
    for value in (0.0, -1.5):
        x = tensor(value, dtype="float64", requires_grad=True)
        y, expected, factor = x**power, value**power, 1.0
        for k in range(4):
            assert y.item() == expected
            factor *= power - k
            left = power - k - 1
            expected = factor * value**left if factor else 0.0
            if not y.requires_grad:  # a constant by now
                break
            (y,) = grad(y, x, create_graph=True)
        assert k == 3 or factor == 0


def test_integers_have_no_negative_powers():
    with pytest.raises(RuntimeError, match="integers to negative integer powers"):
        tensor([1, 2]) ** -1
    assert_array_equal((tensor([1, 2]) ** -1.0).numpy(), [1, 0.5])
    assert_array_equal((tensor([3, -2]) ** 3).numpy(), [27, -8])


# ------------------------------------------------------------------------------ extremes


def test_sigmoid_and_softplus_neither_overflow_nor_lose_their_tails():
    """No warning (warnings are errors here), and values right to rounding in the tails."""
    x = tensor([-1000.0, -100.0, -40.0, 0.0, 40.0, 1000.0], dtype="float64")
    tails = [0.0, math.exp(-100), math.exp(-40), 0.5, 1.0, 1.0]
    assert_allclose(minigan.sigmoid(x).numpy(), tails, rtol=1e-15)
    linear = [0.0, math.exp(-100), math.exp(-40), math.log(2), 40.0, 1000.0]
    assert_allclose(softplus(x).numpy(), linear, rtol=1e-15)
    infinite = tensor([-math.inf, math.inf])
    assert_array_equal(minigan.sigmoid(infinite).numpy(), [0, 1])
    assert_array_equal(softplus(infinite).numpy(), [0, math.inf])
    assert_array_equal(minigan.tanh(tensor([-1000.0, 1000.0])).numpy(), [-1, 1])
    assert minigan.exp(tensor(-1000.0)).item() == 0


def test_gradients_at_the_extremes_are_finite_to_order_3():
    x = tensor([-1000.0, 1000.0], dtype="float64", requires_grad=True)
    for f, slope in ((minigan.sigmoid, [0, 0]), (softplus, [0, 1]), (minigan.tanh, [0, 0])):
        (g,) = grad(f(x).sum(), x, create_graph=True)
        assert_array_equal(g.detach().numpy(), slope)
        for _ in range(2):
            (g,) = grad(g.sum(), x, create_graph=True)
            assert_array_equal(g.detach().numpy(), [0, 0])


@pytest.mark.parametrize("beta", [1.0, 0.5, 3, np.float64(2)])
def test_softplus_with_beta_is_linear_beyond_the_threshold(beta):
    x = numbers(0, (4, 5), -3, 3)
    expected = [math.log1p(math.exp(beta * v)) / beta for v in x.ravel()]
    assert_allclose(softplus(tensor(x), beta).numpy().ravel(), expected, rtol=1e-13)
    assert softplus(tensor(5.0), beta, threshold=4.9 * beta).item() == 5.0
    gradcheck(lambda x: softplus(x, beta, 2.0), x, order=3, probes=1)


def test_nan_goes_through_every_function():
    x = tensor(math.nan)
    for f in (minigan.sigmoid, softplus, minigan.tanh, minigan.exp, minigan.relu, minigan.abs):
        assert math.isnan(f(x).item())


# ------------------------------------------------------------------------------ shapes, memory


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "eq", "lt", "where"])
def test_shapes_that_do_not_broadcast_are_a_runtime_error(name):
    a, b = minigan.ones(2, 3), minigan.ones(4)
    f = getattr(minigan, name)
    with pytest.raises(
        RuntimeError, match=rf"{name}: shapes .*\(2, 3\) and \(4,\) do not broadcas"
    ):
        f(a > 0, a, b) if name == "where" else f(a, b)


@pytest.mark.parametrize("operation", [operator.add, operator.mul, operator.matmul, operator.lt])
def test_what_is_no_number_is_a_type_error(operation):
    with pytest.raises(TypeError):
        operation(minigan.ones(2), "2")
    with pytest.raises(TypeError):
        operation(minigan.ones(2), None)


def test_two_plain_numbers_are_a_type_error():
    with pytest.raises(TypeError, match="add: expected at least one Tensor, got only numbers"):
        minigan.add(1, 2.0)


CHANNELS_LAST = [
    lambda x: x + 1,
    lambda x: 2 * x - x / 3,
    lambda x: x + minigan.ones(1, 3, 1, 1),
    minigan.sigmoid,
    softplus,
    minigan.relu,
    lambda x: minigan.nn.functional.leaky_relu(x, 0.2),
    lambda x: minigan.where(x > 0, x, 0),
    lambda x: minigan.clamp(x, -1, 1),
    minigan.abs,
    lambda x: x**3,
    lambda x: x.clone(),
    lambda x: x.to("float64"),
    lambda x: minigan.batch_norm(x, training=True),
]


@pytest.mark.parametrize("f", CHANNELS_LAST)
def test_the_order_of_memory_is_kept_forward_and_backward(f):
    """NHWC memory in, NHWC memory out: convolutions need no copies in between."""
    memory = numbers(0, (2, 4, 5, 3), dtype=np.float32).transpose(0, 3, 1, 2)
    x = minigan.from_numpy(memory).requires_grad_()
    y = f(x)
    assert y.array.transpose(0, 2, 3, 1).flags.c_contiguous
    seed = in_layout(np.ones(y.shape, np.float32), "contiguous").transpose(0, 2, 3, 1)
    seed = np.ascontiguousarray(seed).transpose(0, 3, 1, 2)
    (g,) = grad(y, x, minigan.from_numpy(seed))
    assert g.array.transpose(0, 2, 3, 1).flags.c_contiguous


@given(arrays(min_dims=1))
def test_square_is_the_product_with_itself(x):
    assert_array_equal(minigan.square(tensor(x)).numpy(), x * x)
