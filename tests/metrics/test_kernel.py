"""The kernel distance against loops over pairs and against the moments of known distributions."""

import numpy as np
import pytest

from minigan.metrics import kernel_distance


def kernel(a, b):
    return (sum(x * y for x, y in zip(a, b, strict=True)) / len(a) + 1) ** 3


def by_loops(x, y):
    x, y = x.tolist(), y.tolist()

    def mean(a, b, same):
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if not (same and i == j)]
        return sum(kernel(a[i], b[j]) for i, j in pairs) / len(pairs)

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


@pytest.mark.parametrize(("n", "d"), [(2, 1), (5, 3), (12, 7)])
def test_one_subset_of_everything_is_the_sum_over_pairs(n, d):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, d)), rng.exponential(size=(n, d))
    mean, std = kernel_distance(x, y, subsets=1, subset_size=n)
    assert mean == pytest.approx(by_loops(x, y), rel=1e-12)
    assert std == 0


def test_a_subset_holds_no_sample_twice():
    """Were samples drawn with replacement, the estimates of equal subsets would differ."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 2))
    mean, std = kernel_distance(x, y, subsets=20, subset_size=6)
    assert mean == pytest.approx(by_loops(x, y), rel=1e-12)
    assert std < 1e-12 * abs(mean)


def test_known_distributions_are_at_the_distance_of_their_moments():
    """In one dimension k(x, y) = Σ_j C(3, j) x^j y^j, so MMD² = Σ_j C(3, j) (E x^j - E y^j)².

    N(0, 1) has the moments 0, 1, 0 and N(1, 1) has 1, 2, 4: 3·1 + 3·1 + 1·16 = 22.
    """
    rng = np.random.default_rng(1)
    # The subsets are nearly independent (20 of 200 samples, out of 200,000).
    x, y = rng.normal(0, 1, (200_000, 1)), rng.normal(1, 1, (200_000, 1))
    mean, std = kernel_distance(x, y, subsets=400, subset_size=200)
    assert abs(mean - 22) < 5 * std / 20
    assert std / 20 < 0.5  # so the line above says something


def test_one_distribution_is_at_zero_on_average():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 50_000, 8))
    mean, std = kernel_distance(x, y, subsets=400, subset_size=50)
    assert abs(mean) < 5 * std / 20
    # The biased estimate, pairs i = j included, would be off by 2 (E k(x, x) - E k(x, x')) / n.
    bias = 2 * ((np.einsum("nd,nd->n", x, x) / 8 + 1) ** 3).mean() / 50
    assert bias > 20 * std / 20


def test_draws_follow_the_seed_and_nothing_else():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 100, 4))
    options = {"subsets": 3, "subset_size": 20}
    assert kernel_distance(x, y, **options) == kernel_distance(x, y, **options, seed=0)
    assert kernel_distance(x, y, **options) != kernel_distance(x, y, **options, seed=1)
    exact = kernel_distance(np.float32(x), np.float32(y), **options)
    assert exact == kernel_distance(np.float32(x).astype(float), np.float32(y).astype(float),
                                    **options)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ValueError, "subset_size expects a whole number from 2 to 5, got 1000"),
        ({"subset_size": 1}, ValueError, "from 2 to 5, got 1"),
        ({"subset_size": 2.5}, TypeError, "subset_size expects a whole number, got 2.5"),
        ({"subset_size": 2, "subsets": 0}, ValueError, "subsets expects .* of at least 1, got 0"),
        ({"subset_size": 2, "seed": -1}, ValueError, "seed expects .* of at least 0, got -1"),
    ],
)
def test_wrong_options_are_refused(options, error, words):
    with pytest.raises(error, match=f"kernel_distance: .*{words}"):
        kernel_distance(np.ones((5, 2)), np.ones((6, 2)), **options)


def test_wrong_features_are_refused():
    with pytest.raises(ValueError, match=r"same number of features, got shapes \(5, 2\) and \(5,"):
        kernel_distance(np.ones((5, 2)), np.ones((5, 3)), subset_size=2)
    with pytest.raises(ValueError, match="y expects finite values, 10 of 10"):
        kernel_distance(np.ones((5, 2)), np.full((5, 2), np.nan), subset_size=2)
