"""Borders, adaptive averages, interpolation matrices: pixel by pixel, and their gradients."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.resample import adaptive_avg_pool2d, average_matrix, bilinear_matrix, mix, pad

MODES = ["constant", "reflect", "replicate", "circular"]


def source(mode, i, n, cut):
    """Which of n entries stands at place i of the padded dimension (None: the filling).

    ``cut`` are the first entry that is left and the one after the last.
    """
    first, last = cut
    if mode == "constant":
        return i if first <= i < last else None
    if mode == "replicate":
        return 0 if i < 0 else n - 1 if i >= n else i
    if mode == "circular":
        while i < first:
            i += last - first
        while i >= last:
            i -= last - first
        return i
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i


@st.composite
def borders(draw):
    """A mode, an array and widths that fit it: negative ones cut off."""
    mode = draw(st.sampled_from(MODES))
    x = draw(arrays(max_dims=4, min_side=0 if mode == "constant" else 1))
    sides = []
    for n in x.shape[::-1][: draw(st.integers(0, x.ndim))]:
        most = {"constant": 3, "replicate": 4, "circular": n, "reflect": n - 1}[mode]
        before = draw(st.integers(-(n // 2), most))
        after = draw(st.integers(-((n - 1) // 2) if n else 0, most))
        sides += [before, after]
    return mode, x, sides


@settings(max_examples=100)
@given(borders())
def test_a_border_is_filled_mirrored_repeated_or_wrapped(drawn):
    mode, x, sides = drawn
    found = pad(minigan.from_numpy(x), sides, mode, *[7.5] * (mode == "constant")).numpy()
    pairs = list(zip(sides[::2], sides[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    assert found.shape == tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True))
    for place in np.ndindex(found.shape):
        index = tuple(
            source(mode, i - a, n, (max(-a, 0), n - max(-b, 0)))
            for i, n, (a, b) in zip(place, x.shape, pairs, strict=True)
        )
        assert found[place] == (7.5 if None in index else x[index])


@settings(max_examples=30)
@given(borders())
def test_gradients_of_borders_are_right_to_order_3(drawn):
    mode, x, sides = drawn
    report = gradcheck(lambda x: pad(x, sides, mode) ** 3, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


@given(arrays(shape=(2, 3, 5)), st.sampled_from(MODES))
def test_negative_widths_cut_off_in_every_mode(x, mode):
    found = pad(tensor(x), (-1, -2, 0, -1), mode)
    assert_array_equal(found.numpy(), x[:, :2, 1:3])


def test_what_is_cut_off_does_not_come_back_around():
    x = tensor([[0, 1, 2, 3]])
    assert pad(x, (-1, 2), "circular").tolist() == [[1, 2, 3, 1, 2]]
    assert pad(x, (2, -1), "circular").tolist() == [[1, 2, 0, 1, 2]]


def test_what_the_border_is_filled_with():
    x = tensor([[1, 2]])
    assert pad(x, (1, 1)).tolist() == [[0, 1, 2, 0]]
    assert pad(x, (1, 0), value=3).tolist() == [[3, 1, 2]]
    assert pad(x * 1.0, (0, 1), value=-math.inf).tolist() == [[1, 2, -math.inf]]
    assert pad(x, [], "reflect").tolist() == pad(x, ()).tolist() == [[1, 2]]
    y = pad(x, (0, 0))
    y.zero_()
    assert x.tolist() == [[1, 2]]


def test_dtypes_of_borders():
    for dtype in ("bool", "uint8", "int64", "float16", "float32"):
        x = tensor(np.ones((1, 2, 3), dtype))
        assert {pad(x, (1, 1), mode).dtype for mode in MODES} == {np.dtype(dtype)}
    x = tensor(in_layout(numbers(0, (1, 2, 3), dtype=np.float32), "reversed"), requires_grad=True)
    for mode in MODES:
        assert grad(pad(x, (1, 1), mode).sum(), x)[0].dtype == np.float32


# ------------------------------------------------------------------------------ averages


@settings(max_examples=50)
@given(arrays(min_dims=3, max_dims=4, min_side=1, max_side=7), st.tuples(*[st.integers(0, 9)] * 2))
def test_adaptive_averages_take_every_pixel_of_their_share(x, size):
    """Output i averages rows ⌊i·H/P⌋ to ⌈(i + 1)·H/P⌉ - 1, also where P does not divide H."""
    found = adaptive_avg_pool2d(minigan.from_numpy(x), size).numpy()
    assert found.shape == (*x.shape[:-2], *size)
    (h, w), (p, q) = x.shape[-2:], size
    for i, j in np.ndindex(p, q):
        share = x[
            ..., i * h // p : math.ceil((i + 1) * h / p), j * w // q : math.ceil((j + 1) * w / q)
        ]
        assert_allclose(found[..., i, j], share.mean((-2, -1)), rtol=1e-12, atol=1e-14)


@settings(max_examples=15)
@given(arrays(shape=(2, 1, 5, 3)), st.tuples(*[st.integers(1, 6)] * 2))
def test_gradients_of_adaptive_averages_are_right_to_order_3(x, size):
    report = gradcheck(lambda x: adaptive_avg_pool2d(x, size) ** 3, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


def test_none_keeps_a_length_and_one_number_stands_for_both():
    x = tensor(numbers(0, (2, 4, 6), dtype=np.float32), requires_grad=True)
    assert adaptive_avg_pool2d(x, (None, 2)).shape == (2, 4, 2)
    assert_array_equal(adaptive_avg_pool2d(x, (None, None)).detach().numpy(), x.detach().numpy())
    y = adaptive_avg_pool2d(x, 1)
    assert y.shape == (2, 1, 1) and y.dtype == np.float32
    assert_allclose(grad(y.sum(), x)[0].numpy(), 1 / 24, rtol=1e-6)
    assert adaptive_avg_pool2d(tensor([[[1, 2]]]), 1).item() == 1.5


# ------------------------------------------------------------------------------ interpolation


@given(st.integers(1, 9), st.integers(1, 15), st.booleans(), st.sampled_from([None, 0.4, 2.5]))
def test_bilinear_interpolation_mixes_the_two_neighbours(old, new, align_corners, factor):
    """Written out for one new pixel after the other, as in PyTorch's documentation."""
    scale = old / new if factor is None else 1 / factor
    if align_corners:
        scale = (old - 1) / (new - 1) if new > 1 else 0.0
    matrix = bilinear_matrix(old, new, scale, align_corners)
    assert_allclose(matrix.sum(1), 1, rtol=1e-15)
    for i in range(new):
        at = i * scale if align_corners else (i + 0.5) * scale - 0.5
        at = i if old == new else min(max(at, 0), old - 1)
        low = math.floor(at)
        row = [0.0] * (old + 1)
        row[low], row[low + 1] = 1 - (at - low), at - low
        assert_allclose(matrix[i], row[:old], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_ramp_stays_a_ramp(align_corners):
    """Linear interpolation reproduces linear functions between the outermost centres."""
    scale = 3 / 6 if align_corners else 4 / 7
    found = bilinear_matrix(4, 7, scale, align_corners) @ np.arange(4.0)
    at = np.arange(7) * scale if align_corners else (np.arange(7) + 0.5) * scale - 0.5
    assert_allclose(found, np.clip(at, 0, 3), rtol=1e-15)


def test_corners_that_are_aligned_keep_their_values():
    for old, new in ((2, 5), (5, 2), (4, 4), (3, 9)):
        matrix = bilinear_matrix(old, new, (old - 1) / (new - 1), True)
        assert matrix[0, 0] == 1 and matrix[-1, -1] == pytest.approx(1, rel=1e-15)


@given(arrays(shape=(2, 3, 4)))
def test_mix_multiplies_rows_and_columns(x):
    rows, columns = average_matrix(3, 2), bilinear_matrix(4, 6, 4 / 6, False)
    found = mix(minigan.from_numpy(x), rows, columns)
    for i in range(2):
        assert_allclose(found.numpy()[i], rows @ x[i] @ columns.T, rtol=1e-12)
    report = gradcheck(lambda x: mix(x, rows, columns) ** 3, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)
    assert mix(tensor(x, dtype="float32"), rows, columns).dtype == np.float32


# ------------------------------------------------------------------------------ errors

X = minigan.ones(1, 2, 3)
ERRORS = [
    (lambda: pad(X, (1, 2, 3)), RuntimeError, r"pad: expected two numbers .* got \(1, 2, 3\)"),
    (lambda: pad(X, (1,) * 8), RuntimeError, "pad: expected two numbers for each of at most 3"),
    (lambda: pad(X, (1.5, 1)), TypeError, r"pad: expected a sequence of ints, got \(1.5, 1\)"),
    (lambda: pad(X, 1), TypeError, "pad: expected a sequence of ints, got 1"),
    (lambda: pad(X, (-2, -2)), RuntimeError, r"pad: \(-2, -2\) cuts off more than input of shape"),
    (lambda: pad(X, (-4, 9)), RuntimeError, "cuts off more"),
    (lambda: pad(X, (3, 0), "reflect"), RuntimeError, r"reflect padding \(3, 0\) does not fit the"),
    (lambda: pad(X, (4, 0), "circular"), RuntimeError, "circular padding .* the length 3"),
    (lambda: pad(X[:, :, :0], (1, 1), "replicate"), RuntimeError, "does not fit the length 0"),
    (
        lambda: pad(X, (-4, 0), "replicate"),
        RuntimeError,
        r"replicate padding \(-4, 0\) does not fit",
    ),
    (lambda: pad(X, (1, 1), "mirror"), NotImplementedError, 'pad: mode must be .* got "mirror"'),
    (lambda: pad(X, (1, 1), "reflect", 1.0), RuntimeError, 'pad: value belongs to mode "constant"'),
    (lambda: pad(X, (1, 1), value="0"), TypeError, "pad: value expects a number, got '0'"),
    (lambda: pad([1.0], (1, 1)), TypeError, "pad: expected a Tensor, got list"),
    (
        lambda: adaptive_avg_pool2d(X[0], 1),
        RuntimeError,
        r"adaptive_avg_pool2d: .* got shape \(2, 3",
    ),
    (lambda: adaptive_avg_pool2d(X, (1, 2, 3)), RuntimeError, "two lengths .* got shape"),
    (lambda: adaptive_avg_pool2d(X, -1), RuntimeError, "two lengths of at least 0"),
    (lambda: adaptive_avg_pool2d(X[:, :0], 1), RuntimeError, "expected at least one pixel"),
    (lambda: adaptive_avg_pool2d(X, 1.5), TypeError, "output_size expects ints or None, got 1.5"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
