"""Fidelity and diversity apart: precision and recall, density and coverage.

Each sample of a set stands for the ball that reaches to its k-th nearest neighbour in its own set;
the union of the balls stands for the region where the set's distribution lives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checking import two_sets, whole
from .neighbours import blocks, squared_distances

# Products leave errors of 1e-15 |x|²: what lies on a ball's edge but for that, duplicates of its
# centre above all, belongs to it.
_ROUNDING = 1e-12


def precision_recall(real: Any, fake: Any, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall of generated samples.

    Precision: the share of generated samples within the ball of at least one real sample, i.e. how
    much of what is generated looks real. Recall: the share of real samples within the ball of at
    least one generated sample, i.e. how much of the data is generated at all. A ball reaches to
    its centre's k-th nearest neighbour in the same set, edge included.

    Args:
        real: features of data, shape (n, d), n > k; integers and any float dtype.
        fake: features of generated samples, shape (m, d), m > k.
        k: which neighbour makes the radius; the paper's 3.

    Returns:
        (precision, recall), each in [0, 1]; 1 is best. Two sets of one distribution score below
        1, and both depend on n and m: compare only equal sizes.

    Raises:
        TypeError, ValueError: not numbers, wrong or unequal shapes, NaN or infinite values, k not
            from 1 to the smaller set's size less one.

    Source: Kynkäänniemi et al., arXiv 1904.06991.

    >>> real = [[0.0], [1.0], [2.0], [3.0]]
    >>> precision_recall(real, [[1.5], [1.6], [2.5], [9.0]], k=1)
    (0.75, 0.5)
    """
    real, fake = _centred("precision_recall", real, fake, k)
    precise = _inside(fake, real, _radii(real, k)) > 0
    recalled = _inside(real, fake, _radii(fake, k)) > 0
    return float(precise.mean()), float(recalled.mean())


def density_coverage(real: Any, fake: Any, k: int = 5) -> tuple[float, float]:
    """Density and coverage of generated samples: as precision and recall, robust to outliers.

    Density: in how many real samples' balls a generated sample lies on average, divided by k: 1 in
    expectation for samples of the real distribution, more where they crowd at its modes. Coverage:
    the share of real samples' balls that hold at least one generated sample. The balls are the
    real samples' only, so a generated outlier enlarges none. Edges are included.

    Args:
        real: features of data, shape (n, d), n > k; integers and any float dtype.
        fake: features of generated samples, shape (m, d), m > k.
        k: which neighbour makes the radius; the paper's 5.

    Returns:
        (density, coverage): density >= 0 and not bounded by 1, coverage in [0, 1]; more is better.
        For n = m samples of one distribution coverage is 1 - (n - 1)…(n - k) / (2n - 1)…(2n - k)
        in expectation, about 1 - 2^-k.

    Raises:
        TypeError, ValueError: as ``precision_recall``.

    Source: Naeem et al., arXiv 2002.09797.

    >>> real = [[0.0], [1.0], [2.0], [3.0]]
    >>> density_coverage(real, [[1.5], [1.6], [2.5], [9.0]], k=1)
    (1.5, 0.75)
    """
    real, fake = _centred("density_coverage", real, fake, k)
    radii = _radii(real, k)
    held = _inside(fake, real, radii)
    # A real sample's ball holds a generated one if its nearest generated one is that near.
    nearest = _kth(real, fake, 1)
    return float(held.mean() / k), float((nearest <= radii).mean())


def _centred(function: str, real: Any, fake: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sets in float64, about the real mean: far from the origin products would lose digits."""
    real, fake = two_sets(function, ("real", "fake"), real, fake, 2)
    whole(function, "k", k, 1, min(len(real), len(fake)) - 1)
    centre = real.mean(0, dtype=np.float64)
    return real - centre, fake - centre


def _kth(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """The squared distance from each x to its k-th nearest y, shape (n,)."""
    distances = [
        np.partition(squared_distances(x[rows], y), k - 1, axis=1)[:, k - 1]
        for rows in blocks(len(x), len(y))
    ]
    return np.concatenate(distances)


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """Squared radii of the balls of x, a little enlarged; a sample is the nearest to itself."""
    return _kth(x, x, k + 1) + _ROUNDING * np.einsum("nd,nd->n", x, x).max()


def _inside(points: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """In how many of the balls each point lies, shape (len(points),)."""
    counts = [
        (squared_distances(points[rows], centres) <= radii).sum(1)
        for rows in blocks(len(points), len(centres))
    ]
    return np.concatenate(counts)
