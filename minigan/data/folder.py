"""Any folder of pictures as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minigan.data.images import DataError, ImageData
from minigan.data.labels import celeba_table, folder_labels, table_labels
from minigan.data.pictures import (
    decide,
    find_pictures,
    open_picture,
    planes,
    read_all,
    split_folder,
    squared,
)


def load_folder(
    root: Path,
    split: str = "train",
    *,
    image_size: int | None = None,
    count: int | None = None,
    labels: Path | None = None,
    attributes: Sequence[str] = (),
    channels: int | None = None,
    strict: bool = False,
) -> ImageData:
    """Read the pictures below ``root``, in the order of their paths.

    Of each the central square is brought to ``image_size``. Labels come from the table ``labels``
    (see ``table_labels``), else from CelebA's table if ``attributes`` are chosen, else from the
    sub-folders where all pictures are in at least two of them, else there are none.

    Args:
        root: the folder; ``root/train`` and ``root/test`` (or ``val``) are its splits if it has
            them.
        split: "train" or "test".
        image_size: side in pixels, 8 to 512; None where all are squares of one size.
        count: only the first ``count`` files.
        labels: a file with a label for each picture.
        attributes: columns of that file.
        channels: 1 for grey, 3 for colour; None: grey if all pictures are.
        strict: stop at a broken picture, instead of leaving it out with a DataWarning.

    Raises:
        DataError: no such folder, no picture in it, an option that does not fit.
    """
    folder = split_folder(root, split)
    pictures = find_pictures(folder)
    found, classes = _labels(root, folder, pictures, labels, attributes)
    if count is not None and count > len(pictures):
        raise DataError(
            f"count: expected at most the {len(pictures)} images in {folder}, got {count}"
        )
    pictures = pictures[:count]
    paths = [folder / name for name in pictures]
    size, channels = decide(paths, image_size, channels)
    images = np.empty((len(paths), channels, size, size), np.uint8)

    def read(index: int) -> None:
        images[index] = planes(squared(open_picture(paths[index]), size), channels)

    kept, skipped = read_all(str(folder), [str(path) for path in paths], read, strict)
    if skipped:
        images = images[kept]
    values = None if found is None else found[kept]
    return ImageData(root.resolve().name, images, values, len(classes), classes, skipped)


def count_folder(root: Path, split: str = "train") -> int:
    """How many image files ``load_folder`` finds; whether they are whole, only reading tells."""
    return len(find_pictures(split_folder(root, split)))


def _labels(
    root: Path,
    folder: Path,
    pictures: Sequence[str],
    table: Path | None,
    attributes: Sequence[str],
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if attributes and table is None:
        table = celeba_table(root)
    found = folder_labels(pictures) if table is None else table_labels(table, attributes, pictures)
    return (None, ()) if found is None else (found.values, found.class_names)
