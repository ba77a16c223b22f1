"""TV, KL and JS: of probabilities, of densities by quadrature, and of samples on a grid.

    TV = ½ Σ|p - q|,   KL = Σ p ln(p/q),   JS = ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = (p + q)/2

KL and JS are in nats; JS is at most ln 2.  Two samples of continuous data have no point in common:
between them TV is 1, JS ln 2 and KL infinite, whatever they come from.  On a grid they can be
compared, and what comes out belongs to that grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...data import DataError
from ...metrics import points as checks

LogDensity = Callable[[np.ndarray], Any]


class Divergences(NamedTuple):
    """Total variation, Kullback-Leibler (nats) and Jensen-Shannon (nats)."""

    tv: float
    kl: float
    js: float


def tv(p: Any, q: Any) -> float:
    """½ Σ|p - q| of two distributions over the same outcomes.

    Args:
        p, q: probabilities of one shape, arrays or Tensors.

    Raises:
        DataError: not of one shape, no outcomes, or no probabilities.

    >>> tv([0.5, 0.5], [1.0, 0.0])
    0.5
    """
    p, q = _outcomes("tv", p, q)
    return float(np.abs(p - q).sum() / 2)


def kl(p: Any, q: Any) -> float:
    """Σ p ln(p/q) in nats; infinite where p gives weight to what q rules out.  Else as ``tv``.

    >>> round(kl([1.0, 0.0], [0.5, 0.5]), 4), kl([0.5, 0.5], [1.0, 0.0])
    (0.6931, inf)
    """
    p, q = _outcomes("kl", p, q)
    return _kl(p, q)


def js(p: Any, q: Any) -> float:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) in nats with m = (p + q)/2, at most ln 2.  Else as ``tv``.

    >>> round(js([1.0, 0.0], [0.0, 1.0]), 4)
    0.6931
    """
    p, q = _outcomes("js", p, q)
    return _js(p, q)


