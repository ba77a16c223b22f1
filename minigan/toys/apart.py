"""Two distributions that move apart, for which every distance is known in closed form.

``LINES``: (0, Z) and (θ, Z), Z ~ U[0, 1] (Arjovsky et al. 2017, arXiv 1701.07875, example 1).  At
θ ≠ 0 they have no point in common: TV, KL and JS do not tell near from far, EM does.

``GAUSSIANS``: N(0, I) and N((θ, 0), I).  They overlap, and all four distances grow with |θ|.

Both are in the plane, though the second coordinate makes no difference to any distance: on a line
a critic with gradient penalty can be caught with the wrong sign, since its slope would have to pass
0, where the penalty is largest, while in the plane it can turn.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, inf, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from .._tensor import Tensor, tensor
from ..generators import Generator
from ..ops.shape import cat
from .distances import gaussian_divergences, log_gaussian
from .distances.divergences import quadrature


class Four(NamedTuple):
    """Four distances, or their derivatives in θ; None where there is none."""

    tv: float | None
    kl: float | None
    js: float | None
    em: float | None


class Apart(NamedTuple):
    """One family.

    Attributes:
        name: for titles.
        real: (count, rng) → points of P₀, (count, 2).
        fake: (θ, count, rng) → points of P_θ, differentiable in θ, a 0-d Tensor.
        exact: θ → the distances, KL being of P₀ relative to P_θ.
        slope: θ → their derivatives.
    """

    name: str
    real: Callable[[int, Generator], Tensor]
    fake: Callable[[Tensor, int, Generator], Tensor]
    exact: Callable[[float], Four]
    slope: Callable[[float], Four]


def line(theta: Tensor, count: int, rng: Generator) -> Tensor:
    """Points (θ, Z), (count, 2)."""
    z = tensor(rng.rng.random((count, 1), dtype=np.float32))
    return cat([theta.reshape(1, 1).broadcast_to((count, 1)), z], 1)


def lines_exact(theta: float) -> Four:
    """TV 1, KL ∞, JS ln 2 and EM |θ|; all 0 at θ = 0.

    >>> lines_exact(-0.5)
    Four(tv=1.0, kl=inf, js=0.6931471805599453, em=0.5)
    """
    return Four(1.0, inf, log(2), abs(theta)) if theta else Four(0.0, 0.0, 0.0, 0.0)


def lines_slope(theta: float) -> Four:
    """0 for TV and JS, none for KL, sign θ for EM; at θ = 0 they jump or bend.

    >>> lines_slope(-0.5)
    Four(tv=0.0, kl=None, js=0.0, em=-1.0)
    """
    if not theta:
        return Four(None, None, None, None)
    return Four(0.0, None, 0.0, float(np.sign(theta)))


def normal(theta: Tensor, count: int, rng: Generator) -> Tensor:
    """Points (θ, 0) + N(0, I), (count, 2)."""
    noise = rng.rng.standard_normal((count, 2), dtype=np.float32)
    return tensor(noise) + theta * tensor([1.0, 0.0], dtype="float32")


def gaussians_exact(theta: float) -> Four:
    """TV erf(|θ|/√8), KL θ²/2, JS by quadrature, EM |θ|.

    >>> tuple(round(d, 4) for d in gaussians_exact(1.0))
    (0.3829, 0.5, 0.1114, 1.0)
    """
    js = gaussian_divergences(0.0, 1.0, theta, 1.0).js
    return Four(erf(abs(theta) / sqrt(8)), theta * theta / 2, js, abs(theta))


def gaussians_slope(theta: float) -> Four:
    """φ(θ/2) sign θ, θ, ½ ∫ ∂q/∂θ ln(q/m) dx by quadrature, and sign θ.

    >>> tuple(round(d, 4) for d in gaussians_slope(1.0))
    (0.3521, 1.0, 0.199, 1.0)
    """
    sign = float(np.sign(theta))
    x, size = quadrature(min(0.0, theta) - 12, max(0.0, theta) + 12)
    log_p, log_q = log_gaussian(x, 0.0, 1.0), log_gaussian(x, theta, 1.0)
    ratio = log_q - np.logaddexp(log_p, log_q) + log(2)
    js = float(size @ ((x - theta) * np.exp(log_q) * ratio)) / 2
    if not theta:
        return Four(None, 0.0, 0.0, None)
    return Four(exp(-theta * theta / 8) / sqrt(2 * pi) * sign, theta, js, sign)


def best_logit(theta: float, x: np.ndarray) -> np.ndarray:
    """ln p/q, the logit of D* = p/(p + q), of the Gaussians at first coordinate x: θ²/2 - θx."""
    return theta * theta / 2 - theta * x


LINES = Apart(
    "Parallel lines",
    lambda count, rng: line(tensor(np.float32(0)), count, rng),
    line,
    lines_exact,
    lines_slope,
)
GAUSSIANS = Apart(
    "Two Gaussians",
    lambda count, rng: normal(tensor(np.float32(0)), count, rng),
    normal,
    gaussians_exact,
    gaussians_slope,
)
