"""Bias and activation: against float64 formulas, the same bits in every order."""

import numpy as np
import pytest
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run

from minigan.cuda import pointwise
from minigan.cuda.launch import LaunchError

U = 2.0**-24  # half the distance of 1 to the next float32
SHAPES = [(1, 1, 1, 1), (2, 3, 5, 7), (3, 17, 4, 4), (1, 65, 1, 1), (5, 7), (41, 3, 9, 9)]
FORMS = {
    "none": (lambda z: z, lambda y: np.ones_like(y)),
    "relu": (lambda z: np.maximum(z, 0), lambda y: (y > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.2 * z), lambda y: np.where(y > 0, 1, 0.2)),
    "tanh": (np.tanh, lambda y: 1 - y * y),
}


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def columns(v, x):
    return v.reshape(1, -1, *(1,) * (x.ndim - 2))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_bias_and_activation(shape, activation, backend):
    x, bias, y = draw(0, *shape), draw(1, shape[1]), np.full(shape, np.nan, np.float32)
    run(poisoned(pointwise.bias_act(x, bias, y, activation, 0.2), x, bias), backend)
    z = x.astype(np.float64) + columns(bias, x)
    # One rounding of the sum, one of the product, and a tanh right to 2 units in the last place.
    bound = 4 * U * (abs(x) + abs(columns(bias, x)) + abs(z))
    assert (abs(y - FORMS[activation][0](z)) <= bound).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_its_gradient(shape, activation, backend):
    g, y = draw(2, *shape), np.tanh(draw(3, *shape))
    dx, dbias = np.full(shape, np.nan, np.float32), np.full(shape[1], np.nan, np.float32)
    plan = pointwise.bias_act_backward(g, y, dx, dbias, activation, 0.2)
    run(poisoned(plan, g, y), backend)
    expected = g.astype(np.float64) * FORMS[activation][1](y.astype(np.float64))
    assert (abs(dx - expected) <= 4 * U * abs(g)).all()
    axes = (0, *range(2, g.ndim))
    additions = g.size / shape[1] / 256 + 8 + 8 + 32  # a thread's, two trees', the slices'
    bound = (additions + 4) * U * abs(g).sum(axis=axes, dtype=np.float64)
    assert (abs(dbias - expected.sum(axis=axes)) <= bound).all()


def test_integers_are_exact_and_nothing_else_is_touched():
    rng = np.random.default_rng(4)
    x = rng.integers(-8, 9, (3, 5, 2, 9)).astype(np.float32)
    bias = rng.integers(-8, 9, 5).astype(np.float32)
    y, dx, dbias = np.full_like(x, np.nan), np.full_like(x, np.nan), np.full_like(bias, np.nan)
    run(pointwise.bias_act(x, bias, y, "relu"))
    run(pointwise.bias_act_backward(x, y, dx, dbias, "relu"))
    assert np.array_equal(y, np.maximum(x + columns(bias, x), 0))
    assert np.array_equal(dx, np.where(y > 0, x, 0))
    assert np.array_equal(dbias, dx.sum(axis=(0, 2, 3)))


def test_nan_and_infinity_pass_through():
    x = np.array([[np.nan, np.inf, -np.inf, -0.0]], np.float32)
    for activation, expected in (
        ("none", [np.nan, np.inf, -np.inf, 0]),
        ("relu", [np.nan, np.inf, 0, 0]),
        ("leaky_relu", [np.nan, np.inf, -np.inf, 0]),
        ("tanh", [np.nan, 1, -1, 0]),
    ):
        y = np.empty_like(x)
        run(pointwise.bias_act(x, None, y, activation, 0.5))
        assert np.array_equal(y[0], np.array(expected, np.float32), equal_nan=True), activation


def test_in_place():
    x = draw(5, 2, 3, 4, 4)
    y = np.empty_like(x)
    run(pointwise.bias_act(x, None, y, "tanh"))
    run(pointwise.bias_act(x, None, x, "tanh"))
    assert np.array_equal(x, y)


def test_the_same_bits_in_every_order():
    g, y = draw(8, 33, 6, 16, 16), draw(9, 33, 6, 16, 16)
    results = []
    for seed in (0, 1, 2, 3):
        dx, dbias = np.empty_like(g), np.empty(6, np.float32)
        plan = pointwise.bias_act_backward(g, y, dx, dbias, "leaky_relu", 0.2)
        assert plan[0].grid[1] > 1
        run(plan, seed=seed)
        results.append(dx.tobytes() + dbias.tobytes())
    assert len(set(results)) == 1


def test_unaligned_arrays_are_read_one_by_one():
    x, bias = draw(11, 2 * 3 * 16 + 1)[1:].reshape(2, 3, 4, 4), draw(12, 3)
    y = np.empty_like(x)
    plan = pointwise.bias_act(x, bias, y)
    assert plan[0].macros == ("-DVECTOR=1",)
    run(plan)
    assert np.array_equal(y, x + columns(bias, x))


def test_the_compile_gate_knows_every_configuration():
    chosen = []
    for shape in ((2, 3, 4, 4), (2, 3, 3, 3)):
        x, bias = np.empty(shape, np.float32), np.empty(3, np.float32)
        plans = pointwise.bias_act(x, bias, x), pointwise.bias_act_backward(x, x, x, bias)
        chosen += [launch for plan in plans for launch in plan]
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(pointwise.configurations())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: pointwise.bias_act(x, None, x, "swish"), "activation must be one of"),
        (lambda x: pointwise.bias_act(x, x, x), r"bias expects shape \(3,\)"),
        (lambda x: pointwise.bias_act(x, None, x[:1]), "y expects shape"),
        (lambda x: pointwise.bias_act(x[0, 0, 0], None, x), r"expected an array \(N, C, …\)"),
        (lambda x: pointwise.bias_act_backward(x, x, x, x), r"dbias expects shape \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(LaunchError, match=message):
        call(np.zeros((2, 3, 4, 4), np.float32))
