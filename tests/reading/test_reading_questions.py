"""The questions that a reading asks of a column: held since when, falling, oscillating."""

import numpy as np
import pytest
from scipy.signal import lfilter

from minigan.reading.trace import BLOCKS, CERTAIN, SMOOTH, Trace
from minigan.reading.troubles import oscillation


@pytest.mark.parametrize("seed", range(5))
def test_how_long_something_has_held_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal(300))
    step = np.sort(rng.choice(5000, 300, replace=False))
    limit = np.median(values[-50:]) - 1
    held = Trace(step, values).held(lambda level: level > limit)
    middle, since = SMOOTH // 2, None
    for row in range(299 - middle, middle - 1, -1):
        if not sorted(values[row - middle : row + middle + 1])[middle] > limit:
            break
        since = row
    if since is None:
        assert held == 0
    elif since == middle:
        assert held == step[-1] - step[0]
    else:
        assert held == step[-1] - step[since]


def test_a_trend_is_certain_as_stated():
    """Orders of ten numbers by their inversions: a share of 0.9 % has |S| of 29 or more."""
    counts = np.array([1])
    for n in range(2, BLOCKS + 1):  # one more number adds 0 … n - 1 inversions
        counts = np.convolve(counts, np.ones(n, int))
    score = 45 - 2 * np.arange(46)
    share = counts[np.abs(score) >= CERTAIN].sum() / counts.sum()
    assert round(share, 3) == 0.009
    assert counts[np.abs(score) >= CERTAIN - 2].sum() / counts.sum() > 0.01


@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0])
def test_noise_has_no_trend(noise):
    """Of 1000 flat curves nine are expected to be called rising or falling, 24 is five sigma."""
    rng = np.random.default_rng(1)
    rows = np.arange(200)
    words = [Trace(rows, 1 + noise * rng.standard_normal(200)).trend(0).word for _ in range(1000)]
    assert sum(word != "" for word in words) <= 24


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.99, 1.0])
def test_noise_whose_neighbours_are_alike_does_not_oscillate(memory):
    """Fewer than ten of a thousand, up to a random walk."""
    noise = np.random.default_rng(2).standard_normal((1000, 400))
    walks = lfilter([1], [1, -memory], noise, axis=1)
    assert sum(oscillation(walk) is not None for walk in walks) < 10


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("period", [20, 75, 180])
def test_a_period_under_noise_is_found(period, noise):
    rng = np.random.default_rng(3)
    for _ in range(20):
        phase = 2 * np.pi * (np.arange(1000) / period + rng.random())
        found = oscillation(
            7 + np.arange(1000) / 300 + np.sin(phase) + noise * rng.normal(size=1000)
        )
        assert found.period == pytest.approx(period, rel=0.06)
        assert found.amplitude == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("curve", ["burst", "trend", "step", "few", "constant"])
def test_what_is_no_oscillation(curve):
    rows = np.arange(1000)
    values = {
        "burst": 1.0 + 9.0 * (rows % 100 == 0),  # a critic trained to the end now and then
        "trend": rows / 100,
        "step": 1.0 * (rows > 500),
        "few": np.sin(rows / 250 * 2 * np.pi),  # four periods
        "constant": np.full(1000, 1 / 3),
    }[curve]
    assert oscillation(values) is None
