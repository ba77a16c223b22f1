"""Random numbers on a GPU: drawn there, reproducible, resumable, and never waited for."""

import json

import fakegpu
import numpy as np
import pytest
from machine import needs_emulator
from numpy.testing import assert_array_equal

import minigan
from kernels import philox
from minigan import generators

pytestmark = needs_emulator
DRAWS = {
    "random": lambda rng: rng.random((3, 5)),
    "random float32": lambda rng: rng.random(7, dtype="float32"),
    "normal": lambda rng: rng.standard_normal((2, 3), dtype=np.float32),
    "normal float64": lambda rng: rng.standard_normal(5),
    "shifted": lambda rng: rng.normal(3, 2, 4),
    "uniform": lambda rng: rng.uniform(-1, 1, (3, 2)),
    "integers": lambda rng: rng.integers(0, 10, size=(4,)),
    "to the end": lambda rng: rng.integers(-3, 3, (4, 1), endpoint=True),
    "up to": lambda rng: rng.integers(4, size=9, dtype=np.int32),
    "one": lambda rng: rng.random(),
    "permutation": lambda rng: rng.permutation(9),
}


@pytest.fixture
def cupy(monkeypatch):
    return fakegpu.install(monkeypatch, "80")


def on_gpu(seed=0):
    return minigan.Generator("cuda").manual_seed(seed)


@pytest.mark.parametrize("draw", DRAWS)
def test_shape_and_dtype_are_numpys(cupy, draw):
    found, expected = DRAWS[draw](on_gpu().rng), np.asarray(DRAWS[draw](np.random.default_rng(0)))
    assert isinstance(found, cupy.ndarray)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)


def test_they_are_philoxs_one_after_the_other(cupy):
    rng = on_gpu(5).rng
    key = rng.state["key"]
    found = [rng.random(10, dtype="float32"), rng.random(3), rng.integers(0, 6, 100)]
    words = philox.sequence(key, 0, 3 + 2 + 50)
    assert_array_equal(found[0].get(), philox.uniform(words)[:10])
    assert_array_equal(found[1].get(), philox.uniform_double(words[12:])[:3])
    assert_array_equal(found[2].get(), philox.integers(words[20:], 0, 6))


def test_a_draw_is_one_launch_that_nothing_waits_for(cupy):
    rng = on_gpu().rng
    rng.random(3)
    before, uploads = len(cupy.gpu.launched), len(cupy.gpu.uploads)
    with cupy.gpu.waiting() as places:
        rng.standard_normal((5, 7), dtype=np.float32)
        rng.integers(0, 9, 4)
        state = rng.bit_generator.state
    assert [entry["name"] for entry in cupy.gpu.launched[before:]] == ["normal", "integers"]
    assert places == [] and cupy.gpu.uploads[uploads:] == []
    assert state["counter"] == 2 + 9 + 2  # two float64, four float32, two integers from each


