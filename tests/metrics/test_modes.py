"""Modes and high-quality samples: closed forms for a perfect sampler, counts that can be seen."""

import numpy as np
import pytest

from minigan.data import DataError, mixture
from minigan.metrics import mode_score
from minigan.metrics.modes import PERFECT, SAMPLES


def brute(sample, modes, std):
    """Point by point in Python's own numbers."""
    found, good = set(), 0
    for x, y in sample.tolist():
        far = [((x - a) ** 2 + (y - b) ** 2) ** 0.5 for a, b in modes.tolist()]
        if min(far) <= 3 * std:
            good += 1
            found.add(far.index(min(far)))
    return len(found), good / len(sample)


def test_the_perfect_samplers_share_is_the_rayleigh_distributions():
    """P(‖x‖ ≤ 3) = ∫₀³ r exp(-r²/2) dr, here by quadrature."""
    from scipy.integrate import quad

    integral, _ = quad(lambda r: r * np.exp(-(r**2) / 2), 0, 3)
    assert abs(PERFECT - integral) < 1e-10
    assert round(100 * PERFECT, 2) == 98.89


@pytest.mark.parametrize("name", ["ring", "ring-2", "grid"])
def test_a_perfect_sampler_reaches_it(name):
    """Within 5 standard deviations of a binomial share: 10⁻⁶ that it fails by chance."""
    count = 40_000
    real = mixture(name, count, seed=7)
    found = mode_score(real.points, real.modes, real.std)
    assert found.modes == len(real.modes) == (25 if name == "grid" else 8)
    assert abs(found.quality - PERFECT) < 5 * np.sqrt(PERFECT * (1 - PERFECT) / count)


def test_one_mode_counts_one():
    real = mixture("grid", 2000, seed=0)
    alone = real.points[real.labels == 3]
    assert mode_score(alone, real.modes, real.std).modes == 1
    assert mode_score(real.modes[:1].repeat(50, 0), real.modes, real.std) == (1, 1.0)
    assert mode_score([[9.0, 9.0]], real.modes, real.std) == (0, 0.0)


def test_it_is_what_counting_finds():
    real = mixture("grid", 300, seed=1)
    rng = np.random.default_rng(0)
    sample = real.points + rng.normal(0, 0.1, real.points.shape)
    found = mode_score(sample, real.modes, real.std)
    assert found == brute(sample, real.modes, real.std)
    assert 0 < found.quality < PERFECT


def test_the_border_belongs_to_it():
    assert mode_score([[0.75, 0.0]], [[0.0, 0.0]], 0.25) == (1, 1.0)
    assert mode_score([[np.nextafter(0.75, 1), 0.0]], [[0.0, 0.0]], 0.25) == (0, 0.0)


@pytest.mark.parametrize(
    ("sample", "std", "said"),
    [
        (np.zeros((0, 2)), 0.1, "nearest_modes: sample expects at least one point"),
        (np.full((3, 2), np.nan), 0.1, "nearest_modes: sample holds NaN"),
        (np.zeros((3, 3)), 0.1, "points of one dimension, got 3 and 2"),
        (np.zeros((3, 2)), 0.0, "std expects a positive finite number, got 0.0"),
        (np.zeros((3, 2)), float("nan"), "std expects a positive finite number, got nan"),
    ],
)
def test_mistakes(sample, std, said):
    with pytest.raises(DataError, match=said):
        mode_score(sample, np.zeros((1, 2)), std)


def test_the_papers_count():
    assert SAMPLES == 2500
