"""``measures.json``: what has been measured of one run of a comparison, and by what."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import RunError
from ..evaluation.yardstick import MEASURES, POINT_MEASURES
from ..serialize import write_json

NAME = "measures.json"
KINDS = [{"step", *names} for names in (MEASURES, POINT_MEASURES, POINT_MEASURES[:2])]
Rows = list[dict[str, float]]


@dataclass
class Measures:
    """The file's contents.

    Attributes:
        yardstick: by what, see ``Yardstick.said``; None: nothing has been measured yet.
        rows: "step" and the yardstick's measures; NaN, in the file null, where there is none.
        seconds: of training up to here, without the measuring.
        broke: the step at which the run broke off, or None.
    """

    yardstick: dict[str, Any] | None = None
    rows: Rows = field(default_factory=list)
    seconds: float = 0.0
    broke: int | None = None

    def last(self) -> float:
        """The step of the last measurement, 0 where there is none."""
        return self.rows[-1]["step"] if self.rows else 0

    def write(self, folder: Path) -> None:
        """Save in the run's folder."""
        rows = [{k: v if v == v else None for k, v in row.items()} for row in self.rows]
        write_json(folder / NAME, {**vars(self), "rows": rows})


def read_measures(folder: Path) -> Measures:
    """What has been measured of the run in ``folder``.

    Raises:
        RunError: the file holds something else.
    """
    path = folder / NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Measures()
    except ValueError as error:
        raise RunError(f"{path}: is damaged ({error})") from error
    if not (
        isinstance(values, dict)
        and values.keys() == vars(Measures()).keys()
        and isinstance(values["yardstick"], dict)
        and isinstance(values["rows"], list)
        and isinstance(values["seconds"], float | int)
        and isinstance(values["broke"], int | None)
        and all(_is_row(row) for row in values["rows"])
    ):
        raise RunError(f"{path}: holds no measurements of a comparison; give another --out")
    rows = [{k: float("nan") if v is None else v for k, v in r.items()} for r in values["rows"]]
    return Measures(**{**values, "rows": rows})


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() in KINDS
        and isinstance(row["step"], int)
        and all(isinstance(value, float | int | None) for value in row.values())
    )
