"""The Fréchet distance between the features of two sets of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checking import finite, two_sets


def frechet_distance(x: Any, y: Any) -> float:
    """Squared Fréchet (2-Wasserstein) distance between Gaussians fitted to two feature sets.

    ``||mu_x - mu_y||^2 + tr(Sx + Sy - 2 (Sx^{1/2} Sy Sx^{1/2})^{1/2})`` with the sample means and
    the unbiased covariances (divisor n - 1), in float64. The sets may differ in size, and may hold
    fewer samples than features: the covariances are then singular, which does no harm.

    With the features of the published Inception network this is the FID. On features of a
    classifier of one's own it is to be named "Fréchet classifier distance (FCD)" and never set
    beside published FIDs. It is biased upwards for small n: compare only equal sample sizes.

    Args:
        x: real features, shape (n, d), n >= 2; integers and any float dtype.
        y: generated features, shape (m, d), m >= 2.

    Returns:
        The distance, >= 0, in the square of the features' unit.

    Raises:
        TypeError: features that are not real numbers.
        ValueError: wrong shape, fewer than two samples, unequal d, NaN or infinite values.

    Source: Dowson & Landau, J. Multivariate Analysis 12, 1982; Heusel et al., arXiv 1706.08500.

    >>> frechet_distance([[0.0, 0.0], [2.0, 0.0]], [[3.0, 4.0], [5.0, 4.0]])
    25.0
    """
    x, y = two_sets("frechet_distance", ("x", "y"), x, y, 2)
    x, y = x.astype(np.float64), y.astype(np.float64)
    return _distance(x.mean(0), _covariance(x), y.mean(0), _covariance(y))


def frechet_from_moments(mu1: Any, S1: Any, mu2: Any, S2: Any) -> float:
    """Squared Fréchet (2-Wasserstein) distance between two Gaussians given by their moments.

    ``||mu1 - mu2||^2 + tr(S1 + S2 - 2 (S1^{1/2} S2 S1^{1/2})^{1/2})``, in float64. Use it where the
    moments of the real data are kept; `frechet_distance` says how the result is to be named.

    Args:
        mu1, mu2: means, shape (d,).
        S1, S2: covariances, shape (d, d), symmetric positive semidefinite; singular is fine.

    Returns:
        The distance, >= 0, in the square of the features' unit.

    Raises:
        TypeError: moments that are not real numbers.
        ValueError: wrong or unequal shapes, NaN or infinite values, a covariance that is not
            symmetric or has a negative eigenvalue (beyond 1e-5 of its largest, which leaves room
            for covariances accumulated in float32).

    Source: Dowson & Landau, J. Multivariate Analysis 12, 1982.

    One dimension: (m1 - m2)^2 + (s1 - s2)^2, here with deviations s of 1 and 3.

    >>> frechet_from_moments([0.0], [[1.0]], [2.0], [[9.0]])
    8.0
    """
    name = "frechet_from_moments"
    mu1, S1 = _float64(name, "mu1", mu1, 1), _float64(name, "S1", S1, 2)
    mu2, S2 = _float64(name, "mu2", mu2, 1), _float64(name, "S2", S2, 2)
    d = len(mu1)
    if d < 1 or mu2.shape != (d,) or S1.shape != (d, d) or S2.shape != (d, d):
        raise ValueError(
            f"{name}: expects mu1 (d,), S1 (d, d), mu2 (d,), S2 (d, d) with one d >= 1, "
            f"got {mu1.shape}, {S1.shape}, {mu2.shape}, {S2.shape}"
        )
    for argument, S in (("S1", S1), ("S2", S2)):
        if np.abs(S - S.T).max() > 1e-5 * np.abs(S).max():
            raise ValueError(f"{name}: {argument} expects a symmetric matrix")
        values = np.linalg.eigvalsh(S)
        if values[0] < -1e-5 * np.abs(values).max():
            raise ValueError(
                f"{name}: {argument} expects a positive semidefinite matrix, "
                f"its smallest eigenvalue is {values[0]:.3g}"
            )
    return _distance(mu1, S1, mu2, S2)


def _float64(function: str, argument: str, value: Any, ndim: int) -> np.ndarray:
    return finite(function, argument, value, ndim).astype(np.float64)


def _covariance(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _distance(mu1: np.ndarray, S1: np.ndarray, mu2: np.ndarray, S2: np.ndarray) -> float:
    # With R = S1^{1/2} S2^{1/2}, S1^{1/2} S2 S1^{1/2} = R R^T: the trace of its root is the sum of
    # the singular values of R. Taken from R itself, a zero among them stays at 1e-16; the root of
    # an eigenvalue of R R^T that rounding left at 1e-16 would come out as 1e-8.
    cross = np.linalg.svd(_root(S1) @ _root(S2), compute_uv=False).sum()
    spread = np.trace(S1) + np.trace(S2) - 2.0 * cross
    # The spread is >= 0 by theory; rounding may leave it a hair below for equal covariances.
    return float(np.sum((mu1 - mu2) ** 2) + max(spread, 0.0))


def _root(S: np.ndarray) -> np.ndarray:
    """Symmetric square root, shape (d, d), of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(S)
    # Eigenvalues this small are rounding: their roots would be 1e-8 where the truth is 0.
    values[values < len(S) * np.finfo(np.float64).eps * values[-1]] = 0.0
    return (vectors * np.sqrt(values)) @ vectors.T
