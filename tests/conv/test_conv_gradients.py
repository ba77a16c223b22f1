"""Gradients of convolutions to the third order, alone and inside networks.

Two oracles: gradcheck's complex step on drawn geometries, and differences in long double of a
network written in plain NumPy, which share no code with the engine.
"""

import numpy as np
import pytest
from derivatives import LONG, by_differences, by_engine, random_directions
from hypothesis import given, settings
from strategies import convolutions, in_layout, layouts, numbers

import minigan
from minigan import gradcheck
from minigan.nn.functional import batch_norm, leaky_relu
from minigan.ops.conv import Dgrad, Fprop, Wgrad

LARGE = {"max_kernel": 3, "max_channels": 2, "max_extra": 3, "max_batch": 2}


@settings(max_examples=60)
@given(convolutions(**LARGE), layouts, layouts)
def test_conv2d_to_order_3(case, a, b):
    g, (x, w, _) = case.geometry, case.operands()
    x, w = in_layout(x, a), in_layout(w, b)

    def f(x, w, bias):
        return minigan.conv2d(x, w, bias, g.stride, g.pad, g.dilation, g.groups).tanh()

    gradcheck(f, x, w, numbers(0, case.outputs), order=3, probes=1)


@settings(max_examples=60)
@given(convolutions(**LARGE))
def test_each_function_of_the_triple_to_order_3(case):
    """fprop, dgrad and wgrad as functions in their own right, each the others' gradient."""
    x, w, y = case.operands()
    for function, operands in ((Fprop, (x, w)), (Dgrad, (y, w)), (Wgrad, (x, y))):
        gradcheck(
            lambda a, b, f=function: (f(case.geometry)(a, b) * 0.3).tanh(),
            *operands,
            order=3,
            probes=1,
        )


@settings(max_examples=20)
@given(convolutions(min_batch=0, max_batch=0))
def test_an_empty_batch_has_gradients(case):
    g, (x, w, _) = case.geometry, case.operands()
    x, w = (minigan.tensor(v, requires_grad=True) for v in (x, w))
    y = minigan.conv2d(x, w, None, g.stride, g.pad, g.dilation, g.groups)
    gx, gw = minigan.grad((y * y).sum(), (x, w), create_graph=True)
    assert gx.shape == x.shape and gw.shape == w.shape
    (again,) = minigan.grad((gw * gw).sum(), w)
    assert not again.numpy().any()


# --------------------------------------------------------- networks, against plain NumPy programs


def convolve(x, w, stride, pad):
    """Convolution by one sum of products for each tap, in whatever precision x has."""
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    rows = (x.shape[2] - w.shape[2]) // stride + 1
    columns = (x.shape[3] - w.shape[3]) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], rows, columns), x.dtype)
    for r in range(w.shape[2]):
        for s in range(w.shape[3]):
            seen = x[:, :, r : r + rows * stride : stride, s : s + columns * stride : stride]
            y += np.einsum("nchw,kc->nkhw", seen[:, :, :rows, :columns], w[:, :, r, s])
    return y


def scatter(x, w, stride, pad):
    """Transposed convolution: every pixel adds its filter; then the padding is cut off."""
    n, _, h, v = x.shape
    _, k, r, s = w.shape
    y = np.zeros((n, k, (h - 1) * stride + r, (v - 1) * stride + s), x.dtype)
    for p in range(h):
        for q in range(v):
            y[:, :, p * stride : p * stride + r, q * stride : q * stride + s] += np.einsum(
                "nc,ckrs->nkrs", x[:, :, p, q], w
            )
    return y[:, :, pad : y.shape[2] - pad, pad : y.shape[3] - pad]


def normalise(x, weight, bias, eps=1e-5):
    mean = x.mean((0, 2, 3), keepdims=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdims=True)
    shape = (1, -1, 1, 1)
    return (x - mean) / np.sqrt(variance + eps) * weight.reshape(shape) + bias.reshape(shape)


def leaky(x, slope=0.2):
    return np.where(x > 0, x, slope * x)


def engine_critic(x, w1, scale, shift, w2):
    y = minigan.conv2d(x, w1, stride=2, padding=1)
    y = leaky_relu(batch_norm(y, weight=scale, bias=shift, training=True), 0.2)
    return (minigan.conv2d(y, w2, padding=1) ** 3).mean()


def plain_critic(x, w1, scale, shift, w2):
    y = leaky(normalise(convolve(x, w1, 2, 1), scale, shift))
    return (convolve(y, w2, 1, 1) ** 3).mean()


def engine_generator(x, w1, scale, shift, w2):
    y = minigan.conv_transpose2d(x, w1, stride=2, padding=1)
    y = leaky_relu(batch_norm(y, weight=scale, bias=shift, training=True), 0.2)
    return (minigan.conv_transpose2d(y, w2, stride=2, padding=1).tanh() ** 2).mean()


def plain_generator(x, w1, scale, shift, w2):
    y = leaky(normalise(scatter(x, w1, 2, 1), scale, shift))
    return (np.tanh(scatter(y, w2, 2, 1)) ** 2).mean()


def critic_operands(rng):
    """Operands whose normalised values all lie clear of LeakyReLU's kink."""
    while True:
        x, w1 = rng.standard_normal((3, 2, 6, 6)), rng.standard_normal((3, 2, 4, 4))
        scale, shift = 1 + 0.2 * rng.standard_normal(3), 0.2 * rng.standard_normal(3)
        if abs(normalise(convolve(x, w1, 2, 1), scale, shift)).min() > 0.05:
            return x, w1, scale, shift, rng.standard_normal((2, 3, 3, 3))


def generator_operands(rng):
    while True:
        x, w1 = rng.standard_normal((3, 2, 2, 2)), rng.standard_normal((2, 2, 4, 4))
        scale, shift = 1 + 0.2 * rng.standard_normal(2), 0.2 * rng.standard_normal(2)
        if abs(normalise(scatter(x, w1, 2, 1), scale, shift)).min() > 0.05:
            return x, w1, scale, shift, 0.3 * rng.standard_normal((2, 1, 4, 4))


@pytest.mark.skipif(not LONG, reason="long double is no wider than double here")
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    ("engine", "plain", "operands"),
    [
        (engine_critic, plain_critic, critic_operands),
        (engine_generator, plain_generator, generator_operands),
    ],
    ids=["critic", "generator"],
)
def test_conv_batchnorm_leakyrelu_conv_in_every_direction(engine, plain, operands, order):
    """Along all operands at once, and with every derivative taken along one operand alone.

    The second is where weight gradients are differentiated by the same weight again.
    """
    rng = np.random.default_rng(order)
    arrays = operands(rng)
    everything = random_directions(rng, arrays, order)
    choices = [everything]
    for i in range(len(arrays)):
        alone = [
            [d if j == i else np.zeros_like(d) for j, d in enumerate(direction)]
            for direction in everything
        ]
        choices.append(alone)
    for directions in choices:
        exact = by_differences(plain, arrays, directions, step=5e-4)
        assert by_engine(engine, arrays, directions) == pytest.approx(exact, rel=1e-7)
