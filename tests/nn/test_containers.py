"""ModuleList and ModuleDict: sub-modules by number and by name, in state and in print."""

from collections import OrderedDict

import pytest

import minigan
from minigan import nn


def names(module):
    return [name for name, _ in module.named_children()]


def same(a, b):
    return [x is y for x, y in zip(a, b, strict=True)] == [True] * len(list(b))


@pytest.fixture
def parts():
    return [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)]


# -- lists


def test_a_list_numbers_its_modules(parts):
    modules = nn.ModuleList(parts)
    assert len(modules) == 3
    assert same(modules, parts)
    assert modules[0] is modules[-3] is parts[0]
    assert list(modules.state_dict()) == ["0.weight", "0.bias", "2.weight"]
    assert [n for n, _ in modules.named_parameters()] == ["0.weight", "0.bias", "2.weight"]
    assert len(nn.ModuleList()) == 0


def test_a_list_grows_in_every_way_that_lists_do(parts):
    modules = nn.ModuleList()
    assert modules.append(parts[0]) is modules
    assert modules.extend(parts[1:2]) is modules
    modules += parts[2:]
    assert same(modules, parts)
    first = nn.Tanh()
    modules.insert(1, first)
    assert same(modules, [parts[0], first, *parts[1:]])
    assert names(modules) == ["0", "1", "2", "3"]
    both = modules + nn.ModuleList([first])
    assert isinstance(both, nn.ModuleList)
    assert len(both) == 5
    assert len(modules) == 4


def test_slices_are_lists_that_share_the_modules(parts):
    modules = nn.ModuleList(parts)
    for part in (slice(1, None), slice(None, None, -1), slice(None, None, 2), slice(3, 9)):
        assert isinstance(modules[part], nn.ModuleList)
        assert same(modules[part], parts[part])
    assert list(modules[2:].state_dict()) == ["0.weight"]


def test_replacing_deleting_and_popping_number_the_rest_anew(parts):
    modules, other = nn.ModuleList(parts), nn.Tanh()
    modules[-2] = other
    assert same(modules, [parts[0], other, parts[2]])
    del modules[0]
    assert same(modules, [other, parts[2]])
    assert list(modules.state_dict()) == ["1.weight"]
    assert modules.pop(0) is other
    assert list(modules.state_dict()) == ["0.weight"]
    modules = nn.ModuleList(parts)
    del modules[:2]
    assert same(modules, parts[2:])
    assert names(modules) == ["0"]


def test_indices_beyond_the_list_and_other_things_than_modules_are_refused(parts):
    modules = nn.ModuleList(parts)
    for index in (3, -4):
        with pytest.raises(IndexError, match=rf"ModuleList: index {index} .* 3 modules"):
            modules[index]
        with pytest.raises(IndexError, match=rf"ModuleList: index {index} .* 3 modules"):
            modules[index] = nn.ReLU()
        with pytest.raises(IndexError, match=rf"ModuleList: index {index} .* 3 modules"):
            del modules[index]
    for wrong in (lambda: modules.append(3), lambda: modules.__setitem__(0, minigan.ones(1))):
        with pytest.raises(TypeError, match="expected a Module or None, got"):
            wrong()
    with pytest.raises(TypeError, match="ModuleList: expected an iterable of modules, got Linear"):
        modules.extend(nn.Linear(1, 1))
    assert same(modules, parts)


def test_a_list_has_no_forward(parts):
    with pytest.raises(NotImplementedError, match="ModuleList defines no forward"):
        nn.ModuleList(parts)(minigan.ones(2))


# -- dicts


@pytest.mark.parametrize("kind", [dict, OrderedDict, lambda **items: list(items.items())])
def test_a_dict_keeps_names_in_order(parts, kind):
    modules = nn.ModuleDict(kind(out=parts[2], act=parts[1], body=parts[0]))
    assert list(modules) == list(modules.keys()) == ["out", "act", "body"]
    assert same(modules.values(), parts[::-1])
    assert [k for k, _ in modules.items()] == ["out", "act", "body"]
    assert len(modules) == 3
    assert "act" in modules
    assert "relu" not in modules
    assert modules["body"] is modules.body is parts[0]
    assert list(modules.state_dict()) == ["out.weight", "body.weight", "body.bias"]


