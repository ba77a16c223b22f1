"""Sequential: modules one after the other, found by number, slice or name."""

from collections import OrderedDict

import pytest

import minigan
from minigan import nn


def names(net):
    return [name for name, _ in net.named_children()]


def test_sequential_calls_its_modules_in_order():
    double, add = nn.Linear(1, 1, bias=False), nn.Linear(1, 1)
    nn.init.constant_(double.weight, 2)
    nn.init.ones_(add.weight)
    nn.init.ones_(add.bias)
    assert nn.Sequential(double, add)(minigan.tensor([[3.0]])).item() == 7
    assert nn.Sequential(add, double)(minigan.tensor([[3.0]])).item() == 8
    x = minigan.ones(2)
    assert nn.Sequential()(x) is x


def test_sequential_indexing_and_slicing_keep_modules_and_names():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3))
    assert len(net) == 3
    assert net[-1] is net[2]
    assert [m is n for m, n in zip(net, (net[0], net[1], net[2]), strict=True)] == [True] * 3
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    assert net[1:][-1] is net[2]
    with pytest.raises(IndexError):
        net[3]


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_sequential_takes_names_from_a_dict(kind):
    net = nn.Sequential(kind(fc=nn.Linear(2, 2, bias=False), act=nn.Tanh()))
    assert names(net) == ["fc", "act"]
    assert len(nn.Sequential(kind())) == 0
    assert net.append(nn.ReLU()) is net
    assert names(net) == ["fc", "act", "2"]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="expected a Module or None, got int"):
        nn.Sequential(nn.Tanh(), 3)
