"""Module: parts found by their dotted names."""

import re

import pytest

from minigan import nn


def test_parts_are_found_by_their_dotted_names():
    tree = nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.BatchNorm1d(2)))
    assert tree.get_submodule("") is tree
    assert tree.get_submodule("1.0") is tree[1][0]
    for name, parameter in tree.named_parameters():
        assert tree.get_parameter(name) is parameter
    for name, buffer in tree.named_buffers():
        assert tree.get_buffer(name) is buffer


@pytest.mark.parametrize(
    ("method", "target", "message"),
    [
        ("get_submodule", "0.x", "Linear has no sub-module 'x' (asked for '0.x')"),
        ("get_submodule", "2", "Sequential has no sub-module '2'"),
        ("get_submodule", "gone", "Sequential has no sub-module 'gone'"),
        ("get_parameter", "0.wait", "Linear has no parameter 'wait' (asked for '0.wait')"),
        ("get_parameter", "1.running_mean", "BatchNorm1d has no parameter 'running_mean'"),
        ("get_parameter", "0.bias", "Linear has no parameter 'bias'"),
        ("get_buffer", "1.weight", "BatchNorm1d has no buffer 'weight'"),
        ("get_buffer", "3.weight", "Sequential has no sub-module '3'"),
    ],
)
def test_a_dotted_name_that_leads_nowhere_is_said(method, target, message):
    tree = nn.Sequential(nn.Linear(1, 2, bias=False), nn.BatchNorm1d(2))
    tree.gone = None
    with pytest.raises(AttributeError, match=rf"^get_\w+: {re.escape(message)}"):
        getattr(tree, method)(target)
