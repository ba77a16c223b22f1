"""Module: state_dict and loading it."""

import numpy as np
import pytest

import minigan
from minigan import nn


def generator():
    return nn.Sequential(
        nn.ConvTranspose2d(100, 256, 7, 1, 0, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 1, 4, 2, 1),
        nn.Tanh(),
    )


def discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(6272, 1),
    )


# {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()} of the same networks in
# PyTorch 2.13.
PYTORCH = {
    generator: {
        "0.weight": (100, 256, 7, 7),
        "1.weight": (256,),
        "1.bias": (256,),
        "1.running_mean": (256,),
        "1.running_var": (256,),
        "1.num_batches_tracked": (),
        "3.weight": (256, 128, 4, 4),
        "4.weight": (128,),
        "4.bias": (128,),
        "4.running_mean": (128,),
        "4.running_var": (128,),
        "4.num_batches_tracked": (),
        "6.weight": (128, 1, 4, 4),
        "6.bias": (1,),
    },
    discriminator: {
        "0.weight": (64, 1, 4, 4),
        "0.bias": (64,),
        "2.weight": (128, 64, 4, 4),
        "3.weight": (128,),
        "3.bias": (128,),
        "3.running_mean": (128,),
        "3.running_var": (128,),
        "3.num_batches_tracked": (),
        "6.weight": (1, 6272),
        "6.bias": (1,),
    },
}


def small():
    minigan.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


def values(module):
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


# -- state_dict


@pytest.mark.parametrize("network", PYTORCH)
def test_names_order_and_shapes_of_a_dcgan_are_pytorchs(network):
    state = network().state_dict()
    assert [(name, tensor.shape) for name, tensor in state.items()] == list(
        PYTORCH[network].items()
    )
    counts = [t.dtype for name, t in state.items() if name.endswith("num_batches_tracked")]
    assert set(counts) == {np.dtype("int64")}


def test_state_dict_is_on_the_modules_own_memory_and_without_history():
    net = small()
    state = net.state_dict()
    assert not any(tensor.requires_grad for tensor in state.values())
    loss = (net[0].weight * net[0].weight).sum()
    state["0.weight"].fill_(7)
    assert (net[0].weight.array == 7).all()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_buffers_that_do_not_persist_are_left_out_of_the_state():
    net = small()
    net.register_buffer("table", minigan.ones(2), persistent=False)
    net.register_buffer("scale", minigan.ones(2))
    assert "table" not in net.state_dict()
    assert "scale" in net.state_dict()
    net.register_buffer("scale", minigan.ones(2), persistent=False)
    assert "scale" not in net.state_dict()


def test_a_state_can_be_collected_with_a_prefix_into_a_dict_that_is_there():
    net, target = nn.Sequential(nn.Linear(1, 1)), {"before": 1}
    assert net.state_dict(destination=target, prefix="net.") is target
    assert list(target) == ["before", "net.0.weight", "net.0.bias"]


def test_keep_vars_gives_the_parameters_themselves():
    net = small()
    state = net.state_dict(keep_vars=True)
    assert state["0.weight"] is net[0].weight
    assert state["1.running_mean"] is net[1].running_mean


def test_a_modules_own_state_dict_is_asked_wherever_it_stands():
    class Labelled(nn.Linear):
        def state_dict(self, *, prefix="", **options):
            state = super().state_dict(prefix=prefix, **options)
            state[prefix + "label"] = minigan.ones(1)
            return state

    assert list(nn.Sequential(Labelled(1, 1)).state_dict()) == ["0.weight", "0.bias", "0.label"]


# -- load_state_dict


@pytest.mark.parametrize("kind", [lambda a: a, minigan.tensor, lambda a: a.astype("float64")])
def test_loading_takes_arrays_and_tensors_of_any_precision_and_keeps_dtype_and_memory(kind):
    net, other = small(), small()
    with minigan.no_grad():
        for parameter in other.parameters():
            parameter.normal_()
    other(minigan.randn(8, 3))
    memory = {name: tensor.array for name, tensor in net.state_dict().items()}
    dtypes = {name: array.dtype for name, array in memory.items()}
    result = net.load_state_dict({name: kind(array) for name, array in values(other).items()})
    assert result == ([], [])
    assert same(values(net), values(other))
    for name, tensor in net.state_dict().items():
        assert tensor.array is memory[name]
        assert tensor.dtype == dtypes[name]


def test_loading_takes_plain_numbers_and_lists():
    norm = nn.BatchNorm1d(2)
    norm.load_state_dict({"num_batches_tracked": 3, "weight": [1.0, 2.0]}, strict=False)
    assert norm.num_batches_tracked.item() == 3
    assert norm.weight.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), "missing keys: 0.bias"),
        (lambda s: s.update(extra=np.ones(1)), "unexpected keys: extra"),
        (
            lambda s: s.update({"3.bias": np.ones(2, np.float32)}),
            r"3\.bias has shape \(2,\), expected \(1,\)",
        ),
        (
            lambda s: s.update({"3.bias": np.array(["x"])}),
            r"3\.bias is of dtype <U1, expected real numbers",
        ),
        (lambda s: s.update({"3.bias": np.ones(1, complex)}), "expected real numbers"),
    ],
)
def test_an_error_names_what_is_wrong_and_changes_nothing(change, message):
    net = small()
    before = values(net)
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    with pytest.raises(RuntimeError, match=rf"^load_state_dict: Sequential: .*{message}"):
        net.load_state_dict(state)
    assert same(values(net), before)


def test_without_strict_missing_and_unknown_names_are_reported_and_the_rest_is_loaded():
    net = small()
    state = {name: array + 1 for name, array in values(net).items()}
    del state["0.bias"]
    before = values(net)
    missing, unexpected = net.load_state_dict({**state, "extra": np.ones(1)}, strict=False)
    assert (missing, unexpected) == (["0.bias"], ["extra"])
    result = net.load_state_dict({"extra": np.ones(1)}, strict=False)
    assert result.missing_keys == list(before)
    assert repr(result).startswith("IncompatibleKeys(missing_keys=['0.weight', ")
    net.load_state_dict({**before}, strict=False)
    assert repr(net.load_state_dict(before)) == "<All keys matched successfully>"
    net.load_state_dict({**state, "extra": np.ones(1)}, strict=False)
    assert same(values(net), {**state, "0.bias": before["0.bias"]})
    with pytest.raises(RuntimeError, match="has shape"):
        net.load_state_dict({"0.bias": np.ones(5)}, strict=False)
