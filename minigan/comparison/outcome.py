"""What came out: a number for each contender and seed, their means and spreads, and pictures.

The columns of the table:

    fcd           at the end; of points em, and so below
    best          the lowest fcd of all measurements
    swd           at the end
    checkerboard  at the end, real images = 1
    sharpness     at the end, real images = 1
    modes         at the end, of points
    quality       at the end, of points
    swing         how far the quality goes up and down: (Σ|Δ| - |ΣΔ|) / (n · mean) of the n changes
                  Δ of the fcd from one measurement to the next over the last half, and of its mean
                  there; 0 where it only falls, or only rises
    motion        mean change of the pixels of fixed noise between pictures over the last half
    follows       Spearman's rank correlation of the critic's estimate with the fcd
    seconds       of training, without the measuring: what the steps have cost

What is said of the end is said of whole runs only; which broke off stands below the table.
Spreads are standard deviations over the seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.yardstick import MEASURES, Yardstick
from ..record import read_rows
from ..serialize import atomic_write, write_json
from .contenders import Contender, slug
from .drawing import save_curves, save_film
from .folder import OUTPUTS, plan
from .measures import Measures, Rows, read_measures
from .race import Budget, place


def columns(measures: Sequence[str]) -> tuple[str, ...]:
    """The columns of what a yardstick measures.

    >>> columns(MEASURES)[:5]
    ('fcd', 'best', 'swd', 'checkerboard', 'sharpness')
    """
    main, *others = measures
    return (main, "best", *others, "swing", "motion", "follows", "seconds")


COLUMNS = columns(MEASURES)


@dataclass(frozen=True)
class Outcome:
    """Everything measured.

    Attributes:
        numbers: column -> (contenders, seeds), NaN where there is nothing.
        rows: contender -> rows of each seed.
        floor: what real images, or points, score.
        said: budget and yardstick, for the reader.
        broke: (contender, seed, step) of the runs that broke off.
        plan: what has been compared, see ``folder.plan``.
        measures, unit: the yardstick's.
    """

    names: tuple[str, ...]
    numbers: dict[str, np.ndarray]
    rows: dict[str, list[Rows]]
    floor: dict[str, float]
    said: str
    broke: tuple[tuple[str, int, int], ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)
    measures: tuple[str, ...] = MEASURES
    unit: str = "images"

    def __str__(self) -> str:
        """A Markdown table: mean ± standard deviation over the seeds, the number of which may
        differ where runs broke off."""
        first, *others = columns(self.measures)
        shown = [first, *(c for c in others if np.isfinite(self.numbers[c]).any())]
        lines = [f"| {' | '.join(['contender', *shown])} |", "|---" * (1 + len(shown)) + "|"]
        for i, name in enumerate(self.names):
            cells = [_cell(self.numbers[c][i]) for c in shown]
            lines.append(f"| {' | '.join([f'`{name}`', *cells])} |")
        real = [f"{self.floor[c]:.3g}" if c in self.floor else "" for c in shown]
        lines.append(f"| {' | '.join([f'real {self.unit}', *real])} |")
        if self.broke:
            runs = [f"`{name}` (seed {seed}) at step {step}" for name, seed, step in self.broke]
            what = f"Broke off, as a loss or the {self.unit} became infinite"
            lines += ["", f"{what}: {', '.join(runs)}."]
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
    shape = (len(contenders), seeds)
    numbers = {column: np.full(shape, np.nan) for column in columns(yardstick.measures)}
    rows: dict[str, list[Rows]] = {one.name: [] for one in contenders}
    broke = []
    for i, one in enumerate(contenders):
        for seed in range(seeds):
            at = place(folder, one, seed)
            found = read_measures(at)
            rows[one.name].append(found.rows)
            if found.broke is not None:
                broke.append((one.name, seed, found.broke))
            for column, value in _numbers(found, at, budget.steps, yardstick.measures).items():
                numbers[column][i, seed] = value
    said = (
        f"{budget.data}, {budget.steps} steps of batch {budget.batch_size}, seeds 0 to "
        f"{seeds - 1}; mean ± standard deviation; {yardstick.words}"
    )
    names, whole = tuple(one.name for one in contenders), plan(contenders, budget, seeds)
    kind = {"measures": yardstick.measures, "unit": yardstick.unit}
    return Outcome(names, numbers, rows, yardstick.floor, said, tuple(broke), whole, **kind)


def _numbers(
    found: Measures, folder: Path, steps: int, measures: Sequence[str] = MEASURES
) -> dict[str, float]:
    """The columns of one run, of ``steps`` steps if it is whole."""
    rows = found.rows
    if not rows:
        return {}
    step, main = (np.array([row[key] for row in rows]) for key in ("step", measures[0]))
    late = main[len(main) // 2 :]
    numbers = {"best": main.min()}
    if measures == MEASURES:  # the pixels of a drawn plane say nothing
        numbers["motion"] = _motion(folder)
    if found.last() == steps:
        numbers |= {name: rows[-1][name] for name in measures} | {"seconds": found.seconds}
    if len(late) > 2:
        numbers["swing"] = _swing(late)
    follows = _follows(folder, step, main)
    return numbers if follows is None else {**numbers, "follows": follows}


def _swing(values: np.ndarray) -> float:
    """What of the changes is undone by others, for a change, in units of the values' mean.

    >>> _swing(np.array([8.0, 4.0, 2.0, 2.0])), _swing(np.array([3.0, 1.0, 3.0, 1.0]))
    (0.0, 0.6666666666666666)
    """
    changes = np.diff(values)
    undone = np.abs(changes).sum() - abs(changes.sum())
    return float(undone / (len(changes) * values.mean()))


def _motion(folder: Path) -> float:
    """Mean change of the pictures of the last half of a run, pixels from -1 to 1."""
    from PIL import Image

    paths = sorted((folder / "samples").glob("step-*.png"))
    late = paths[len(paths) // 2 :]
    if len(late) < 2:
        return float("nan")
    frames = [np.asarray(Image.open(path).convert("RGB"), np.float32) / 127.5 for path in late]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(frames)]))


def _follows(folder: Path, step: np.ndarray, main: np.ndarray) -> float | None:
    """The rank correlation of ``main`` with ``estimate``, as its median around each measurement."""
    from scipy.stats import spearmanr

    record = read_rows(folder / "metrics.csv", int(step[-1]))
    if not record or "estimate" not in record[0] or len(step) < 4:
        return None
    estimate = np.array([row["estimate"] for row in record])
    width = max(1, int(step[1] - step[0]) // 2)
    around = [np.median(estimate[max(0, int(s) - width) : int(s)]) for s in step]
    return float(spearmanr(around, main).statistic)


def save(outcome: Outcome, folder: Path) -> list[Path]:
    """Write the folder's ``OUTPUTS``: numbers, table, curves and film; returns the paths."""
    numbers, table, curves, film = paths = [folder / name for name in OUTPUTS]
    result: dict[str, Any] = {
        "plan": outcome.plan,
        "said": outcome.said,
        "names": outcome.names,
        "numbers": {k: [_plain(row) for row in v] for k, v in outcome.numbers.items()},
        "floor": dict(zip(outcome.floor, _plain(outcome.floor.values()), strict=True)),
        "broke": outcome.broke,
        "rows": {
            name: [[dict(zip(row, _plain(row.values()), strict=True)) for row in s] for s in seeds]
            for name, seeds in outcome.rows.items()
        },
    }
    write_json(numbers, result)
    with atomic_write(table) as file:
        file.write(f"{outcome}\n".encode())
    save_curves(
        curves, outcome.rows, outcome.floor, outcome.said, outcome.measures[0], outcome.unit
    )
    folders = {one: folder / f"{slug(one)}-seed0" / "samples" for one in outcome.names}
    save_film(film, folders)
    return paths


def _plain(values: Iterable[float]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
