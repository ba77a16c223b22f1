"""save and load: what comes back is what went in."""

import math
import struct
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigan
from minigan import nn, optim
from minigan.optim.lr_scheduler import StepLR
from minigan.saving import load, save
from minigan.serialize import SerializeError


def through(value, folder):
    save(value, folder / "value.npz")
    return load(folder / "value.npz")


def same(a, b):
    """Equal in type, dtype, shape, order and every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, minigan.Tensor):
        return same(a.detach().array, b.detach().array)
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, dict):
        return (
            list(a) == list(b)
            and all(type(k) is type(m) for k, m in zip(a, b, strict=True))
            and same(list(a.values()), list(b.values()))
        )
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


# -- what comes back

VALUES = {
    "None": None,
    "booleans": [True, False],
    "ints": [0, -1, 2**63, -(2**200), 7**6000],  # the last has 5071 digits
    "floats": [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan],
    "texts": ["", 'ä\0\n"\\', "\ud800", "structure.json", "0"],
    "keys": {0: "a", "0": "b", -3: "c", "": "e"},
    "containers": [(), [], {}, OrderedDict(), ((1,), [(2,)]), [[]]],
    "ordered": OrderedDict(b=OrderedDict(z=1, a=2), a={"y": OrderedDict()}),
    "pairs that look like the format's own": ["tensor", "0"],
    "0-d": [minigan.tensor(2.5), np.array(3), minigan.tensor(True)],
    "empty": [minigan.zeros(0, 3), np.zeros((2, 0), np.float16)],
    "NumPy numbers": [np.float64(0.1), np.float32(0.1), np.int64(3), np.bool_(True), np.str_("x")],
    "texts in arrays": np.array(["a", "bcd"]),
    "NaN": minigan.tensor([math.nan, -0.0, math.inf]),
    "byte order": np.arange(3, dtype=">i4"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_exact(name, tmp_path):
    assert same(through(VALUES[name], tmp_path), VALUES[name])


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int32", "int64", "float16", "float32", "float64", "complex64"]
)
def test_tensors_of_every_dtype_come_back_exact(dtype, tmp_path):
    value = minigan.tensor(np.arange(6).reshape(2, 3), dtype=dtype)
    assert same(through({"t": value}, tmp_path), {"t": value})


def test_memory_order_changes_no_value(tmp_path):
    a = np.arange(24.0).reshape(2, 3, 4)
    for view in (a.transpose(2, 0, 1), a[:, ::2], a[..., ::-1], np.asfortranarray(a[0])):
        np.testing.assert_array_equal(through(view, tmp_path), view)
        np.testing.assert_array_equal(through(minigan.Tensor(view), tmp_path).numpy(), view)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_side=3))
    | hnp.arrays(hnp.floating_dtypes(endianness="="), hnp.array_shapes(max_side=3)).map(
        minigan.Tensor
    )
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3).map(OrderedDict)
    ),
    max_leaves=8,
)


@given(nested)
def test_any_nesting_comes_back_exact(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp()
    assert same(through(value, folder), value)


def test_a_parameter_comes_back_as_a_tensor_that_wants_no_gradient(tmp_path):
    layer = nn.Linear(2, 1)
    back = through([layer.weight], tmp_path)[0]
    assert type(back) is minigan.Tensor
    assert not back.requires_grad
    np.testing.assert_array_equal(back.numpy(), layer.weight.detach().numpy())


def test_equal_values_make_equal_bytes(tmp_path):
    for name in "ab":
        save({"w": minigan.arange(5), "settings": [1, 0.5]}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def network():
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


@pytest.mark.parametrize(
    "make", [optim.Adam, optim.RMSprop, lambda p, lr: optim.SGD(p, lr, momentum=0.9)]
)
def test_training_goes_on_bit_for_bit_from_a_checkpoint(make, tmp_path):
    minigan.manual_seed(0)
    x = minigan.randn(16, 3)

    def start():
        net = network()
        groups = [{"params": net[0].parameters(), "lr": 0.1}, {"params": net[3].parameters()}]
        optimizer = make(groups, lr=0.01)
        return net, optimizer, StepLR(optimizer, 2, 0.5)

    def train(net, optimizer, schedule):
        for _ in range(3):
            optimizer.zero_grad()
            (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
            optimizer.step()
            schedule.step()

    parts = start()
    train(*parts)
    state = {str(i): part.state_dict() for i, part in enumerate(parts)}
    state["rng"] = minigan.default_generator().get_state()
    save(state, tmp_path / "run.npz")
    train(*parts)
    later = [part.state_dict() for part in parts]
    others = start()
    loaded = load(tmp_path / "run.npz")
    assert same(loaded["rng"], state["rng"])
    for i, part in enumerate(others):
        part.load_state_dict(loaded[str(i)])
    train(*others)
    assert same([part.state_dict() for part in others], later)


def test_weights_in_a_plain_npz_are_a_dict_of_tensors(tmp_path):
    net, other = network(), network()
    weights = {name: t.numpy() for name, t in net.state_dict().items()}
    np.savez(tmp_path / "weights.npz", **weights)
    loaded = load(tmp_path / "weights.npz", map_location="cpu", weights_only=True)
    assert all(type(t) is minigan.Tensor for t in loaded.values())
    other.load_state_dict(loaded)
    assert same(dict(other.state_dict()), dict(net.state_dict()))
    np.savez(tmp_path / "texts.npz", names=np.array(["a"]))
    with pytest.raises(SerializeError, match="a Tensor cannot hold <U1"):
        load(tmp_path / "texts.npz")
