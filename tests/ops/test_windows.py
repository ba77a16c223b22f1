"""Patches as columns, sums over windows: every pixel followed, adjoint pairs, all options."""

import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import convolutions, in_layout, layouts

import minigan
from minigan import grad, gradcheck, tensor
from minigan.conv import Geometry
from minigan.ops.pooling import fold, unfold
from minigan.ops.windows import WindowMax, WindowPick, WindowPut, WindowSpread, WindowSum


def options(g):
    """A geometry as the arguments of fold and unfold, which pad both sides alike."""
    return (g.R, g.S), g.dilation, (g.pad[0], g.pad[2]), g.stride


@st.composite
def patches(draw, **limits):
    """A geometry with equal padding on both sides, images in some layout, and a cotangent."""
    case = draw(convolutions(min_batch=0, max_channels=1, **limits))
    g = case.geometry
    top, left = max(g.pad[:2]), max(g.pad[2:])
    g = type(g)(g.H, g.W, g.R, g.S, g.stride, (top, top, left, left), g.dilation)
    rng = np.random.default_rng(case.seed)
    x = in_layout(rng.standard_normal((case.batch, 2, g.H, g.W)), draw(layouts))
    return g, x, rng.standard_normal((case.batch, 2 * g.R * g.S, g.P * g.Q))


@settings(max_examples=50)
@given(patches())
def test_unfold_puts_the_pixels_of_each_patch_into_a_column(drawn):
    g, x, y = drawn
    columns = unfold(minigan.from_numpy(x), *options(g)).numpy()
    assert columns.shape == y.shape
    for c, r, s, p, q in product(range(2), range(g.R), range(g.S), range(g.P), range(g.Q)):
        h = p * g.stride[0] + r * g.dilation[0] - g.pad[0]
        w = q * g.stride[1] + s * g.dilation[1] - g.pad[2]
        inside = 0 <= h < g.H and 0 <= w < g.W
        expected = x[:, c, h, w] if inside else 0
        assert_array_equal(columns[:, (c * g.R + r) * g.S + s, p * g.Q + q], expected)


@settings(max_examples=50)
@given(patches())
def test_fold_is_the_adjoint_of_unfold(drawn):
    g, x, y = drawn
    folded = fold(tensor(y), (g.H, g.W), *options(g))
    assert folded.shape == x.shape
    columns = unfold(tensor(x), *options(g)).numpy()
    size = np.abs(columns * y).sum()
    assert abs((columns * y).sum() - (x * folded.numpy()).sum()) <= 1e-13 * size


@settings(max_examples=20)
@given(patches(max_extra=2, max_kernel=3))
def test_gradients_are_right_to_order_3(drawn):
    g, x, y = drawn
    for f, value in (
        (lambda x: unfold(x, *options(g)), x),
        (lambda y: fold(y, (g.H, g.W), *options(g)), y),
    ):
        report = gradcheck(lambda v, f=f: f(v) ** 3, value, order=3, probes=1)
        assert all(row.method == "complex" for row in report.rows)


