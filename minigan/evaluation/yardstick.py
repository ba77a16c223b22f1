"""How good a system is while it learns: a few numbers of its samples, quickly had.

    fcd           Fréchet distance of the features of a network trained on this data
    swd           sliced Wasserstein distance of the pixels
    checkerboard  energy at the highest frequency, real images = 1
    sharpness     energy at high frequencies, real images = 1

The last two are ratios of ``metrics.checkerboard_energy`` and ``metrics.high_frequency_energy``.
All samples meet the same real images, features and seeds.  Points have measures of their own, see
evaluation/points.py:

    em            exact earth mover's distance
    swd           sliced Wasserstein distance
    modes         modes with a sample within 3 std
    quality       share of samples within 3 std of a mode
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..config import RunError
from ..cpu.threads import one_blas_thread
from ..data import ImageData
from ..data.images import centred
from ..metrics import (
    checkerboard_energy,
    frechet_distance,
    high_frequency_energy,
    sliced_wasserstein_distance,
)
from .features import VERSION, FeatureNetwork, Progress, feature_network, silent
from .halves import MOST, halves

MEASURES = ("fcd", "swd", "checkerboard", "sharpness")
POINT_MEASURES = ("em", "swd", "modes", "quality")
_PROJECTIONS = 200
# What a reader calls the entries of ``Yardstick.said``.
_CALLED = {"count": "-n", "seed": "seed", "network": "network", "version": "network version"}


class Yardstick:
    """Real images to compare with, and the network whose features are compared.

    Args:
        train: what is learnt from.
        test: images that nothing has learnt from, or None.
        count: samples in a measurement; None: half as many as there are images, at most ``most``.
        seed: of the real images drawn.
        network: None: ``feature_network`` of ``train``.
        progress: told of that network's training.

    Attributes:
        measures: the names of what is measured, the one that says most first.
        unit: what is measured: "images".
        words: by what, for the reader.
        floor: what other real images score in the samples' place.
        said: all that two yardsticks for one data set can differ in, as JSON has it.

    Raises:
        RunError: there are not twice ``count`` real images.
    """

    measures: tuple[str, ...] = MEASURES
    unit = "images"

    def __init__(
        self,
        train: ImageData,
        test: ImageData | None,
        count: int | None,
        seed: int = 0,
        network: FeatureNetwork | None = None,
        progress: Progress = silent,
        most: int = MOST,
    ):
        real = halves(train, test, count, seed, most)
        self.count = len(real)
        self.network = network or feature_network(train, progress=progress)
        self.said: dict[str, Any] = {
            "count": self.count,
            "seed": seed,
            "network": self.network.kind,
            "version": VERSION,
        }
        self.words = f"fcd by a {self.network.kind} of this data on {self.count} samples"
        self._features = self.network(real.first)[0]
        self._even = not (train.images.shape[2] % 2 or train.images.shape[3] % 2)
        self._pixels, others = centred(real.first), centred(real.second)
        self._checkers = checkerboard_energy(self._pixels) if self._even else 0.0
        self._sharp = high_frequency_energy(self._pixels)
        self.floor = self.measure(others)

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """The ``MEASURES`` of ``count`` images, float32 (N, C, H, W) in [-1, 1].

        Images of an odd number of pixels have no highest frequency: their checkerboard is NaN.
        """
        with one_blas_thread:
            checkers = checkerboard_energy(images) if self._even else float("nan")
            return {
                "fcd": frechet_distance(self._features, self.network(images)[0]),
                "swd": sliced_wasserstein_distance(self._pixels, images, _PROJECTIONS),
                "checkerboard": _ratio(checkers, self._checkers),
                "sharpness": _ratio(high_frequency_energy(images), self._sharp),
            }

    def expect(self, stored: Any, place: Path, advice: str) -> None:
        """Refuse ``stored``, the ``said`` of what was measured in ``place``, if it is another's.

        Raises:
            RunError: one sentence with all that differs, and ``advice``.
        """
        if not isinstance(stored, dict) or stored.keys() != self.said.keys():
            raise RunError(f"{place}: does not say how it was measured; {advice}")
        other = [key for key in self.said if stored[key] != self.said[key]]
        if other:
            then, now = (
                ", ".join(f"{_CALLED[key]} {said[key]}" for key in other)
                for said in (stored, self.said)
            )
            raise RunError(f"{place}: was measured with {then}, now {now}; {advice}")


def _ratio(value: float, unit: float) -> float:
    return value / unit if unit > 0 else float("nan")
