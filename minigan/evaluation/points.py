"""How good generated points are: modes found, their share of good ones, distances to real ones.

Points need no network to be looked at through: their distances are those of the plane.  The earth
mover's distance is exact, between at most ``MOST_MOVED`` points of either kind; the sliced one has
the power 1 too, so that of the same points it is smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cpu.threads import one_blas_thread
from ..data import PointData
from ..metrics import em, mode_score, sliced_wasserstein_distance
from ..metrics.modes import nearest_modes
from .features import Progress, silent
from .halves import MOST, Halves, halves
from .measures import Metrics
from .yardstick import POINT_MEASURES, Yardstick

MOST_MOVED = 1000  # an assignment takes a second, and the work grows with the cube
_PROJECTIONS = 500


def measure_points(
    samples: np.ndarray, data: PointData, real: Halves, labels: np.ndarray | None = None
) -> Metrics:
    """Every metric by name, as ``{"value": of the samples, "real": of real points}``.

    Args:
        samples: generated points, float32 (n, 2), as many as in a half.
        data: the points that were trained on.
        real: what samples are compared with, and what stands in for them.
        labels: the mode that each sample was generated for, int64 (n,), where it was asked for one.

    Returns:
        "modes_captured" and "high_quality_share" (see ``metrics.mode_score``), where there are
        modes; given labels, "conditional_accuracy", the share of samples whose nearest mode is the
        one asked for; "earth_movers_distance" and "sliced_wasserstein_distance".
    """
    both = {"value": samples, "real": real.second}
    metrics: Metrics = {}
    if data.modes is not None:
        scores = {key: mode_score(points, data.modes, data.std) for key, points in both.items()}
        metrics["modes_captured"] = {key: float(score.modes) for key, score in scores.items()}
        metrics["high_quality_share"] = {key: score.quality for key, score in scores.items()}
        if labels is not None:
            metrics["conditional_accuracy"] = {
                key: float((nearest_modes(points, data.modes)[0] == asked).mean())
                for (key, points), asked in zip(both.items(), (labels, real.labels), strict=True)
            }
    metrics["earth_movers_distance"] = {
        key: _moved(real.first, points) for key, points in both.items()
    }
    metrics["sliced_wasserstein_distance"] = {
        key: sliced_wasserstein_distance(real.first, points, _PROJECTIONS, p=1)
        for key, points in both.items()
    }
    return metrics


def _moved(real: np.ndarray, points: np.ndarray) -> float:
    return em(real[:MOST_MOVED], points[:MOST_MOVED])


class PointYardstick(Yardstick):
    """Real points to compare with.

    Args, attributes, errors: as of ``Yardstick``, without a network.
    """

    unit = "points"

    def __init__(
        self,
        train: PointData,
        test: PointData | None,
        count: int | None,
        seed: int = 0,
        most: int = MOST,
    ):
        real = halves(train, test, count, seed, most)
        self.count = len(real)
        self.said = {"count": self.count, "seed": seed}
        moved = f"the first {MOST_MOVED} of " if self.count > MOST_MOVED else ""
        self.words = f"exact em of {moved}{self.count} points"
        self.measures = POINT_MEASURES if train.modes is not None else POINT_MEASURES[:2]
        self._data, self._real = train, real.first
        self.floor = self.measure(real.second)

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """The ``measures`` of ``count`` points, float32 (N, 2)."""
        with one_blas_thread:
            found = {
                "em": _moved(self._real, images),
                "swd": sliced_wasserstein_distance(self._real, images, _PROJECTIONS, p=1),
            }
        if self._data.modes is not None:
            score = mode_score(images, self._data.modes, self._data.std)
            found |= {"modes": float(score.modes), "quality": score.quality}
        return found


def yardstick_for(
    train: Any, test: Any, count: int | None, progress: Progress = silent, most: int = MOST
) -> Yardstick:
    """The yardstick of the data's kind.

    Raises:
        RunError: there are not twice ``count`` real samples.
    """
    if isinstance(train, PointData):
        return PointYardstick(train, test, count, most=most)
    return Yardstick(train, test, count, progress=progress, most=most)
