"""Module: dtype and device, and what gradients are asked for."""

import numpy as np
import pytest

import minigan
from minigan import nn, optim


def small():
    minigan.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


def values(module):
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_to_dtype_converts_floats_and_gradients_and_keeps_every_identity():
    net = small()
    net(minigan.randn(5, 3)).sum().backward()
    before = list(net.parameters())
    gradients = [p.grad.numpy().copy() for p in before]
    assert net.to("float64") is net
    assert all(a is b for a, b in zip(net.parameters(), before, strict=True))
    assert {p.dtype for p in net.parameters()} == {np.dtype("float64")}
    for p, g in zip(before, gradients, strict=True):
        assert p.requires_grad
        assert p.is_leaf
        assert p.grad.dtype == np.float64
        np.testing.assert_array_equal(p.grad.numpy(), g)
    assert net[1].running_mean.dtype == np.float64
    assert net[1].num_batches_tracked.dtype == np.int64
    assert net(minigan.randn(5, 3, dtype="float64")).dtype == np.float64
    assert {p.dtype for p in net.float().parameters()} == {np.dtype("float32")}
    assert {p.dtype for p in net.double().parameters()} == {np.dtype("float64")}
    assert {p.dtype for p in net.half().parameters()} == {np.dtype("float16")}
    assert net[1].num_batches_tracked.dtype == np.int64


def test_to_takes_dtype_and_device_from_a_tensor():
    net = small().to(minigan.zeros(1, dtype="float64"))
    assert {p.dtype for p in net.parameters()} == {np.dtype("float64")}
    assert {str(t.device) for t in net.state_dict().values()} == {"cpu"}
    assert net.to(minigan.float32, non_blocking=True)[0].weight.dtype == np.float32


@pytest.mark.parametrize(
    "move", [lambda n: n.cuda(), lambda n: n.cuda(0), lambda n: n.to(0), lambda n: n.to("cuda:0")]
)
def test_every_way_to_name_a_gpu_asks_for_one(move, monkeypatch):
    asked = []
    monkeypatch.setattr("minigan.nn.moving.to_device", lambda a, d: asked.append(d) or a)
    move(nn.Linear(1, 1))
    assert {minigan.device(name) for name in asked} == {minigan.device("cuda:0")}


@pytest.mark.parametrize("make", [optim.SGD, optim.RMSprop, optim.Adam])
def test_an_optimizer_made_before_to_dtype_goes_on_in_the_new_dtype(make):
    settings = {"momentum": 0.9} if make is optim.SGD else {}
    net = nn.Linear(3, 1)
    optimizer = make(net.parameters(), lr=0.1, **settings)
    for dtype in ("float32", "float64"):
        net.to(dtype)
        for _ in range(2):
            before = values(net)
            optimizer.zero_grad()
            (net(minigan.ones(2, 3, dtype=dtype)) - 1).square().sum().backward()
            optimizer.step()
            assert not same(values(net), before)
    slots = [x for state in optimizer.state.values() for k, x in state.items() if k != "step"]
    assert len(slots) >= 2
    assert {x.dtype for x in [*slots, *net.parameters()]} == {np.dtype("float64")}


def test_a_move_that_changes_nothing_leaves_a_recorded_graph_usable():
    net = small()
    loss = net(minigan.randn(5, 3)).sum()
    net.to("cpu").to(minigan.device("cpu")).to("float32").cpu().float().to("cpu", "float32")
    loss.backward()
    assert net[0].weight.grad is not None


def test_changing_the_dtype_under_a_recorded_graph_makes_its_backward_fail():
    net = nn.Linear(2, 1, bias=False)
    loss = net(minigan.ones(1, 2, requires_grad=True)).sum()
    net.double()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64"])
def test_to_refuses_what_is_no_float(dtype):
    with pytest.raises(TypeError, match=f"expected a float dtype, got {dtype}"):
        small().to(dtype)


def test_requires_grad_freezes_and_thaws_all_parameters():
    net = small()
    assert net.requires_grad_(False) is net
    assert not net(minigan.ones(2, 3)).requires_grad
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


def test_zero_grad_forgets_gradients_or_makes_them_zero_whatever_they_were():
    net = nn.Linear(2, 1)
    net.weight.grad = minigan.tensor([[float("nan"), float("inf")]])
    net.zero_grad(set_to_none=False)
    assert net.weight.grad.tolist() == [[0.0, 0.0]]
    assert net.bias.grad is None
    net.zero_grad()
    assert net.weight.grad is None
