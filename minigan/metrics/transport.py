"""The earth mover's distance between two sets of points, exactly.

    W_p(x, y)^p = min over couplings P of Σ_ij P_ij ‖x_i - y_j‖^p

where P ≥ 0 has the rows' sums of x's weights and the columns' of y's.  On a line the coupling in
order of size is the best one.  Elsewhere equally many points of equal weight are an assignment
problem, and everything else a linear program.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import DataError
from . import points

MOST_ASSIGNED = 2000  # points in each set: some seconds, and the work grows with their cube
MOST_PROGRAMMED = 40_000  # pairs of points: some seconds


def em(x: Any, y: Any, x_weights: Any = None, y_weights: Any = None, *, p: float = 1.0) -> float:
    """W_p of two sets of points (p = 1: the earth mover's distance), exact up to rounding.

    Args:
        x, y: (N,) or (N, d) and (M,) or (M, d), arrays or Tensors; Euclidean distances.
        x_weights, y_weights: (N,), (M,), probabilities; None: all points weigh the same.
        p: the power of the distances, from 1 on.

    Raises:
        DataError: empty sets, NaN, different dimensions, weights that are no probabilities, or
            too many points off a line: above 2000 in each set where they are as many and weigh the
            same, else above 40,000 pairs.

    >>> em([0.0], [-1.0, 1.0])
    1.0
    >>> em([[0.0, 0.0]], [[3.0, 4.0]])
    5.0
    >>> em([0.0, 1.0], [0.0, 1.0], [0.75, 0.25])
    0.25
    """
    x, y = points.pair("em", x, y)
    a = points.weights("em", "x_weights", x_weights, len(x))
    b = points.weights("em", "y_weights", y_weights, len(y))
    if points.number("em", "p", p) < 1:
        raise DataError(f"em: p expects a number from 1 on, got {p!r}")
    if x.shape[1] == 1:
        cost = _on_a_line(x[:, 0], y[:, 0], a, b, p)
    elif len(x) == len(y) and x_weights is None and y_weights is None:
        cost = _assigned(x, y, p)
    else:
        cost = _programmed(x, y, a, b, p)
    return float(cost ** (1 / p))


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """‖x_i - y_j‖ of all pairs, (N, M)."""
    from scipy.spatial.distance import cdist

    return cdist(x, y)


def _on_a_line(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, p: float) -> float:
    """∫ |F⁻¹(u) - G⁻¹(u)|^p du: both quantile functions are steps, constant between the cuts."""
    x_order, y_order = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    x_ends, y_ends = np.cumsum(a[x_order]), np.cumsum(b[y_order])
    cuts = np.sort(np.concatenate([x_ends, y_ends]))
    starts = np.concatenate([[0.0], cuts[:-1]])
    middles = (starts + cuts) / 2
    at_x = np.minimum(np.searchsorted(x_ends, middles, side="right"), len(x) - 1)
    at_y = np.minimum(np.searchsorted(y_ends, middles, side="right"), len(y) - 1)
    gaps = np.abs(x[x_order][at_x] - y[y_order][at_y])
    return float(((cuts - starts) * gaps**p).sum())


def _assigned(x: np.ndarray, y: np.ndarray, p: float) -> float:
    from scipy.optimize import linear_sum_assignment

    if len(x) > MOST_ASSIGNED:
        raise DataError(
            f"em: expects at most {MOST_ASSIGNED} points in each set for the exact assignment, got "
            f"{len(x)}; take fewer, or sinkhorn"
        )
    cost = distances(x, y) ** p
    return float(cost[linear_sum_assignment(cost)].mean())


def _programmed(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, p: float) -> float:
    from scipy import sparse
    from scipy.optimize import linprog

    n, m = len(x), len(y)
    if n * m > MOST_PROGRAMMED:
        raise DataError(
            f"em: expects at most {MOST_PROGRAMMED} pairs of points for the exact linear program, "
            f"got {n} × {m}; take fewer, or equally many without weights, or sinkhorn"
        )
    rows = sparse.kron(sparse.eye_array(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye_array(m))
    # The last column's sum follows from the others; left in, rounding could contradict them.
    sums = sparse.vstack([rows, columns.tocsr()[: m - 1]])
    cost = distances(x, y).ravel() ** p
    found = linprog(cost, A_eq=sums, b_eq=np.concatenate([a, b[:-1]]), method="highs")
    if not found.success:
        raise DataError(f"em: the linear program found no answer ({found.message})")
    return float(found.fun)
