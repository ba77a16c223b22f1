"""Data sets as arrays, and the mini-batches that training takes from them.

>>> from minigan import data
>>> digits = data.load("glyphs", count=20)
>>> images, labels = next(data.Batches(digits, 4, seed=0))
>>> images.shape, images.dtype, labels.shape
((4, 1, 28, 28), dtype('float32'), (4,))
"""

from __future__ import annotations

import os

from minigan.data.batches import Batches
from minigan.data.glyph_cache import COUNTS, load_glyphs
from minigan.data.idx import count_mnist, load_mnist, read_idx
from minigan.data.images import DataError, ImageData, resized, whole_number

__all__ = ["Batches", "DataError", "ImageData", "count", "load", "names", "read_idx"]

_NAMES = ("glyphs", "mnist")
_SPLITS = ("train", "test")


def names() -> tuple[str, ...]:
    """The names that ``load`` knows.

    >>> names()
    ('glyphs', 'mnist')
    """
    return _NAMES


def count(
    name: str, *, data_dir: str | os.PathLike[str] | None = None, split: str = "train"
) -> int:
    """How many images ``load`` gives, without loading them.  Arguments and errors are ``load``'s.

    >>> count("glyphs", split="test")
    2000
    """
    _expect_known(name, split)
    return COUNTS[split] if name == "glyphs" else count_mnist(split, data_dir)


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    split: str = "train",
    count: int | None = None,
) -> ImageData:
    """Load a data set by name.

    ``"glyphs"``: digits drawn from bundled fonts on first use, then kept in ``$MINIGAN_CACHE``
    (else ``$XDG_CACHE_HOME/minigan``, else ``~/.cache/minigan``); needs no download and no
    ``data_dir``. 20,000 train and 2,000 test images; ``count`` may ask for up to 200,000.
    ``"mnist"``: the four IDX files, plain or gzip, in ``data_dir``.

    Args:
        name: one of ``names()``.
        data_dir: the folder with the data set's files, for sets that have files.
        image_size: side in pixels to bring the images to, 8 to 512; None leaves them as they are.
            Grey 28x28 images get a black border to become 32x32, which keeps their strokes; other
            sizes are resized with an antialiasing bilinear filter.
        split: "train" or "test".
        count: take only the first ``count`` images.

    Returns:
        ImageData with uint8 images (N, C, H, W), int64 labels (N,) or None.

    Raises:
        DataError: an unknown name or split, an option out of range, more images asked for than
            there are, or files that are missing or damaged.

    >>> load("glyphs", count=20, image_size=32).images.shape
    (20, 1, 32, 32)
    >>> load("imagenet")
    Traceback (most recent call last):
        ...
    minigan.data.DataError: data set: expected one of glyphs, mnist; got 'imagenet'
    """
    _expect_known(name, split)
    if count is not None:
        count = whole_number("count", count, 1)
    if name == "glyphs":
        data = load_glyphs(split, count)
    else:
        data = load_mnist(split, data_dir)
        if count is not None and count > len(data):
            raise DataError(
                f"count: expected at most the {len(data)} images of {name} {split}, got {count}"
            )
    images = data.images[:count]
    if image_size is not None:
        images = resized(images, image_size)
    labels = None if data.labels is None else data.labels[:count]
    return ImageData(data.name, images, labels, data.classes)


def _expect_known(name: str, split: str) -> None:
    if name not in _NAMES:
        raise DataError(f"data set: expected one of {', '.join(_NAMES)}; got {name!r}")
    if split not in _SPLITS:
        raise DataError(f"split: expected one of {', '.join(_SPLITS)}; got {split!r}")
