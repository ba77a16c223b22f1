"""Points in the plane whose distribution is known, to see what a generator covers and what not.

The ring and the grid are those of Lin et al. 2017 (PacGAN, arXiv 1712.04086), the roll that of
Gulrajani et al. 2017 (WGAN-GP, arXiv 1704.00028).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minigan.data.images import Change, DataError, whole_number

MIXTURES = ("ring", "grid", "roll")


@dataclass(frozen=True, eq=False)
class PointData:
    """A named set of points with, where there are any, the modes that they come from.

    Attributes:
        name: the mixture's name.
        points: float32 array (N, 2).
        labels: int64 array (N,), the mode of each point, or None.
        modes: float32 array (K, 2), the centres, or None.
        std: the standard deviation around a mode; of the noise where there are no modes.
        unit: what one sample is called.

    >>> ring = mixture("ring", 1000, seed=0)
    >>> len(ring), ring.points.dtype, ring.modes.shape, ring.std
    (1000, dtype('float32'), (8, 2), 0.01)
    """

    name: str
    points: np.ndarray
    labels: np.ndarray | None
    modes: np.ndarray | None
    std: float
    unit: ClassVar[str] = "points"

    def __len__(self) -> int:
        return len(self.points)

    def take(
        self, chosen: np.ndarray, change: Change | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The chosen points (B, 2) and their labels; both are fresh arrays."""
        if change is not None:
            raise DataError(f"augmentation: {self.name} holds points, expected images")
        return self.points[chosen], None if self.labels is None else self.labels[chosen]


def mixture(name: str, count: int, *, seed: int) -> PointData:
    """Draw ``count`` points.

    - ``"ring"``: 8 Gaussians of std 0.01 around (cos 2πi/8, sin 2πi/8).
    - ``"grid"``: 25 Gaussians of std 0.05 around {-4, -2, 0, 2, 4}².
    - ``"roll"``: t (cos t, sin t) with t = 3π/2 (1 + 2u), u uniform in [0, 1), plus noise of std
      0.25, all divided by 7.5; it has no modes.

    Modes are equally likely.

    Raises:
        DataError: an unknown name, or a count or seed out of range.

    >>> mixture("grid", 5, seed=0).modes[:3].tolist()
    [[-4.0, -4.0], [-4.0, -2.0], [-4.0, 0.0]]
    >>> mixture("cube", 5, seed=0)
    Traceback (most recent call last):
        ...
    minigan.data.DataError: mixture: expected one of ring, grid, roll; got 'cube'
    """
    if name not in MIXTURES:
        raise DataError(f"mixture: expected one of {', '.join(MIXTURES)}; got {name!r}")
    count = whole_number("count", count, 1)
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    if name == "roll":
        t = 1.5 * np.pi * (1 + 2 * rng.random(count))
        points = t[:, None] * np.stack([np.cos(t), np.sin(t)], 1)
        points = (points + 0.25 * rng.standard_normal((count, 2))) / 7.5
        return PointData(name, points.astype(np.float32), None, None, 0.25 / 7.5)
    if name == "ring":
        angles = 2 * np.pi * np.arange(8) / 8
        modes, std = np.stack([np.cos(angles), np.sin(angles)], 1), 0.01
    else:
        steps = np.arange(-4.0, 5.0, 2.0)
        modes, std = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2), 0.05
    labels = rng.integers(0, len(modes), count)
    points = modes[labels] + std * rng.standard_normal((count, 2))
    return PointData(name, points.astype(np.float32), labels, modes.astype(np.float32), std)
