"""What toys leave behind: the folder, numbers that JSON can hold, and progress on the terminal."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .._tensor import Tensor

RESULTS = "results.json"
LEFT = (".png", ".gif", ".md")  # what toys leave beside the results
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # what a killed process leaves of a file
Item = TypeVar("Item")


class ToyError(ValueError):
    """A toy's name, folder or seed is not what it should be; one clear line."""


def fresh_folder(folder: Path, force: bool, parts: str = "") -> Path:
    """Make ``folder``, or see that it is empty or, with ``force``, hold nothing but a toy's run.

    Of a run that is replaced the results go at once, so that they never stand beside figures of
    another run.

    Args:
        parts: a pattern of files that an interrupted run of this toy leaves and goes on from; a
            folder with such and without results is good too.
    """
    if folder.exists() and not folder.is_dir():
        raise ToyError(f"--out {folder}: is a file, expected a folder")
    folder.mkdir(parents=True, exist_ok=True)
    inside = list(folder.iterdir())
    begun = [path for path in inside if parts and path.match(parts)]
    if inside and not force and (not begun or folder / RESULTS in inside):
        raise ToyError(f"--out {folder}: is not empty; give another folder, or --force")
    for path in inside:
        own = path.name == RESULTS or path.suffix in LEFT or path in begun
        if not own and not _TEMPORARY.fullmatch(path.name):
            raise ToyError(
                f"--out {folder}: --force replaces what a toy has left, and nothing like "
                f"{path.name}"
            )
    unfinished = [path for path in inside if _TEMPORARY.fullmatch(path.name)]
    for path in [folder / RESULTS, *unfinished, *(begun if force else [])]:
        path.unlink(missing_ok=True)
    return folder


def host(x: Tensor) -> np.ndarray:
    """The numbers of ``x`` in the host's memory, without its history: what is measured and drawn.

    >>> host(Tensor(np.ones(2)).requires_grad_())
    array([1., 1.])
    """
    return x.detach().cpu().numpy()


def row(what: str, measured: Any, exact: Any, **more: Any) -> dict[str, Any]:
    """A line of a toy's results: a measured number beside the exact one."""
    return {"what": what, "measured": measured, "exact": exact, **more}


def plain(value: Any) -> Any:
    """The same in lists, dicts and Python's own numbers; infinities become "inf" and "-inf".

    Raises:
        ValueError: a NaN, which is nobody's result.

    >>> plain({"kl": np.float64(np.inf), "theta": np.array([0.5, 1.0])})
    {'kl': 'inf', 'theta': [0.5, 1.0]}
    """
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (np.ndarray, np.generic, Tensor)):
        return plain(value.tolist())
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("results: a number is NaN")
        return value if math.isfinite(value) else "inf" if value > 0 else "-inf"
    return value


def progress(items: Iterable[Item], what: str) -> Iterator[Item]:
    """The items, with a bar on stderr that stays silent where stderr is gone."""
    from tqdm import tqdm

    interactive = sys.stderr is not None and sys.stderr.isatty()
    yield from tqdm(
        items,
        desc=what,
        disable=sys.stderr is None,
        mininterval=0.2 if interactive else 10,
        dynamic_ncols=interactive,
        bar_format="{desc} {n_fmt}/{total_fmt} |{bar}| {remaining} left",
    )
