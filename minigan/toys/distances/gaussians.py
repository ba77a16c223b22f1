"""Distances between Gaussians, which are known: closed forms, and JS by quadrature."""

from __future__ import annotations

from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np

from ...data import DataError
from . import checks
from .divergences import Divergences, of_densities


def gaussian_em(mean1: float, std1: float, mean2: float, std2: float) -> float:
    """W₁ of N(mean1, std1²) and N(mean2, std2²) on a line.

    The best coupling adds the same Gaussian to both: W₁ = E|μ + σZ| with μ = mean1 - mean2 and
    σ = |std1 - std2|, which is σ√(2/π)·exp(-μ²/2σ²) + μ·erf(μ/(σ√2)).

    >>> gaussian_em(0.0, 1.0, 3.0, 1.0)
    3.0
    """
    _stds("gaussian_em", std1, std2)
    mu, sigma = abs(mean1 - mean2), abs(std1 - std2)
    if sigma == 0:
        return mu
    return sigma * sqrt(2 / pi) * exp(-((mu / sigma) ** 2) / 2) + mu * erf(mu / sigma / sqrt(2))


def gaussian_w2(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> float:
    """W₂ = √(‖mean1 - mean2‖² + tr(Σ₁ + Σ₂ - 2(Σ₁^½ Σ₂ Σ₁^½)^½)).

    Args:
        mean1, mean2: (d,), or numbers.
        cov1, cov2: the covariances (d, d), or variances.

    Source: Dowson & Landau 1982; Givens & Shortt 1984.

    >>> gaussian_w2([0.0, 0.0], np.eye(2), [3.0, 4.0], np.eye(2))
    5.0
    """
    mean1, cov1 = _moments("gaussian_w2", mean1, cov1)
    mean2, cov2 = _moments("gaussian_w2", mean2, cov2)
    _same("gaussian_w2", mean1, mean2)
    root = _root(cov1)
    spread = np.trace(cov1) + np.trace(cov2) - 2 * np.trace(_root(root @ cov2 @ root))
    return float(np.sqrt(((mean1 - mean2) ** 2).sum() + max(0.0, spread)))


def gaussian_kl(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> float:
    """KL(N₁ ‖ N₂) = ½(tr(Σ₂⁻¹Σ₁) + (μ₂ - μ₁)ᵀΣ₂⁻¹(μ₂ - μ₁) - d + ln(det Σ₂/det Σ₁)), in nats.

    Args: as for ``gaussian_w2``.

    >>> gaussian_kl(0.0, 1.0, 2.0, 1.0)
    2.0
    """
    mean1, cov1 = _moments("gaussian_kl", mean1, cov1)
    mean2, cov2 = _moments("gaussian_kl", mean2, cov2)
    _same("gaussian_kl", mean1, mean2)
    gap = mean2 - mean1
    logs = np.linalg.slogdet(cov2)[1] - np.linalg.slogdet(cov1)[1]
    inner = np.trace(np.linalg.solve(cov2, cov1)) + gap @ np.linalg.solve(cov2, gap)
    return float((inner - len(gap) + logs) / 2)


def gaussian_divergences(mean1: float, std1: float, mean2: float, std2: float) -> Divergences:
    """TV, KL and JS of two Gaussians on a line by quadrature, to about ten digits.

    >>> round(gaussian_divergences(0.0, 1.0, 2.0, 1.0).kl, 9)
    2.0
    """
    _stds("gaussian_divergences", std1, std2)
    reach = 12 * max(std1, std2)
    low, high = min(mean1, mean2) - reach, max(mean1, mean2) + reach
    # Panels as wide as the narrower Gaussian's std at most: 16 nodes in each resolve it.
    panels = int(max(200, (high - low) / min(std1, std2)))
    return of_densities(
        lambda x: log_gaussian(x, mean1, std1), lambda x: log_gaussian(x, mean2, std2),
        low, high, panels,
    )  # fmt: skip


def log_gaussian(x: Any, mean: float, std: float) -> Any:
    """ln of the density of N(mean, std²) at x."""
    return -(((x - mean) / std) ** 2) / 2 - np.log(std * sqrt(2 * pi))


def _stds(function: str, *stds: float) -> None:
    if not all(np.isfinite(std) and std > 0 for std in stds):
        raise DataError(f"{function}: standard deviations expect numbers > 0, got {stds}")


def _moments(function: str, mean: Any, cov: Any) -> tuple[np.ndarray, np.ndarray]:
    mean = checks.points(function, "a mean", np.atleast_1d(mean))[:, 0]
    cov = np.atleast_2d(np.asarray(cov, np.float64))
    d = len(mean)
    if cov.shape != (d, d) or not np.allclose(cov, cov.T) or np.linalg.eigvalsh(cov)[0] <= 0:
        raise DataError(
            f"{function}: a covariance expects a symmetric positive matrix ({d}, {d}), got shape "
            f"{cov.shape}"
        )
    return mean, cov


def _same(function: str, mean1: np.ndarray, mean2: np.ndarray) -> None:
    if len(mean1) != len(mean2):
        raise DataError(
            f"{function}: expects Gaussians of one dimension, got {len(mean1)} and {len(mean2)}"
        )


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T
