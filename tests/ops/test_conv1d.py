"""One-dimensional convolutions against their definitions in plain loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, tensor
from minigan.nn import functional as F


def draws(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def convolution(x, w, b, stride, before, after, dilation, groups):
    (n, _, length), (k, per_group, taps) = x.shape, w.shape
    q = (length + before + after - dilation * (taps - 1) - 1) // stride + 1
    y = np.zeros((n, k, q))
    for i, o, a in np.ndindex(n, k, q):
        first = o // (k // groups) * per_group
        for c, s in np.ndindex(per_group, taps):
            at = a * stride - before + s * dilation
            if 0 <= at < length:
                y[i, o, a] += x[i, first + c, at] * w[o, c, s]
        y[i, o, a] += b[o]
    return y


def transposed(x, w, b, stride, pad, extra, dilation, groups):
    (n, channels, length), (_, per_group, taps) = x.shape, w.shape
    q = (length - 1) * stride - 2 * pad + dilation * (taps - 1) + extra + 1
    y = np.zeros((n, per_group * groups, q))
    for i, c, a, o, s in np.ndindex(n, channels, length, per_group, taps):
        at = a * stride - pad + s * dilation
        if 0 <= at < q:
            y[i, c // (channels // groups) * per_group + o, at] += x[i, c, a] * w[c, o, s]
    return y + np.reshape(b, (-1, 1))


CONVOLUTIONS = [
    ({}, 3, (0, 0)),
    ({"stride": 2, "padding": 1}, 3, (1, 1)),
    ({"stride": (3,), "padding": [2], "dilation": (2,)}, 3, (2, 2)),
    ({"groups": 2, "dilation": 3}, 2, (0, 0)),
    ({"groups": 4}, 1, (0, 0)),
    ({"padding": "same"}, 4, (1, 2)),
    ({"padding": "same", "dilation": 2}, 2, (1, 1)),
    ({"padding": "valid"}, 9, (0, 0)),
]


def number(value):
    return value[0] if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize(("settings", "taps", "border"), CONVOLUTIONS, ids=str)
def test_conv1d_follows_the_definition(settings, taps, border):
    groups = settings.get("groups", 1)
    x, w, b = draws(2, 4, 9), draws(4, 4 // groups, taps), draws(4)
    stride, dilation = (number(settings.get(name, 1)) for name in ("stride", "dilation"))
    expected = convolution(x, w, b, stride, *border, dilation, groups)
    x, w, b = tensor(x), tensor(w), tensor(b)
    y = F.conv1d(x, w, b, **settings)
    assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-13)
    without = F.conv1d(x, w, **settings) + b.reshape(4, 1)
    assert_allclose(without.numpy(), expected, rtol=1e-12, atol=1e-13)
    single = F.conv1d(x[1], w, b, **settings)
    assert_allclose(single.numpy(), expected[1], rtol=1e-12, atol=1e-13)


TRANSPOSED = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (3,), "padding": (1,), "output_padding": (2,), "dilation": (2,)},
    {"groups": 2, "stride": 2},
    {"dilation": 3, "output_padding": 2},
]


@pytest.mark.parametrize("settings", TRANSPOSED, ids=str)
def test_conv_transpose1d_follows_the_definition(settings):
    groups = settings.get("groups", 1)
    x, w, b = draws(2, 4, 5), draws(4, 3, 3), draws(3 * groups)
    stride, dilation = (number(settings.get(name, 1)) for name in ("stride", "dilation"))
    pad, extra = (number(settings.get(name, 0)) for name in ("padding", "output_padding"))
    expected = transposed(x, w, b, stride, pad, extra, dilation, groups)
    x, w, b = tensor(x), tensor(w), tensor(b)
    y = F.conv_transpose1d(x, w, b, **settings)
    assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-13)
    single = F.conv_transpose1d(x[1], w, b, **settings)
    assert_allclose(single.numpy(), expected[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}])
def test_the_two_are_each_others_adjoint(settings):
    """<conv(x), y> = <x, conv_transpose(y)>, with the same weight."""
    x, w = tensor(draws(2, 4, 9)), tensor(draws(6, 4 // settings.get("groups", 1), 3))
    y = F.conv1d(x, w, **settings)
    cotangent = tensor(draws(*y.shape, seed=3))
    back = F.conv_transpose1d(cotangent, w, **settings, output_size=9)
    assert_allclose((y * cotangent).sum().item(), (x * back).sum().item(), rtol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}])
def test_derivatives_are_right_to_order_3(settings):
    groups = settings.get("groups", 1)
    x, w, b = draws(2, 2, 6), draws(4, 2 // groups, 2), draws(4)
    gradcheck(lambda *args: F.conv1d(*args, **settings).tanh(), x, w, b, order=3)
    w, b = draws(2, 2, 2), draws(2 * groups)
    gradcheck(lambda *args: F.conv_transpose1d(*args, **settings).tanh(), x, w, b, order=3)


@pytest.mark.parametrize(
    ("settings", "size"), [({"stride": 3}, 14), ({"stride": 2, "dilation": 3}, 13)]
)
def test_output_size_takes_the_place_of_output_padding(settings, size):
    x, w = tensor(draws(1, 2, 4)), tensor(draws(2, 1, 3))
    least = F.conv_transpose1d(x, w, **settings).shape[-1]
    wanted = F.conv_transpose1d(x, w, **settings, output_size=size)
    padded = F.conv_transpose1d(x, w, **settings, output_padding=size - least)
    assert wanted.shape == (1, 1, size)
    assert wanted.tolist() == padded.tolist()


@pytest.mark.parametrize("f", [F.conv1d, F.conv_transpose1d])
def test_no_samples_give_none_and_float32_stays_float32(f):
    x, w, b = (minigan.ones(*s, requires_grad=True) for s in ((2, 3, 5), (3, 3, 2), (3,)))
    y = f(x, w, b)
    gradients = minigan.grad((y * y).sum(), [x, w, b])
    assert {v.dtype for v in (y, *gradients)} == {np.dtype("float32")}
    assert f(minigan.zeros(0, 3, 5), w, b).shape == (0, *y.shape[1:])


@pytest.mark.parametrize("f", [F.conv1d, F.conv_transpose1d])
@pytest.mark.parametrize(
    ("shapes", "settings", "error", "message"),
    [
        (((5,), (3, 3, 2)), {}, RuntimeError, r"expected input \(N, C, L\) or \(C, L\)"),
        (((2, 3, 5, 5), (3, 3, 2)), {}, RuntimeError, "expected input"),
        (((2, 3, 5), (3, 3, 2, 2)), {}, RuntimeError, "weight of 3 dimensions"),
        (((2, 4, 5), (3, 3, 2)), {}, RuntimeError, r"expects 3 input channels .* input has 4"),
        (((2, 3, 5), (3, 3, 2), (2,)), {}, RuntimeError, r"bias expects shape \(3,\), got \(2,\)"),
        (((2, 3, 5), (3, 3, 2)), {"groups": 2}, RuntimeError, "cannot be split into 2 groups"),
        (((2, 3, 5), (3, 3, 2)), {"groups": 0}, RuntimeError, "cannot be split into 0 groups"),
        (((2, 3, 5), (3, 3, 2)), {"stride": (1, 2)}, RuntimeError, r"stride .* got \(1, 2\)"),
        (((2, 3, 5), (3, 3, 2)), {"stride": 0}, RuntimeError, "stride .* at least 1, got 0"),
        (((2, 3, 5), (3, 3, 2)), {"dilation": 0}, RuntimeError, "dilation .* at least 1, got 0"),
        (((2, 3, 5), (3, 3, 2)), {"padding": -1}, RuntimeError, "padding .* at least 0, got -1"),
        (((2, 3, 5), (3, 3, 2)), {"stride": 1.5}, TypeError, "stride expects an int, got 1.5"),
    ],
)
def test_errors_are_pytorchs_and_say_what_is_expected(f, shapes, settings, error, message):
    with pytest.raises(error, match=f"^{f.__name__}: .*{message}"):
        f(*(minigan.ones(*shape) for shape in shapes), **settings)


def test_a_kernel_longer_than_the_input_is_refused():
    with pytest.raises(RuntimeError, match=r"^conv1d: a kernel that reaches over 5 .* length of 4"):
        F.conv1d(minigan.ones(1, 1, 4), minigan.ones(1, 1, 3), dilation=2)
    with pytest.raises(RuntimeError, match=r"^conv1d: padding .* \"valid\" or \"same\", got \"x\""):
        F.conv1d(minigan.ones(1, 1, 4), minigan.ones(1, 1, 3), padding="x")
