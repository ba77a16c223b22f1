"""Sinkhorn: the bias it must have, and where it must not have any."""

import numpy as np
import pytest

from minigan.data import DataError
from minigan.toys.distances import em, sinkhorn, sinkhorn_divergence

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 2)), RNG.normal(size=(50, 2)) + 1
FAR = max(np.linalg.norm(x - y) for x in X for y in Y)
EPSILONS = (2.0, 0.5, 0.1, 0.02)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_cost_and_value_lie_between_em_and_the_bound(epsilon):
    """EM ≤ ⟨P, C⟩ ≤ ⟨P, C⟩ + ε·KL ≤ EM + ε·ln n, up to the mass that is still off."""
    exact, found = em(X, Y), sinkhorn(X, Y, epsilon)
    slack = found.error * FAR
    assert found.error <= 1e-6
    assert found.bias == pytest.approx(epsilon * np.log(40))
    assert exact - slack <= found.cost <= found.value + slack
    assert found.value <= exact + found.bias + slack


def test_the_bias_vanishes_with_epsilon():
    costs = [sinkhorn(X, Y, epsilon).cost for epsilon in EPSILONS]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] - em(X, Y) < 0.05 * (costs[0] - em(X, Y))


def test_with_infinite_entropy_nothing_is_coupled():
    """ε → ∞: P = a⊗b and the cost is the mean distance of all pairs."""
    everything = np.linalg.norm(X[:, None] - Y[None], axis=2).mean()
    assert sinkhorn(X, Y, 1e6).cost == pytest.approx(everything, rel=1e-5)


def test_the_plan_is_the_one_that_the_plain_iteration_finds():
    """u = a/(K v), v = b/(Kᵀ u) with K = exp(-C/ε), in float64 without logarithms."""
    epsilon, cost = 0.5, np.linalg.norm(X[:, None] - Y[None], axis=2)
    kernel, u, v = np.exp(-cost / epsilon), np.ones(40), np.ones(50)
    for _ in range(2000):
        v = (1 / 50) / (kernel.T @ u)
        u = (1 / 40) / (kernel @ v)
    plan = u[:, None] * kernel * v
    found = sinkhorn(X, Y, epsilon, tolerance=1e-12)
    kl = (plan * np.log(plan * 40 * 50)).sum()
    assert found.cost == pytest.approx((plan * cost).sum(), rel=1e-9)
    assert found.value == pytest.approx((plan * cost).sum() + epsilon * kl, rel=1e-9)


def test_a_small_epsilon_does_not_underflow():
    """exp(-C/ε) is 0 in float64 here; on a line EM is known."""
    found = sinkhorn([0.0, 1.0], [1.0, 2.0], 1e-4)
    assert found.cost == pytest.approx(1, abs=1e-6)


def test_weights_count():
    """Uneven weights against the exact program; a point without weight is no point."""
    a = np.full(40, 1 / 39)
    a[7] = 0
    b = np.random.default_rng(1).dirichlet(np.ones(50))
    exact, found = em(X, Y, a, b), sinkhorn(X, Y, 0.05, a, b)
    assert exact - found.error * FAR <= found.cost <= exact + found.bias + found.error * FAR
    without = sinkhorn(np.delete(X, 7, 0), Y, 0.05, None, b)
    assert found.cost == pytest.approx(without.cost, rel=1e-9)


def test_the_divergence_of_a_set_from_itself_is_zero():
    """In any order; and of two sets it is above 0."""
    order = np.random.default_rng(2).permutation(40)
    assert abs(sinkhorn_divergence(X, X[order], 0.3)) < 1e-5
    assert sinkhorn(X, X, 0.3).value > 0.1  # the bias that it takes away
    assert sinkhorn_divergence(X, Y, 0.3) > 0.1


def test_it_stops_when_told_and_says_how_far_off_it_is():
    found = sinkhorn(X, Y, 0.02, iterations=3)
    assert found.iterations == 3 and found.error > 1e-6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], [1.0], 0.1), "sinkhorn: x expects at least one point"),
        (([1.0], [np.nan], 0.1), "sinkhorn: y holds NaN"),
        (([1.0], [[1.0, 2.0]], 0.1), "points of one dimension, got 1 and 2"),
        (([1.0], [1.0], 0.0), "epsilon expects a number > 0, got 0.0"),
        (([1.0], [1.0], np.nan), "epsilon expects a number, got nan"),
        (([1.0], [1.0], None), "epsilon expects a number, got None"),
        (([0.0, 1.0], [0.0, 3.0], 2e-10), "at least 1e-10 of the largest distance, 3, got 2e-10"),
        ((np.zeros(2001), np.zeros(2000), 0.1), "at most 4000000 pairs of points, got 2001 × 2000"),
    ],
)
def test_mistakes_are_said_in_a_sentence(arguments, said):
    with pytest.raises(DataError, match=said):
        sinkhorn(*arguments)


def test_its_settings_are_checked():
    with pytest.raises(DataError, match="tolerance expects a number > 0, got 0"):
        sinkhorn([0.0], [1.0], 0.1, tolerance=0, iterations=5)
    with pytest.raises(DataError, match=r"iterations expects a whole number from 1 on, got 1\.5"):
        sinkhorn([0.0], [1.0], 0.1, iterations=1.5)


def test_the_finest_epsilon_still_keeps_the_bound():
    """3·10⁻¹⁰ on a largest distance of 2: cost is EM = 1 up to the error that it owns to."""
    found = sinkhorn([0.0, 1.0], [1.0, 2.0], 3e-10)
    assert abs(found.cost - 1) <= found.bias + 2 * found.error + 1e-6
