"""The glyphs that are kept: drawn once, then read from the cache.

Files are called ``glyphs-v1-train-20000-seed0-FINGERPRINT.npz``.  The fingerprint tells the fonts
and the libraries that decide the pixels, so that environments do not take each other's files.
"""

from __future__ import annotations

import re
import time

import numpy as np

from minigan.data import cache
from minigan.data.glyphs import FACES, MAX_COUNT, SIZE, VERSION, draw_glyphs
from minigan.data.images import ImageData, whole_number

COUNTS = {"train": 20_000, "test": 2_000}
_SEEDS = {"train": 0, "test": 1}
_NAME = re.compile(r"glyphs-v([1-9]\d*)-(train|test)-(\d+)-seed(\d+)-[0-9a-f]{12}\.npz", re.ASCII)
_KEPT_SECONDS = 30 * 24 * 3600  # what another environment may still use


def load_glyphs(split: str, count: int | None = None) -> ImageData:
    """The digits of ``split``, from the cache where they are there already.

    Drawing them anew also removes what is out of date: sets of an earlier version of the drawing,
    and, if they are older than a month, those of the same set that other libraries drew.

    Args:
        split: "train" (20,000 images) or "test" (2,000, drawn from another seed).
        count: draw this many instead, 1 to 200,000. A smaller set is the start of a larger one.

    Returns:
        ImageData with uint8 images (N, 1, 28, 28), int64 labels (N,) and ten classes.

    Raises:
        DataError: ``count`` is out of range, or a bundled font is missing.
    """
    if count is None:
        count = COUNTS[split]
    count, seed = whole_number("count", count, 1, MAX_COUNT), _SEEDS[split]
    same_set = f"glyphs-v{VERSION}-{split}-{count}-seed{seed}-"
    name = f"{same_set}{_fingerprint()}.npz"
    stored = cache.read_arrays(name)
    if stored is not None and _is_whole(stored, count):
        return ImageData("glyphs", stored["images"], stored["labels"], 10)
    data = draw_glyphs(count, seed)
    cache.write_arrays(name, images=data.images, labels=data.labels)
    limit = time.time() - _KEPT_SECONDS

    def out_of_date(other: str, written: float) -> bool:
        match = _NAME.fullmatch(other)
        if match is None or other == name:
            return False
        return int(match[1]) < VERSION or (other.startswith(same_set) and written < limit)

    cache.remove(out_of_date)
    return data


def _is_whole(stored: dict[str, np.ndarray], count: int) -> bool:
    images, labels = stored.get("images"), stored.get("labels")
    return (
        images is not None
        and labels is not None
        and (images.dtype, images.shape) == (np.uint8, (count, 1, SIZE, SIZE))
        and (labels.dtype, labels.shape) == (np.int64, (count,))
        and bool(((labels >= 0) & (labels <= 9)).all())
    )


def _fingerprint() -> str:
    """A hash of what decides the pixels besides the drawing itself: the fonts and the libraries.

    From the installed metadata, because importing them would take longer than reading the cache.
    """
    import hashlib
    from importlib import metadata

    versions = []
    for library in ("matplotlib", "numpy", "pillow", "scipy"):
        try:
            versions.append((library, metadata.version(library)))
        except metadata.PackageNotFoundError:
            versions.append((library, "unknown"))
    return hashlib.sha256(repr((versions, FACES)).encode()).hexdigest()[:12]
