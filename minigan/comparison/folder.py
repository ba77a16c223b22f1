"""The folder of a comparison, and what says that it is this one: ``comparison.json``.

There stand the contenders with all their settings, the budget and the seeds, from the start; the
outcome joins them at the end.  Whoever gives a folder of something else is told so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..config import RunError
from ..serialize import write_json
from .contenders import Contender
from .race import Budget

NAME = "comparison.json"
OUTPUTS = tuple(f"comparison.{kind}" for kind in ("json", "md", "png", "gif"))


def plan(contenders: Sequence[Contender], budget: Budget, seeds: int) -> dict[str, Any]:
    """All that a comparison depends on, but for the yardstick, as JSON has it."""
    systems = {one.name: {one.recipe.name: asdict(one.settings)} for one in contenders}
    whole = {"contenders": systems, "budget": asdict(budget), "seeds": seeds}
    return json.loads(json.dumps(whole))


def expect_own(folder: Path, wanted: dict[str, Any], force: bool) -> None:
    """Refuse a folder that is not empty and does not hold the comparison ``wanted``.

    Args:
        force: another comparison is accepted: its ``OUTPUTS`` are to be replaced, and what of its
            runs fits is used.

    Raises:
        RunError: it holds something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunError(f"--out {folder}: is a file, expected a folder")
    if not any(folder.iterdir()):
        return
    stored = _stored(folder)
    if stored is None:
        raise RunError(f"--out {folder}: is not empty and holds no comparison; give another folder")
    if stored != wanted and not force:
        other = [key for key in wanted if stored.get(key) != wanted[key]]
        raise RunError(
            f"--out {folder}: holds a comparison with other {' and '.join(other)}; give another "
            f"folder, or --force to replace its {NAME} and what was made of it"
        )


def claim(folder: Path, wanted: dict[str, Any]) -> None:
    """Write down what is compared in ``folder``; what another comparison has come to goes."""
    if folder.is_dir() and _stored(folder) == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / NAME, {"plan": wanted})
    for name in OUTPUTS[1:]:
        (folder / name).unlink(missing_ok=True)


def _stored(folder: Path) -> dict[str, Any] | None:
    """The plan of the comparison in ``folder``, or None where there is none."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))["plan"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None
