"""Activation functions: the formulas of one number, kinks, tails, weights by channel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, in_layout, numbers, shapes

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.activations import elu, gelu, hardtanh, logsigmoid, prelu, silu, softsign


def normal_cdf(v):
    return 0.5 * math.erfc(-v / math.sqrt(2))


def tanh_gelu(v):
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


# name: the function, the same of one number, its kinks
FUNCTIONS = {
    "elu": (elu, lambda v: v if v > 0 else math.expm1(v), []),
    "elu 0.4": (lambda x: elu(x, 0.4), lambda v: v if v > 0 else 0.4 * math.expm1(v), [0]),
    "silu": (silu, lambda v: v / (1 + math.exp(-v)), []),
    "gelu": (gelu, lambda v: v * normal_cdf(v), []),
    "gelu tanh": (lambda x: gelu(x, approximate="tanh"), tanh_gelu, []),
    "logsigmoid": (logsigmoid, lambda v: -math.log1p(math.exp(-v)), []),
    "hardtanh": (hardtanh, lambda v: min(max(v, -1.0), 1.0), [-1, 1]),
    "hardtanh 0 2": (lambda x: hardtanh(x, 0, 2), lambda v: min(max(v, 0.0), 2.0), [0, 2]),
    "softsign": (softsign, lambda v: v / (1 + abs(v)), [0]),
}
EVERY = pytest.mark.parametrize(("f", "one", "kinks"), FUNCTIONS.values(), ids=FUNCTIONS)


@EVERY
@given(x=arrays(low=-7, high=7))
def test_values_are_those_of_the_formula(f, one, kinks, x):
    found = f(minigan.from_numpy(x)).numpy()
    expected = np.array([one(float(v)) for v in x.ravel()]).reshape(x.shape)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@EVERY
@settings(max_examples=12)
@given(x=arrays(low=-3.5, high=3.5))
def test_gradients_are_right_to_order_3_beside_the_kinks(f, one, kinks, x):
    for kink in (0, *kinks):
        x = np.where(abs(x - kink) < 0.01, kink + 0.1, x)
    report = gradcheck(lambda x: f(x) * x, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


def slope_at(f, value):
    x = tensor(value, dtype="float64", requires_grad=True)
    return grad(f(x), x)[0].item()


def test_the_subgradient_at_a_kink_is_pytorchs():
    """elu and prelu: the left slope at 0; hardtanh: 0 on both limits, where clamp has 1."""
    assert slope_at(elu, 0.0) == 1 and slope_at(lambda x: elu(x, 0.4), 0.0) == 0.4
    assert slope_at(hardtanh, -1.0) == slope_at(hardtanh, 1.0) == 0
    assert slope_at(lambda x: hardtanh(x, -2, 1.5), 1.0) == 1
    assert slope_at(lambda x: minigan.clamp(x, -1, 1), 1.0) == 1
    assert slope_at(lambda x: prelu(x, tensor([0.25], dtype="float64")), 0.0) == 0.25
    assert slope_at(softsign, 0.0) == 1


FAR_OUT = {  # values and slopes at -1000 and 1000
    "elu": ([-1, 1000], [0, 1]),
    "silu": ([0, 1000], [0, 1]),
    "gelu": ([0, 1000], [0, 1]),
    "gelu tanh": ([0, 1000], [0, 1]),
    "logsigmoid": ([-1000, 0], [1, 0]),
    "hardtanh": ([-1, 1], [0, 0]),
}


@pytest.mark.parametrize("name", FAR_OUT)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_out_nothing_overflows_and_all_derivatives_are_exact(name, dtype):
    """No warning either (warnings are errors here)."""
    x = tensor([-1000.0, 1000.0], dtype=dtype, requires_grad=True)
    (values, slopes), y = FAR_OUT[name], FUNCTIONS[name][0](x)
    assert_array_equal(y.detach().numpy(), values)
    (g,) = grad(y.sum(), x, create_graph=True)
    assert_array_equal(g.detach().numpy(), slopes)
    for _ in range(2):
        if g.requires_grad:
            (g,) = grad(g.sum(), x, create_graph=True, allow_unused=True, materialize_grads=True)
            assert_array_equal(g.detach().numpy(), 0)


def test_logsigmoid_keeps_its_tail():
    x = tensor([-1e4, 50.0, 700.0], dtype="float64")
    assert_allclose(logsigmoid(x).numpy(), [-1e4, -math.exp(-50), -math.exp(-700)], rtol=1e-14)


@EVERY
def test_nan_goes_through(f, one, kinks):
    assert math.isnan(f(tensor(math.nan)).item())


def test_infinities_go_to_their_limits():
    low, high = tensor(-math.inf), tensor(math.inf)
    for f, ends in ((elu, (-1, math.inf)), (logsigmoid, (-math.inf, 0)), (hardtanh, (-1, 1))):
        assert (f(low).item(), f(high).item()) == ends
    assert silu(high).item() == gelu(high).item() == math.inf


@EVERY
def test_floats_stay_what_they_are_forward_and_backward(f, one, kinks):
    for dtype in ("float16", "float32", "float64"):
        array = in_layout(numbers(0, (3, 4), dtype=dtype), "reversed")
        x = minigan.from_numpy(array).requires_grad_()
        y = f(x)
        assert y.dtype == grad(y.sum(), x)[0].dtype == dtype


@pytest.mark.parametrize("f", [elu, silu, gelu, logsigmoid, softsign])
def test_integers_become_the_default_float(f):
    for dtype in ("bool", "uint8", "int64"):
        assert f(tensor(np.array([0, 1], dtype))).dtype == np.float32


def test_hardtanh_keeps_integers():
    found = hardtanh(tensor([-5, 0, 5]), -2.0, 3.0)
    assert found.dtype == np.int64 and found.tolist() == [-2, 0, 3]
    assert hardtanh(tensor([1, 9], dtype="uint8"), 0, 6).tolist() == [1, 6]


# ------------------------------------------------------------------------------ prelu


@st.composite
def inputs_and_weights(draw):
    """An input and one weight, as a number or a vector, or one for each channel (dimension 1)."""
    shape = draw(shapes(max_dims=4))
    channels = shape[1] if len(shape) > 1 else 1
    weight = draw(st.sampled_from([(), (1,), (channels,)]))
    return draw(arrays(shape=shape)), draw(arrays(shape=weight))


@given(inputs_and_weights())
def test_prelu_takes_the_weight_of_the_channel(operands):
    x, weight = operands
    found = prelu(*map(minigan.from_numpy, operands)).numpy()
    assert found.shape == x.shape
    for place in np.ndindex(x.shape):
        slope = weight.ravel()[place[1] if weight.size > 1 else 0]
        assert found[place] == (x[place] if x[place] > 0 else x[place] * slope)


@settings(max_examples=15)
@given(inputs_and_weights())
def test_prelu_is_right_to_order_3_in_both_operands(operands):
    x, weight = operands
    x = np.where(abs(x) < 0.01, 0.1, x)
    report = gradcheck(lambda x, w: prelu(x, w) ** 3, x, weight, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


X = minigan.ones(2, 3)
ERRORS = [
    (lambda: prelu(X, minigan.ones(2)), RuntimeError, r"one per channel \(3\), got shape \(2,\)"),
    (
        lambda: prelu(X, minigan.ones(1, 3)),
        RuntimeError,
        r"one per channel \(3\), got shape \(1, 3",
    ),
    (lambda: prelu(X[0], minigan.ones(3)), RuntimeError, r"one per channel \(1\), got shape \(3,"),
    (lambda: prelu(X, 0.25), TypeError, "prelu: expected a Tensor, got float"),
    (lambda: gelu(X, "erf"), RuntimeError, 'approximate must be "none" or "tanh", got "erf"'),
    (lambda: hardtanh(X, 2, 1), ValueError, "hardtanh: min_val 2 is greater than max_val 1"),
    (lambda: hardtanh(X > 0), RuntimeError, "hardtanh: bool cannot hold the limits -1.0 and 1.0"),
    (lambda: hardtanh(tensor([1], dtype="uint8")), RuntimeError, "uint8 cannot hold the limits -1"),
    (lambda: elu(1.0), TypeError, "elu: expected a Tensor, got float"),
    (lambda: silu([1.0]), TypeError, "silu: expected a Tensor, got list"),
    (lambda: logsigmoid(None), TypeError, "logsigmoid: expected a Tensor, got NoneType"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
