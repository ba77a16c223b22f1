"""Functions of each number alone: against float64 formulas, to the last bits."""

import numpy as np
import pytest
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run

from minigan.cuda import elementwise
from minigan.cuda.launch import LaunchError

U = 2.0**-24  # half the distance of 1 to the next float32
COUNTS = [1, 4, 257, 5000]


def draw(seed, count, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def sigma(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def softplus(x):
    return np.logaddexp(0, x.astype(np.float64))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("function", "exact"), [("sigmoid", sigma), ("softplus", softplus)])
def test_smooth_functions(function, exact, count, backend):
    """However small the result is, it keeps its relative precision."""
    x, y = draw(0, count, 10), np.full(count, np.nan, np.float32)
    run(poisoned(elementwise.smooth(function, x, y), x), backend)
    assert (abs(y - exact(x)) <= 8 * U * exact(x)).all()


@pytest.mark.parametrize(
    ("function", "ends"), [("sigmoid", [0, 1, np.nan]), ("softplus", [0, np.inf, np.nan])]
)
def test_infinite_and_nan(function, ends):
    x = np.array([-np.inf, np.inf, np.nan], np.float32)
    run(elementwise.smooth(function, x, x))
    assert np.array_equal(x, np.float32(ends), equal_nan=True)


FORMS = {
    "leaky_relu": lambda s: np.where(s > 0, 1, 0.2),
    "tanh": lambda s: 1 - s * s,
    "sigmoid": lambda s: s * (1 - s),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("function", FORMS)
def test_backward(function, count, backend):
    g, s, dx = draw(1, count), np.tanh(draw(2, count)), np.full(count, np.nan, np.float32)
    run(poisoned(elementwise.backward(function, g, s, dx, 0.2), g, s), backend)
    assert (abs(dx - g * FORMS[function](s.astype(np.float64))) <= 4 * U * abs(g)).all()


def test_whole_numbers_are_exact():
    g, s = (np.random.default_rng(i).integers(-8, 9, 1000).astype(np.float32) for i in (3, 4))
    for function, form in FORMS.items():
        dx = np.empty_like(g)
        run(elementwise.backward(function, g, s, dx, 0.25))
        exact = np.where(s > 0, 1, 0.25) if function == "leaky_relu" else form(s)
        assert np.array_equal(dx, g * exact)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("target", [0.0, 1.0, None])
def test_cross_entropy_of_logits(count, target, backend):
    x, g = draw(5, count, 10), draw(6, count)
    p = abs(np.sin(draw(7, count))) if target is None else np.full(count, target, np.float32)
    q = 1 - p
    y, dx = np.full((2, count), np.nan, np.float32)
    run(poisoned(elementwise.logistic(x, p, q, y), x, p, q), backend)
    run(poisoned(elementwise.logistic_backward(g, x, p, q, dx), g, x, p, q), backend)
    exact = p * softplus(-x) + q * softplus(x)
    assert (abs(y - exact) <= 12 * U * exact).all()
    slope, terms = q * sigma(x) - p * sigma(-x), q * sigma(x) + p * sigma(-x)
    assert (abs(dx - g * slope) <= 12 * U * abs(g) * terms).all()


def test_the_result_may_be_the_first_array():
    x, s = draw(8, 300), draw(9, 300)
    y, dx = np.empty_like(x), np.empty_like(x)
    run([*elementwise.smooth("softplus", x, y), *elementwise.backward("tanh", x, s, dx)])
    a, b = x.copy(), x.copy()
    run([*elementwise.smooth("softplus", a, a), *elementwise.backward("tanh", b, s, b)])
    assert np.array_equal(a, y) and np.array_equal(b, dx)


def test_unaligned_arrays_are_read_one_by_one():
    x = draw(10, 101)[1:]
    y = np.empty_like(x)
    plan = elementwise.smooth("sigmoid", x, y)
    assert plan[0].macros == ("-DVECTOR=1",)
    run(plan)
    np.testing.assert_allclose(y, sigma(x), rtol=8 * U)


def test_the_compile_gate_knows_every_configuration():
    chosen = []
    for count in (4, 5):
        x = np.empty(count, np.float32)
        chosen += elementwise.smooth("sigmoid", x, x) + elementwise.logistic(x, x, x, x)
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(elementwise.configurations())
    assert elementwise.smooth("sigmoid", x[:0], x[:0]) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: elementwise.smooth("erf", x, x), "smooth: expected one of sigmoid, softplus"),
        (lambda x: elementwise.backward("relu", x, x, x), "backward: expected one of leaky_relu"),
        (lambda x: elementwise.logistic(x, x, x[:2], x), r"logistic: q expects shape \(4,\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(LaunchError, match=message):
        call(np.zeros(4, np.float32))
