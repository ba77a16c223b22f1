"""The sliced Wasserstein distance against SciPy in one dimension and closed forms in many."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from minigan.metrics import neighbours, quick_metrics, sliced_wasserstein_distance


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (7, 3), (12, 18)])
def test_in_one_dimension_it_is_scipys(n, m):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.exponential(size=m)
    got = sliced_wasserstein_distance(x[:, None], y[:, None], p=1, n_projections=3)
    assert got == pytest.approx(wasserstein_distance(x, y), rel=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_sorted_numbers_are_moved_in_order(p):
    x, y = [[3.0], [1.0], [2.0]], [[5.0], [9.0], [1.5]]
    truth = ((0.5**p + 3**p + 6**p) / 3) ** (1 / p)
    assert sliced_wasserstein_distance(x, y, p=p) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("d", [2, 20])
def test_a_shift_costs_its_length_over_the_root_of_the_dimension(d):
    """(θ·v)² / |v|² is Beta(1/2, (d-1)/2): mean 1/d, variance 2 (d-1) / (d² (d+2))."""
    rng = np.random.default_rng(d)
    x, v, count = rng.normal(size=(40, d)), rng.normal(size=d), 2000
    got = sliced_wasserstein_distance(x, x[::-1] + v, count) ** 2 / (v @ v)
    error = np.sqrt(2 * (d - 1) / (d**2 * (d + 2)) / count)
    assert abs(got - 1 / d) < 5 * error


def test_gaussians_of_two_widths():
    """Along every θ, W2 of N(0, 1) and N(0, s²) is |1 - s|; here s = 3, sets of 4000."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 6)), 3 * rng.normal(size=(4000, 6))
    # The spread of a set of n along θ is off by 1 / sqrt(2 n) relatively: 0.011 and 0.034 here.
    assert sliced_wasserstein_distance(x, y) == pytest.approx(2, abs=5 * np.hypot(0.011, 0.034))


def test_images_are_taken_as_rows_and_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 2, 4, 4)), rng.normal(size=(6, 2, 4, 4))
    whole = sliced_wasserstein_distance(x, y)
    assert whole == sliced_wasserstein_distance(x.reshape(9, -1), y.reshape(6, -1))
    monkeypatch.setattr(neighbours, "_BLOCK", 64)  # two directions and two rows at a time
    assert sliced_wasserstein_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_what_a_distance_is():
    rng = np.random.default_rng(2)
    x, y, z = rng.normal(size=(3, 30, 5)) + rng.normal(size=(3, 1, 5))
    distance = sliced_wasserstein_distance
    assert distance(x, rng.permutation(x)) == 0
    assert distance(x, y) == distance(y, x) == distance(rng.permutation(x), y) > 0
    assert distance(x, z) <= distance(x, y) + distance(y, z)
    assert distance(x, np.repeat(y, 3, axis=0)) == pytest.approx(distance(x, y), rel=1e-12)
    assert distance(3 * x, 3 * y) == pytest.approx(3 * distance(x, y), rel=1e-12)
    assert distance(x, y, p=1) <= distance(x, y) <= distance(x, y, p=4)


def test_directions_follow_the_seed():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 10, 3))
    assert sliced_wasserstein_distance(x, y) != sliced_wasserstein_distance(x, y, seed=1)
    assert quick_metrics(x, y, seed=1) == {"swd": sliced_wasserstein_distance(x, y, seed=1)}


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "words"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), {}, ValueError, "same number of features"),
        (np.ones((3, 2)), np.ones((0, 2)), {}, ValueError, "y expects at least 1 sample of"),
        (np.ones(3), np.ones(3), {}, ValueError, r"x expects \(n, …\), got shape \(3,\)"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), {}, ValueError, "y expects finite"),
        (np.ones((3, 2)), np.ones((3, 2)), {"p": 0}, ValueError, "p expects .* at least 1, got 0"),
        (np.ones((3, 2)), np.ones((3, 2)), {"p": 0.5}, TypeError, "p expects a whole number"),
        (np.ones((3, 2)), np.ones((3, 2)) * 1j, {}, TypeError, "y expects real numbers"),
    ],
)
def test_wrong_arguments_are_refused(x, y, options, error, words):
    with pytest.raises(error, match=f"sliced_wasserstein_distance: .*{words}"):
        sliced_wasserstein_distance(x, y, **options)
