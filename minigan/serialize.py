"""Files that are either whole or not there: atomic writing, JSON, and arrays in .npz.

Everything goes to a temporary file beside its destination first and is moved there by one
``os.replace``. Whoever reads the destination, and whoever looks after a crash or a power cut,
finds the old contents or the new, never half of either.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["SerializeError", "atomic_write", "read_npz", "write_json", "write_npz"]


class SerializeError(ValueError):
    """A file cannot be read as what it should be; the message names the file and the reason."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of `path` only once it is complete.

    The bytes go to ``.{name}.{pid}.tmp`` in the same folder. When the ``with`` block ends they are
    flushed to the disk and moved onto `path`; when it is left by an exception (KeyboardInterrupt
    too) the temporary file is removed and what stood at `path` is untouched. A killed process can
    leave the temporary file behind, never a damaged `path`. The new file has the permissions that
    the umask gives, as with ``open``; a symbolic link at `path` is replaced, not followed. Writing
    one path from two threads of a process at once is not supported.

    Args:
        path: the destination; its folder must exist.

    Yields:
        A binary file object open for writing.

    Raises:
        FileNotFoundError: the folder does not exist.
        IsADirectoryError: `path` is a folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "weights.bin")
    ...     with atomic_write(path) as file:
    ...         _ = file.write(b"all of it")
    ...         print(path.exists())
    ...     print(path.read_bytes())
    False
    b'all of it'
    """
    path = Path(path)
    # Said before the caller computes anything, and of his path instead of the temporary one.
    if not path.parent.is_dir():
        raise FileNotFoundError(f"atomic_write: {path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise IsADirectoryError(f"atomic_write: {path} is a folder, expected the path of a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    # The new name is an entry of the folder and reaches the disk with the folder. Not every system
    # can open or sync one; the file itself is complete either way.
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Write `obj` as JSON, atomically: UTF-8, indent 2, keys in insertion order, newline at end.

    Args:
        path: the destination; its folder must exist.
        obj: dicts, lists, strings, finite numbers, booleans and None.

    Raises:
        ValueError: `obj` holds NaN or an infinity, which JSON has no word for, or itself.
        TypeError: `obj` holds something JSON cannot express, such as a NumPy number.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder, "run.json"), {"seed": 0, "lr": 2e-4})
    ...     print(Path(folder, "run.json").read_text())
    {
      "seed": 0,
      "lr": 0.0002
    }
    <BLANKLINE>
    """
    try:
        text = json.dumps(obj, indent=2, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"write_json: {path}: {error}") from None
    with atomic_write(path) as file:
        file.write(text.encode() + b"\n")


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write named arrays as an uncompressed ``.npz`` file, atomically; ``np.load`` reads it too.

    The members are written one by one instead of through ``np.savez(**arrays)``, which cannot take
    an array named "file" and confuses "x" with "x.npy". Equal arrays make equal bytes.

    Args:
        path: the destination, used as it is: no suffix is added.
        arrays: name -> array of any dtype but object, any shape and memory order. Names are any
            strings without a NUL character; "." and "/" are welcome.

    Raises:
        TypeError: a name is not a string, or an array is of object dtype (it would need pickle).
        ValueError: a name holds a NUL character.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(Path(folder, "g.npz"), {"0.weight": np.eye(2, dtype=np.float32)})
    ...     read_npz(Path(folder, "g.npz"))
    {'0.weight': array([[1., 0.],
           [0., 1.]], dtype=float32)}
    """
    members = {}
    for name, value in arrays.items():
        if not isinstance(name, str):
            raise TypeError(f"write_npz: names are str, got {name!r} ({type(name).__name__})")
        if "\0" in name:
            raise ValueError(f"write_npz: names cannot hold a NUL character, got {name!r}")
        members[name] = np.asanyarray(value)
        if members[name].dtype.hasobject:
            raise TypeError(
                f"write_npz: {name!r} is of object dtype (from {type(value).__name__}), "
                "expected an array of numbers, booleans or strings"
            )
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            # An array may pass 4 GiB; the entry's header is written before its size is known.
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read every array of an ``.npz`` file, checksums verified; nothing in it is ever unpickled.

    Args:
        path: a file that `write_npz`, ``np.savez`` or ``np.savez_compressed`` wrote.

    Returns:
        name -> array, in the order of writing.

    Raises:
        SerializeError: the file is missing, cut short, damaged, not an .npz file, or holds objects
            that only pickle could restore; one line naming the file and the reason.

    >>> try:
    ...     read_npz("nowhere.npz")
    ... except SerializeError as error:
    ...     print(error)
    read_npz: nowhere.npz: No such file or directory
    """
    try:
        with open(path, "rb") as file, _open_archive(file) as archive:
            return dict(_read_member(archive, info) for info in archive.infolist())
    except OSError as error:
        raise SerializeError(f"read_npz: {path}: {error.strerror or error}") from error
    except SerializeError as error:
        raise SerializeError(f"read_npz: {path}: {error}") from error.__cause__


def _open_archive(file: BinaryIO) -> zipfile.ZipFile:
    start = file.read(6)
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # a damaged table of contents raises many things, as for members
        if not start:
            reason = "the file is empty"
        elif start.startswith(b"PK\x03\x04"):
            reason = "the file is cut short or damaged"
        elif start == b"\x93NUMPY":
            reason = "a single array (.npy), expected an .npz file"
        else:
            reason = "not an .npz file"
        raise SerializeError(reason) from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, np.ndarray]:
    name = info.filename.removesuffix(".npy")
    if name == info.filename:
        raise SerializeError(f"holds {name!r}, which is not an array")
    try:
        with archive.open(info) as member:
            array = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):  # reading to the end also verifies the checksum
                raise ValueError("longer than its shape says")
    except Exception as error:
        # The parsers meet bytes that anything may have damaged: bad headers alone raise six types.
        reason = " ".join(str(error).split())
        if "allow_pickle" in reason:
            raise SerializeError(
                f"{name!r} holds pickled objects, which are never loaded"
            ) from error
        raise SerializeError(f"{name!r} is damaged ({reason})") from error
    return name, array
