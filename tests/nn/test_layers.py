"""Layers compute their formulas: float64 NumPy, written out as loops where it is not one line."""

import math

import numpy as np
import pytest

import minigan
from minigan import nn

tensor = minigan.tensor


def draws(*shape, seed=0):
    """Standard normal numbers, the same ones whichever tests run before."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def filled(layer):
    """The layer in float64 with every parameter drawn at random, biases too."""
    layer.double()
    with minigan.no_grad():
        for i, parameter in enumerate(layer.parameters()):
            parameter.copy_(draws(*parameter.shape, seed=i + 1))
    return layer


def array(parameter):
    return parameter.detach().numpy()


# -- linear


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_x_times_weight_transposed_plus_bias(shape, bias):
    layer = filled(nn.Linear(3, 2, bias=bias))
    x = draws(*shape)
    expected = np.zeros((*shape[:-1], 2))
    for index in np.ndindex(*shape[:-1], 2):
        *row, k = index
        expected[index] = math.fsum(x[(*row, j)] * array(layer.weight)[k, j] for j in range(3))
        expected[index] += array(layer.bias)[k] if bias else 0
    np.testing.assert_allclose(array(layer(tensor(x))), expected, rtol=1e-13, atol=1e-14)


def test_linear_refuses_another_number_of_features():
    with pytest.raises(RuntimeError, match=r"expects inputs \(…, 3\), got shape \(2, 4\)"):
        nn.Linear(3, 2)(minigan.ones(2, 4))


# -- convolution


def convolution(x, w, b, stride, pad, dilation, groups):
    """The definition, one output number at a time."""
    (n, _, h, width), (k, cg, r, s) = x.shape, w.shape
    (top, bottom, left, right), (sh, sw), (dh, dw) = pad, stride, dilation
    p = (h + top + bottom - dh * (r - 1) - 1) // sh + 1
    q = (width + left + right - dw * (s - 1) - 1) // sw + 1
    y = np.zeros((n, k, p, q))
    for i, o, a, z in np.ndindex(n, k, p, q):
        first = o // (k // groups) * cg
        for ci, u, v in np.ndindex(cg, r, s):
            row, column = a * sh - top + u * dh, z * sw - left + v * dw
            if 0 <= row < h and 0 <= column < width:
                y[i, o, a, z] += x[i, first + ci, row, column] * w[o, ci, u, v]
        y[i, o, a, z] += 0 if b is None else b[o]
    return y


def transposed(x, w, b, stride, pad, extra, dilation, groups):
    """The definition: every input pixel adds its filter to the output."""
    (n, c, h, width), (_, kg, r, s) = x.shape, w.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, pad, dilation
    p = (h - 1) * sh - 2 * ph + dh * (r - 1) + extra[0] + 1
    q = (width - 1) * sw - 2 * pw + dw * (s - 1) + extra[1] + 1
    y = np.zeros((n, kg * groups, p, q))
    for i, ci, a, z, o, u, v in np.ndindex(n, c, h, width, kg, r, s):
        row, column = a * sh - ph + u * dh, z * sw - pw + v * dw
        if 0 <= row < p and 0 <= column < q:
            channel = ci // (c // groups) * kg + o
            y[i, channel, row, column] += x[i, ci, a, z] * w[ci, o, u, v]
    return y if b is None else y + b[:, None, None]


@pytest.mark.parametrize(
    ("settings", "pad"),
    [
        ({}, (0, 0, 0, 0)),
        ({"stride": 2, "padding": 1}, (1, 1, 1, 1)),
        ({"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}, (0, 0, 2, 2)),
        ({"groups": 2, "bias": False}, (0, 0, 0, 0)),
        ({"padding": (1, 0, 2, 1)}, (1, 0, 2, 1)),
        ({"padding": "same"}, (1, 1, 0, 1)),
        ({"padding": "same", "stride": 2}, (1, 1, 0, 1)),
        ({"padding": "valid"}, (0, 0, 0, 0)),
    ],
    ids=str,
)
def test_conv2d_follows_the_definition(settings, pad):
    layer = filled(nn.Conv2d(4, 6, (3, 2), **settings))
    x = draws(2, 4, 5, 6)
    bias = None if layer.bias is None else array(layer.bias)
    expected = convolution(
        x, array(layer.weight), bias, layer.stride, pad, layer.dilation, layer.groups
    )
    np.testing.assert_allclose(array(layer(tensor(x))), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (3, 2), "padding": (0, 1), "output_padding": (2, 1), "dilation": (1, 2)},
        {"groups": 2, "bias": False},
    ],
    ids=str,
)
def test_conv_transpose2d_follows_the_definition(settings):
    layer = filled(nn.ConvTranspose2d(4, 6, (4, 3), **settings))
    x = draws(2, 4, 3, 2)
    pair = settings.get("padding", 0)
    pad = pair if isinstance(pair, tuple) else (pair, pair)
    bias = None if layer.bias is None else array(layer.bias)
    expected = transposed(
        *(x, array(layer.weight), bias, layer.stride, pad),
        *(layer.output_padding, layer.dilation, layer.groups),
    )
    np.testing.assert_allclose(array(layer(tensor(x))), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("height", [8, 9])
def test_conv_transpose2d_can_be_told_the_size_it_came_from(height):
    down, up = nn.Conv2d(1, 2, 3, 2, 1), nn.ConvTranspose2d(2, 1, 3, 2, 1)
    x = minigan.ones(1, 1, height, height)
    assert up(down(x), output_size=x.shape).shape == x.shape
    assert up(down(x), output_size=(height, height)).shape == x.shape


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize("groups", [3, 0, -1])
def test_groups_that_do_not_divide_the_channels_are_refused(layer, groups):
    message = rf"{layer.__name__}: groups \({groups}\) must divide in_channels \(4\)"
    with pytest.raises(ValueError, match=message):
        layer(4, 6, 3, groups=groups)


# -- activations


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (nn.ReLU(), lambda v: max(v, 0.0)),
        (nn.LeakyReLU(), lambda v: v if v > 0 else 0.01 * v),
        (nn.LeakyReLU(0.2), lambda v: v if v > 0 else 0.2 * v),
        (nn.Tanh(), math.tanh),
        (nn.Sigmoid(), lambda v: 1 / (1 + math.exp(-v))),
        (nn.Softplus(), lambda v: math.log1p(math.exp(v)) if v <= 20 else v),
        (nn.Softplus(2.0, 3.0), lambda v: math.log1p(math.exp(2 * v)) / 2 if 2 * v <= 3 else v),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Module) else "",
)
def test_activations_follow_their_formulas(layer, formula):
    x = np.concatenate([draws(50) * 5, [0.0, -0.0, 30.0, -30.0, 1.5, 1.4999]])
    expected = [formula(v) for v in x]
    np.testing.assert_allclose(array(layer(tensor(x))), expected, rtol=1e-14, atol=0)


# -- shapes


def test_flatten_and_unflatten_keep_elements_in_row_major_order():
    x = draws(2, 3, 4, 5)
    assert np.array_equal(array(nn.Flatten()(tensor(x))), x.reshape(2, 60))
    assert np.array_equal(array(nn.Flatten(0, 1)(tensor(x))), x.reshape(6, 4, 5))
    assert np.array_equal(array(nn.Flatten(-2)(tensor(x))), x.reshape(2, 3, 20))
    y = x.reshape(2, 60)
    assert np.array_equal(array(nn.Unflatten(1, (3, 4, 5))(tensor(y))), x)
    assert np.array_equal(array(nn.Unflatten(-1, [15, -1])(tensor(y))), x.reshape(2, 15, 4))


def test_flatten_reads_a_transposed_image_in_logical_order():
    x = draws(2, 4, 5, 3).transpose(0, 3, 1, 2)
    assert np.array_equal(array(nn.Flatten()(tensor(x))), np.ascontiguousarray(x).reshape(2, 60))


# -- float32 in, float32 out

LAYERS = [
    (nn.Linear(4, 3), (2, 4)),
    (nn.Conv2d(4, 3, 3, padding=1), (2, 4, 5, 5)),
    (nn.ConvTranspose2d(4, 3, 4, 2, 1), (2, 4, 5, 5)),
    (nn.BatchNorm1d(4), (3, 4)),
    (nn.BatchNorm1d(4).eval(), (3, 4)),
    (nn.BatchNorm1d(4, momentum=None), (3, 4, 2)),
    (nn.BatchNorm2d(4), (3, 4, 5, 5)),
    (nn.ReLU(), (2, 4)),
    (nn.LeakyReLU(0.2), (2, 4)),
    (nn.Tanh(), (2, 4)),
    (nn.Sigmoid(), (2, 4)),
    (nn.Softplus(3.0), (2, 4)),
    (nn.Flatten(), (2, 4, 3)),
    (nn.Unflatten(1, (2, 2)), (2, 4)),
    (nn.Dropout(0.3), (2, 4)),
    (nn.Upsample(scale_factor=2), (2, 4, 3, 3)),
    (nn.Upsample(scale_factor=1.4), (2, 4, 3, 3)),
    (nn.Upsample(size=(4, 7)), (2, 4, 3, 3)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: str(value)[:40])
def test_float32_stays_float32_forward_backward_and_twice_backward(layer, shape):
    x = minigan.randn(*shape, requires_grad=True)
    y = layer(x)
    inputs = [x, *layer.parameters()]
    first = minigan.grad((y * y).sum(), inputs, create_graph=True)
    second = minigan.grad(sum((g * g).sum() for g in first), inputs, allow_unused=True)
    for value in [y, *first, *[g for g in second if g is not None], *layer.buffers()]:
        assert value.dtype == np.float32 or value.dtype == np.int64
    assert [g.shape for g in first] == [p.shape for p in inputs]
