"""What is done to all arrays of a network at once: against float64, in every order of threads."""

import numpy as np
import pytest
from kernels.runner import BACKENDS, run

import minigan
from minigan.cuda import network
from minigan.cuda.launch import LaunchError

SIZES = [(3, 5), (1,), (5000,), (0,), (64, 3, 4, 4)]


def draw(seed, sizes=SIZES):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size, np.float32) for size in sizes]


def length(arrays):
    return np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("max_norm", [None, 0.5, 1e6])
def test_norm_and_clipping_as_on_the_cpu(backend, max_norm):
    arrays, norm = draw(0), np.full(1, np.nan, np.float32)
    params = [minigan.zeros(a.shape, requires_grad=True) for a in arrays]
    for p, a in zip(params, arrays, strict=True):
        p.grad = minigan.tensor(a)
    exact = length(arrays)
    run(network.norm(arrays, norm, max_norm), backend)
    np.testing.assert_allclose(norm[0], exact, rtol=2**-23)
    if max_norm is not None:
        minigan.nn.utils.clip_grad_norm_(params, max_norm)
    for p, a in zip(params, arrays, strict=True):
        np.testing.assert_allclose(a, p.grad.numpy(), rtol=2**-22)


def test_the_norm_of_whole_numbers_is_exact():
    """3² + 4² a thousand times, over two arrays: 5·√1000² is a whole number."""
    arrays = [np.full((10, 1000), 3, np.float32), np.full(10_000, 4, np.float32)]
    norm = np.empty(1, np.float32)
    run(network.norm(arrays, norm))
    assert norm[0] == 500


def test_squares_are_summed_in_float64():
    g, norm = [np.full(300, 3e19, np.float32)], np.empty(1, np.float32)  # 9e38 is no float32
    run(network.norm(g, norm, max_norm=1.0))
    np.testing.assert_allclose(norm[0], 3e19 * np.sqrt(300), rtol=1e-6)
    np.testing.assert_allclose(g[0], 1 / np.sqrt(300), rtol=1e-6)


def test_a_norm_near_zero_is_not_divided_by():
    """max_norm/(norm + 1e-6): with both 1e-6 the gradient is halved."""
    g = [np.full(1, 1e-6, np.float32)]
    run(network.norm(g, np.empty(1, np.float32), max_norm=1e-6))
    np.testing.assert_allclose(g[0], 0.5e-6, rtol=1e-6)


def test_a_norm_of_nan_spreads_to_every_gradient():
    g, norm = [np.ones(10, np.float32), np.ones(3, np.float32)], np.zeros(1, np.float32)
    g[0][3] = np.nan
    run(network.norm(g, norm, max_norm=100.0))
    assert np.isnan(norm).all() and np.isnan(np.concatenate(g)).all()


def test_the_same_bits_in_every_order():
    results = set()
    for seed in range(4):
        arrays, norm = draw(1, [(9000,), (7, 3)]), np.empty(1, np.float32)
        plan = network.norm(arrays, norm, max_norm=0.5)
        assert plan[0].grid[0] > 2
        run(plan, seed=seed)
        results.add(norm.tobytes() + b"".join(a.tobytes() for a in arrays))
    assert len(results) == 1


def test_the_norm_of_more_arrays_than_a_table_holds():
    arrays, norm = draw(2, [(n,) for n in range(130)]), np.empty(1, np.float32)
    plan = network.norm(arrays, norm)
    assert [launch.name for launch in plan] == ["squares"] * 3 + ["total_norm"]
    run(plan)
    np.testing.assert_allclose(norm[0], length(arrays), rtol=2**-23)


def test_no_arrays_have_the_norm_zero():
    norm = np.ones(1, np.float32)
    run(network.norm([np.empty((0, 3), np.float32)], norm))
    assert norm[0] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_limits(backend):
    arrays = draw(3)
    arrays[2][7] = np.nan
    expected = [np.clip(a, np.float32(-0.3), np.float32(0.6)) for a in arrays]
    run(network.limit(arrays, -0.3, 0.6), backend)
    for found, exact in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("backend", BACKENDS)
def test_averages(backend):
    means, arrays = draw(4), draw(5)
    kept = [a.copy() for a in arrays]
    exact = [
        0.75 * m.astype(np.float64) + 0.25 * a.astype(np.float64)
        for m, a in zip(means, arrays, strict=True)
    ]
    run(network.average(means, arrays, 0.75, 0.25), backend)
    for found, expected, a, b in zip(means, exact, arrays, kept, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
        assert np.array_equal(a, b)


def test_the_compile_gate_knows_every_configuration():
    a, norm = draw(6), np.empty(1, np.float32)
    chosen = [
        *network.norm(a, norm, 1.0),
        *network.limit(a, 0, 1),
        *network.average(a, a, 0.5, 0.5),
    ]
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(network.configurations())


def test_a_negative_norm_is_refused():
    with pytest.raises(LaunchError, match=r"max_norm must not be negative, got -1\.0"):
        network.norm(draw(7), np.empty(1, np.float32), max_norm=-1.0)
