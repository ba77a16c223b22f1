"""Class histograms and their distances, against SciPy, counting and closed forms."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import entropy

from minigan.metrics import (
    class_histogram,
    conditional_accuracy,
    kl_divergence,
    total_variation,
)


def test_a_histogram_counts():
    labels = np.random.default_rng(0).integers(0, 6, 100)
    counted = Counter(labels.tolist())
    shares = class_histogram(labels, 8)
    assert shares.tolist() == [counted[c] / 100 for c in range(8)]
    assert shares.dtype == np.float64 and shares[6:].tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_divergences_are_scipys(seed):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(7), 2)
    assert kl_divergence(p, q) == pytest.approx(entropy(p, q), rel=1e-12)
    assert kl_divergence(p) == pytest.approx(np.log(7) - entropy(p), rel=1e-12)
    assert total_variation(p, q) == pytest.approx(max(  # the largest difference of any event
        abs(sum((p - q)[[i for i in range(7) if event >> i & 1]])) for event in range(2**7)
    ))  # fmt: skip
    assert total_variation(p) == total_variation(p, np.full(7, 1 / 7))


def test_the_ends_of_the_scales():
    p, q = [0.5, 0.5, 0, 0], [0, 0, 0.3, 0.7]
    assert total_variation(p, p) == 0 and kl_divergence(p, p) == 0
    assert total_variation(p, q) == 1 and kl_divergence(p, q) == np.inf
    assert total_variation([1, 0, 0, 0]) == 0.75  # one mode of four
    assert kl_divergence([1, 0, 0, 0]) == np.log(4)
    assert kl_divergence(p, [0.25] * 4) == np.log(2) and kl_divergence([0.25] * 4, p) == np.inf


def test_conditional_accuracy_is_the_share_that_agrees():
    assert conditional_accuracy([1, 2, 3], np.array([1, 0, 3], np.uint8)) == 2 / 3


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: class_histogram([0, 3], 3), ValueError, "labels expects values in 0..2, got 0..3"),
        (lambda: class_histogram([-1], 3), ValueError, r"in 0..2, got -1..-1"),
        (lambda: class_histogram([0.0], 3), TypeError, "expects integers, got dtype float64"),
        (lambda: class_histogram([], 3), TypeError, "expects integers"),
        (lambda: class_histogram(np.zeros(0, int), 3), ValueError, "at least 1 label, got none"),
        (lambda: class_histogram([[0]], 3), ValueError, r"expects \(d,\), got shape \(1, 1\)"),
        (lambda: conditional_accuracy([1], [1, 2]), ValueError, "same number of .* got 1 and 2"),
        (lambda: total_variation([0.5, 0.4]), ValueError, "p expects probabilities that sum to 1"),
        (lambda: total_variation([1.5, -0.5]), ValueError, "got 2 values from -0.5 that sum to 1"),
        (lambda: kl_divergence([1.0], [0.5, 0.5]), ValueError, r"one shape, got \(1,\) and \(2,\)"),
        (lambda: kl_divergence([]), ValueError, "p expects probabilities"),
    ],
)
def test_wrong_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
