"""The earth mover's distance with entropy: fast, for many points, and with a bias that is known.

    P_ε = argmin over couplings P of  ⟨P, C⟩ + ε·KL(P ‖ a⊗b),     C_ij = ‖x_i - y_j‖

Sinkhorn's iteration finds it: potentials f and g are made to fit the rows' and the columns' sums
in turn, here with the engine's ``logsumexp`` on the default device, so that a small ε does not
underflow.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

import numpy as np

from ..._tensor import tensor
from ...autograd import no_grad
from ...data import DataError
from ...metrics import points as checks
from ...metrics.transport import distances
from ...ops.creation import zeros
from ...ops.softmax import logsumexp
from ..output import host

# Of the largest distance: potentials in units of ε are then at most 10¹⁰, and rounding, 10⁻¹⁶ of
# them, is a relative error of 10⁻⁶ in the plan.
FINEST = 1e-10
MOST_PAIRS = 4_000_000  # pairs of points: a matrix of 32 MB


class Sinkhorn(NamedTuple):
    """What Sinkhorn's iteration found.

    Attributes:
        cost: ⟨P_ε, C⟩, which lies between EM and EM + ``bias``.
        value: cost + ε·KL(P_ε ‖ a⊗b), the minimum itself; it too lies between EM and EM + ``bias``.
        bias: ε·min(H(a), H(b)) with the entropies H of the weights: ε·ln n for n equal ones.
        error: by how much the sums of the plan's columns can be off, Σ|sum - b|; cost and value are
            uncertain by at most this times the largest distance.
        iterations: how many times f and g were fitted.
    """

    cost: float
    value: float
    bias: float
    error: float
    iterations: int


@no_grad()
def sinkhorn(
    x: Any,
    y: Any,
    epsilon: float,
    x_weights: Any = None,
    y_weights: Any = None,
    *,
    tolerance: float = 1e-6,
    iterations: int = 10_000,
) -> Sinkhorn:
    """The entropic earth mover's distance of two sets of points, and how far off it can be.

    Args:
        x, y, x_weights, y_weights: as for ``em``.
        epsilon: weight of the entropy, in units of distance; at least 10⁻¹⁰ of the largest one.
        tolerance: stop once ``error`` is at most this.
        iterations: stop after so many in any case; ``error`` tells.

    Raises:
        DataError: as for ``em``; above 4 million pairs; numbers out of range.

    Source: Cuturi 2013, arXiv 1306.0895; in log domain: Peyré & Cuturi 2019, arXiv 1803.00567,
    section 4.4.

    >>> found = sinkhorn([0.0, 1.0], [1.0, 2.0], 0.01)          # EM is 1
    >>> bool(1 - 1e-6 <= found.cost <= 1 + found.bias)
    True
    """
    x, y = checks.pair("sinkhorn", x, y)
    a = checks.weights("sinkhorn", "x_weights", x_weights, len(x))
    b = checks.weights("sinkhorn", "y_weights", y_weights, len(y))
    for name, value in (("epsilon", epsilon), ("tolerance", tolerance)):
        if checks.number("sinkhorn", name, value) <= 0:
            raise DataError(f"sinkhorn: {name} expects a number > 0, got {value!r}")
    iterations = checks.whole("sinkhorn", "iterations", iterations, 1)
    if len(x) * len(y) > MOST_PAIRS:
        raise DataError(
            f"sinkhorn: expects at most {MOST_PAIRS} pairs of points, got {len(x)} × {len(y)}"
        )
    x, y, a, b = x[a > 0], y[b > 0], a[a > 0], b[b > 0]  # what weighs nothing moves nothing
    cost = distances(x, y)
    if epsilon < FINEST * cost.max():
        raise DataError(
            f"sinkhorn: epsilon expects at least {FINEST:g} of the largest distance, "
            f"{cost.max():.3g}, got {epsilon!r}; take em, or a larger one"
        )
    scaled, log_a, log_b = (tensor(array) for array in (cost / epsilon, np.log(a), np.log(b)))
    # In units of ε: P = exp(f + g - C/ε)·a·b.
    f, g = zeros(len(x), dtype="float64"), zeros(len(y), dtype="float64")
    error, done = float("inf"), 0
    while error > tolerance and done < iterations:
        g = -logsumexp((f + log_a).unsqueeze(1) - scaled, 0)
        fitted = -logsumexp((g + log_b).unsqueeze(0) - scaled, 1)
        # The sums of the rows are a·exp(f - fitted) until f is fitted to them.
        error = float((a * np.abs(np.expm1(host(f - fitted)))).sum())
        f, done = fitted, done + 1
    plan = host(((f + log_a).unsqueeze(1) + (g + log_b) - scaled).exp())
    moved = float((plan * cost).sum())
    entropy = float((plan * host(f.unsqueeze(1) + g - scaled)).sum())
    bias = epsilon * min(_entropy(a), _entropy(b))
    return Sinkhorn(moved, moved + epsilon * entropy, bias, error, done)


def sinkhorn_divergence(x: Any, y: Any, epsilon: float, **options: Any) -> float:
    """The value without the part that it has even between a set and itself.

    S(x, y) = OT_ε(x, y) - ½·OT_ε(x, x) - ½·OT_ε(y, y), 0 where x and y are the same points.

    Args, Raises: as for ``sinkhorn``, without weights.

    Source: Feydy et al. 2019, arXiv 1810.08278.

    >>> abs(sinkhorn_divergence([0.0, 1.0], [1.0, 0.0], 0.5)) < 1e-6
    True
    """

    def value(one: Any, other: Any) -> float:
        return sinkhorn(one, other, epsilon, **options).value

    return value(x, y) - value(x, x) / 2 - value(y, y) / 2


def _entropy(weights: np.ndarray) -> float:
    return -sum(w * log(w) for w in weights.tolist())
