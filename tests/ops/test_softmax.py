"""softmax, log_softmax, logsumexp: the definitions, extremes of ±10⁴ and ±inf, dtypes, errors."""

import math
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.softmax import log_softmax, logsumexp, softmax

BOTH = pytest.mark.parametrize("f", [softmax, log_softmax])


def rows(x, dim):
    """Where each row along ``dim`` stands, and its numbers."""
    moved = np.moveaxis(x, dim, -1)
    for place in np.ndindex(moved.shape[:-1]):
        yield place, [float(v) for v in moved[place]]


@given(arrays(min_dims=1), st.data())
def test_softmax_is_the_share_of_each_exponential(x, data):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    shares = np.moveaxis(softmax(minigan.from_numpy(x), dim).numpy(), dim, -1)
    logs = np.moveaxis(log_softmax(minigan.from_numpy(x), dim).numpy(), dim, -1)
    for place, row in rows(x, dim):
        total = math.fsum(map(math.exp, row))
        assert_allclose(shares[place], [math.exp(v) / total for v in row], rtol=1e-13)
        assert_allclose(logs[place], [v - math.log(total) for v in row], rtol=1e-13, atol=1e-14)


@given(arrays(), st.data(), st.booleans())
def test_logsumexp_is_what_it_says_over_any_dimensions(x, data, keepdim):
    dims = data.draw(st.lists(st.integers(0, max(x.ndim - 1, 0)), unique=True, max_size=x.ndim))
    axes = tuple(dims) or tuple(range(x.ndim))
    dim = dims[0] if len(dims) == 1 else tuple(d - x.ndim for d in dims)
    with np.errstate(divide="ignore"):
        expected = np.log(np.exp(x).sum(axes, keepdims=keepdim))  # -inf of nothing
    found = logsumexp(minigan.from_numpy(x), dim, keepdim).numpy()
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


