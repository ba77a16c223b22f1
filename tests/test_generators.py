"""Random generators: seeded, saved, continued; on another device than the CPU by a stand-in."""

import json

import numpy as np
import pytest

import minigan
from minigan import generators
from minigan.generators import Generator


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
    monkeypatch.setattr(generators, "module_for", lambda device: np)
    monkeypatch.setattr(generators, "to_device", lambda x, device: moved.append(str(device)) or x)
    with generators.same_numbers():
        there, here = (
            generators.Generator("cuda").manual_seed(7),
            generators.Generator().manual_seed(7),
        )
    state = json.loads(json.dumps(there.get_state()))
    first = there.rng.standard_normal(3, dtype="float32")
    assert np.array_equal(first, here.rng.standard_normal(3, dtype="float32"))
    assert moved == ["cuda:0"]
    there.set_state(state)
    assert np.array_equal(there.rng.standard_normal(3, dtype="float32"), first)
