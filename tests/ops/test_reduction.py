"""Sums, means, variances and tests of all or any element, over every choice of dimensions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, numbers

import minigan
from minigan import grad, gradcheck, tensor


@st.composite
def reductions(draw, **limits):
    """An array, a ``dim`` (None, an int or a tuple, negative or not) and keepdim."""
    x = draw(arrays(**limits))
    places = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.integers(-1, 0)
    several = st.lists(places, unique_by=lambda d: d % max(x.ndim, 1)).map(tuple)
    return x, draw(st.none() | places | several), draw(st.booleans())


def groups(x, dim, keepdim):
    """For every position of the result, the list of the elements that it is made of."""
    if dim is None or dim == ():
        dims = set(range(x.ndim))
    else:
        dims = {d % max(x.ndim, 1) for d in (dim if isinstance(dim, tuple) else (dim,))}
    kept = [d for d in range(x.ndim) if d not in dims]
    result = np.empty([x.shape[d] for d in kept], object)
    for index in np.ndindex(result.shape):
        result[index] = []
    for index in np.ndindex(x.shape):
        result[tuple(index[d] for d in kept)].append(float(x[index]))
    if keepdim:
        result = result.reshape([1 if d in dims else n for d, n in enumerate(x.shape)])
    return result


def each(function, lists):
    result = np.empty(lists.shape)
    for index in np.ndindex(lists.shape):
        result[index] = function(lists[index])
    return result


@settings(max_examples=100)
@given(reductions())
def test_sum_adds_the_elements_of_every_group(case):
    x, dim, keepdim = case
    expected = each(math.fsum, groups(x, dim, keepdim))
    for found in (
        minigan.sum(tensor(x), dim, keepdim),
        tensor(x).sum(axis=dim, keepdims=keepdim),
    ):
        assert found.shape == expected.shape
        assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)


@settings(max_examples=100)
@given(reductions(min_side=1))
def test_mean_and_var_of_every_group(case):
    x, dim, keepdim = case
    lists = groups(x, dim, keepdim)
    mean = each(lambda v: math.fsum(v) / len(v), lists)
    assert_allclose(minigan.mean(tensor(x), dim, keepdim).numpy(), mean, rtol=1e-12, atol=1e-14)

    def variance(v, correction):
        m = math.fsum(v) / len(v)
        return math.fsum((e - m) ** 2 for e in v) / (len(v) - correction)

    biased = each(lambda v: variance(v, 0), lists)
    found = minigan.var(tensor(x), dim, correction=0, keepdim=keepdim)
    assert_allclose(found.numpy(), biased, rtol=1e-12, atol=1e-14)
    if lists.size and len(lists.flat[0]) > 1:
        unbiased = each(lambda v: variance(v, 1), lists)
        found = minigan.var(tensor(x), dim, keepdim=keepdim)
        assert_allclose(found.numpy(), unbiased, rtol=1e-12, atol=1e-14)


@given(reductions())
def test_gradients_of_sums_to_order_3(case):
    x, dim, keepdim = case
    gradcheck(lambda x: minigan.sum(x, dim, keepdim) ** 3, x, order=3, probes=1)


@given(reductions(min_side=2))
def test_gradients_of_means_and_variances_to_order_3(case):
    x, dim, keepdim = case
    if x.ndim:
        gradcheck(lambda x: minigan.mean(x, dim, keepdim) ** 3, x, order=3, probes=1)
        gradcheck(lambda x: minigan.var(x, dim, keepdim=keepdim) ** 2, x, order=3, probes=1)


def test_unbiased_says_which_correction_in_all_of_pytorchs_forms():
    x = tensor(numbers(0, (3, 4)))
    for f in (minigan.var, minigan.std):
        for unbiased in (True, False):
            c = int(unbiased)
            for dim in (0, (0, 1), None):
                expected = f(x, dim, correction=c).numpy()
                assert_array_equal(f(x, dim, unbiased).numpy(), expected)
                assert_array_equal(f(x, dim=dim, unbiased=unbiased).numpy(), expected)
            assert f(x, unbiased).item() == f(x, unbiased=unbiased).item() == expected
            kept = f(x, 1, unbiased, True)
            assert kept.shape == (3, 1)
            assert_array_equal(kept.numpy(), f(x, 1, correction=c, keepdim=True).numpy())
            by_axis = x.var(axis=1, unbiased=unbiased, keepdims=True)
            assert_array_equal(by_axis.numpy(), x.var(1, unbiased, True).numpy())
        assert f(x).item() == f(x, correction=1).item() == f(x, correction=None).item()
        for call in (
            lambda f=f: f(x, True, False),
            lambda f=f: f(x, unbiased=0),
            lambda f=f: f(x, 0, 1),
            lambda f=f: f(x, unbiased=True, correction=1),
        ):
            with pytest.raises(TypeError, match=rf"{f.__name__}: (got|expected) .*unbiased"):
                call()


INF, NAN = math.inf, math.nan
DEGENERATE = [
    # x, options, and what PyTorch 2.13 gives: the variance, its gradient, that of std.
    ([2.0], {}, NAN, [NAN], [NAN]),
    ([2.0], {"correction": 0}, 0.0, [0.0], [0.0]),
    ([2.0, 2.0], {}, 0.0, [0.0, 0.0], [0.0, 0.0]),
    ([2.0, 3.0], {"correction": 2}, INF, [INF, INF], [NAN, NAN]),
    ([2.0, 3.0], {"correction": 2.5}, INF, [INF, INF], [NAN, NAN]),
    ([2.0, 2.0], {"correction": 2}, NAN, [NAN, NAN], [NAN, NAN]),
    ([2.0, 2.0], {"correction": 3}, NAN, [NAN, NAN], [NAN, NAN]),
    ([1.0, 2.0, 3.0], {"correction": 3}, INF, [INF, NAN, INF], [NAN, NAN, NAN]),
    ([1.0, 2.0], {"dim": 0, "correction": 2}, INF, [-INF, INF], [NAN, NAN]),
    ([1.0, 2.0], {"dim": 0, "correction": 3}, INF, [1.0, -1.0], [0.0, 0.0]),
    ([1.0, 1.0], {"dim": (0,), "correction": 3}, NAN, [0.0, 0.0], [NAN, NAN]),
    (2.0, {}, NAN, NAN, NAN),
    (2.0, {"dim": 0, "correction": 2}, NAN, NAN, NAN),
]


@pytest.mark.parametrize(("x", "options", "value", "of_var", "of_std"), DEGENERATE)
def test_where_no_degrees_of_freedom_are_left(x, options, value, of_var, of_std):
    x = tensor(x, requires_grad=True)
    with np.errstate(all="ignore"):
        for f, one, gradient in (
            (minigan.var, value, of_var),
            (minigan.std, math.sqrt(value), of_std),
        ):
            y = f(x, **options)
            assert_array_equal(y.item(), one)
            assert_array_equal(grad(y, x)[0].numpy(), gradient)


@given(reductions())
def test_all_and_any(case):
    x, dim, keepdim = case
    mask = x > 0
    lists = groups(mask, dim, keepdim)
    for values in (mask, mask * 3):
        t = tensor(values)
        assert_array_equal(t.all(dim, keepdim).numpy(), each(all, lists).astype(bool))
        assert_array_equal(t.any(axis=dim, keepdims=keepdim).numpy(), each(any, lists).astype(bool))


def test_integers_and_bools_sum_to_int64():
    """Also uint8, which NumPy would leave unsigned, and without wrapping round."""
    for dtype in ("bool", "uint8", "int32", "int64"):
        total = minigan.ones(300, dtype=dtype).sum()
        assert total.dtype == np.int64 and total.item() == 300
    assert tensor([1, 2]).sum(dtype="float32").dtype == np.float32
    assert tensor([1, 2]).mean(dtype="float64").item() == 1.5


def test_the_empty_sum_is_zero_and_the_empty_mean_is_nan():
    empty = minigan.zeros(3, 0)
    assert empty.sum().item() == 0
    assert_array_equal(empty.sum(1).numpy(), [0, 0, 0])
    assert empty.sum(0).shape == (0,)
    assert empty.all().item() is True and empty.any().item() is False
    with np.errstate(invalid="ignore"):
        assert np.isnan(empty.mean(1).numpy()).all()
        assert math.isnan(tensor([1.0]).var().item())  # 0/0, as in PyTorch


def test_a_dimension_is_named_by_an_integer():
    """PyTorch's TypeError, and one sentence that names the function."""
    x, f = minigan.zeros(2, 3), minigan
    for dim in (1.0, "a", True, None, [0.5], tensor(1.0)):
        for name, call in (
            ("softmax", lambda d: f.softmax(x, d)),
            ("argmax", lambda d: f.argmax(x, d)),
            ("unsqueeze", lambda d: f.unsqueeze(x, d)),
            ("cat", lambda d: f.cat([x, x], d)),
            ("transpose", lambda d: f.transpose(x, 0, d)),
            ("cumsum", lambda d: f.cumsum(x, d)),
            ("sum", lambda d: f.sum(x, d)),
            ("mean", lambda d: f.mean(x, (0, d))),
            ("squeeze", lambda d: f.squeeze(x, d)),
        ):
            if dim is None and name in ("softmax", "sum", "argmax", "squeeze"):
                continue  # has a meaning of its own
            with pytest.raises(TypeError, match=f"{name}: expected an integer as dim, got"):
                call(dim)
    for dim in (np.int64(1), tensor(1)):
        assert f.sum(x, dim).shape == (2,) and f.unsqueeze(x, dim).shape == (2, 1, 3)


