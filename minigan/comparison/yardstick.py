"""What is measured: the same real images, features and seeds for all contenders.

    fcd           Fréchet distance of the features of a network trained on this data
    checkerboard  energy at the highest frequency, real images = 1
    sharpness     energy at high frequencies, real images = 1

The last two are ratios of ``metrics.checkerboard_energy`` and ``metrics.high_frequency_energy``.
"""

from __future__ import annotations

import numpy as np

from ..data import ImageData
from ..data.images import centred
from ..evaluation import FeatureNetwork, feature_network, halves
from ..evaluation.features import Progress, silent
from ..metrics import checkerboard_energy, frechet_distance, high_frequency_energy


class Yardstick:
    """Real images to compare with, and the network whose features are compared.

    Args:
        train: what the contenders learn from.
        test: images that none has seen, or None.
        count: samples in a measurement.
        seed: of the real images drawn.

    Attributes:
        floor: what other real images score in the samples' place.
    """

    def __init__(
        self,
        train: ImageData,
        test: ImageData | None,
        count: int,
        seed: int = 0,
        network: FeatureNetwork | None = None,
        progress: Progress = silent,
    ):
        real = halves(train, test, count, seed)
        self.count = len(real)
        self.network = network or feature_network(train, progress=progress)
        self._features = self.network(real.first)[0]
        self._even = not (train.images.shape[2] % 2 or train.images.shape[3] % 2)
        first, second = centred(real.first), centred(real.second)
        self._checkers = checkerboard_energy(first) if self._even else 0.0
        self._sharp = high_frequency_energy(first)
        self.floor = self.measure(second)

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """Of ``count`` images (N, C, H, W) in [-1, 1]: fcd, and the shares of energy."""
        fcd = frechet_distance(self._features, self.network(images)[0])
        checkers = checkerboard_energy(images) if self._even else float("nan")
        return {
            "fcd": fcd,
            "checkerboard": _ratio(checkers, self._checkers),
            "sharpness": _ratio(high_frequency_energy(images), self._sharp),
        }


def _ratio(value: float, unit: float) -> float:
    return value / unit if unit > 0 else float("nan")
