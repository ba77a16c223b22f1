"""MNIST and other files in the IDX format: http://yann.lecun.com/exdb/mnist/

An IDX file is two zero bytes, a type code (8 for unsigned bytes), the number of dimensions, each
dimension as a big-endian 32-bit count, then the elements in C order. Nothing in it says how long
the file is beyond that, so a length that does not fit is an error here, never a guess.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minigan.data.images import DataError, ImageData

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_SPLIT_STEMS = {"train": "train", "test": "t10k"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one IDX file of unsigned bytes, plain or gzip-compressed.

    Compression is told by the file's first bytes, whatever its name.

    Args:
        path: the file.

    Returns:
        A writable uint8 array of the shape that the header states.

    Raises:
        DataError: the file cannot be read, is no IDX file of unsigned bytes, is damaged gzip, or
            holds fewer or more bytes than its header states.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "two-by-three.idx")
    ...     _ = file.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    ...     read_idx(file)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)
    """
    path = Path(path)
    with _opened(path) as stream:
        shape = _shape(path, stream)
        size = math.prod(shape)
        # One byte more than stated: enough to see trailing bytes, and at the end of a gzip stream
        # it makes Python compare the checksum.
        content = _read(stream, size + 1)
    if len(content) < size:
        raise DataError(
            f"{path}: truncated, the header states shape {shape} = {size} bytes, "
            f"the file holds {len(content)}"
        )
    if len(content) > size:
        raise DataError(
            f"{path}: trailing bytes after the {size} that the header states (shape {shape})"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked where it is gzip; what goes wrong with them is a DataError."""
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if compressed:
                with gzip.GzipFile(fileobj=raw) as unzipped:
                    yield unzipped
            elif path.suffix == ".gz":
                raise DataError(f"{path}: expected gzip data (first bytes 1f 8b), got other bytes")
            else:
                yield raw
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: the gzip data is damaged or cut short ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _shape(path: Path, stream: BinaryIO) -> tuple[int, ...]:
    """What the header states."""
    magic = _read(stream, 4)
    if len(magic) < 4:
        raise DataError(f"{path}: expected an IDX header, the file ends after {len(magic)} bytes")
    zero, code, ndim = struct.unpack(">HBB", magic)
    if zero or code != _UNSIGNED_BYTE or not ndim:
        raise DataError(
            f"{path}: expected an IDX file of unsigned bytes (first bytes 00 00 08 and the number "
            f"of dimensions), got {magic.hex(' ')}"
        )
    header = _read(stream, 4 * ndim)
    if len(header) < 4 * ndim:
        raise DataError(
            f"{path}: expected {ndim} dimensions of 4 bytes, the file ends after "
            f"{len(header)} of these bytes"
        )
    return struct.unpack(f">{ndim}I", header)


def _read(stream: BinaryIO, size: int) -> bytearray:
    """Up to ``size`` bytes, in pieces: a damaged header may ask for more than memory holds."""
    content = bytearray()
    while len(content) < size and (piece := stream.read(min(_CHUNK, size - len(content)))):
        content += piece
    return content


def load_mnist(split: str, data_dir: str | os.PathLike[str] | None) -> ImageData:
    """Read one split of MNIST (LeCun, Cortes, Burges) from its IDX files.

    The files are ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, for the test split
    ``t10k-...``; each may end in ``.gz`` and be spelled with a dot (``train-images.idx3-ubyte``).
    Data sets made as drop-in replacements of MNIST (28x28, ten classes) load alike.

    Args:
        split: "train" or "test".
        data_dir: the folder with the files.

    Returns:
        ImageData with uint8 images (N, 1, 28, 28), white on black, and ten classes, in the
        files' order.

    Raises:
        DataError: no folder given, a file is missing or damaged, or images and labels do not
            belong together.
    """
    images_path, labels_path = _files(split, data_dir)
    images, labels = read_idx(images_path), read_idx(labels_path)
    _expect_images(images_path, images.shape)
    _expect_kind(labels_path, labels.shape, 1, "labels")
    if len(images) != len(labels):
        raise DataError(
            f"{labels_path}: expected one label for each of the {len(images)} images in "
            f"{images_path.name}, got {len(labels)}"
        )
    if labels.max() > 9:
        where = int(np.argmax(labels > 9))
        raise DataError(f"{labels_path}: expected labels 0 to 9, label {where} is {labels[where]}")
    return ImageData("mnist", images[:, np.newaxis], labels.astype(np.int64), 10)


def count_mnist(split: str, data_dir: str | os.PathLike[str] | None) -> int:
    """How many images ``load_mnist`` gives, from the header of the file alone.

    Raises:
        DataError: no folder given, a file is missing, or the images' header is not MNIST's.
    """
    path, _ = _files(split, data_dir)
    with _opened(path) as stream:
        shape = _shape(path, stream)
    _expect_images(path, shape)
    return shape[0]


def _files(split: str, data_dir: str | os.PathLike[str] | None) -> tuple[Path, Path]:
    """Where the images and the labels of ``split`` are."""
    if data_dir is None:
        raise DataError("mnist: needs the folder with its IDX files, pass --data-dir (data_dir=)")
    folder = Path(data_dir)
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{folder}: expected the folder with the MNIST files, it {state}")
    stem = _SPLIT_STEMS[split]
    images = _find(folder, f"{stem}-images", "idx3-ubyte")
    return images, _find(folder, f"{stem}-labels", "idx1-ubyte")


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{mark}{kind}{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder}: expected a file {names[0]} (or .gz), there is none")


def _expect_images(path: Path, shape: tuple[int, ...]) -> None:
    _expect_kind(path, shape, 3, "images")
    if shape[1:] != (28, 28):
        raise DataError(f"{path}: expected images of shape (28, 28), got {shape[1:]}")
    if not shape[0]:
        raise DataError(f"{path}: expected at least one image, the file states 0")


def _expect_kind(path: Path, shape: tuple[int, ...], ndim: int, kind: str) -> None:
    if len(shape) != ndim:
        holds = {1: "labels", 3: "images"}.get(len(shape), f"a {len(shape)}-D array")
        raise DataError(
            f"{path}: expected {kind} (magic 0x{0x800 + ndim:08x}), "
            f"the file holds {holds} (magic 0x{0x800 + len(shape):08x})"
        )
