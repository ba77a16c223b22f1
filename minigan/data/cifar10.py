"""CIFAR-10 as it is handed out: binary or Python batches, unpacked or still in the archive.

A binary batch is, for each image, one byte of label and 3072 bytes of red, green and blue planes.
A Python batch is a pickled dict with "data" (N, 3072) in the same order and a list "labels".
https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009)
"""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from minigan.data.images import DataError, ImageData
from minigan.data.pickles import read_pickled_dict

CLASSES = tuple(
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
)
_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_FOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")
_ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")
_NAMES = {
    "train": re.compile(r"data_batch_[1-5](\.bin)?"),
    "test": re.compile(r"test_batch(\.bin)?"),
}
_LARGEST = 1 << 28  # bytes of a batch; the real ones have 31 million


def load_cifar10(split: str, data_dir: str | os.PathLike[str] | None) -> ImageData:
    """Read one split of CIFAR-10.

    The batches may lie in ``data_dir`` itself, in ``cifar-10-batches-bin`` or
    ``cifar-10-batches-py`` below it, or in ``cifar-10-binary.tar.gz`` or
    ``cifar-10-python.tar.gz`` there; ``data_dir`` may also be such an archive. Nothing is
    unpacked to the disk, and nothing in a pickle is run. The training split is whichever of the
    five batches are there, in their order.

    Args:
        split: "train" or "test".
        data_dir: the folder or the archive.

    Returns:
        ImageData with uint8 images (N, 3, 32, 32) and ten named classes.

    Raises:
        DataError: no folder given, no batch in it, or a batch that is damaged.
    """
    if data_dir is None:
        raise DataError("cifar10: needs the folder with its batches, pass --data-dir (data_dir=)")
    batches = _batches(Path(data_dir), split)
    images, labels = zip(*(_decoded(*batch) for batch in batches), strict=True)
    return ImageData(
        "cifar10",
        np.concatenate(images).reshape(-1, *_SHAPE),
        np.concatenate(labels).astype(np.int64),
        len(CLASSES),
        CLASSES,
    )


def _batches(source: Path, split: str) -> list[tuple[str, bytes]]:
    """The batches of ``split`` that lie in ``source``, by name, as (path, contents)."""
    wanted = _NAMES[split]
    try:
        if source.is_file():
            return _in_archive(source, wanted)
        if not source.is_dir():
            raise DataError(f"{source}: expected the folder with CIFAR-10, it does not exist")
        for folder in (source / name for name in _FOLDERS):
            if folder.is_dir():
                names = sorted(p.name for p in folder.iterdir() if wanted.fullmatch(p.name))
                binary = [name for name in names if name.endswith(".bin")]
                if names:
                    paths = [folder / name for name in binary or names]
                    return [(str(path), path.read_bytes()) for path in paths]
        for archive in (source / name for name in _ARCHIVES):
            if archive.is_file():
                return _in_archive(archive, wanted)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror or error})") from error
    first = "data_batch_1.bin" if split == "train" else "test_batch.bin"
    raise DataError(
        f"{source}: expected a file {first}, {first[:-4]} or cifar-10-binary.tar.gz, there is none"
    )


def _in_archive(archive: Path, wanted: re.Pattern[str]) -> list[tuple[str, bytes]]:
    found = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                if not (member.isfile() and wanted.fullmatch(name)):
                    continue
                if member.size > _LARGEST:
                    raise DataError(f"{archive}: {name} claims {member.size} bytes, too many")
                found[name] = tar.extractfile(member).read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive}: is no tar archive, or a damaged one") from error
    if not found:
        raise DataError(f"{archive}: has no file {wanted.pattern} in it")
    return [(f"{archive}: {name}", found[name]) for name in sorted(found)]


def _decoded(path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3072) and labels (N,) of one batch."""
    if path.endswith(".bin"):
        if not content or len(content) % (1 + _PIXELS):
            raise DataError(
                f"{path}: expected records of {1 + _PIXELS} bytes (label, 3 planes of 32x32), "
                f"the file has {len(content)} bytes"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, 1 + _PIXELS)
        pixels, labels = records[:, 1:], records[:, 0]
    else:
        pixels, labels = _from_pickle(path, content)
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        where = int(np.argmax((labels < 0) | (labels >= len(CLASSES))))
        raise DataError(f"{path}: expected labels 0 to 9, label {where} is {labels[where]}")
    return pixels, labels


def _from_pickle(path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    batch = read_pickled_dict(content, path)
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise DataError(f'{path}: expected an array "data" of shape (N, {_PIXELS}) in it')
    whole = isinstance(labels, list) and all(type(v) is int and abs(v) < 256 for v in labels)
    if not whole or len(labels) != len(pixels) or not labels:
        raise DataError(f'{path}: expected a list "labels" of {len(pixels)} small ints in it')
    return pixels, np.array(labels)
