"""A Sequential computes normalisation and activation at once: the same numbers, to any order."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.nn.fusing import as_one

ACTIVATIONS = [nn.ReLU(), nn.LeakyReLU(0.2)]


def pair(activation, shape, dtype="float64"):
    """A Sequential and what it is given."""
    rng = np.random.default_rng(0)
    norm = nn.BatchNorm2d(shape[1]) if len(shape) == 4 else nn.BatchNorm1d(shape[1])
    net = nn.Sequential(norm, activation).to(dtype=dtype)
    with minigan.no_grad():
        norm.weight.copy_(minigan.tensor(rng.uniform(0.5, 2, shape[1])))
        norm.bias.copy_(minigan.tensor(rng.normal(size=shape[1])))
        norm.running_mean.copy_(minigan.tensor(rng.normal(size=shape[1])))
        norm.running_var.copy_(minigan.tensor(rng.uniform(0.5, 2, shape[1])))
    return net, minigan.tensor(rng.normal(size=shape).astype(dtype), requires_grad=True)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=["relu", "leaky"])
@pytest.mark.parametrize("shape", [(5, 3, 2, 2), (6, 3), (64, 16, 14, 14)], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_the_values_are_those_of_one_layer_after_the_other(activation, shape, training):
    net, x = pair(activation, shape)
    net.train(training)
    with minigan.no_grad():
        fused = net(x).numpy().astype(np.longdouble)
    norm, dims = net[0], tuple(d for d in range(len(shape)) if d != 1)
    values = x.detach().numpy().astype(np.longdouble)
    each = [1, -1] + [1] * (len(shape) - 2)
    if training:
        mean, var = values.mean(dims, keepdims=True), values.var(dims, keepdims=True)
    else:
        mean, var = (b.numpy().reshape(each) for b in (norm.running_mean, norm.running_var))
    y = (values - mean) / np.sqrt(var + np.longdouble(1e-5))
    y = y * norm.weight.detach().numpy().reshape(each) + norm.bias.detach().numpy().reshape(each)
    slope = getattr(activation, "negative_slope", 0)
    np.testing.assert_allclose(fused, np.where(y > 0, y, slope * y), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=["relu", "leaky"])
def test_gradients_to_order_3(activation):
    net, x = pair(activation, (4, 2, 2, 1))
    norm = net[0]

    def f(x, weight, bias):
        return nn.functional.batch_norm(x, None, None, weight, bias, True)

    def fused(x, weight, bias):
        return minigan.ops.norm.batch_norm_activated(
            x, None, None, weight, bias, True, 0.1, 1e-5, **as_one(norm, activation).keywords
        ).tanh()

    minigan.gradcheck(fused, x, norm.weight, norm.bias, order=3)
    slopes = getattr(activation, "negative_slope", 0.0)
    expected = nn.functional.leaky_relu(f(x, norm.weight, norm.bias), slopes).tanh()
    found = fused(x, norm.weight, norm.bias)
    wrt = [x, norm.weight, norm.bias]
    for a, b in zip(minigan.grad(found.sum(), wrt), minigan.grad(expected.sum(), wrt), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=["relu", "leaky"])
@pytest.mark.parametrize("order", ["channels first", "channels last"])
def test_a_large_gradient_is_the_recorded_one(activation, order):
    """In float32 and blocks, beside the rule that is recorded for higher orders."""
    net, x = pair(activation, (64, 16, 14, 14), "float32")
    if order == "channels last":
        memory = np.ascontiguousarray(x.detach().numpy().transpose(0, 2, 3, 1))
        x = minigan.from_numpy(memory.transpose(0, 3, 1, 2)).requires_grad_()
    g = minigan.from_numpy(np.random.default_rng(1).normal(size=x.shape).astype("float32"))
    y = net(x)
    wrt = [x, *net.parameters()]
    plain = minigan.grad(y, wrt, g, retain_graph=True)
    recorded = minigan.grad(y, wrt, g, create_graph=True)
    for a, b in zip(plain, recorded, strict=True):
        scale = float(abs(b.detach().numpy()).max())
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5 * scale)


def test_hooks_and_subclasses_are_not_passed_over():
    class Own(nn.ReLU):
        def forward(self, x):
            return x * 7

    norm, seen = nn.BatchNorm1d(2), []
    assert as_one(norm, nn.LeakyReLU(0.1)).keywords == {"slope": 0.1}
    for after in (Own(), None, nn.LeakyReLU(1.5), nn.LeakyReLU(-0.1), nn.Tanh()):
        assert as_one(norm, after) is None
    assert as_one(nn.ReLU(), nn.ReLU()) is None
    x = minigan.randn(4, 2)
    net = nn.Sequential(norm, nn.ReLU())
    net[1].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
    net(x)
    assert seen == [(4, 2)]
    found, expected = nn.Sequential(nn.BatchNorm1d(2), Own())(x), nn.BatchNorm1d(2)(x) * 7
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-6)
