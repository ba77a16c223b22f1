"""What came out: a number for each contender and seed, their means and spreads, and pictures.

The columns of the table:

    fcd           at the end
    best          the lowest of all measurements
    checkerboard  at the end, real images = 1
    sharpness     at the end, real images = 1
    swing         mean change of the fcd from one measurement to the next over the last half, in
                  units of its mean there: how far the quality swings
    motion        mean change of the pixels of fixed noise between pictures over the last half
    follows       Spearman's rank correlation of the critic's estimate with the fcd

Spreads are standard deviations over the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..record import read_rows
from ..serialize import atomic_write, write_json
from .contenders import Contender, slug
from .drawing import save_curves, save_film
from .race import Budget, Rows, place, rows_of
from .yardstick import Yardstick

COLUMNS = ("fcd", "best", "checkerboard", "sharpness", "swing", "motion", "follows")


@dataclass(frozen=True)
class Outcome:
    """Everything measured.

    Attributes:
        numbers: column -> (contenders, seeds), NaN where there is nothing.
        rows: contender -> rows of each seed.
        floor: what real images score.
        said: budget and yardstick, for the reader.
    """

    names: tuple[str, ...]
    numbers: dict[str, np.ndarray]
    rows: dict[str, list[Rows]]
    floor: dict[str, float]
    said: str

    def __str__(self) -> str:
        """A Markdown table: mean ± standard deviation over the seeds, the number of which may
        differ where runs broke off."""
        shown = [c for c in COLUMNS if np.isfinite(self.numbers[c]).any()]
        lines = [f"| {' | '.join(['contender', *shown])} |", "|---" * (1 + len(shown)) + "|"]
        for i, name in enumerate(self.names):
            cells = [_cell(self.numbers[c][i]) for c in shown]
            lines.append(f"| {' | '.join([f'`{name}`', *cells])} |")
        real = [f"{self.floor[c]:.3g}" if c in self.floor else "" for c in shown]
        lines.append(f"| {' | '.join(['real images', *real])} |")
        return "\n".join([self.said, "", *lines])


def _cell(values: np.ndarray) -> str:
    """Mean ± standard deviation of those that are finite.

    >>> _cell(np.array([1.0, 3.0])), _cell(np.array([2.0, np.nan])), _cell(np.array([np.nan]))
    ('2 ± 1.41', '2', '–')
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return "–"
    mean = f"{values.mean():.3g}"
    return f"{mean} ± {values.std(ddof=1):.3g}" if len(values) > 1 else mean


def summary(
    contenders: Sequence[Contender],
    budget: Budget,
    yardstick: Yardstick,
    seeds: int,
    folder: Path,
) -> Outcome:
    """Gather what ``race`` left in ``folder``."""
    numbers = {column: np.full((len(contenders), seeds), np.nan) for column in COLUMNS}
    rows: dict[str, list[Rows]] = {}
    for i, one in enumerate(contenders):
        rows[one.name] = [rows_of(place(folder, one, seed)) for seed in range(seeds)]
        for seed, measured in enumerate(rows[one.name]):
            for column, value in _numbers(measured, place(folder, one, seed)).items():
                numbers[column][i, seed] = value
    said = (
        f"{budget.data}, {budget.steps} steps of batch {budget.batch_size}, seeds 0 to "
        f"{seeds - 1}; mean ± standard deviation; fcd by a {yardstick.network.kind} of this data "
        f"on {yardstick.count} samples"
    )
    return Outcome(tuple(one.name for one in contenders), numbers, rows, yardstick.floor, said)


def _numbers(rows: Rows, folder: Path) -> dict[str, float]:
    if not rows:
        return {}
    step, fcd = (np.array([row[key] for row in rows]) for key in ("step", "fcd"))
    late = fcd[len(fcd) // 2 :]
    found = {
        "fcd": fcd[-1],
        "best": fcd.min(),
        "checkerboard": rows[-1]["checkerboard"],
        "sharpness": rows[-1]["sharpness"],
        "motion": _motion(folder),
    }
    if len(late) > 2:
        found["swing"] = float(np.abs(np.diff(late)).mean() / late.mean())
    follows = _follows(folder, step, fcd)
    return found if follows is None else {**found, "follows": follows}


def _motion(folder: Path) -> float:
    """Mean change of the pictures of the last half of a run, pixels from -1 to 1."""
    from PIL import Image

    paths = sorted((folder / "samples").glob("step-*.png"))
    late = paths[len(paths) // 2 :]
    if len(late) < 2:
        return float("nan")
    frames = [np.asarray(Image.open(path).convert("RGB"), np.float32) / 127.5 for path in late]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(frames)]))


def _follows(folder: Path, step: np.ndarray, fcd: np.ndarray) -> float | None:
    """The rank correlation of ``estimate``, as the median around each measurement, with the fcd."""
    from scipy.stats import spearmanr

    record = read_rows(folder / "metrics.csv", int(step[-1]))
    if not record or "estimate" not in record[0] or len(step) < 4:
        return None
    estimate = np.array([row["estimate"] for row in record])
    width = max(1, int(step[1] - step[0]) // 2)
    around = [np.median(estimate[max(0, int(s) - width) : int(s)]) for s in step]
    return float(spearmanr(around, fcd).statistic)


def save(outcome: Outcome, folder: Path) -> list[Path]:
    """comparison.json, comparison.md, comparison.png and side-by-side.gif; returns the paths."""
    paths = [folder / f"comparison.{kind}" for kind in ("json", "md", "png")]
    paths.append(folder / "side-by-side.gif")
    numbers: dict[str, Any] = {
        "said": outcome.said,
        "names": outcome.names,
        "numbers": {k: _plain(v) for k, v in outcome.numbers.items()},
        "floor": outcome.floor,
        "rows": outcome.rows,
    }
    write_json(paths[0], numbers)
    with atomic_write(paths[1]) as file:
        file.write(f"{outcome}\n".encode())
    save_curves(paths[2], outcome.rows, outcome.floor["fcd"], outcome.said)
    save_film(paths[3], {one: folder / f"{slug(one)}-seed0" / "samples" for one in outcome.names})
    return paths


def _plain(values: np.ndarray) -> list[list[float | None]]:
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]
