"""The sliced Wasserstein distance: optimal transport along random directions, no network needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checking import two_sets, whole
from .neighbours import blocks


def sliced_wasserstein_distance(
    x: Any, y: Any, n_projections: int = 50, p: int = 2, seed: int = 0
) -> float:
    """``(mean over directions θ of W_p(θ·x, θ·y)^p)^(1/p)``, between two sets of samples.

    The directions are drawn uniformly from the unit sphere of R^d. Along one of them samples are
    numbers, for which the Wasserstein distance is that of the sorted numbers (for sets of unequal
    size, of their quantile functions). A shift by v costs |v| / sqrt(d) on average (p = 2): for
    images, about the root of the mean squared change of a pixel.

    Sets of one distribution have a distance above 0, which shrinks as 1 / sqrt(n).

    Args:
        x: samples, shape (n, …), e.g. images (N, C, H, W); taken as rows of d numbers.
        y: samples of the same shape, (m, …).
        n_projections: number of directions.
        p: 1 or more; names and defaults as in POT's ``ot.sliced_wasserstein_distance``.
        seed: of the directions.

    Returns:
        The distance, >= 0, in the unit of the samples.

    Raises:
        TypeError, ValueError: not numbers, no samples, unequal shapes, NaN or infinite values, an
            option out of range.

    Source: Rabin et al., SSVM 2011; Bonneel et al., J. Math. Imaging and Vision 51, 2015.

    >>> sliced_wasserstein_distance([[0.0], [1.0]], [[3.0], [2.0]])
    2.0
    """
    name = "sliced_wasserstein_distance"
    x, y = two_sets(name, ("x", "y"), x, y, 1, ndim=None)
    count, p = whole(name, "n_projections", n_projections, 1), whole(name, "p", p, 1)
    rng = np.random.default_rng(whole(name, "seed", seed, 0))
    n, m = len(x), len(y)
    # The quantile functions are constant between these levels, in units of 1 / (n m).
    levels = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    weights = np.diff(levels, prepend=0) / (n * m)
    in_x, in_y = (levels - 1) // m, (levels - 1) // n
    costs = []
    for here in blocks(count, max(x.shape[1], 2 * (n + m))):
        directions = rng.standard_normal((here.stop - here.start, x.shape[1]))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        gaps = _sorted(x, directions)[:, in_x] - _sorted(y, directions)[:, in_y]
        costs.append(np.abs(gaps) ** p @ weights)
    return float(np.concatenate(costs).mean() ** (1 / p))


def quick_metrics(real: Any, fake: Any, seed: int = 0) -> dict[str, float]:
    """What can be said of generated images in a moment, without a network: for use in training.

    Args:
        real, fake: images (N, …) and (M, …) of one shape, best of equal number.
        seed: of the 50 directions; the same one makes values comparable over the steps.

    Returns:
        ``"swd"``, the sliced Wasserstein distance.

    Raises:
        TypeError, ValueError: as ``sliced_wasserstein_distance``.

    >>> quick_metrics([[0.0], [1.0]], [[3.0], [2.0]])
    {'swd': 2.0}
    """
    return {"swd": sliced_wasserstein_distance(real, fake, seed=seed)}


def _sorted(x: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The samples along each direction, ascending: (directions, n)."""
    parts = [
        directions @ x[rows].astype(np.float64, copy=False).T for rows in blocks(len(x), x.shape[1])
    ]
    return np.sort(np.concatenate(parts, axis=1), axis=1)
