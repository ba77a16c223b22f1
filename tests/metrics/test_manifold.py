"""Precision, recall, density and coverage against loops, on sets whose answer is known."""

from itertools import pairwise
from math import dist, prod

import numpy as np
import pytest

from minigan.metrics import density_coverage, neighbours, precision_recall


def by_loops(real, fake, k):
    """(precision, recall, density, coverage) as their papers define them."""
    real, fake = real.tolist(), fake.tolist()

    def radius(points, i):
        return sorted(dist(points[i], q) for j, q in enumerate(points) if j != i)[k - 1]

    balls = [(p, radius(real, i)) for i, p in enumerate(real)]
    fake_balls = [(p, radius(fake, i)) for i, p in enumerate(fake)]
    inside = [[dist(p, centre) <= r for centre, r in balls] for p in fake]
    back = [[dist(p, centre) <= r for centre, r in fake_balls] for p in real]
    return (
        sum(map(any, inside)) / len(fake),
        sum(map(any, back)) / len(real),
        sum(map(sum, inside)) / (k * len(fake)),
        sum(map(any, zip(*inside, strict=True))) / len(real),
    )


def both(real, fake, k):
    return *precision_recall(real, fake, k), *density_coverage(real, fake, k)


@pytest.mark.parametrize(("n", "m", "d", "k"), [(30, 20, 1, 1), (40, 60, 3, 3), (25, 25, 8, 5)])
def test_they_are_the_papers_loops(n, m, d, k, monkeypatch):
    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, d)), 0.7 * rng.normal(size=(m, d)) + 0.5
    wanted = by_loops(real, fake, k)
    assert all(0 < value < 2 for value in wanted) and len(set(wanted)) > 2
    assert both(real, fake, k) == pytest.approx(wanted, rel=1e-12)
    monkeypatch.setattr(neighbours, "_BLOCK", 100)  # a few rows at a time
    assert both(real, fake, k) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_equal_sets_are_perfect(offset):
    """A ball holds its centre and k others: density (k + 1) / k."""
    x = np.random.default_rng(0).normal(size=(50, 4)) + offset
    assert both(x, x[::-1], 3) == (1, 1, pytest.approx(4 / 3), 1)


def test_far_sets_share_nothing():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(50, 4)), rng.normal(size=(50, 4)) + 100
    assert both(real, fake, 3) == (0, 0, 0, 0)


def test_a_mode_left_out_costs_recall_and_not_precision():
    rng = np.random.default_rng(2)
    left, right, fake = rng.normal(size=(3, 60, 2))
    real = np.concatenate([left, right + [100, 0]])
    precision, recall = precision_recall(real, fake)
    density, coverage = density_coverage(real, fake)
    assert precision > 0.8 and density > 0.6
    assert recall <= 0.5 and coverage <= 0.5
    backwards = precision_recall(fake, real)  # exchanged sets exchange the two
    assert backwards == (recall, precision)


def test_an_outlier_of_the_data_lifts_precision_and_not_density():
    """What density is for (Naeem et al., figure 2)."""
    rng = np.random.default_rng(3)
    real = np.concatenate([rng.normal(size=(99, 2)), [[30.0, 0.0]]])
    fake = rng.normal(size=(100, 2)) * 0.1 + [15, 0]  # nothing like the data
    assert precision_recall(real, fake)[0] == 1
    assert density_coverage(real, fake)[0] == pytest.approx(1 / 5)  # one ball of 5 · 1 wanted
    assert density_coverage(real, fake)[1] == 1 / 100


def test_one_distribution_scores_as_the_paper_computes():
    """Expected density 1, expected coverage 1 - Π (n - i) / (2n - i); over 100 draws."""
    rng = np.random.default_rng(4)
    n, k = 60, 5
    values = np.array([density_coverage(*rng.normal(size=(2, n, 3)), k) for _ in range(100)])
    errors = 5 * values.std(0, ddof=1) / np.sqrt(len(values))
    coverage = 1 - prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    assert np.all(abs(values.mean(0) - [1, coverage]) < errors)
    assert np.all(errors < 0.05)


def test_points_on_an_edge_belong_to_the_ball():
    """On a lattice nearly every distance is a tie; shifted, its products are rounded."""
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), -1).reshape(-1, 2)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    wanted = both(grid, grid[:13], 2)
    assert both(grid @ turn + 7.3, grid[:13] @ turn + 7.3, 2) == pytest.approx(wanted)
    precision, _ = precision_recall(np.array([[0.0], [1.0], [9.0]]), [[2.0], [-1.0], [1.0]], k=1)
    assert precision == 1


def test_duplicates_have_balls_of_no_size():
    real = np.repeat([[0.1, 0.2], [3.3, 0.7]], 5, axis=0)
    assert precision_recall(real, real + [[0.0, 1e-3]]) == (0, 0)
    assert precision_recall(real, real) == (1, 1)


def test_more_neighbours_never_lower_a_score():
    rng = np.random.default_rng(5)
    real, fake = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + 1
    scores = [(*precision_recall(real, fake, k), density_coverage(real, fake, k)[1])
              for k in (1, 2, 4, 8)]  # fmt: skip
    assert all(np.all(np.less_equal(a, b)) for a, b in pairwise(scores))


@pytest.mark.parametrize("function", [precision_recall, density_coverage])
@pytest.mark.parametrize(
    ("real", "fake", "k", "words"),
    [
        (np.ones((9, 2)), np.ones((4, 2)), 4, "k expects a whole number from 1 to 3, got 4"),
        (np.ones((9, 2)), np.ones((4, 2)), 0, "k expects a whole number from 1 to 3, got 0"),
        (np.ones((9, 2)), np.ones((4, 3)), 1, "real and fake expect the same number of features"),
        (np.ones(9), np.ones((4, 3)), 1, "real expects two dimensions"),
        (np.ones((1, 2)), np.ones((4, 2)), 1, "real expects at least 2 samples"),
        (np.ones((9, 2)), np.full((4, 2), np.inf), 1, "fake expects finite values, 8 of 8"),
    ],
)
def test_wrong_arguments_are_refused(function, real, fake, k, words):
    with pytest.raises(ValueError, match=f"{function.__name__}: {words}"):
        function(real, fake, k)
