"""Nearest neighbours and the test for copies, against SciPy and on samples that are copies."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from minigan.metrics import (
    copied_share,
    memorisation,
    memorisation_from_distances,
    nearest_neighbours,
    neighbours,
)


@pytest.mark.parametrize("block", [1, 50, 1 << 22])
@pytest.mark.parametrize(("n", "m", "d", "k"), [(7, 5, 3, 1), (20, 30, 4, 3), (6, 6, 9, 6)])
def test_they_are_scipys(n, m, d, k, block, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    rng = np.random.default_rng(m)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    truth = cdist(x, y)
    distances, indices = nearest_neighbours(x, y, k)
    assert (indices == np.argsort(truth, axis=1)[:, :k]).all()
    np.testing.assert_allclose(distances, np.sort(truth, axis=1)[:, :k], rtol=1e-13)
    assert (distances.dtype, indices.dtype) == (np.float64, np.int64)


def test_images_of_bytes_are_not_computed_in_bytes():
    x = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    distances, indices = nearest_neighbours(x, x[::-1], 2)
    assert distances.tolist() == [[0, 255], [0, 255]]
    assert indices.tolist() == [[1, 0], [0, 1]]


def test_equal_samples_are_exactly_zero_apart_wherever_they_lie():
    x = np.random.default_rng(0).normal(size=(50, 30)) + 1e4
    distances, indices = nearest_neighbours(x, x)
    assert (distances == 0).all() and (indices[:, 0] == np.arange(50)).all()


def test_copies_are_told_from_new_samples():
    rng = np.random.default_rng(1)
    train, held_out, new = rng.normal(size=(3, 400, 5))
    copies = memorisation(train[:100], train, held_out)
    assert copies == (0, 1)
    far = memorisation(new + 100, train, held_out)
    assert far.ratio > 50 and far.closer == 0
    # U / n m of two sets of one distribution: mean 1/2, variance (n + m + 1) / 12 n m.
    fair = memorisation(new, train, held_out)
    assert abs(fair.closer - 0.5) < 5 * np.sqrt(801 / (12 * 400**2))
    half = memorisation(np.concatenate([train[:200], new[:200]]), train, held_out)
    assert abs(half.closer - 0.75) < 5 * 0.5 * np.sqrt(601 / (12 * 200 * 400))


@pytest.mark.parametrize("seed", range(4))
def test_the_probability_is_mann_whitneys_u(seed):
    rng = np.random.default_rng(seed)
    samples, held_out = rng.integers(0, 6, 30) / 2, rng.integers(0, 6, 17) / 2  # many ties
    u = mannwhitneyu(held_out, samples).statistic
    found = memorisation_from_distances(samples, held_out)
    assert found.closer == pytest.approx(u / (30 * 17), rel=1e-12)
    assert found.ratio == np.median(samples) / np.median(held_out)


def test_distances_of_zero():
    assert memorisation_from_distances([0.0], [0.0]) == (1, 0.5)
    assert memorisation_from_distances([1.0], [0.0]) == (np.inf, 0)


def test_copies_are_told_from_blur():
    """Blurred samples are nearer to the training data than new ones, but to no one of them."""
    rng = np.random.default_rng(2)
    train, new = rng.normal(size=(2, 300, 20))
    samples = np.concatenate([train[:60] + 0.01, new[:40] / 4])
    distances, _ = nearest_neighbours(samples, train, 2)
    held_out, _ = nearest_neighbours(new, train, 2)
    assert copied_share(distances) == 0.6 and copied_share(held_out) == 0
    assert memorisation_from_distances(distances[60:, 0], held_out[:, 0]).closer > 0.9
    assert copied_share(distances, ratio=1e-6) == 0
    assert copied_share([[0.0, 0.0], [1.0, 3.0], [1.0, 2.9]]) == 2 / 3
    for wrong in ([[1.0]], [[2.0, 1.0]], [[-1.0, 1.0]], np.zeros((0, 2))):
        with pytest.raises(ValueError, match="copied_share: distances expects"):
            copied_share(wrong)
    with pytest.raises(ValueError, match=r"ratio expects a number between 0 and 1, got 1\.5"):
        copied_share(distances, 1.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((3, 2)), np.ones((4, 3))), r"same number of features, got shapes \(3, 2\)"),
        ((np.ones((3, 2)), np.ones((4, 2)), 5), "k expects a whole number from 1 to 4, got 5"),
        ((np.ones(3), np.ones((4, 2))), r"x expects \(n, …\), got shape \(3,\)"),
        ((np.ones((0, 2)), np.ones((4, 2))), "x expects at least 1 sample of"),
        ((np.ones((3, 2)), np.full((4, 2), np.nan)), "y expects finite values"),
    ],
)
def test_wrong_samples_are_refused(arguments, words):
    with pytest.raises(ValueError, match=f"nearest_neighbours: .*{words}"):
        nearest_neighbours(*arguments)


def test_wrong_distances_are_refused():
    with pytest.raises(ValueError, match="held_out expects at least 1 distance, none below 0"):
        memorisation_from_distances([1.0], [-1.0])
    with pytest.raises(ValueError, match="samples expects at least 1 distance"):
        memorisation_from_distances([], [1.0])
    with pytest.raises(ValueError, match="held_out and train expect the same number of features"):
        memorisation(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 4)))