def test_a_dict_replaces_in_place_deletes_pops_and_clears(parts):
    modules, other = nn.ModuleDict({"a": parts[0], "b": parts[1]}), nn.Tanh()
    modules["a"] = other
    assert list(modules) == ["a", "b"]
    assert modules["a"] is other
    modules.update({"c": parts[2], "b": parts[0]})
    assert [(k, m) for k, m in modules.items()] == [("a", other), ("b", parts[0]), ("c", parts[2])]
    del modules["a"]
    assert modules.pop("b") is parts[0]
    assert list(modules) == ["c"]
    modules.clear()
    assert len(modules) == len(nn.ModuleDict()) == 0


def test_a_dict_refuses_what_it_cannot_hold(parts):
    modules = nn.ModuleDict({"a": parts[0]})
    for wrong in (lambda: modules["b"], lambda: modules.pop("b"), lambda: modules.__delitem__("b")):
        with pytest.raises(KeyError, match="b"):
            wrong()
    with pytest.raises(TypeError, match="expected a Module or None, got int"):
        modules["a"] = 3
    assert modules["a"] is parts[0]
    with pytest.raises(KeyError, match="must not be empty nor hold a dot"):
        modules["x.y"] = parts[1]
    with pytest.raises(KeyError, match="this attribute exists already"):
        modules["keys"] = parts[1]
    with pytest.raises(TypeError, match="ModuleDict: expected a mapping or pairs, got int"):
        modules.update(3)


# -- trees


class Tree(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.ModuleDict({"fc": nn.Linear(2, 2)}) for _ in range(2)])
        self.heads = nn.ModuleDict({"a": nn.ModuleList([nn.Linear(2, 1, bias=False)])})
        self.again = self.blocks[0]


def test_nested_names_and_shared_modules_follow_pytorch():
    tree = Tree()
    state = ["blocks.0.fc.weight", "blocks.0.fc.bias", "blocks.1.fc.weight", "blocks.1.fc.bias"]
    assert list(tree.state_dict()) == [
        *state,
        *("heads.a.0.weight", "again.fc.weight", "again.fc.bias"),  # under both of its names
    ]
    assert [name for name, _ in tree.named_parameters()] == [*state, "heads.a.0.weight"]
    assert names(tree) == ["blocks", "heads", "again"]
    assert len(list(tree.modules())) == 9  # the shared two once


def test_a_module_that_stands_twice_in_a_list_is_trained_once():
    shared = nn.Linear(1, 1, bias=False)
    modules = nn.ModuleList([shared, nn.Tanh(), shared])
    assert list(modules.state_dict()) == ["0.weight", "2.weight"]
    assert len(list(modules.parameters())) == 1
    assert len(modules) == 3
    assert len(list(modules.children())) == 2


def test_state_modes_and_dtypes_reach_the_modules_inside():
    tree, other = Tree(), Tree()
    other.load_state_dict(tree.state_dict())
    for p, q in zip(tree.parameters(), other.parameters(), strict=True):
        assert p.tolist() == q.tolist()
    assert not any(m.training for m in tree.eval().modules())
    assert {p.dtype.name for p in tree.double().parameters()} == {"float64"}


def test_containers_print_as_in_pytorch(parts):
    # Constants printed by PyTorch 2.13.
    assert repr(nn.ModuleList()) == "ModuleList()"
    assert repr(nn.ModuleDict()) == "ModuleDict()"
    assert repr(nn.ModuleDict({"act": parts[1]})) == "ModuleDict(\n  (act): ReLU()\n)"
    assert repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])) == (
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)"
    )
    assert repr(nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.ReLU()])) == (
        "ModuleList(\n  (0): ReLU()\n  (1): Tanh()\n  (2): ReLU()\n)"
    )
    assert repr(nn.ModuleList([nn.Sequential(nn.ReLU())] * 2)) == (
        "ModuleList(\n  (0-1): 2 x Sequential(\n    (0): ReLU()\n  )\n)"
    )