def test_a_0d_tensor_has_one_dimension_to_name():
    x = tensor(3.0)
    for dim in (None, 0, -1, ()):
        assert minigan.sum(x, dim).item() == 3
    with pytest.raises(
        IndexError, match=r"sum: dimension out of range \(expected -1 to 0, got 1\)"
    ):
        minigan.sum(x, 1)


def test_a_sum_of_float32_keeps_its_digits():
    """Pairwise summation: a million tenths, to 1e-6 relative (a running sum is off by 1e-3)."""
    assert minigan.full((1_000_000,), 0.1).sum().item() == pytest.approx(1e5, rel=1e-6)


def test_what_cannot_be_reduced():
    x = minigan.ones(2, 3)
    with pytest.raises(
        IndexError, match=r"mean: dimension out of range \(expected -2 to 1, got 2\)"
    ):
        x.mean(2)
    with pytest.raises(RuntimeError, match=r"sum: a dimension appears more than once in \(0, -2\)"):
        x.sum((0, -2))
    with pytest.raises(RuntimeError, match="mean: expected a float tensor, got int64"):
        tensor([1, 2]).mean()
    with pytest.raises(TypeError, match="sum: got both dim and axis"):
        x.sum(dim=0, axis=0)
    with pytest.raises(TypeError, match="var: expected a Tensor, got ndarray"):
        minigan.var(np.ones(3))
