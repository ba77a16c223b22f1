"""Where a command writes: never over what is there, unless asked, nor over a run's own files."""

from __future__ import annotations

from pathlib import Path


def expect_free(path: Path, run: Path, force: bool) -> None:
    """Refuse ``path`` if something stands there (without ``force``) or the run ``run`` needs it."""
    from ..config import RunError
    from ..run import FILES

    if path.name in FILES and path.resolve().parent == run.resolve():
        raise RunError(f"--out {path}: is a part of the run itself; give another name")
    if path.exists() and not force:
        raise RunError(f"--out {path}: is there already; give another name or --force")
