"""conv2d: options and their meaning, shapes, bias, and every error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import convolution_triple
from strategies import arrays, convolutions, numbers

import minigan
from minigan.conv import NONE, Geometry


@settings(max_examples=60)
@given(convolutions(min_batch=0), st.booleans())
def test_conv2d_takes_all_options_of_a_geometry(case, with_bias):
    g = case.geometry
    x, w, y = case.operands()
    bias = numbers(1, case.outputs)
    expected = convolution_triple(g, x, w, y)[0] + with_bias * bias[:, None, None]
    found = minigan.conv2d(
        minigan.tensor(x),
        minigan.tensor(w),
        minigan.tensor(bias) if with_bias else None,
        stride=g.stride,
        padding=g.pad,
        dilation=g.dilation,
        groups=g.groups,
    )
    assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@given(st.data())
def test_one_number_stands_for_both_directions(data):
    stride, padding, dilation = data.draw(st.tuples(*[st.integers(1, 3)] * 3))
    x, w = minigan.tensor(numbers(0, (2, 2, 8, 9))), minigan.tensor(numbers(1, (3, 2, 3, 2)))
    short = minigan.conv2d(x, w, None, stride, padding, dilation)
    pairs = minigan.conv2d(x, w, None, (stride,) * 2, [padding] * 2, np.array([dilation] * 2))
    sides = minigan.conv2d(x, w, None, np.int64(stride), (padding,) * 4, dilation)
    assert_array_equal(short.numpy(), pairs.numpy())
    assert_array_equal(short.numpy(), sides.numpy())


@settings(max_examples=80)
@given(st.tuples(*[st.integers(1, 9)] * 2), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_same_padding_gives_size_over_stride_rounded_up(size, kernel, stride, dilation):
    """The least padding that does; where it is odd the larger half is at the bottom and right.

    Sides as in PyTorch for stride 1, and as in TensorFlow's definition for any stride.
    """
    x, w = (
        minigan.tensor(numbers(0, (1, 1, *size))),
        minigan.tensor(numbers(1, (1, 1) + (kernel,) * 2)),
    )
    found = minigan.conv2d(x, w, stride=stride, padding="same", dilation=dilation)
    assert found.shape[2:] == tuple(-(-n // stride) for n in size)
    reach = dilation * (kernel - 1) + 1
    totals = [max((-(-n // stride) - 1) * stride + reach - n, 0) for n in size]
    pad = [side for t in totals for side in (t // 2, t - t // 2)]
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), pad[:2], pad[2:]])
    explicit = minigan.conv2d(minigan.tensor(padded), w, stride=stride, dilation=dilation)
    assert_allclose(found.numpy(), explicit.numpy(), rtol=1e-12, atol=1e-12)
    if stride == 1:  # PyTorch's rule
        assert totals == [dilation * (kernel - 1)] * 2


@given(arrays(shape=(2, 5, 4)))
def test_an_image_without_a_batch_gives_a_result_without_one(x):
    w, bias = minigan.tensor(numbers(1, (3, 2, 2, 2))), minigan.tensor(numbers(2, 3))
    single = minigan.conv2d(minigan.tensor(x), w, bias, padding=1)
    batch = minigan.conv2d(minigan.tensor(x[None]), w, bias, padding=1)
    assert single.shape == (3, 6, 5)
    assert_array_equal(single.numpy(), batch.numpy()[0])


def test_valid_padding_is_none():
    x, w = minigan.randn(1, 1, 4, 4), minigan.randn(1, 1, 3, 3)
    valid = minigan.conv2d(x, w, padding="valid")
    assert valid.shape == (1, 1, 2, 2)
    assert_array_equal(valid.numpy(), minigan.conv2d(x, w).numpy())


def test_operands_of_two_dtypes_meet_in_the_wider_one():
    x, w = minigan.ones(1, 1, 3, 3), minigan.ones(1, 1, 2, 2, dtype="float64")
    assert minigan.conv2d(x, w).dtype == np.float64
    assert minigan.conv2d(minigan.ones(1, 1, 3, 3, dtype="int64"), w.float()).dtype == np.float32


def test_the_result_is_a_view_of_channels_last_memory():
    """What the next layer wants: no copies between NCHW and NHWC in a network."""
    y = minigan.conv2d(minigan.randn(2, 3, 5, 5), minigan.randn(4, 3, 3, 3))
    assert y.numpy().transpose(0, 2, 3, 1).flags.c_contiguous


X, W = (1, 4, 5, 5), (6, 4, 3, 3)


@pytest.mark.parametrize(
    ("x", "w", "options", "message"),
    [
        ((5, 5), W, {}, r"expected input \(N, C, H, W\)"),
        (X, (6, 4, 3), {}, r"weight of 4 dimensions, got shapes \(1, 4, 5, 5\) and \(6, 4, 3\)"),
        (
            X,
            (6, 3, 3, 3),
            {},
            r"weight expects 3 input channels \(weight shape \(6, 3, 3, 3\)\), inp",
        ),
        (X, (6, 4, 3, 3), {"groups": 2}, "weight expects 8 input channels"),
        (X, (5, 2, 3, 3), {"groups": 2}, "cannot be split into 2 groups"),
        (X, W, {"groups": 0}, "cannot be split into 0 groups"),
        (X, W, {"bias": minigan.ones(5)}, r"bias expects shape \(6,\), got \(5,\)"),
        (X, W, {"bias": minigan.ones(1, 6)}, r"bias expects shape \(6,\), got \(1, 6\)"),
        (X, W, {"stride": 0}, "stride must be at least 1"),
        (X, W, {"stride": 0, "padding": "same"}, "stride must be at least 1"),
        (X, W, {"dilation": -1}, "dilation must be at least 1"),
        (X, W, {"stride": (1, 2, 3)}, "stride expects an int or two ints"),
        (X, W, {"padding": -1}, "padding not negative"),
        (X, W, {"padding": (1, 1, 1)}, "padding expects an int or two ints"),
        (X, W, {"padding": "full"}, 'padding expects numbers, "valid" or "same", got "full"'),
        (X, W, {"dilation": 3}, r"filter of 3×3 \(dilation \(3, 3\)\) does not fit .* 5×5"),
        (X, (6, 4, 0, 3), {}, "filter size, stride, dilation and groups must be positive"),
    ],
)
def test_what_cannot_be_convolved_is_a_runtime_error_that_says_why(x, w, options, message):
    """PyTorch raises RuntimeError for each of these too."""
    with pytest.raises(RuntimeError, match=message):
        minigan.conv2d(minigan.ones(x), minigan.ones(w), **options)


@pytest.mark.parametrize(
    ("option", "value"), [("stride", 1.5), ("padding", 1.0), ("dilation", (1, 1.5))]
)
def test_sizes_that_are_no_integers_are_type_errors(option, value):
    with pytest.raises(TypeError, match=f"{option} expects an int or ints"):
        minigan.conv2d(minigan.ones(X), minigan.ones(W), **{option: value})


def test_operands_that_are_no_tensors_are_type_errors():
    with pytest.raises(TypeError, match="conv2d: expected a Tensor, got ndarray"):
        minigan.conv2d(np.ones(X), minigan.ones(W))
    with pytest.raises(TypeError, match="conv_transpose2d: expected a Tensor, got NoneType"):
        minigan.conv_transpose2d(minigan.ones(X), None)


def test_geometry_of_the_call_reaches_the_routine(monkeypatch):
    """Options are passed on in the right order: height first, then width."""
    seen = []

    def fprop(g, x, w, b, kept, low, activation):
        assert b is None and not low and activation == NONE
        seen.append(g)
        return np.zeros((x.shape[0], w.shape[0], g.P, g.Q), x.dtype)

    monkeypatch.setattr("minigan.conv.fprop", fprop)
    x, w = minigan.ones(1, 4, 9, 8), minigan.ones(2, 2, 3, 2)
    minigan.conv2d(x, w, None, (2, 1), (1, 0), (1, 3), 2)
    assert seen == [Geometry(9, 8, 3, 2, (2, 1), (1, 1, 0, 0), (1, 3), 2)]
