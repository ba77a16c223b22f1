"""Module: deep copies, which is how an average of a network's weights is kept."""

import copy

import numpy as np

import minigan
from minigan import nn, optim


def small():
    minigan.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


def values(module):
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_a_deep_copy_has_memory_of_its_own_and_keeps_what_was_shared():
    net = small()
    net.add_module("again", net[0])
    twin = copy.deepcopy(net)
    assert same(values(twin), values(net))
    assert twin.again is twin[0]
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in net.parameters()}
    before = values(net)
    with minigan.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    assert same(values(net), before)


def test_a_deep_copy_starts_without_gradients_even_after_a_recorded_backward():
    net = small()
    net(minigan.randn(4, 3)).square().sum().backward(create_graph=True)
    twin = copy.deepcopy(net)
    assert all(p.grad is None and p.requires_grad for p in twin.parameters())
    assert not any(p.requires_grad for p in copy.deepcopy(net.requires_grad_(False)).parameters())


def test_an_exponential_moving_average_of_a_network_follows_its_formula():
    net = nn.Linear(2, 1)
    average = copy.deepcopy(net).requires_grad_(False)
    expected = values(net)["weight"].astype("float64")
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        net(minigan.ones(1, 2)).square().sum().backward()
        optimizer.step()
        with minigan.no_grad():
            for mean, new in zip(average.parameters(), net.parameters(), strict=True):
                mean.mul_(0.9).add_(new, alpha=0.1)
        expected = 0.9 * expected + 0.1 * values(net)["weight"]
    np.testing.assert_allclose(average.weight.numpy(), expected, rtol=1e-6)
