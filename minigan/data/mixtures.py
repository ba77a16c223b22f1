"""Points in the plane whose distribution is known, to see what a generator covers and what not.

The ring and the grid are those of Lin et al. 2017 (PacGAN, arXiv 1712.04086), the roll that of
Gulrajani et al. 2017 (WGAN-GP, arXiv 1704.00028).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np

from minigan.array import Array, Device
from minigan.data.images import Change, DataError, moved, whole_number

MIXTURES = ("ring", "ring-2", "grid", "roll")
COUNTS = {"train": 100_000, "test": 5000}  # points of each as a data set
SEEDS = {"train": 0, "test": 1}


@dataclass(frozen=True, eq=False)
class PointData:
    """A named set of points with, where there are any, the modes that they come from.

    Attributes:
        name: the mixture's name.
        points: float32 array (N, 2).
        labels: int64 array (N,), the mode of each point, or None.
        modes: float32 array (K, 2), the centres, or None.
        std: the standard deviation around a mode; of the noise where there are no modes.
        box: pictures show the square from -box to box, in which all points lie.
        class_names: none: modes are called by their numbers.
        skipped: none.
        unit: what one sample is called.

    >>> ring = mixture("ring", 1000, seed=0)
    >>> len(ring), ring.points.dtype, ring.modes.shape, ring.std, ring.classes
    (1000, dtype('float32'), (8, 2), 0.01, 8)
    """

    name: str
    points: np.ndarray
    labels: np.ndarray | None
    modes: np.ndarray | None
    std: float
    box: float
    class_names: ClassVar[tuple[str, ...]] = ()
    skipped: ClassVar[tuple[str, ...]] = ()
    unit: ClassVar[str] = "points"

    def __post_init__(self):
        if self.labels is not None and self.modes is None:
            raise DataError(f"{self.name}: labels number the modes, and there are none")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def classes(self) -> int:
        """The number of modes where points have labels, else 0."""
        return 0 if self.labels is None else len(self.modes)

    @property
    def nbytes(self) -> int:
        """How much memory the points and labels take."""
        return self.points.nbytes + (0 if self.labels is None else self.labels.nbytes)

    def to(self, device: Device | str) -> Self:
        """The same data on ``device``."""
        return moved(self, device, "points", "labels")

    def take(
        self, chosen: Array, change: Change | None = None, raw: bool = False
    ) -> tuple[Array, Array | None]:
        """The chosen points (B, 2) and their labels; both are fresh arrays."""
        if change is not None:
            raise DataError(f"augmentation: {self.name} holds points, expected images")
        return self.points[chosen], None if self.labels is None else self.labels[chosen]


class _Blobs(NamedTuple):
    """Gaussians: their centres, their standard deviation, the box around them."""

    modes: np.ndarray
    std: float
    box: float


def _ring(radius: int) -> _Blobs:
    angles = 2 * np.pi * np.arange(8) / 8
    centres = np.stack([np.cos(angles), np.sin(angles)], 1)
    return _Blobs(radius * centres, radius * 0.01, radius * 1.5)


def _grid() -> _Blobs:
    steps = np.arange(-4.0, 5.0, 2.0)
    return _Blobs(np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2), 0.05, 5.2)


def mixture(name: str, count: int, *, seed: int) -> PointData:
    """Draw ``count`` points.

    - ``"ring"``: 8 Gaussians of std 0.01 around (cos 2πi/8, sin 2πi/8).
    - ``"ring-2"``: the same, twice as large: radius 2, std 0.02.
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
    minigan.data.DataError: mixture: expected one of ring, ring-2, grid, roll; got 'cube'
    """
    if name not in MIXTURES:
        raise DataError(f"mixture: expected one of {', '.join(MIXTURES)}; got {name!r}")
    count = whole_number("count", count, 1)
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    if name == "roll":
        t = 1.5 * np.pi * (1 + 2 * rng.random(count))
        points = t[:, None] * np.stack([np.cos(t), np.sin(t)], 1)
        points = (points + 0.25 * rng.standard_normal((count, 2))) / 7.5
        return PointData(name, points.astype(np.float32), None, None, 0.25 / 7.5, 2.4)
    modes, std, box = _grid() if name == "grid" else _ring(2 if name == "ring-2" else 1)
    labels = rng.integers(0, len(modes), count)
    points = modes[labels] + std * rng.standard_normal((count, 2))
    return PointData(name, points.astype(np.float32), labels, modes.astype(np.float32), std, box)


def load_mixture(name: str, split: str, count: int | None) -> PointData:
    """The data set: the same points always, those of "test" others than those of "train".

    Raises:
        DataError: more points asked for than there are.
    """
    most = COUNTS[split]
    if count is not None and count > most:
        raise DataError(f"count: expected at most the {most} points of {name} {split}, got {count}")
    data = mixture(name, most, seed=SEEDS[split])
    if count is None:
        return data
    labels = None if data.labels is None else data.labels[:count]
    return replace(data, points=data.points[:count], labels=labels)
