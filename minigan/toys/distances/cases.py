"""Pairs of sets whose earth mover's distance is 1 by construction."""

from __future__ import annotations

import numpy as np

from ...metrics import points as checks

Pair = tuple[np.ndarray, np.ndarray]


def unit_cases(count: int = 200, seed: int = 0) -> dict[str, Pair]:
    """Name → (x, y), float64 (N, d) with some ``count`` ≥ 2 points: EM is 1 for all.

    In each, a coupling that moves every point by 1 (or half of them by 2) costs 1, and f(point) =
    how far it has got along its way has no slope above 1 and finds the same 1: none is cheaper.

    >>> from minigan.toys.distances import em
    >>> {round(em(x, y), 12) for x, y in unit_cases(100).values()}
    {1.0}
    """
    count = checks.whole("unit_cases", "count", count, 2)
    rng = np.random.default_rng(checks.whole("unit_cases", "seed", seed, 0))
    zero = np.zeros((1, 1))
    angles = 2 * np.pi * (np.arange(count) + 0.5) / count
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    cloud = 0.3 * rng.standard_normal((count, 2))
    even = (np.arange(count) + 0.5)[:, None] / count
    line = np.concatenate([np.zeros((count, 1)), even], 1)
    half = np.concatenate([np.zeros(count - count // 2), np.full(count // 2, 2.0)])[:, None]
    if count % 2:
        half = half[1:]
    return {
        "0 against {−1, +1}": (zero, np.array([[-1.0], [1.0]])),
        "0 against {0, 2}": (np.zeros_like(half), half),
        "[0, 1] against [1, 2]": (even, even + 1),
        "the centre against its circle": (np.zeros_like(circle), circle),
        "a cloud against the cloud moved by 1": (cloud, cloud + [0.6, 0.8]),
        "parallel lines at distance 1": (line, line + [1.0, 0.0]),
    }
