"""Distances between Gaussians, which are known: closed forms, and JS by quadrature."""

from __future__ import annotations

from math import copysign, erf, erfc, exp, inf, log, pi, sqrt
from typing import Any

import numpy as np

from ...data import DataError
from ...metrics import points as checks
from .divergences import Divergences, of_densities

MOST_PANELS = 100_000  # 1.6 million nodes


def gaussian_em(mean1: float, std1: float, mean2: float, std2: float) -> float:
    """W₁ of N(mean1, std1²) and N(mean2, std2²) on a line.

    The best coupling adds the same Gaussian to both: W₁ = E|μ + σZ| with μ = mean1 - mean2 and
    σ = |std1 - std2|, which is σ√(2/π)·exp(-μ²/2σ²) + μ·erf(μ/(σ√2)).

    >>> gaussian_em(0.0, 1.0, 3.0, 1.0)
    3.0
    """
    _numbers("gaussian_em", (mean1, mean2), (std1, std2))
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
    """TV, KL and JS of two Gaussians on a line, KL and JS by quadrature to about ten digits.

    Raises:
        DataError: a standard deviation that is not above 0, NaN, or Gaussians so far apart that
            the quadrature would need more than 10⁵ panels as wide as the narrower one.

    >>> round(gaussian_divergences(0.0, 1.0, 2.0, 1.0).kl, 9)
    2.0
    """
    _numbers("gaussian_divergences", (mean1, mean2), (std1, std2))
    reach = 12 * max(std1, std2)
    low, high = min(mean1, mean2) - reach, max(mean1, mean2) + reach
    # Panels as wide as the narrower Gaussian's std at most: 16 nodes in each resolve it.
    panels = max(200.0, (high - low) / min(std1, std2))
    if panels > MOST_PANELS:
        raise DataError(
            f"gaussian_divergences: expects means and standard deviations within {MOST_PANELS} of "
            f"the smaller standard deviation, got N({mean1:g}, {std1:g}²) and N({mean2:g}, "
            f"{std2:g}²)"
        )
    found = of_densities(
        lambda x: log_gaussian(x, mean1, std1), lambda x: log_gaussian(x, mean2, std2),
        low, high, int(panels),
    )  # fmt: skip
    # Exact: |p - q| bends where the densities cross, which would cost the quadrature its digits.
    return found._replace(tv=_gaussian_tv(mean1, std1, mean2, std2))


def _gaussian_tv(mean1: float, std1: float, mean2: float, std2: float) -> float:
    """½ Σ |P(I) - Q(I)| over the intervals I between the crossings of the densities.

    With u = (x - mean1)/std1, r = std1/std2 and d = (mean1 - mean2)/std2 they cross where
    (r² - 1)u² + 2rd·u + d² - 2 ln r = 0; without a cancellation also where r is close to 1.
    """
    r, d = std1 / std2, (mean1 - mean2) / std2
    square, rest = (r - 1) * (r + 1), d * d - 2 * log(r)
    root = sqrt(max(0.0, d * d + 2 * square * log(r)))
    q = -(r * d + copysign(root, d))
    crossings = [rest / q] if q else []
    if square:
        crossings.append(q / square)
    ends = [-inf, *sorted(crossings), inf]
    p_ends, q_ends = [_below(u) for u in ends], [_below(r * u + d) for u in ends]
    return float(np.abs(np.diff(p_ends) - np.diff(q_ends)).sum() / 2)


def _below(z: float) -> float:
    """Φ(z), the probability of N(0, 1) below z."""
    return erfc(-z / sqrt(2)) / 2


def log_gaussian(x: Any, mean: float, std: float) -> Any:
    """ln of the density of N(mean, std²) at x."""
    return -(((x - mean) / std) ** 2) / 2 - np.log(std * sqrt(2 * pi))


def _numbers(function: str, means: tuple[float, ...], stds: tuple[float, ...]) -> None:
    for mean in means:
        checks.number(function, "a mean", mean)
    if not all(checks.number(function, "a standard deviation", std) > 0 for std in stds):
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
