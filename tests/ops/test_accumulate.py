"""Running sums, products, deviations and norms: written-out sums, zeros, ties and empty inputs."""

import math
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.accumulate import cumsum, norm, prod, std

P = [0, 0.5, 1, 1.5, 2, 3, inf, -inf, -1, -2.5, "fro"]


@st.composite
def reductions(draw, **limits):
    """An array, some of its dimensions (None, one, several; from either end), keepdim."""
    x = draw(arrays(**limits))
    dims = draw(st.lists(st.integers(0, max(x.ndim - 1, 0)), unique=True, max_size=x.ndim))
    dims = tuple(d - x.ndim * draw(st.booleans()) for d in dims)
    dim = None if not dims else dims[0] if len(dims) == 1 and draw(st.booleans()) else dims
    return x, dim, draw(st.booleans())


def reduced(one, x, dim, keepdim):
    """``one`` (a function of a list of numbers) over ``dim``, written out."""
    dims = range(x.ndim) if dim is None else {d % x.ndim for d in np.atleast_1d(dim)}
    kept = [d for d in range(x.ndim) if d not in dims]
    result = np.empty([x.shape[d] for d in kept])
    for place in np.ndindex(result.shape):
        index = dict(zip(kept, place, strict=True))
        cut = x[tuple(index.get(d, slice(None)) for d in range(x.ndim))]
        result[place] = one([float(v) for v in cut.ravel()])
    return (
        result.reshape([1 if d in dims else n for d, n in enumerate(x.shape)])
        if keepdim
        else result
    )


def p_norm(p):
    def of(values):
        sizes = [abs(v) for v in values]
        if p in (inf, -inf):
            return max(sizes) if p > 0 else min(sizes)
        if p == 0:
            return float(sum(v != 0 for v in sizes))
        order = 2 if p == "fro" else p
        if order < 0 and 0 in sizes:
            return 0.0
        total = math.fsum(v**order for v in sizes)
        return total ** (1 / order) if total else 0.0

    return of


def deviation(correction):
    def of(values):
        n = len(values)
        mean = math.fsum(values) / n if n else math.nan
        degrees = max(n - correction, 0)
        squares = math.fsum((v - mean) ** 2 for v in values)
        return math.sqrt(squares / degrees) if degrees else math.inf if squares else math.nan

    return of


@given(arrays(), st.data())
def test_cumsum_is_the_sum_of_everything_up_to_an_entry(x, data):
    dim = data.draw(st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1))
    found = cumsum(minigan.from_numpy(x), dim).numpy()
    assert found.shape == x.shape
    for i in range(x.shape[dim] if x.ndim else 0):
        expected = np.take(x, range(i + 1), dim).sum(dim)
        assert_allclose(np.take(found, i, dim), expected, rtol=1e-13, atol=1e-13)
    if not x.ndim:
        assert found == x


@given(reductions())
def test_prod_multiplies_everything_over_the_dimensions(drawn):
    x, dim, keepdim = drawn
    found = prod(minigan.from_numpy(x), dim, keepdim).numpy()
    assert_allclose(found, reduced(math.prod, x, dim, keepdim), rtol=1e-13)


@pytest.mark.parametrize("p", P)
@settings(max_examples=20)
@given(drawn=reductions(min_side=1), zeros=st.booleans())
def test_norm_is_the_pth_root_of_the_sum_of_pth_powers(p, drawn, zeros):
    x, dim, keepdim = drawn
    x = np.where(np.abs(x) < 0.7, 0, x) if zeros else x
    found = norm(minigan.from_numpy(x), p, dim, keepdim).numpy()
    assert_allclose(found, reduced(p_norm(p), x, dim, keepdim), rtol=1e-12)


@given(reductions(), st.sampled_from([0, 1, 2, 0.5]))
def test_std_is_the_root_of_the_mean_square_deviation(drawn, correction):
    x, dim, keepdim = drawn
    with np.errstate(all="ignore"):
        found = std(minigan.from_numpy(x), dim, correction=correction, keepdim=keepdim).numpy()
    assert_allclose(found, reduced(deviation(correction), x, dim, keepdim), rtol=1e-7, atol=1e-15)


