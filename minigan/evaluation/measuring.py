"""Measuring a run at every so many steps while it trains, without changing what it learns.

``minigan train --evaluate-every N`` leaves in the run folder

    yardstick.json  every how many steps, and by what it is measured
    measures.csv    step; each of the yardstick's measures and, as NAME_real, its floor

A run that goes on drops the rows after its checkpoint, as those of metrics.csv, and measures what
is missing: a run that was killed anywhere has the rows of one that never stopped.
"""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config import RunError
from ..data import DataWarning
from ..gan import Recipe, Request
from ..run import Run
from ..serialize import atomic_write, write_json
from .features import Progress, silent
from .points import yardstick_for
from .run import held_out
from .yardstick import Yardstick

Row = dict[str, float]
MOST = 1000  # samples in a measurement


class Measuring:
    """Measures ``run`` when it is called at a step that is due, and has not been measured.

    The samples are those of seed 0, by the moving average where there is one.  Samples that are
    not finite are not measured.

    Args:
        run: what is measured.
        yardstick: by what.
        every: how many steps; the last step is due as well.
        rows: of earlier measurements; those after the run's step are dropped.
        keep: is given all rows after each measurement.

    Attributes:
        rows: "step" and the yardstick's measures, in the order of the steps.
    """

    def __init__(
        self,
        run: Run,
        yardstick: Yardstick,
        every: int,
        rows: Sequence[Row],
        keep: Callable[[list[Row]], None],
    ):
        self.run, self.yardstick, self.every, self.keep = run, yardstick, every, keep
        self.rows = [row for row in rows if row["step"] <= run.trainer.step]

    def __call__(self) -> None:
        run, step = self.run, self.run.trainer.step
        due = step > 0 and (step % self.every == 0 or step == run.config.steps)
        if not due or (self.rows and self.rows[-1]["step"] == step):
            return
        request = Request(self.yardstick.count, 0)
        with np.errstate(all="ignore"):
            images = run.recipe.view.sample(run.trainer.shown(), request, run.config.device)
        if np.isfinite(images).all():
            self.rows.append({"step": step, **self.yardstick.measure(images)})
            self.keep(self.rows)

    def __str__(self) -> str:
        """The last measurement, beside what real images or points score."""
        if not self.rows:
            return "nothing has been measured"
        floor = self.yardstick.floor
        said = [
            f"{name} {self.rows[-1][name]:.3g} (real {self.yardstick.unit} {floor[name]:.3g})"
            for name in self.yardstick.measures
            if np.isfinite(self.rows[-1][name])
        ]
        return f"{', '.join(said)} at step {self.rows[-1]['step']:.0f}"


def expect_measurable(recipe: Recipe) -> None:
    """Refuse a system that makes images from images.

    Raises:
        RunError: it does.
    """
    if recipe.view.from_images:
        raise RunError(
            f"--evaluate-every: expects a system that makes images from noise, {recipe.name} makes "
            "them from images (minigan evaluate measures its reconstructions)"
        )


def ask(folder: Path, every: int) -> None:
    """Let the run in ``folder`` be measured every so many steps from now on."""
    write_json(folder / "yardstick.json", {"every": every})


def measuring(run: Run, progress: Progress = silent) -> Measuring | None:
    """What measures ``run``, if somebody has asked for it; what is missing is measured now.

    Raises:
        RunError: the files are damaged, or the run was measured by another yardstick.
    """
    path = run.folder / "yardstick.json"
    asked = _asked(path)
    if asked is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # training speaks of what it leaves out
        others = held_out(run.config)
    yardstick = yardstick_for(run.data, others, None, progress, MOST)
    if asked.keys() == {"every"}:
        write_json(path, {**asked, "yardstick": yardstick.said})
    else:
        yardstick.expect(asked.get("yardstick"), path, "it cannot be measured on alike")

    def keep(rows: list[Row]) -> None:
        _write(run.folder / "measures.csv", rows, yardstick)

    rows = _read(run.folder / "measures.csv", yardstick.measures)
    found = Measuring(run, yardstick, asked["every"], rows, keep)
    if len(found.rows) < len(rows):
        keep(found.rows)
    found()
    return found


def _asked(path: Path) -> dict[str, Any] | None:
    try:
        asked = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RunError(f"{path}: is damaged ({error})") from error
    if not isinstance(asked, dict) or type(asked.get("every")) is not int or asked["every"] < 1:
        raise RunError(f"{path}: is damaged (it does not say every how many steps)")
    return asked


def _read(path: Path, measures: Sequence[str]) -> list[Row]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [
                {"step": int(row["step"]), **{name: float(row[name]) for name in measures}}
                for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        return []
    except (TypeError, ValueError, KeyError, csv.Error) as error:
        raise RunError(f"{path}: is damaged ({error})") from error


def _write(path: Path, rows: Sequence[Row], yardstick: Yardstick) -> None:
    names, floor = yardstick.measures, yardstick.floor
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["step", *(column for name in names for column in (name, f"{name}_real"))])
    for row in rows:
        pairs = ((row[name], floor[name]) for name in names)
        table.writerow([row["step"], *(f"{v:.9g}" for pair in pairs for v in pair)])
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
