"""``metrics.csv``: one row for every step, complete up to the checkpoint that counts them."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from .config import RunError

Row = dict[str, float]


class Record:
    """The rows of a run, in memory and in the file; begins with ``rows`` and goes on.

    Values are kept as the file has them, with nine digits, which give a float32 back exactly: what
    is drawn from them does not depend on where a run was interrupted.
    """

    def __init__(self, path: Path, rows: list[Row]):
        self.rows: list[Row] = []
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with open(temporary, "w", newline="", encoding="utf-8") as self._file:
            self._writer = csv.writer(self._file)
            for row in rows:
                self.add(row)
        os.replace(temporary, path)
        self._file = open(path, "a", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file)

    def add(self, row: Row) -> None:
        """One more row; the first one's names are the header."""
        texts = {k: f"{v:.9g}" if isinstance(v, float) else str(v) for k, v in row.items()}
        if not self.rows:
            self._writer.writerow(texts)
        self._writer.writerow(texts.values())
        self.rows.append(
            {k: float(texts[k]) if isinstance(v, float) else v for k, v in row.items()}
        )

    def flush(self) -> None:
        """Bring all rows to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def columns(self) -> dict[str, list[float]]:
        """The rows by column."""
        names: Any = self.rows[0] if self.rows else ["step"]
        return {name: [row[name] for row in self.rows] for name in names}


def read_rows(path: Path, upto: int) -> list[Row]:
    """The rows of steps 1 to ``upto``; what comes after them is left.

    Raises:
        RunError: they are not all there.
    """
    rows: list[Row] = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if len(rows) == upto:
                    break
                step = int(row.pop("step"))
                if step != len(rows) + 1:
                    break
                rows.append({"step": step, **{name: float(value) for name, value in row.items()}})
    except FileNotFoundError:
        pass
    except (TypeError, ValueError, KeyError, AttributeError, csv.Error):
        pass  # a damaged row: what stands before it may be enough
    if len(rows) < upto:
        raise RunError(
            f"{path}: the rows of steps 1 to {upto}, which the checkpoint counts, are not all "
            f"there (complete up to step {len(rows)})"
        )
    return rows
