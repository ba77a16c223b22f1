"""The kernel distance: an unbiased estimate of how far two distributions of features are apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checking import two_sets, whole


def kernel_distance(
    x: Any,
    y: Any,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Squared maximum mean discrepancy with the kernel ``(x·y / d + 1)³``, over random subsets.

    Of each pair of subsets of m samples the unbiased estimate

        mean over i ≠ j of k(x_i, x_j)  +  the same of y  -  2 · mean over i, j of k(x_i, y_j)

    which is 0 in expectation for samples of one distribution (so it may come out negative),
    whatever their number. With the features of the published Inception network this is the KID; on
    others it is not to be set beside published KIDs.

    Args:
        x: real features, shape (n, d), n >= subset_size; integers and any float dtype.
        y: generated features, shape (m, d), m >= subset_size.
        subsets: how many pairs of subsets are drawn, each without replacement.
        subset_size: samples in a subset, at least 2. 1000 is the usual number.
        seed: of the draws.

    Returns:
        (mean, std) of the subsets' estimates, as torchmetrics' KernelInceptionDistance: the
        standard deviation (divisor ``subsets``) is one subset's, not the mean's. Where a subset is
        the whole of x and y, std is rounding.

    Raises:
        TypeError, ValueError: not numbers, wrong or unequal shapes, NaN or infinite values, fewer
            samples than ``subset_size``, an option out of range.

    Source: Bińkowski et al., arXiv 1801.01401; Gretton et al., JMLR 13, 2012, lemma 6.

    >>> kernel_distance([[0.0], [2.0]], [[1.0], [1.0]], subsets=1, subset_size=2)
    (-19.0, 0.0)
    """
    name = "kernel_distance"
    x, y = two_sets(name, ("x", "y"), x, y, 2)
    subsets = whole(name, "subsets", subsets, 1)
    subset_size = whole(name, "subset_size", subset_size, 2, min(len(x), len(y)))
    rng = np.random.default_rng(whole(name, "seed", seed, 0))
    estimates = []
    for _ in range(subsets):
        a = x[rng.choice(len(x), subset_size, replace=False)].astype(np.float64)
        b = y[rng.choice(len(y), subset_size, replace=False)].astype(np.float64)
        estimates.append(_among(a) + _among(b) - 2.0 * _kernel(a, b).mean())
    return float(np.mean(estimates)), float(np.std(estimates))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    values = x @ y.T
    values /= x.shape[1]
    values += 1.0
    return values * values * values  # much faster than ** 3


def _among(x: np.ndarray) -> float:
    """The kernel's mean over pairs of different samples."""
    values = _kernel(x, x)
    return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))
