"""The exact earth mover's distance against brute force, SciPy and closed forms."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

import minigan
from minigan.data import DataError
from minigan.metrics import em
from minigan.toys.distances import gaussian_em, gaussian_w2, unit_cases

SEEDS = range(6)


def cheapest(x, y, p=1):
    """The best of all n! assignments."""
    cost = np.linalg.norm(x[:, None] - y[None], axis=2) ** p
    rows = np.arange(len(x))
    return min(cost[rows, list(order)].mean() for order in permutations(rows)) ** (1 / p)


def dual_program(x, y, a, b):
    """max Σ a f - Σ b g with f_i - g_j ≤ ‖x_i - y_j‖: the other side of the duality, dense."""
    n, m = len(x), len(y)
    cost = np.linalg.norm(x[:, None] - y[None], axis=2)
    pairs = np.zeros((n * m, n + m))
    pairs[np.arange(n * m), np.repeat(np.arange(n), m)] = 1
    pairs[np.arange(n * m), n + np.tile(np.arange(m), n)] = -1
    value = linprog(np.concatenate([-a, b]), pairs, cost.ravel(), bounds=(None, None))
    return -value.fun


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("p", [1, 2])
def test_equal_sets_cost_what_the_best_of_all_assignments_costs(seed, p):
    rng = np.random.default_rng(seed)
    for d in (1, 2, 3):
        x, y = rng.normal(size=(2, 6, d))
        assert em(x, y, p=p) == pytest.approx(cheapest(x, y, p), rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_line_unequal_sizes_and_weights_agree_with_scipy(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=7), rng.choice(5, 4).astype(float)
    a, b = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(4))
    a[2] = 0
    a /= a.sum()
    assert em(x, y) == pytest.approx(wasserstein_distance(x, y), rel=1e-12)
    assert em(x, y, a, b) == pytest.approx(wasserstein_distance(x, y, a, b), rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_off_a_line_weights_cost_what_the_dual_program_finds(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(9, 2))
    a, b = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(9))
    assert em(x, y, a, b) == pytest.approx(dual_program(x, y, a, b), rel=1e-9)
    same = np.full(6, 1 / 6), np.full(9, 1 / 9)
    assert em(x, y) == pytest.approx(dual_program(x, y, *same), rel=1e-9)


def test_all_three_ways_agree():
    """Points on a line in the plane: sorted, assigned, and by the program with equal weights."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20))
    lift = np.array([0.6, 0.8])
    line, assigned = em(x, y), em(x[:, None] * lift, y[:, None] * lift)
    programmed = em(x[:, None] * lift, y[:, None] * lift, np.full(20, 0.05))
    assert assigned == pytest.approx(line, rel=1e-12)
    assert programmed == pytest.approx(line, rel=1e-9)


def test_a_point_twice_is_a_point_of_twice_the_weight():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    y = np.array([[0.0, 1.0], [2.0, 1.0]])
    assert em(x, y) == pytest.approx(em(x[:2], y, [1 / 3, 2 / 3], [0.5, 0.5]), rel=1e-9)


@pytest.mark.parametrize("count", [2, 3, 37, 200])
def test_cases_whose_distance_is_one_by_construction(count):
    for name, (x, y) in unit_cases(count, seed=count).items():
        assert em(x, y) == pytest.approx(1, rel=1e-12), name


def test_zero_against_plus_and_minus_one():
    assert em([0.0], [-1.0, 1.0]) == 1.0
    assert em([[0.0, 0.0]], [[-1.0, 0.0], [1.0, 0.0]]) == pytest.approx(1.0)


def test_it_is_a_distance_that_moves_with_its_points():
    rng = np.random.default_rng(1)
    x, y, z = rng.normal(size=(3, 30, 2))
    assert em(x, x) == 0
    assert em(x, y) == em(y, x)
    assert em(x, z) <= em(x, y) + em(y, z)
    assert em(x, x + [3.0, 4.0]) == pytest.approx(5)
    assert em(2 * x, 2 * y) == pytest.approx(2 * em(x, y))


def test_tensors_and_float32_are_points_too():
    x = minigan.tensor([[0.0], [1.0]], requires_grad=True)
    assert em(x, np.array([[1.0], [2.0]], np.float32)) == 1.0


