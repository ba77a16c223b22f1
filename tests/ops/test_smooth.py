"""More smooth functions: values from the math module, gradients to the third order, tails."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.smooth import LogisticLoss, cos, erf, expm1, log1p, reciprocal, rsqrt, sin

# name: the function, the same of one number, its derivative, the interval arguments come from
FUNCTIONS = {
    "expm1": (expm1, math.expm1, math.exp, -3, 3),
    "log1p": (log1p, math.log1p, lambda v: 1 / (1 + v), -0.9, 3),
    "sin": (sin, math.sin, math.cos, -7, 7),
    "cos": (cos, math.cos, lambda v: -math.sin(v), -7, 7),
    "erf": (erf, math.erf, lambda v: 2 / math.sqrt(math.pi) * math.exp(-v * v), -3, 3),
    "rsqrt": (rsqrt, lambda v: 1 / math.sqrt(v), lambda v: -0.5 * v**-1.5, 0.2, 4),
    "reciprocal": (reciprocal, lambda v: 1 / v, lambda v: -1 / v**2, 0.2, 4),
}
EVERY = pytest.mark.parametrize(
    ("f", "one", "slope", "low", "high"), FUNCTIONS.values(), ids=FUNCTIONS
)


def each(one, x):
    return np.array([one(float(v)) for v in x.ravel()]).reshape(x.shape)


@EVERY
@given(data=st.data())
def test_values_and_slopes_are_those_of_the_formula(f, one, slope, low, high, data):
    x = data.draw(arrays(low=low, high=high))
    t = minigan.from_numpy(x).requires_grad_()
    y = f(t)
    assert y.shape == x.shape
    assert_allclose(y.detach().numpy(), each(one, x), rtol=2e-15, atol=1e-16)
    assert_allclose(grad(y.sum(), t)[0].numpy(), each(slope, x), rtol=2e-15, atol=1e-15)


@EVERY
@settings(max_examples=12)
@given(data=st.data())
def test_gradients_are_right_to_order_3(f, one, slope, low, high, data):
    report = gradcheck(f, data.draw(arrays(low=low, high=high)), order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


def test_expm1_and_log1p_lose_nothing_near_zero():
    x = tensor([1e-20, -1e-12, 1e-8, 0.0], dtype="float64")
    assert_allclose(expm1(x).numpy(), [1e-20, -1e-12 + 5e-25, 1e-8 + 5e-17, 0], rtol=1e-15)
    assert_allclose(log1p(x).numpy(), [1e-20, -1e-12 - 5e-25, 1e-8 - 5e-17, 0], rtol=1e-15)


def test_tails_are_reached_without_overflow():
    """No warning (warnings are errors here), and gradients of 0 to order 3 where it is flat."""
    x = tensor([-1e4, -40.0, 40.0, 1e4], dtype="float64", requires_grad=True)
    assert expm1(x[:2]).tolist() == [-1, -1]
    g = erf(x)
    assert g.tolist() == [-1, -1, 1, 1]
    for _ in range(3):
        (g,) = grad(g.sum(), x, create_graph=True)
        assert_array_equal(g.detach().numpy(), 0)


def test_poles_are_infinite_on_the_side_they_are_approached_from():
    x = tensor([0.0, -0.0], dtype="float64", requires_grad=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert reciprocal(x).tolist() == rsqrt(x).tolist() == [math.inf, -math.inf]
        assert log1p(tensor(-1.0)).item() == -math.inf
        assert grad(rsqrt(x[0]), x)[0][0].item() == -math.inf
        assert math.isnan(rsqrt(tensor(-1.0)).item()) and math.isnan(log1p(tensor(-2.0)).item())


@EVERY
def test_nan_goes_through(f, one, slope, low, high):
    assert math.isnan(f(tensor(math.nan)).item())


@EVERY
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_float_stays_the_float_it_is_and_so_does_its_gradient(f, one, slope, low, high, dtype):
    array = in_layout(numbers(0, (3, 4), 0.2, 0.9, dtype), "strided")
    x = minigan.from_numpy(array).requires_grad_()
    y = f(x)
    (g,) = grad(y.sum(), x, create_graph=True)
    (h,) = grad(g.sum(), x)
    assert {y.dtype, g.dtype, h.dtype} == {np.dtype(dtype)}
    assert f(x[0, 0]).dtype == dtype
    assert_allclose(y.detach().numpy(), each(one, array), rtol=4 * np.finfo(dtype).eps)


@EVERY
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_integers_become_the_default_float(f, one, slope, low, high, dtype):
    found = f(tensor(np.array([1, 1, 1], dtype)))
    assert found.dtype == np.float32
    assert_allclose(found.numpy(), one(1.0), rtol=1e-6)


@EVERY
def test_what_is_no_tensor_is_a_type_error(f, one, slope, low, high):
    for value in (0.5, [0.5], None, "x"):
        with pytest.raises(
            TypeError, match=rf"{f.__name__}: expected a Tensor, got {type(value).__name__}"
        ):
            f(value)


@pytest.mark.parametrize("f", [expm1, rsqrt], ids=["expm1", "rsqrt"])
def test_what_the_gradient_reads_is_one_array(f):
    """The output alone: the input's memory may go."""
    y = f(minigan.ones(3, requires_grad=True) * 2)
    assert y.node.output is not None
    assert not any(isinstance(s, minigan.Tensor) for s in y.node.saved)


@pytest.mark.parametrize("shape", [(), (0, 3), (4, 5)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize(
    "f",
    [
        minigan.tanh,
        minigan.sigmoid,
        lambda x: LogisticLoss()(x, abs(x.detach()), abs(x.detach() + 1)),
    ],
    ids=["tanh", "sigmoid", "logistic"],
)
def test_a_gradient_that_is_not_recorded_has_the_bits_of_one_that_is(f, dtype, shape):
    """It is computed from arrays in one go."""
    x = tensor(numbers(0, shape, dtype=dtype), requires_grad=True)
    g = tensor(numbers(1, shape, dtype=dtype))
    (plain,), (recorded,) = (grad(f(x), x, g, create_graph=create) for create in (False, True))
    assert recorded.requires_grad and not plain.requires_grad
    assert type(plain.array) is np.ndarray and plain.dtype == x.dtype
    assert_array_equal(plain.numpy(), recorded.detach().numpy())
