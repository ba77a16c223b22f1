"""conv_transpose2d: the adjoint of conv2d, cut or extended to the wanted size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import arrays, numbers

import minigan


def scattered(x, w, stride, padding, dilation, groups, extra):
    """Every input pixel adds its filter into a large image; then the padding is cut off.

    ``padding`` is (top, bottom, left, right); ``extra`` rows and columns are kept at the bottom
    and right, and are zero where no filter reaches.
    """
    (n, c, h, v), (_, per_group, r, s) = x.shape, w.shape
    outputs = per_group * groups
    height = (h - 1) * stride[0] + dilation[0] * (r - 1) + 1
    width = (v - 1) * stride[1] + dilation[1] * (s - 1) + 1
    full = np.zeros((n, outputs, height + extra[0], width + extra[1]))
    for channel in range(c):
        first = channel // (c // groups) * per_group
        for k in range(per_group):
            for p in range(h):
                for q in range(v):
                    for i in range(r):
                        for j in range(s):
                            row, column = (
                                p * stride[0] + i * dilation[0],
                                q * stride[1] + j * dilation[1],
                            )
                            full[:, first + k, row, column] += (
                                x[:, channel, p, q] * w[channel, k, i, j]
                            )
    top, bottom, left, right = padding
    return full[:, :, top : height - bottom + extra[0], left : width - right + extra[1]]


@st.composite
def transposed(draw):
    """Operands and options, output_padding up to what stride or dilation allow."""

    def pair(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel, stride, dilation = pair(1, 3), pair(1, 3), pair(1, 3)
    groups, size = draw(st.integers(1, 2)), pair(1, 4)
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    padding = []
    for n, k, s, d, e in zip(size, kernel, stride, dilation, extra, strict=True):
        full = (n - 1) * s + d * (k - 1) + 1
        before = draw(st.integers(0, min(3, full + e - 1)))
        padding += [before, draw(st.integers(0, min(3, full + e - 1 - before)))]
    channels, outputs = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    seed = draw(st.integers(0, 2**32 - 1))
    x = numbers(seed, (draw(st.integers(0, 2)), channels, *size))
    w = numbers(seed + 1, (channels, outputs, *kernel))
    return x, w, stride, tuple(padding), dilation, groups, extra


@settings(max_examples=200)
@given(transposed())
def test_it_scatters_filters_and_cuts_the_padding(case):
    """output_padding, also at or above the stride (with a larger dilation), and output_size."""
    x, w, stride, padding, dilation, groups, extra = case
    expected = scattered(x, w, stride, padding, dilation, groups, extra)
    options = {"stride": stride, "padding": padding, "groups": groups, "dilation": dilation}
    found = minigan.conv_transpose2d(
        minigan.tensor(x), minigan.tensor(w), output_padding=extra, **options
    )
    assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    sized = minigan.conv_transpose2d(
        minigan.tensor(x), minigan.tensor(w), output_size=expected.shape[2:], **options
    )
    assert_array_equal(sized.numpy(), found.numpy())


@settings(max_examples=60)
@given(transposed())
def test_gradients_hold_for_every_output_padding(case):
    x, w, stride, padding, dilation, groups, extra = case
    x = numbers(5, (1, *x.shape[1:]))

    def f(x, w, bias):
        return minigan.conv_transpose2d(x, w, bias, stride, padding, extra, groups, dilation).tanh()

    minigan.gradcheck(f, x, w, numbers(6, w.shape[1] * groups), order=2, probes=1)


def test_values_worked_out_by_hand():
    """A 2×2 filter laid at distance 3, and one row beyond the last that stays bias."""
    x = minigan.tensor([[[[1.0, 2.0]]]])
    w = minigan.tensor([[[[1.0, 10.0], [100.0, 1000.0]]]])
    y = minigan.conv_transpose2d(x, w, minigan.tensor([0.5]), stride=3, output_padding=1)
    expected = [
        [1, 10, 0, 2, 20, 0],
        [100, 1000, 0, 200, 2000, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert_array_equal(y.numpy()[0, 0], np.array(expected) + 0.5)


@given(arrays(shape=(2, 3, 4)))
def test_an_image_without_a_batch_gives_a_result_without_one(x):
    w, bias = minigan.tensor(numbers(1, (2, 3, 2, 2))), minigan.tensor(numbers(2, 3))
    single = minigan.conv_transpose2d(minigan.tensor(x), w, bias, stride=2)
    batch = minigan.conv_transpose2d(minigan.tensor(x[None]), w, bias, stride=2)
    assert single.shape == (3, 6, 8)
    assert_array_equal(single.numpy(), batch.numpy()[0])


X, W = (1, 4, 3, 3), (4, 5, 3, 3)


@pytest.mark.parametrize(
    ("w", "options", "message"),
    [
        ((3, 5, 3, 3), {}, "weight expects 3 input channels"),
        ((4, 5, 3), {}, "weight of 4 dimensions"),
        (W, {"groups": 3}, "cannot be split into 3 groups"),
        (W, {"groups": -1}, "cannot be split into -1 groups"),
        (W, {"groups": 2, "bias": minigan.ones(5)}, r"bias expects shape \(10,\), got \(5,\)"),
        (W, {"stride": 0}, "stride must be at least 1"),
        (W, {"dilation": 0}, "dilation must be at least 1"),
        (W, {"output_padding": 1}, "smaller than stride or dilation"),
        (W, {"stride": 2, "output_padding": (1, 2)}, "smaller than stride or dilation"),
        (W, {"stride": 2, "output_padding": -1}, "at least 0"),
        (W, {"stride": 2, "output_size": 6}, "output_padding must be at least 0"),
        (W, {"stride": 2, "output_size": (7, 9)}, "smaller than stride or dilation"),
        (W, {"output_size": (1, 2, 3)}, "output_size expects an int or two ints"),
        (W, {"padding": 3}, r"output size \(-1, -1\) is too small"),
        (W, {"padding": "same"}, "is for convolutions"),
        (W, {"padding": -1}, "padding not negative"),
    ],
)
def test_what_has_no_result_is_a_runtime_error_that_says_why(w, options, message):
    with pytest.raises(RuntimeError, match=message):
        minigan.conv_transpose2d(minigan.ones(X), minigan.ones(w), **options)