def _outcomes(function: str, p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    p = checks.distribution(function, "p", p)
    q = checks.distribution(function, "q", q)
    if p.shape != q.shape:
        raise DataError(
            f"{function}: p and q expect the same outcomes, got shapes {p.shape} and {q.shape}"
        )
    return p.reshape(-1), q.reshape(-1)


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    there = p > 0
    if (q[there] == 0).any():
        return float("inf")
    # Rounding can make 0 a little less, which a divergence cannot be.
    return max(0.0, float((p[there] * np.log(p[there] / q[there])).sum()))


def _js(p: np.ndarray, q: np.ndarray) -> float:
    middle = (p + q) / 2
    return (_kl(p, middle) + _kl(q, middle)) / 2


def of_densities(
    log_p: LogDensity, log_q: LogDensity, low: float, high: float, panels: int = 200
) -> Divergences:
    """TV, KL and JS of two densities on a line, by Gauss-Legendre quadrature.

    Args:
        log_p, log_q: natural logarithms of the densities, for an array of numbers; -inf is 0.
        low, high: the interval that holds all the mass that matters.
        panels: equal parts of it, with 16 nodes each.

    Raises:
        DataError: no interval, or a density that does not integrate to 1 on it, within 10⁻⁶.

    >>> gaussian = lambda x: -x * x / 2 - np.log(2 * np.pi) / 2
    >>> tuple(round(d, 6) for d in of_densities(gaussian, lambda x: gaussian(x - 1), -10, 11))
    (0.382925, 0.5, 0.111421)
    """
    low, high = (checks.number("of_densities", "an end", end) for end in (low, high))
    panels = checks.whole("of_densities", "panels", panels, 1)
    if not low < high:
        raise DataError(f"of_densities: expects low < high, got {low!r} and {high!r}")
    x, size = quadrature(low, high, panels)
    logs = [np.asarray(log(x), np.float64) for log in (log_p, log_q)]
    p, q = (np.exp(log) for log in logs)
    for name, density in (("log_p", p), ("log_q", q)):
        total = float((size * density).sum())
        if not abs(total - 1) < 1e-6:
            raise DataError(
                f"of_densities: {name} integrates to {total:.6g} on [{low:g}, {high:g}], expected 1"
            )
    middle = np.logaddexp(*logs) - np.log(2)

    def kl_of(density: np.ndarray, log: np.ndarray, other: np.ndarray) -> float:
        there = density > 0
        if np.isneginf(other[there]).any():
            return float("inf")
        return max(0.0, float((size * density)[there] @ (log[there] - other[there])))

    js = (kl_of(p, logs[0], middle) + kl_of(q, logs[1], middle)) / 2
    return Divergences(float(size @ np.abs(p - q) / 2), kl_of(p, *logs), js)


def quadrature(low: float, high: float, panels: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [low, high], 16 in each of so many equal panels.

    >>> x, size = quadrature(0.0, np.pi)
    >>> round(float(size @ np.sin(x)), 12)
    2.0
    """
    nodes, sizes = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half + half * nodes).ravel(), (half * sizes).ravel()


@dataclass(frozen=True)
class Grid:
    """Equal bins between two corners; what lies outside counts to the nearest bin.

    Attributes:
        low, high: the corners, one number for each dimension.
        bins: along each dimension.

    >>> print(Grid((-1.0, -1.0), (1.0, 1.0), 20))
    20 × 20 bins on [-1, 1] × [-1, 1]
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    bins: int

    def __post_init__(self):
        for end in (*self.low, *self.high):
            checks.number("Grid", "a corner", end)
        ordered = len(self.low) == len(self.high) > 0
        if not ordered or not (np.array(self.low) < np.array(self.high)).all():
            raise DataError(f"Grid: expects low < high, got {self.low} and {self.high}")
        checks.whole("Grid", "bins", self.bins, 1)
        if self.bins ** len(self.low) > 10**6:
            raise DataError(f"Grid: expects from 1 to 10⁶ bins in all, got {self.bins} along each")

    @classmethod
    def around(cls, *samples: Any, bins: int = 20) -> Grid:
        """The smallest grid that holds all the samples, with a margin of 5 % on every side."""
        sets = [checks.points("Grid.around", "samples", s) for s in samples]
        if len({s.shape[1] for s in sets}) != 1:
            raise DataError(
                "Grid.around: expects one or more samples of one dimension, got "
                f"{', '.join(str(s.shape) for s in sets) or 'none'}"
            )
        low = np.min([s.min(0) for s in sets], 0)
        high = np.max([s.max(0) for s in sets], 0)
        margin = np.where(high > low, 0.05 * (high - low), 0.5)
        return cls(tuple((low - margin).tolist()), tuple((high + margin).tolist()), bins)

    def __str__(self) -> str:
        sides = (f"[{a:.3g}, {b:.3g}]" for a, b in zip(self.low, self.high, strict=True))
        return f"{' × '.join([str(self.bins)] * len(self.low))} bins on {' × '.join(sides)}"

    def counts(self, x: Any) -> np.ndarray:
        """How many of the points (N, d) fall into each bin: float64 (bins^d,)."""
        x = checks.points("Grid.counts", "x", x)
        if x.shape[1] != len(self.low):
            raise DataError(
                f"Grid.counts: expects points of {len(self.low)} dimensions, got {x.shape[1]}"
            )
        low, high = np.array(self.low), np.array(self.high)
        place = np.floor((x - low) / (high - low) * self.bins).clip(0, self.bins - 1).astype(int)
        flat = np.ravel_multi_index(tuple(place.T), (self.bins,) * len(low))
        return np.bincount(flat, minlength=self.bins ** len(low)).astype(np.float64)


def binned(x: Any, y: Any, grid: Grid, pseudo_count: float = 0.5) -> Divergences:
    """TV, KL and JS of two sets of points on a common grid.

    They are above 0 for two samples of one distribution too: compare with that floor.

    Args:
        x, y: points (N, d) and (M, d); KL is of x relative to y.
        grid: the bins.
        pseudo_count: added to the counts of every bin for KL alone, which one empty bin of y would
            make infinite; 0 leaves it so.

    >>> binned([0.1, 0.9], [0.2, 0.3], Grid((0.0,), (1.0,), 2), pseudo_count=0)
    Divergences(tv=0.5, kl=inf, js=0.21576155433883565)
    """
    if checks.number("binned", "pseudo_count", pseudo_count) < 0:
        raise DataError(f"binned: pseudo_count expects a number >= 0, got {pseudo_count!r}")
    x, y = checks.pair("binned", x, y)
    counts = [grid.counts(x), grid.counts(y)]
    p, q = (c / c.sum() for c in counts)
    smooth = [(c + pseudo_count) / (c + pseudo_count).sum() for c in counts]
    return Divergences(float(np.abs(p - q).sum() / 2), _kl(*smooth), _js(p, q))
