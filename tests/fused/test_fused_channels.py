"""Normalisation and sums by channel, in blocks, against long double; and batch_norm's gradient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import numbers, seeds

import minigan
from minigan import fused
from minigan.fused import blocked, channels, plain
from minigan.ops.norm import batch_norm_activated

LONG = np.longdouble
SHAPES = [  # even and odd numbers of pixels, few and many channels, of 2 to 5 dimensions
    (8192, 2),
    (4099, 5),
    (10_007, 7),  # two blocks, of which the second has a row less
    (3, 17_000),
    (64, 64, 4),
    (4, 16, 16, 16),
    (1, 3, 129, 129),
    (7, 33, 13, 17),
    (2, 4096, 2, 2),
    (2, 1, 91, 97),
    (3, 4, 11, 12, 13),
]
ORDERS = ["C", "F", "channels last", "strided"]


def laid(array, order):
    if order == "channels last" and array.ndim > 2:
        last = np.ascontiguousarray(np.moveaxis(array, 1, -1))
        return np.moveaxis(last, -1, 1)
    if order == "strided":
        return np.repeat(array, 2, axis=0)[::2]
    return np.array(array, order="F" if order == "F" else "C")


def over(array):
    """All dimensions but that of the channels."""
    return (0, *range(2, array.ndim))


def per_channel(seed, x, dtype):
    return numbers(seed, (1, x.shape[1], *(1,) * (x.ndim - 2)), dtype=dtype)


def leaky(v, slope):
    return np.where(v > 0, v, v * LONG(slope))


def moments(x):
    x = x.astype(LONG)
    mean = x.mean(over(x), keepdims=True)
    return x - mean, mean, np.square(x - mean).mean(over(x), keepdims=True)


@st.composite
def cases(draw):
    """An array, another like it, in memory orders of their own."""
    shape, dtype = draw(st.sampled_from(SHAPES)), draw(st.sampled_from([np.float32, np.float64]))
    seed = draw(seeds)
    x, g = (numbers(seed + i, shape, dtype=dtype) for i in range(2))
    x += dtype(draw(st.sampled_from([0.0, 3.0])))
    return laid(x, draw(st.sampled_from(ORDERS))), laid(g, draw(st.sampled_from(ORDERS))), seed


@settings(max_examples=60)
@given(cases(), st.sampled_from([1.0, 0.2, 0.0]), st.booleans())
def test_normalise(case, slope, affine):
    x, _, seed = case
    dims, unit, eps = over(x), np.finfo(x.dtype).eps, 1e-3
    w, b = (per_channel(seed + i, x, x.dtype) if affine else 1.0 - i for i in (0, 1))
    before = x.copy()
    centred, mean, var = moments(x)
    expected = leaky(centred / np.sqrt(var + LONG(eps)) * w + b, slope)
    for module in (fused, channels, plain):
        y, found_mean, found_var = module.normalise(x, w, b, dims, eps, slope)
        assert y.dtype == found_mean.dtype == found_var.dtype == x.dtype
        assert found_mean.shape == found_var.shape == mean.shape
        if module is not plain:  # NumPy adds up in another order where channels are last
            assert (abs(found_mean - mean) <= 8 * unit * (1 + abs(mean))).all()
            assert (abs(found_var - var) <= 64 * unit * var).all()
            assert (abs(y - expected) <= 64 * unit * (np.abs(w) * (abs(centred) + 4) + 1)).all()
        else:
            assert_allclose(y, expected.astype(x.dtype), rtol=5000 * unit, atol=5000 * unit)
    assert_array_equal(x, before)


def test_sums_of_blocks_are_added_up_in_float64():
    """Only within a block, here of 32 rows, are float32 numbers added one after the other."""
    x = np.full((1 << 17, 2), 0.1, np.float32)
    found = channels.total(x, (0,), keepdims=False)
    exact = len(x) * LONG(x[0, 0])
    assert (abs(found - exact) <= 32 * np.finfo(np.float32).eps / 2 * exact).all()


@settings(max_examples=60)
@given(cases())
def test_sums_and_the_scaled_sum(case):
    """Σ g and Σ g·(x - mean), and a·g + b·(x - mean) + c."""
    x, g, seed = case
    dims, unit = over(x), np.finfo(x.dtype).eps
    mean = moments(x)[1].astype(x.dtype)
    a, b, c = (per_channel(seed + i, x, x.dtype) for i in (3, 4, 5))
    centred, count = x.astype(LONG) - mean, x.size // x.shape[1]
    known = None, mean, np.zeros_like(mean), dims, 1.0, 1.0  # a variance + ε of 1 scales nothing
    _, blocked, alone = channels.normalise_grad(g, x, None, 1.0, *known)
    for sums in ((alone, blocked), fused.normalise_sums(g, x, mean, dims)):
        for found, terms in zip(sums, (g.astype(LONG), g * centred), strict=True):
            size = abs(terms).sum(dims, keepdims=True)
            assert found.dtype == x.dtype and found.shape == mean.shape
            allowed = (100 if sums[0] is alone else count) * unit
            assert (abs(found - terms.sum(dims, keepdims=True)) <= allowed * size).all()
    found = fused.scaled_sum(g, x, mean, a, b, c)
    assert found.dtype == x.dtype
    size = abs(a * LONG(1) * g) + abs(b) * (abs(centred) + abs(mean)) + abs(c)
    assert (abs(found - (a * LONG(1) * g + b * centred + c)) <= 8 * unit * size).all()


@settings(max_examples=40)
@given(cases(), st.booleans())
def test_total(case, keepdims):
    x, _, _ = case
    dims, unit = over(x), np.finfo(x.dtype).eps
    expected = x.astype(LONG).sum(dims, keepdims=keepdims)
    size = abs(x.astype(LONG)).sum(dims, keepdims=keepdims)
    for found in (channels.total(x, dims, keepdims), fused.total(x, dims, keepdims, x.dtype)):
        assert found.dtype == x.dtype and found.shape == expected.shape
        bound = 400 * unit * size  # blocks of few channels have long columns
        assert (abs(found - expected) <= bound).all()


@pytest.mark.parametrize("order", ["C", "channels last"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if np.prod(s) > 100 * s[1]], ids=str)
def test_a_mean_far_from_zero_costs_no_digits(shape, order):
    """Numbers about 10⁴ with deviation 1: the mean is right to its own last place.

    float32 numbers near 10⁴ are 2⁻¹⁰ apart, so no result can be closer than half of that.
    """
    x = laid((numbers(0, shape) + 1e4).astype(np.float32), order)
    centred, mean, var = moments(x)
    y, found_mean, found_var = fused.normalise(x, 1.0, 0.0, over(x), 1e-5)
    gap = 2.0**-10
    assert (abs(found_mean - mean) <= 0.7 * gap).all()
    assert (abs(found_var - var) <= 2e-4 * var).all()
    exact = centred / np.sqrt(var + LONG(1e-5))
    assert (abs(y - exact) <= 0.8 * gap / np.sqrt(var) + 2e-4 * abs(exact)).all()


def test_whole_numbers_are_summed_exactly():
    x = np.random.default_rng(0).integers(-8, 9, (33, 5, 41, 13))
    for dtype in (np.float32, np.float64):
        for order in ORDERS:
            found = fused.total(laid(x.astype(dtype), order), (0, 2, 3), False, np.dtype(dtype))
            assert_array_equal(found, x.sum((0, 2, 3)))


def test_float16_keeps_its_statistics():
    """Sums are made in more digits than float16 has."""
    x = (numbers(0, (1, 3, 129, 129)) + 2).astype(np.float16)
    _, mean, var = moments(x)
    _, found_mean, found_var = fused.normalise(x, 1.0, 0.0, (0, 2, 3), 1e-5)
    assert_allclose(found_mean, mean.astype(np.float16), rtol=2e-3)
    assert_allclose(found_var, var.astype(np.float16), rtol=1e-2)


def test_what_it_is_not_made_for_is_declined():
    """Other dimensions than all but the channels, other numbers of weights, other slopes."""
    x = numbers(0, (16, 4, 16, 17))
    mean = np.zeros((1, 4, 1, 1))
    assert channels.total(x, (0, 2), True) is None
    assert (
        channels.total(x, (2, 3), True) is None and channels.total(x[0, 0, 0], (0,), True) is None
    )
    assert channels.normalise(x, 1.0, 0.0, (1, 2, 3), 1e-5, 1.0) is None
    assert channels.normalise(x, np.ones(3), 0.0, (0, 2, 3), 1e-5, 1.0) is None
    narrow = x.astype(np.float32)
    for slope in (-0.1, 1.5):
        assert channels.normalise(x, 1.0, 0.0, (0, 2, 3), 1e-5, slope) is None
    for dims in ((0, 2), (1, 2, 3)):
        assert channels.normalise_grad(x, x, x, 1.0, None, mean, mean, dims, 1e-5, 1.0) is None
    for other, w, slope in ((narrow, 1.0, 1.0), (x, np.ones(3), 1.0), (x, 1.0, 1.5)):
        known = w, None, mean, mean, (0, 2, 3), 1e-5, slope
        assert channels.normalise_grad(other, x, x, *known) is None
    assert_allclose(fused.total(x, (2, 3), False, x.dtype), x.sum((2, 3)), rtol=1e-12)
    y, _, _ = fused.normalise(x, 1.0, 0.0, (1, 2, 3), 1e-5)
    assert_allclose(y.mean((1, 2, 3)), 0, atol=1e-12)


@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("order", ["C", "channels last"])
@pytest.mark.parametrize("shape", [(16, 12, 15, 16), (4100, 6), (5, 8, 31, 33)], ids=str)
def test_the_gradient_of_batch_norm_is_that_of_its_recorded_form(shape, order, slope):
    """Blocks without ``create_graph``, Tensor operations with it; the same, and by its formula."""
    values, g = numbers(0, shape) + 1, numbers(1, shape)
    weight, bias = numbers(2, shape[1]) + 2, numbers(3, shape[1])
    assert values.size >= blocked.LEAST
    found = []
    for create_graph in (False, True):
        leaves = laid(values, order), weight, bias
        x, w, b = (minigan.tensor(v, requires_grad=True) for v in leaves)
        y = batch_norm_activated(x, None, None, w, b, True, 0.1, 1e-5, slope)
        gradients = minigan.grad(y, (x, w, b), minigan.tensor(g), create_graph=create_graph)
        found.append([v.detach().numpy() for v in gradients])
    centred, _, var = moments(values)
    dims, s = over(values), 1 / np.sqrt(var + LONG(1e-5))
    w, b = (v.reshape(1, -1, *(1,) * (values.ndim - 2)) for v in (weight, bias))
    h = np.where(centred * s * w + b > 0, g, slope * g)
    inner = h - h.mean(dims, keepdims=True)
    inner -= centred * np.square(s) * (h * centred).mean(dims, keepdims=True)
    exact = w * s * inner, (h * centred * s).sum(dims), h.sum(dims)
    for gradients in found:
        for got, expected in zip(gradients, exact, strict=True):
            assert_allclose(got, expected.astype(float), rtol=1e-9, atol=1e-9)