@pytest.mark.parametrize(
    "shape", [(2, 3, 4, 5), (1, 3, 2, 1), (2, 1, 1, 4), (3, 2, 2), (0, 2, 2, 2)]
)
def test_put_is_the_adjoint_of_pick_in_every_order_of_memory(shape):
    """Windows of 2×3 that overlap, of which some point nowhere."""
    *lead, P, Q = shape
    g = Geometry(P + 1, Q + 2, 2, 3)
    rng = np.random.default_rng(0)
    tap = rng.integers(0, 7, shape).astype("uint8")
    image = rng.standard_normal((*lead, g.H, g.W))
    picked = WindowPick(g, tap).forward(image)
    for order in permutations(range(len(shape))):
        memory = rng.standard_normal([shape[d] for d in order])
        x = memory.transpose(np.argsort(order))
        put = WindowPut(g, tap).forward(x)
        assert put.shape == image.shape
        assert_allclose((put * image).sum(), (x * picked).sum(), rtol=1e-12, atol=1e-12)
        expected = np.zeros(image.shape)
        for (*at, p, q), k in np.ndenumerate(tap):
            if k < 6:
                expected[(*at, p + k // 3, q + k % 3)] += x[(*at, p, q)]
        assert_allclose(put, expected, rtol=1e-12, atol=1e-14)


@settings(max_examples=50)
@given(convolutions(max_channels=1), layouts)
def test_windows_of_any_geometry_are_summed_and_spread(case, layout):
    """Also with other padding on each side and rows left over."""
    g, rng = case.geometry, np.random.default_rng(case.seed)
    x = in_layout(rng.standard_normal((case.batch, 1, g.H, g.W)), layout)
    padded = np.pad(x, ((0, 0), (0, 0), g.pad[:2], g.pad[2:]))
    found, largest = WindowSum(g).forward(x), WindowMax(g).forward(x)
    tap = WindowMax(g).winners(x, largest)
    picked = WindowPick(g, tap).forward(x)
    lowest = np.pad(x, ((0, 0), (0, 0), g.pad[:2], g.pad[2:]), constant_values=-math.inf)
    for p, q in product(range(g.P), range(g.Q)):
        rows = p * g.stride[0] + np.arange(g.R) * g.dilation[0]
        columns = q * g.stride[1] + np.arange(g.S) * g.dilation[1]
        window = padded[:, 0][:, rows][:, :, columns]
        assert_allclose(found[:, 0, p, q], window.sum((1, 2)), rtol=1e-12, atol=1e-13)
        best = lowest[:, 0][:, rows][:, :, columns].max((1, 2))
        assert_array_equal(largest[:, 0, p, q], best)
        assert_array_equal(picked[:, 0, p, q], np.where(np.isinf(best), 0, best))
    y = rng.standard_normal(found.shape)
    for forward, adjoint in (
        (found, WindowSpread(g).forward(y)),
        (picked, WindowPut(g, tap).forward(y)),
    ):
        assert adjoint.shape == x.shape
        assert abs((forward * y).sum() - (x * adjoint).sum()) <= 1e-12 * (np.abs(y).sum() + 1)


def test_pixels_are_copied_not_multiplied():
    """NaN and infinity appear where they were seen and nowhere else; integers stay integers."""
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 0, 0], x[0, 0, 2, 2] = math.nan, math.inf
    columns = unfold(tensor(x), 2).numpy()
    assert np.isnan(columns).sum() == np.isinf(columns).sum() == 1
    back = fold(tensor(columns), (3, 3), 2).numpy()[0, 0]
    assert np.isnan(back).sum() == np.isinf(back).sum() == 1
    for dtype in ("bool", "uint8", "int64", "float32"):
        assert unfold(minigan.ones(1, 1, 3, 3, dtype=dtype), 2).dtype == dtype
        assert fold(minigan.ones(1, 4, 4, dtype=dtype), (3, 3), 2).dtype == dtype


def test_without_a_batch_and_with_one_number_for_both_directions():
    x = tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    y = unfold(x, 2, padding=1, stride=2, dilation=1)
    assert y.shape == (8, 6) and fold(y, (3, 4), 2, padding=1, stride=2).shape == (2, 3, 4)
    assert_array_equal(
        y.detach().numpy(), unfold(x[None], [2, 2], 1, (1, 1), (2, 2))[0].detach().numpy()
    )
    assert_array_equal(grad(y.sum(), x)[0].numpy(), 1)


X, Y = minigan.ones(1, 3, 4, 4), minigan.ones(1, 4, 9)
ERRORS = [
    (lambda: unfold(X[0, 0], 2), RuntimeError, r"unfold: expected \(N, C, H, W\) or \(C, H, W\)"),
    (
        lambda: unfold(X, 5),
        RuntimeError,
        r"unfold: a window of \(5, 5\) .* images of \(4, 4\) padded",
    ),
    (
        lambda: unfold(X, 2, padding=-1),
        RuntimeError,
        "unfold: padding expects .* at least 0, got -1",
    ),
    (lambda: unfold(X, 2, stride=0), RuntimeError, "unfold: stride expects .* at least 1, got 0"),
    (lambda: unfold(X, 2, dilation=(1,)), RuntimeError, "unfold: dilation expects an int or two"),
    (lambda: unfold(X, 2.0), TypeError, "unfold: kernel_size expects an int or two ints, got 2.0"),
    (lambda: fold(Y, 3, 2), RuntimeError, r"fold: expected \(N, C·4, 4\) .* got shape \(1, 4, 9\)"),
    (lambda: fold(Y, 4, (1, 3)), RuntimeError, r"fold: expected \(N, C·3, 8\)"),
    (lambda: fold(Y[0, 0], 4, 2), RuntimeError, "fold: expected"),
    (lambda: fold(Y, 1, 2), RuntimeError, r"fold: a window of \(2, 2\) .* does not fit images of"),
    (lambda: fold(Y, None, 2), TypeError, "fold: output_size expects an int or two ints, got None"),
    (lambda: fold(Y.numpy(), 4, 2), TypeError, "fold: expected a Tensor, got ndarray"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
