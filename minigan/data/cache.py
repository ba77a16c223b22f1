"""Arrays kept on disk between runs. Losing them costs time, never correctness: no error here."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np


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
        # Opened here, because np.load leaves a file that is no archive open.
        with open(folder / name, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    # A damaged archive makes NumPy and zipfile raise almost anything (ValueError, BadZipFile,
    # zlib.error, NotImplementedError, MemoryError ...): every one of them means "make it again".
    except Exception:
        return None


def write_arrays(name: str, **arrays: np.ndarray) -> None:
    """Store the arrays as ``name``, whole or not at all; where that is impossible, do nothing."""
    folder = cache_folder()
    if folder is None:
        return
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In the same folder, because a rename is atomic only within one file system.
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)
        temporary = None
    except OSError:
        pass
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