# ------------------------------------------------------------------------------ gradients


@settings(max_examples=15)
@given(reductions(min_side=1), st.sampled_from([0, 1, 2, 3, 9]))
def test_prod_is_right_to_order_3_with_no_one_two_and_many_zeros(drawn, zeros):
    x, dim, keepdim = drawn
    x = x.copy()
    x.ravel()[np.random.default_rng(0).permutation(x.size)[:zeros]] = 0
    report = gradcheck(lambda x: prod(x, dim, keepdim) + x.exp().sum(), x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


def test_the_gradient_of_a_product_is_the_product_of_the_others():
    """By hand, with zeros; of any length, also where a table of n × n would not fit in memory."""
    for values in ([2.0], [2.0, 3.0, 5.0], [2.0, 0.0, 5.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]):
        x = tensor(values, dtype="float64", requires_grad=True)
        others = [math.prod(values[:i] + values[i + 1 :]) for i in range(len(values))]
        assert grad(prod(x), x)[0].tolist() == others
    x = minigan.ones(300_001, requires_grad=True)
    with minigan.no_grad():
        x[7].mul_(0.0), x[7:8].zero_()
    (g,) = grad(prod(x), x)
    assert g[7].item() == 1 and g.sum().item() == 1


@settings(max_examples=15)
@given(arrays(min_dims=1), st.data())
def test_cumsum_is_right_to_order_3(x, data):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    report = gradcheck(lambda x: cumsum(x, dim) ** 3, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


@pytest.mark.parametrize("p", P)
@settings(max_examples=8)
@given(drawn=reductions(min_side=1, min_dims=1))
def test_norm_is_right_to_order_3_away_from_zero(p, drawn):
    x, dim, keepdim = drawn
    x = x + np.sign(x) * 0.3 * np.random.default_rng(1).uniform(1, 2, x.shape)  # no ties either
    report = gradcheck(lambda x: norm(x, p, dim, keepdim).exp(), x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


@settings(max_examples=15)
@given(reductions(min_side=2, min_dims=1), st.sampled_from([0, 1]))
def test_std_is_right_to_order_3(drawn, correction):
    x, dim, keepdim = drawn
    x = x + np.random.default_rng(1).uniform(0, 1, x.shape)  # not constant along any dimension
    report = gradcheck(
        lambda x: std(x, dim, correction=correction, keepdim=keepdim).exp(), x, order=3, probes=1
    )
    assert all(row.method == "complex" for row in report.rows)


@pytest.mark.parametrize("p", P)
def test_the_gradient_of_a_norm_at_zero_is_zero(p):
    """Of the whole at the origin, to order 3, and where only one coordinate is 0."""
    x = tensor([[0.0, 0.0], [0.0, 3.0]], dtype="float64", requires_grad=True)
    y = norm(x, p, dim=1)
    with_a_zero = {0: 1, -inf: 0, -1: 0, -2.5: 0}.get(p, 3)
    assert_allclose(y.detach().numpy(), [0, with_a_zero], rtol=1e-15)
    (g,) = grad(y.sum(), x, create_graph=True)
    assert_allclose(g.detach().numpy(), [[0, 0], [0, float(with_a_zero == 3)]], rtol=1e-15)
    for _ in range(2):
        if g.requires_grad:
            (g,) = grad(g.sum(), x, create_graph=True, allow_unused=True, materialize_grads=True)
            assert_array_equal(g.detach().numpy()[0], 0)


def test_the_deviation_of_a_constant_is_zero_and_so_is_its_gradient():
    x = tensor(np.full((3, 4), 2.5), requires_grad=True)
    y = std(x, 0)
    assert_array_equal(y.detach().numpy(), 0)
    (g,) = grad(y.sum(), x, create_graph=True)
    assert_array_equal(g.detach().numpy(), 0)
    assert_array_equal(grad(g.sum(), x)[0].numpy(), 0)


def test_infinity_norms_share_the_gradient_among_ties():
    x = tensor([2.0, -2.0, 1.0, -1.0], requires_grad=True)
    assert grad(norm(x, inf), x)[0].tolist() == [0.5, -0.5, 0, 0]
    assert grad(norm(x, -inf), x)[0].tolist() == [0, 0, 0.5, -0.5]


# ------------------------------------------------------------------------------ dtypes, errors


def test_integers_and_booleans_add_up_and_multiply_in_int64():
    for dtype in ("bool", "uint8", "int32", "int64"):
        x = tensor(np.array([[1, 1], [1, 0]], dtype))
        for y in (cumsum(x, 0), prod(x), prod(x, 1, keepdim=True)):
            assert y.dtype == np.int64
        assert cumsum(x, 0).tolist() == [[1, 1], [2, 1]] and prod(x, 1).tolist() == [1, 0]
    big = tensor(np.full(3, 200, "uint8"))
    assert prod(big).item() == 8_000_000 and cumsum(big, 0).tolist() == [200, 400, 600]
    assert prod(big, dtype="uint8").item() == 8_000_000 % 256
    assert cumsum(big, 0, dtype="uint8").tolist() == [200, 144, 88]
    assert cumsum(big, 0, dtype="uint8").dtype == np.uint8
    assert prod(big, dtype="int32").dtype == np.int32
    assert cumsum(big, 0, dtype="float64").dtype == prod(big, dtype="float64").dtype == np.float64


@pytest.mark.parametrize("layout", ["contiguous", "strided"])
def test_float32_stays_float32(layout):
    x = tensor(in_layout(numbers(0, (3, 4), dtype=np.float32), layout), requires_grad=True)
    functions = [lambda x, p=p: norm(x, p, 0) for p in P]
    for f in (*functions, std, prod, lambda x: cumsum(x, 1), lambda x: std(x, 0, correction=0.5)):
        y = f(x)
        assert y.dtype == np.float32 and grad(y.sum(), x)[0].dtype == np.float32
    assert norm(x, dtype="float64").dtype == np.float64


def test_of_no_elements():
    empty = minigan.zeros(2, 0, 3)
    assert prod(empty).item() == 1 and prod(empty, 1).tolist() == [[1] * 3] * 2
    assert cumsum(empty, 0).shape == (2, 0, 3)
    assert [norm(empty, p).item() for p in (0, 1, 2, 3)] == [0] * 4
    assert norm(empty, inf, 0).shape == (0, 3) and norm(empty, -1, 2).shape == (2, 0)


F, N = minigan.ones(2, 3), minigan.ones(2, dtype="int64")
ERRORS = [
    (lambda: norm(N), RuntimeError, "norm: expected a float tensor, got int64"),
    (lambda: std(N), RuntimeError, "std: expected a float tensor, got int64"),
    (lambda: std(F, 2), IndexError, "std: dimension out of range"),
    (lambda: norm(F, "nuc"), RuntimeError, """norm: p must be a number or "fro", got 'nuc'"""),
    (lambda: norm(F[:0], inf), RuntimeError, r"no inf-norm of no elements \(shape \(0, 3\)\)"),
    (lambda: norm(F[:0], -inf, 0), RuntimeError, "no -inf-norm of no elements"),
    (lambda: norm(F[:0], -1), RuntimeError, "no -1-norm of no elements"),
    (lambda: norm(F, 2, (0, -2)), RuntimeError, "norm: a dimension appears more than once"),
    (lambda: prod(F, -3), IndexError, "prod: dimension out of range"),
    (lambda: cumsum(F, 2), IndexError, "cumsum: dimension out of range"),
    (lambda: cumsum(np.ones(2), 0), TypeError, "cumsum: expected a Tensor, got ndarray"),
    (lambda: norm(1.0), TypeError, "norm: expected a Tensor, got float"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
