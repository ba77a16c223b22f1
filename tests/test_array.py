"""Devices, moving between them, and generators: what does not need a GPU."""

import json
import sys

import numpy as np
import pytest

import minigan
from minigan import array as arrays
from minigan.array import Device, Generator


def test_devices_are_named_and_compared():
    assert str(Device("cpu")) == "cpu" and Device("cpu").index is None
    assert str(Device("cuda")) == "cuda:0" and Device("cuda:1").index == 1
    assert Device("cuda") == Device("cuda:0") == "cuda" != Device("cuda:1")
    assert Device(Device("cuda:1")) == "cuda:1" and len({Device("cuda"), Device("cuda:0")}) == 1
    assert repr(minigan.device("cuda")) == "device('cuda:0')"
    assert Device("cpu") != 3 and Device("cpu") != "gpu" and Device("cuda:1") != "cuda"
    for name in ("gpu", "cuda:x", "cuda:-1", "", "tpu:0"):
        with pytest.raises(RuntimeError, match='expected "cpu", "cuda" or "cuda:N"'):
            Device(name)


def test_without_cupy_a_gpu_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import cupy raises ImportError
    with pytest.raises(RuntimeError, match="needs CuPy, which is not installed: pip install"):
        arrays.cupy()
    with pytest.raises(RuntimeError, match="needs CuPy"):
        minigan.ones(2).to("cuda")
    with pytest.raises(RuntimeError, match="needs CuPy"):
        minigan.zeros(2, device="cuda")
    assert minigan.cuda.is_available() is False and minigan.cuda.device_count() == 0


def test_on_the_cpu_nothing_is_copied():
    x = np.zeros(2)
    assert arrays.to_device(x, "cpu") is x and arrays.device_of(x) == "cpu"
    assert arrays.array_module(x) is arrays.module_for(None) is arrays.module_for("cpu") is np


def test_generators_are_seeded_saved_as_json_and_continued():
    g = Generator().manual_seed(11)
    assert g.initial_seed() == 11 and g.device == "cpu"
    g.rng.standard_normal(3)
    state = json.loads(json.dumps(g.get_state()))
    ahead = g.rng.standard_normal(5)
    other = Generator()
    other.set_state(state)
    assert (other.rng.standard_normal(5) == ahead).all() and other.initial_seed() == 11
    for seed in (-1, 1.5, "1"):
        with pytest.raises(ValueError, match="manual_seed: expected a non-negative integer"):
            g.manual_seed(seed)


def test_manual_seed_seeds_the_default_generator():
    g = minigan.manual_seed(3)
    assert g is minigan.default_generator() is minigan.default_generator("cpu")
    assert g.initial_seed() == 3


def test_a_generator_of_another_device_draws_the_same_numbers_and_moves_them(monkeypatch):
    """Its state is plain numbers too; the device is a stand-in."""
    moved = []
    monkeypatch.setattr(arrays, "module_for", lambda device: np)
    monkeypatch.setattr(arrays, "to_device", lambda x, device: moved.append(str(device)) or x)
    with arrays.same_numbers():
        there, here = arrays.Generator("cuda").manual_seed(7), arrays.Generator().manual_seed(7)
    state = json.loads(json.dumps(there.get_state()))
    first = there.rng.standard_normal(3, dtype="float32")
    assert np.array_equal(first, here.rng.standard_normal(3, dtype="float32"))
    assert moved == ["cuda:0"]
    there.set_state(state)
    assert np.array_equal(there.rng.standard_normal(3, dtype="float32"), first)