def test_seeds_are_sequences_of_their_own(cupy):
    first, again, other = (on_gpu(seed).rng.random(50).get() for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert not (first == other).any()


@pytest.mark.parametrize("draw", DRAWS)
def test_a_state_is_plain_and_goes_on_bit_for_bit(cupy, draw):
    g = on_gpu(3)
    for other in DRAWS.values():
        other(g.rng)
    state = json.loads(json.dumps(g.get_state()))
    expected = [DRAWS[draw](g.rng).get() for _ in range(2)]
    h = minigan.Generator("cuda")
    h.set_state(state)
    assert h.initial_seed() == 3
    for found in expected:
        assert_array_equal(DRAWS[draw](h.rng).get(), found)


def test_a_captured_draw_is_replayed_with_new_numbers(cupy):
    """What is launched between two calls of ``settle`` can be launched again."""
    rng, twin = on_gpu(4).rng, on_gpu(4).rng
    for each in (rng, twin):
        each.random(5)
    rng.settle()
    captured = len(cupy.gpu.launched)
    a = rng.standard_normal(6, dtype=np.float32)
    b = rng.random(3)
    count = rng.settle()
    captured = cupy.gpu.launched[captured:]
    for replay in range(3):
        if replay:
            for entry in captured:
                again(cupy.gpu, entry)
            rng.moved_on(count)
        assert_array_equal(a.get(), twin.standard_normal(6, dtype=np.float32).get())
        assert_array_equal(b.get(), twin.random(3).get())
    assert rng.bit_generator.state == twin.bit_generator.state
    assert_array_equal(rng.random(4).get(), twin.random(4).get())


def again(gpu, entry):
    """The same launch once more."""
    from fakegpu.cuda import Kernel, RawModule

    (module,) = [m for m in gpu.compiled if f" {entry['name']}(" in m["code"]][:1]
    raw = RawModule(gpu, code=module["code"], options=module["options"])
    Kernel(raw, entry["name"])(entry["grid"], entry["block"], entry["args"])


def test_a_gpu_that_is_first_used_after_the_seed_draws_from_it(cupy):
    state = generators._default_seed
    try:
        minigan.manual_seed(9)
        first = minigan.randn(5, device="cuda").cpu().numpy()
        minigan.manual_seed(9)
        assert_array_equal(minigan.randn(5, device="cuda").cpu().numpy(), first)
        assert (minigan.randn(5, device="cuda").cpu().numpy() != first).all()
    finally:
        minigan.manual_seed(state)


def test_the_cpus_numbers_where_they_are_asked_for(cupy):
    with generators.same_numbers():
        g = on_gpu(7)
    assert_array_equal(g.rng.random(5).get(), np.random.default_rng(7).random(5))
    assert_array_equal(
        minigan.randn(3, generator=g, device="cuda").cpu().numpy(),
        minigan.randn(3, generator=_after(7)).numpy(),
    )
    assert on_gpu(7).rng.random(5).get()[0] != np.random.default_rng(7).random(5)[0]


def _after(seed):
    g = minigan.Generator().manual_seed(seed)
    g.rng.random(5)
    return g


def test_an_older_gpu_has_the_cpus_numbers(monkeypatch):
    fakegpu.install(monkeypatch, "70")
    assert_array_equal(on_gpu(7).rng.random(5).get(), np.random.default_rng(7).random(5))


def test_a_run_of_the_cpu_goes_on_with_its_numbers(cupy):
    g = minigan.Generator().manual_seed(3)
    g.rng.random(10)
    h = minigan.Generator("cuda")
    h.set_state(g.get_state())
    assert_array_equal(h.rng.random(5).get(), g.rng.random(5))
    assert h.get_state() == g.get_state()


def test_a_run_of_the_gpu_goes_on_on_the_cpu_with_other_numbers(cupy):
    g = on_gpu(3)
    g.rng.random(10)
    state = g.get_state()
    hosts = [minigan.Generator() for _ in range(2)]
    for h in hosts:
        h.set_state(state)
    first, second = (h.rng.random(5) for h in hosts)
    assert_array_equal(first, second)
    g.rng.random(10)
    hosts[0].set_state(g.get_state())
    assert (hosts[0].rng.random(5) != first).all()
    hosts[0].set_state(hosts[1].get_state())
    assert_array_equal(hosts[0].rng.random(5), hosts[1].rng.random(5))


@pytest.mark.parametrize("p", [0.25, 0.75])
def test_dropout_on_the_gpu(cupy, p):
    x = minigan.ones(2000, device="cuda")
    minigan.cuda.manual_seed(0)
    with cupy.gpu.waiting() as places:
        y = minigan.nn.functional.dropout(x, p)
    assert places == []
    found = y.cpu().numpy()
    assert set(found.tolist()) == {0.0, float(np.float32(1 / (1 - p)))}
    assert abs((found == 0).mean() - p) < 0.04


def test_what_cannot_be_drawn_is_refused(cupy):
    with pytest.raises(TypeError, match="uniform: expected float32 or float64, got float16"):
        on_gpu().rng.random(3, dtype="float16")
    with pytest.raises(ValueError, match="integers: expected low < high, got 3 and 3"):
        on_gpu().rng.integers(3, 3, 4)
