"""Arrays kept on disk between runs. Losing them costs time, never correctness: no error here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minigan.serialize import SerializeError, read_npz, write_npz


def cache_folder() -> Path | None:
    """Where minigan keeps what it can make again.

    ``$MINIGAN_CACHE``, else ``$XDG_CACHE_HOME/minigan``, else ``~/.cache/minigan``; None where
    the user has no home. Empty variables count as unset, and so does a relative XDG_CACHE_HOME
    (XDG Base Directory Specification).
    """
    try:
        if own := os.environ.get("MINIGAN_CACHE"):
            return Path(own).expanduser()
        shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (shared if shared.is_absolute() else Path.home() / ".cache") / "minigan"
    except RuntimeError:
        return None


def read_arrays(name: str) -> dict[str, np.ndarray] | None:
    """The arrays stored as ``name``, or None when they are absent or cannot be read whole."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        return read_npz(folder / name)
    except SerializeError:
        return None


def write_arrays(name: str, **arrays: np.ndarray) -> None:
    """Store the arrays as ``name``, whole or not at all; where that is impossible, do nothing."""
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_npz(folder / name, arrays)


def remove(out_of_date: Callable[[str, float], bool]) -> None:
    """Remove the files of which ``out_of_date(name, time of writing)`` is true, where possible.

    Folders and symbolic links are never asked about.
    """
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                regular = entry.is_file(follow_symlinks=False)
                if regular and out_of_date(entry.name, entry.stat().st_mtime):
                    os.unlink(entry.path)
