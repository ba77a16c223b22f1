"""How much of a mixture a sample covers, by the protocol that the papers share."""

from __future__ import annotations

from math import exp
from typing import Any, NamedTuple

import numpy as np

from ..data import DataError
from .points import points as read_points

SAMPLES, NEAR = 2500, 3.0  # points that are scored; standard deviations that count as near
PERFECT = 1 - exp(-(NEAR**2) / 2)  # P(‖x‖ ≤ 3) of a standard normal x in the plane: 98.89 %


class ModeScore(NamedTuple):
    """Modes with a high-quality sample, and the share of high-quality samples."""

    modes: int
    quality: float


def mode_score(sample: Any, modes: Any, std: float) -> ModeScore:
    """A sample is of high quality within 3 std of the nearest mode; one is enough for its mode.

    Args:
        sample: (N, 2).
        modes: their centres (K, 2).
        std: of every mode, positive.

    Raises:
        DataError: no points, NaN, other dimensions, a std that is not positive and finite.

    Source: Srivastava et al. 2017 (VEEGAN), arXiv 1705.07761, section 4.1.

    >>> mode_score([[0.0, 0.02], [0.0, 0.04], [5.0, 5.0]], [[0.0, 0.0], [1.0, 0.0]], std=0.01)
    ModeScore(modes=1, quality=0.3333333333333333)
    """
    if not 0 < std < np.inf:
        raise DataError(f"mode_score: std expects a positive finite number, got {std!r}")
    mode, far = nearest_modes(sample, modes)
    near = far <= NEAR * std
    return ModeScore(len(np.unique(mode[near])), float(near.mean()))


def nearest_modes(sample: Any, modes: Any) -> tuple[np.ndarray, np.ndarray]:
    """The mode (N,) that each point is nearest to, and how far it is from it (N,).

    Args, errors: as for ``mode_score``.

    >>> nearest_modes([[3.0, 4.0]], [[9.0, 9.0], [0.0, 0.0]])
    (array([1]), array([5.]))
    """
    name = "nearest_modes"
    sample, modes = read_points(name, "sample", sample), read_points(name, "modes", modes)
    if sample.shape[1] != modes.shape[1]:
        raise DataError(
            f"{name}: sample and modes expect points of one dimension, got {sample.shape[1]} and "
            f"{modes.shape[1]}"
        )
    far = np.linalg.norm(sample[:, None] - modes[None], axis=2)
    return far.argmin(1), far.min(1)
