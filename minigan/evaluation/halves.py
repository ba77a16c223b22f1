"""Real images or points to compare with: two disjoint sets, as many each as samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..config import RunError
from ..data import ImageData, PointData

LEAST, MOST = 8, 5000  # images in a half, if nothing else is asked for


@dataclass(frozen=True)
class Halves:
    """Two disjoint sets of real images, or points, of equal size, drawn at random.

    The samples are compared with the first; the second is compared with it as well, in their
    place: what real images score is the floor of every metric.

    Attributes:
        first, second: uint8 (n, C, H, W), or points, float32 (n, 2).
        labels: of the second's images, int64 (n,), or None.
        held_out: whether they are test images, which no training has seen.
        said: where they are from, for the reader.
    """

    first: np.ndarray
    second: np.ndarray
    labels: np.ndarray | None
    held_out: bool
    said: str

    def __len__(self) -> int:
        return len(self.first)


def halves(
    train: ImageData | PointData,
    test: ImageData | PointData | None,
    count: int | None,
    seed: int,
    most: int = MOST,
) -> Halves:
    """Two times ``count`` different images of ``test``; of ``train`` where that is too small.

    Args:
        train: the images that were trained on.
        test: images held out, or None where there are none; used if at least 16.
        count: images in a half; None: as many as there are, up to ``most``.
        seed: of the draw.
        most: see ``count``.

    Raises:
        RunError: there are not so many images.
    """
    held_out = test is not None and len(test) >= 2 * LEAST
    source = test if test is not None and held_out else train
    kind = f"{'test' if held_out else 'training'} {source.unit}"
    there = len(source) // 2
    if count is None:
        count = min(most, there)
    if count > there or count < LEAST:
        raise RunError(
            f"measuring expects at least {LEAST} samples and twice as many {kind}, half of "
            f"them for the floor; got {count} samples, and {train.name} has {len(source)} {kind}"
        )
    order = np.random.default_rng([seed, 0]).permutation(len(source))
    first, second = order[:count], order[count : 2 * count]
    said = f"{count} of {len(source)} {kind}"
    if not held_out:
        said += ", as there are no test images" if test is None else ", as there are too few others"
    labels = None if source.labels is None else source.labels[second]
    samples = source.points if isinstance(source, PointData) else source.images
    return Halves(samples[first], samples[second], labels, held_out, said)