@pytest.mark.parametrize(("std", "theta"), [(1.0, 2.0), (0.5, 1.5), (2.0, 0.0)])
def test_samples_of_gaussians_come_to_the_closed_forms(std, theta):
    """y = θ + σx, coupled in order of size: W_p^p is a mean over n, so it has a standard error.

    Five of them are allowed.
    """
    x = np.random.default_rng(7).normal(size=10_000)
    y = theta + std * x
    order = np.random.default_rng(8).permutation(len(x))
    for p, exact in ((1, gaussian_em(0, 1, theta, std)), (2, gaussian_w2(0, 1, theta, std**2))):
        moved = np.abs(x - y) ** p
        assert em(x, y[order], p=p) ** p == pytest.approx(moved.mean(), rel=1e-12)
        allowed = 5 * moved.std() / np.sqrt(len(x))
        assert abs(em(x, y[order], p=p) ** p - exact**p) <= allowed + 1e-12


def test_independent_samples_of_one_gaussian_are_near_each_other():
    """E W₁ ≤ 2·∫√(F(1 - F)/n) dx = 3.23/√n.

    As a function of the 2n numbers its slope is √(2/n) at most, so that by Gaussian concentration
    it exceeds its mean by 8/√n with a probability below exp(-16).
    """
    n = 4000
    x, y = np.random.default_rng(9).normal(size=(2, n))
    assert 0 < em(x, y) < (3.23 + 8) / np.sqrt(n)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], [1.0]), "em: x expects at least one point"),
        (([1.0], np.zeros((0, 1))), "em: y expects at least one point"),
        (([np.nan], [1.0]), "em: x holds NaN or infinite"),
        (([1.0], [np.inf]), "em: y holds NaN or infinite"),
        ((np.zeros((3, 2)), np.zeros((3, 3))), "points of one dimension, got 2 and 3"),
        (
            (np.zeros((3, 2, 2)), np.zeros((3, 2))),
            "or \\(N, d\\), got \\(3, 2, 2\\)",
        ),
        ((["a"], [1.0]), "em: x expects numbers, got dtype"),
        (([1.0], [1.0], [0.5, 0.5]), "x_weights expects 1 numbers"),
        (([1.0, 2.0], [1.0], [0.5, 0.6]), "of sum 1, got the sum 1.1"),
        (([1.0, 2.0], [1.0], [1.5, -0.5]), "not negative"),
        (([1.0, 2.0], [1.0], [np.nan, 1.0]), "x_weights expects probabilities"),
        ((np.zeros((2001, 2)), np.zeros((2001, 2))), "at most 2000 points .* got 2001"),
        ((np.zeros((300, 2)), np.zeros((299, 2))), "at most 40000 pairs .* got 300 × 299"),
    ],
)
def test_mistakes_are_said_in_a_sentence(arguments, said):
    with pytest.raises(DataError, match=said) as caught:
        em(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: em([[1.0], [1.0, 2.0]], [1.0]), "em: x expects rows of one length"),
        (lambda: em([1.0], [1.0], [[0.5], [0.5, 0.1]]), "x_weights expects rows of one length"),
        (lambda: em([1e308], [-1e308]), r"x expects numbers up to 1e\+150, got 1e\+308"),
        (lambda: em([0.0], [1.0], p="2"), "em: p expects a number, got '2'"),
        (lambda: em([0.0], [1.0], p=np.nan), "em: p expects a number, got nan"),
        (lambda: unit_cases(0), "unit_cases: count expects a whole number from 2 on, got 0"),
        (lambda: unit_cases(-3), "count expects a whole number from 2 on, got -3"),
        (lambda: unit_cases(9, seed=-1), "unit_cases: seed expects a whole number from 0 on"),
    ],
)
def test_more_mistakes_are_said_in_a_sentence(call, said):
    with pytest.raises(DataError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_power_is_at_least_one():
    with pytest.raises(DataError, match=r"em: p expects a number from 1 on, got 0\.5"):
        em([0.0], [1.0], p=0.5)


def test_on_a_line_there_is_no_limit():
    x = np.arange(100_000.0)
    assert em(x, x[::-1] + 2) == pytest.approx(2)