@BOTH
@settings(max_examples=15)
@given(x=arrays(min_dims=1), data=st.data())
def test_gradients_are_right_to_order_3(f, x, data):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    report = gradcheck(lambda x: f(x, dim).exp() * x, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


@settings(max_examples=15)
@given(arrays(min_side=1), st.data(), st.booleans())
def test_gradients_of_logsumexp_are_right_to_order_3(x, data, keepdim):
    dims = tuple(data.draw(st.lists(st.integers(0, x.ndim - 1), unique=True)) if x.ndim else ())
    report = gradcheck(lambda x: (logsumexp(x, dims, keepdim) * 0.3).exp(), x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


def test_a_number_alone_is_all_there_is():
    x = tensor(3.0, requires_grad=True)
    assert softmax(x, 0).item() == 1 and log_softmax(x, -1).item() == 0
    assert logsumexp(x, 0).item() == 3 and logsumexp(x, 0, keepdim=True).shape == ()
    assert grad(softmax(x, 0), x)[0].item() == 0 and grad(logsumexp(x, 0), x)[0].item() == 1


# ------------------------------------------------------------------------------ stability


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_at_ten_thousand_nothing_overflows_and_nothing_is_lost(dtype):
    """No warning either (warnings are errors here); gradients are finite to order 3."""
    x = tensor([[1e4, -1e4, 0.0], [-1e4] * 3, [1e4, 1e4, -1e4]], dtype=dtype, requires_grad=True)
    ln2, ln3 = math.log(2), math.log(3)
    expected = {
        softmax: [[1, 0, 0], [1 / 3] * 3, [0.5, 0.5, 0]],
        log_softmax: [[0, -2e4, -1e4], [-ln3] * 3, [-ln2, -ln2, -2e4 - ln2]],
        logsumexp: [1e4, ln3 - 1e4, 1e4 + ln2],
    }
    for f, values in expected.items():
        y = f(x, 1)
        assert_allclose(y.detach().numpy(), values, rtol=1e-6)
        weights = tensor(numbers(0, y.shape, dtype=dtype))
        (g,) = grad((y * weights).sum(), x, create_graph=True)
        for _ in range(2):
            (g,) = grad((g * x).sum(), x, create_graph=True)
            assert np.isfinite(g.detach().numpy()).all()
    assert_allclose(grad(logsumexp(x, 1).sum(), x)[0].numpy(), expected[softmax], rtol=1e-6)


def test_entries_of_minus_infinity_have_no_share_and_no_gradient():
    """This is how positions are masked."""
    x = tensor([[-inf, 0.0, 1.0], [2.0, -inf, -inf]], dtype="float64", requires_grad=True)
    e = math.e
    shares = [[0, 1 / (1 + e), e / (1 + e)], [1, 0, 0]]
    assert_allclose(softmax(x, 1).detach().numpy(), shares, rtol=1e-15)
    assert_allclose(np.exp(log_softmax(x, 1).detach().numpy()), shares, rtol=1e-15)
    assert_allclose(logsumexp(x, 1).detach().numpy(), [math.log(1 + e), 2], rtol=1e-15)
    assert_allclose(grad(logsumexp(x, 1).sum(), x)[0].numpy(), shares, rtol=1e-15)
    weights = tensor([[0.0, 3.0, 5.0], [7.0, 0.0, 0.0]], dtype="float64")
    for f in (softmax, lambda x, dim: log_softmax(x, dim).exp()):
        (g,) = grad((f(x, 1) * weights).sum(), x, create_graph=True)
        p, q = shares[0][1:]
        assert_allclose(g.detach().numpy(), [[0, -2 * p * q, 2 * p * q], [0, 0, 0]], atol=1e-15)
        assert np.isfinite(grad(g[0].sum(), x)[0].numpy()).all()


def test_of_nothing_but_minus_infinity_the_sum_is_zero_and_shares_are_undefined():
    """ln 0 = -inf, without a warning and with a gradient of 0; 0/0 is NaN."""
    x = tensor([[-inf, -inf], [0.0, 0.0]], dtype="float64", requires_grad=True)
    y = logsumexp(x, 1)
    assert y.tolist() == [-inf, math.log(2)]
    (g,) = grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [[0, 0], [0.5, 0.5]]
    assert grad(g[:, 0].sum(), x)[0].tolist() == [[0, 0], [0.25, -0.25]]
    with np.errstate(invalid="ignore"):
        for f in (softmax, log_softmax):
            assert np.isnan(f(x, 1).detach().numpy()).tolist() == [[True] * 2, [False] * 2]


def test_infinity_and_nan_spoil_their_row_only():
    x = tensor([[inf, 0.0], [nan, 0.0], [0.0, 0.0]])
    assert_array_equal(logsumexp(x, 1).numpy()[:2], np.float32([inf, nan]))
    with np.errstate(invalid="ignore"):
        for f in (softmax, log_softmax):
            assert np.isnan(f(x, 1).numpy()).all(1).tolist() == [True, True, False]


# ------------------------------------------------------------------------------ dtypes, errors


def test_dtypes_are_kept_integers_become_floats_and_dtype_is_taken_first():
    for dtype in ("float16", "float32", "float64"):
        array = in_layout(numbers(0, (3, 4), dtype=dtype), "transposed")
        x = minigan.from_numpy(array).requires_grad_()
        for y in (softmax(x, 0), log_softmax(x, 1), logsumexp(x, (0, 1))):
            assert y.dtype == grad(y.sum(), x)[0].dtype == dtype
    n = tensor([1, 2, 3])
    assert {f(n, 0).dtype for f in (softmax, log_softmax, logsumexp)} == {np.dtype("float32")}
    x = tensor([0.0, 1e-9], requires_grad=True)
    y = softmax(x, 0, dtype="float64")
    assert y.dtype == np.float64 and y[1].item() > 0.5
    assert grad(y.sum(), x)[0].dtype == np.float32


def test_of_no_elements():
    empty = minigan.zeros(2, 0)
    assert (
        softmax(empty, 0).shape == softmax(empty, 1).shape == log_softmax(empty, 1).shape == (2, 0)
    )
    assert logsumexp(empty, 1).tolist() == [-inf, -inf] and logsumexp(empty, 0).shape == (0,)


def test_the_gradient_of_softmax_reads_its_output_alone():
    for f in (softmax, log_softmax):
        y = f(minigan.ones(2, 3, requires_grad=True) * 2, 1)
        assert not any(isinstance(s, minigan.Tensor) for s in y.node.saved)


X = minigan.ones(2, 3)
ERRORS = [
    (lambda: softmax(X), TypeError, "softmax: expected dim, the dimension to normalise over"),
    (lambda: log_softmax(X, 2), IndexError, "log_softmax: dimension out of range"),
    (lambda: logsumexp(X, (0, -2)), RuntimeError, "logsumexp: a dimension appears more than once"),
    (lambda: logsumexp(X, -3), IndexError, "logsumexp: dimension out of range"),
    (lambda: softmax([1.0], 0), TypeError, "softmax: expected a Tensor, got list"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
