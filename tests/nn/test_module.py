"""Module: what counts as a parameter, a buffer or a sub-module, how the tree is walked and printed.

Names, order and errors are PyTorch's; the constants were printed by PyTorch 2.13.
"""

import pytest

import minigan
from minigan import nn


class Toy(nn.Module):
    """Everything that a module can own: shared, missing and non-persistent parts too."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(minigan.zeros(1))
        self.inner = nn.Linear(1, 1)
        self.same = self.inner
        self.gone = nn.Tanh()
        self.gone = None
        self.register_buffer("kept", minigan.zeros(1))
        self.register_buffer("brief", minigan.zeros(1), persistent=False)
        self.register_buffer("empty", None)
        self.tied = self.inner.weight

    def extra_repr(self):
        return "toy=True"


def names(pairs):
    return [name for name, _ in pairs]


# -- walking the tree


def test_names_and_their_order_are_pytorchs():
    toy = Toy()
    assert names(toy.named_parameters()) == ["gain", "tied", "inner.bias"]
    assert names(toy.named_parameters(prefix="net")) == ["net.gain", "net.tied", "net.inner.bias"]
    assert names(toy.named_parameters(recurse=False)) == ["gain", "tied"]
    assert names(toy.named_buffers()) == ["kept", "brief"]
    assert names(toy.named_modules()) == ["", "inner"]
    assert names(toy.named_children()) == ["inner"]
    assert list(toy.state_dict()) == [
        *("gain", "tied", "kept"),
        *("inner.weight", "inner.bias", "same.weight", "same.bias"),
    ]


def test_the_plain_iterators_give_what_the_named_ones_give():
    toy = Toy()
    for plain, named in (
        (toy.parameters(), toy.named_parameters()),
        (toy.buffers(), toy.named_buffers()),
        (toy.modules(), toy.named_modules()),
        (toy.children(), toy.named_children()),
    ):
        assert [id(x) for x in plain] == [id(x) for _, x in named]


def test_named_modules_goes_depth_first_in_order_of_assignment():
    tree = nn.Sequential(nn.Sequential(nn.Tanh(), nn.ReLU()), nn.Sequential(nn.Sigmoid()))
    assert names(tree.named_modules()) == ["", "0", "0.0", "0.1", "1", "1.0"]
    expected = ["net", "net.0", "net.0.0", "net.0.1", "net.1", "net.1.0"]
    assert names(tree.named_modules(prefix="net")) == expected
    seen = {tree[0]}
    assert names(tree.named_modules(seen)) == ["", "1", "1.0"]
    assert seen == set(tree.modules()) - {tree[0][0], tree[0][1]}


def test_shared_parts_are_given_under_each_of_their_names_where_that_is_asked_for():
    toy = Toy()
    toy.register_buffer("alias", toy.kept)
    everything = {"remove_duplicate": False}
    assert names(toy.named_modules(**everything)) == ["", "inner", "same"]
    assert len(list(toy.modules(**everything))) == 3
    assert names(toy.named_parameters(**everything)) == [
        *("gain", "tied", "inner.weight", "inner.bias", "same.weight", "same.bias")
    ]
    assert names(toy.named_buffers(**everything)) == ["kept", "brief", "alias"]


def test_dir_names_the_parts_that_can_be_written_as_attributes():
    toy = Toy()
    toy.add_module("0", nn.Tanh())
    assert {"gain", "inner", "kept", "forward"} <= set(dir(toy))
    assert "0" not in dir(toy)


def test_apply_visits_children_before_their_parent():
    tree = nn.Sequential(nn.Sequential(nn.Tanh(), nn.ReLU()), nn.Sigmoid())
    seen = []
    assert tree.apply(lambda module: seen.append(type(module).__name__)) is tree
    assert seen == ["Tanh", "ReLU", "Sequential", "Sigmoid", "Sequential"]


# -- attributes


def test_assigned_attributes_are_found_again_and_can_be_deleted():
    toy = Toy()
    assert toy.gone is None
    assert toy.empty is None
    for name, group in (("gain", "parameters"), ("inner", "children"), ("kept", "buffers")):
        value = getattr(toy, name)
        assert any(value is x for x in getattr(toy, group)())
        delattr(toy, name)
        assert not hasattr(toy, name)
        with pytest.raises(AttributeError, match=name):
            delattr(toy, name)
    toy.plain = 3
    del toy.plain
    with pytest.raises(AttributeError, match="Toy has no attribute 'plain'"):
        _ = toy.plain


def test_a_parameter_buffer_or_module_can_be_replaced_by_its_own_kind_or_none():
    toy = Toy()
    toy.gain = replacement = nn.Parameter(minigan.ones(2))
    assert next(toy.parameters()) is replacement
    toy.gain = None
    assert names(toy.named_parameters()) == ["tied", "inner.bias"]
    toy.kept = buffer = minigan.ones(3)
    assert next(toy.buffers()) is buffer
    toy.kept = None
    assert names(toy.named_buffers()) == ["brief"]
    toy.same = toy.inner = None
    assert names(toy.named_modules()) == [""]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gain", minigan.zeros(1), "a Parameter or None, got Tensor"),
        ("gain", nn.Tanh(), "a Parameter or None, got Tanh"),
        ("gain", 1.0, "a Parameter or None, got float"),
        ("inner", 3, "a Module or None, got int"),
        ("inner", minigan.zeros(1), "a Module or None, got Tensor"),
        ("kept", 3, "a Tensor or None, got int"),
    ],
)
def test_a_replacement_of_another_kind_is_refused(name, value, expected):
    toy = Toy()
    before = getattr(toy, name)
    with pytest.raises(TypeError, match=rf"Toy\.{name}: expected {expected}"):
        setattr(toy, name, value)
    assert getattr(toy, name) is before


def test_a_parameter_or_module_takes_the_place_of_what_had_its_name():
    toy = Toy()
    toy.kept = nn.Tanh()
    assert "kept" in names(toy.named_children())
    assert "kept" not in names(toy.named_buffers())
    toy.inner = nn.Parameter(minigan.ones(1))
    assert "inner" in names(toy.named_parameters())
    assert names(toy.named_children()) == ["same", "kept"]
    toy.plain = 1
    toy.plain = nn.Parameter(minigan.ones(1))
    assert "plain" in names(toy.named_parameters())


@pytest.mark.parametrize(
    "method", ["register_parameter", "register_buffer", "add_module", "register_module"]
)
@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("a.b", None, KeyError, "must not be empty nor hold a dot"),
        ("", None, KeyError, "must not be empty nor hold a dot"),
        (3, None, TypeError, "expected a string"),
        ("forward", None, KeyError, "exists already"),
        ("new", 3, TypeError, "or None, got int"),
    ],
)
def test_registering_checks_name_and_value(method, name, value, error, message):
    toy = Toy()
    before = list(toy.state_dict())
    with pytest.raises(error, match=message):
        getattr(toy, method)(name, value)
    assert list(toy.state_dict()) == before


def test_none_can_be_registered_and_given_a_value_later():
    layer = nn.Linear(2, 3, bias=False)
    assert layer.bias is None
    with pytest.raises(TypeError, match="expected a Parameter"):
        layer.bias = minigan.zeros(3)
    layer.bias = nn.Parameter(minigan.zeros(3))
    assert list(layer.state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize("value", [nn.Parameter(minigan.zeros(1)), nn.Tanh()])
def test_assigning_parts_before_init_is_one_clear_error(value):
    class Hasty(nn.Module):
        def __init__(self):
            self.part = value

    with pytest.raises(AttributeError, match=r"Hasty\.part: call super\(\).__init__\(\) before"):
        Hasty()


def test_plain_attributes_may_come_before_init():
    class Early(nn.Module):
        def __init__(self):
            self.width = 3
            super().__init__()
            self.layer = nn.Linear(self.width, 1)

    assert Early().layer.weight.shape == (1, 3)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([1.0], TypeError, "expected a Tensor, got list"),
        (minigan.tensor([1, 2]), RuntimeError, "only float tensors .* got int64"),
    ],
)
def test_what_cannot_be_a_parameter(data, error, message):
    with pytest.raises(error, match=message):
        nn.Parameter(data)


def test_a_parameter_shares_memory_and_change_count_with_its_tensor():
    data = minigan.zeros(2)
    parameter = nn.Parameter(data)
    loss = (parameter * parameter).sum()
    data.add_(1)
    assert parameter.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


# -- calling


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module defines no forward"):
        nn.Module()(1)


def test_call_passes_positional_and_keyword_arguments_to_forward():
    class Affine(nn.Module):
        def forward(self, x, scale=1, *, shift=0):
            return x * scale + shift

    assert Affine()(3, 4, shift=5) == 17


# -- train and eval


def test_train_and_eval_reach_every_module():
    tree = nn.Sequential(nn.Sequential(nn.Dropout()), nn.BatchNorm1d(2))
    assert tree.eval() is tree
    assert not any(module.training for module in tree.modules())
    assert tree.train() is tree
    assert all(module.training for module in tree.modules())
    with pytest.raises(ValueError, match="expected True or False, got 'no'"):
        tree.train("no")


def test_a_module_can_keep_itself_in_evaluation():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    tree = nn.Sequential(Frozen(2), nn.Dropout()).train()
    assert [m.training for m in tree] == [False, True]
