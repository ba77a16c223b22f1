"""Mixtures of points: each has the moments that its definition says, at the modes it says."""

import numpy as np
import pytest

from minigan.data import Batches, DataError, augmentation, mixture

COUNT = 50_000
EIGHT = [(np.cos(np.pi * i / 4), np.sin(np.pi * i / 4)) for i in range(8)]


@pytest.mark.parametrize(
    ("name", "modes", "std"),
    [
        ("ring", [(np.cos(np.pi * i / 4), np.sin(np.pi * i / 4)) for i in range(8)], 0.01),
        (
            "ring-2",
            [(2 * np.cos(np.pi * i / 4), 2 * np.sin(np.pi * i / 4)) for i in range(8)],
            0.02,
        ),
        ("grid", [(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], 0.05),
    ],
)
def test_each_mode_has_its_share_its_centre_and_its_spread(name, modes, std):
    data = mixture(name, COUNT, seed=0)
    assert data.points.shape == (COUNT, 2) and data.points.dtype == np.float32
    assert data.labels.dtype == np.int64 and data.std == std and data.classes == len(modes)
    np.testing.assert_allclose(data.modes, modes, atol=1e-6)
    share = COUNT / len(modes)
    for mode, centre in enumerate(modes):
        offsets = data.points[data.labels == mode] - centre
        assert abs(len(offsets) - share) < 5 * np.sqrt(share)
        assert np.abs(offsets.mean(0)).max() < 5 * std / np.sqrt(share)
        covariance = np.cov(offsets.T)
        np.testing.assert_allclose(covariance, std**2 * np.eye(2), atol=std**2 * 0.15)
        assert np.abs(offsets).max() < 6 * std


def test_the_roll_is_a_spiral_with_noise():
    """The radius tells t, and t tells the angle, but for the noise."""
    data = mixture("roll", COUNT, seed=0)
    assert data.modes is None and data.labels is None and data.classes == 0
    points = data.points.astype(float) * 7.5
    t = np.hypot(*points.T)
    centre = np.stack([t * np.cos(t), t * np.sin(t)], 1)
    inner = (t > 1.5 * np.pi + 1) & (t < 4.5 * np.pi - 1)
    # The noise along the arm moves t itself: what is seen is the distance across the arm.
    error = np.arctan2(*points.T[::-1]) - np.arctan2(*centre.T[::-1])
    across = t * (np.mod(error + np.pi, 2 * np.pi) - np.pi) / np.sqrt(1 + t**2)
    assert np.std(across[inner]) == pytest.approx(0.25, rel=0.03)
    histogram = np.histogram(t[inner], bins=8)[0]
    assert histogram.max() / histogram.min() < 1.15  # u is uniform, and so is t
    assert np.abs(data.points).max() < (4.5 * np.pi + 6 * 0.25) / 7.5


def test_the_larger_ring_is_the_ring_twice_as_large():
    small, large = mixture("ring", 50, seed=3), mixture("ring-2", 50, seed=3)
    np.testing.assert_array_equal(large.points, 2 * small.points)
    np.testing.assert_array_equal(large.modes, 2 * small.modes)
    assert large.box == 2 * small.box


@pytest.mark.parametrize("name", ["ring", "ring-2", "grid", "roll"])
def test_a_seed_repeats_and_others_differ(name):
    first, again, other = (mixture(name, 100, seed=seed).points for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_batches_of_points():
    data = mixture("ring", 20, seed=0)
    points, labels = next(Batches(data, 20, seed=3))
    order = np.random.default_rng([3, 0]).permutation(20)
    np.testing.assert_array_equal(points, data.points[order])
    np.testing.assert_array_equal(labels, data.labels[order])
    with pytest.raises(DataError, match="augmentation: ring holds points, expected images"):
        next(Batches(data, 4, seed=0, augment=augmentation("flip")))
    assert next(Batches(mixture("roll", 20, seed=0), 4, seed=0))[1] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cube", 5, 0), "mixture: expected one of ring, ring-2, grid, roll; got 'cube'"),
        (("ring", 0, 0), "count: expected a whole number of at least 1, got 0"),
        (("ring", 5, -1), "seed: .* got -1"),
    ],
)
def test_wrong_options_are_refused(arguments, says):
    name, count, seed = arguments
    with pytest.raises(DataError, match=f"^{says}$"):
        mixture(name, count, seed=seed)
