"""All that a GPU is wanted for, in one run of a few minutes, the most important first.

    python -m benchmarks.all_gpu --out FOLDER                  eight minutes at most
    python -m benchmarks.all_gpu --out FOLDER --minutes 25 --torch ../venv/bin/python
    python -m benchmarks.all_gpu --list                        what it runs, no GPU needed

Every task is a process with a time of its own, so that one that fails or hangs costs the others
nothing; what it prints goes to FOLDER/NAME.log, its figures to FOLDER/gpu-NAME.json, and how all of
them ended to FOLDER/gpu-tasks.json, which is written after each.  Exit status 1 if one failed.

Written without a GPU at hand: what needs none is tested, the rest never ran.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu import machine
from benchmarks.step import ROOT
from minigan.serialize import write_json


@dataclass(frozen=True)
class Task:
    """A command ({json}, {torch} and {minutes} are filled in) and its share of the whole time."""

    name: str
    share: float
    command: str


TASKS = (
    Task("tests", 0.25, "-m pytest -n 0 -q -m gpu --maxfail 20 tests/kernels tests/devices"),
    Task("conv", 0.25, "-m benchmarks.conv --device cuda --shapes dcgan --rounds 10 --json {json}"),
    Task(
        "step",
        0.6,
        "-m benchmarks.step --device cuda --precision fp32,tf32 --torch {torch} "
        "--minutes {minutes} --json {json}",
    ),
    Task(
        "scaling",
        0.4,
        "-m benchmarks.step --device cuda --scaling --rounds 3 --steps 10 --torch {torch} "
        "--minutes {minutes} --json {json}",
    ),
    Task(
        "step-bf16",
        0.4,
        "-m benchmarks.step --device cuda --precision bf16 --torch {torch} --minutes {minutes} "
        "--json {json}",
    ),
    Task(
        "step-others",
        0.4,
        "-m benchmarks.step --device cuda --workloads W1-gp,W2-gp,vae --precision fp32 "
        "--torch {torch} --minutes {minutes} --json {json}",
    ),
    Task(
        "conv-all",
        1.0,
        "-m benchmarks.conv --device cuda --rung all --json {json}",
    ),
)
LEAST = 20.0  # seconds: with less left, nothing more is begun


def filled(task: Task, folder: Path, torch: str, seconds: float) -> list[str]:
    """The command of a task that may take so long; it is to stop by itself a little earlier."""
    values = {
        "json": str(folder.resolve() / f"gpu-{task.name}.json"),
        "torch": torch,
        "minutes": f"{0.8 * seconds / 60:.2f}",
    }
    words = [word.format(**values) for word in shlex.split(task.command)]
    return [sys.executable, *words]


def run(task: Task, folder: Path, torch: str, seconds: float) -> dict[str, Any]:
    """Do it; how it ended: {"name", "ended", "seconds"}."""
    environment = {**os.environ, "MINIGAN_REQUIRE_GPU": "1"}
    begin = time.monotonic()
    with open(folder / f"{task.name}.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            filled(task, folder, torch, seconds),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
            ended = "well" if status == 0 else f"with status {status}"
        except subprocess.TimeoutExpired:
            ended = "stopped, its time was up"
        finally:  # also on Ctrl-C; with the processes that it has begun itself
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return {"name": task.name, "ended": ended, "seconds": time.monotonic() - begin}


def main(given: list[str] | None = None) -> int:
    """The program; ``given`` are its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.all_gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where everything is written")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all (%(default)s)")
    parser.add_argument("--tasks", help=f"some of {','.join(task.name for task in TASKS)} (all)")
    parser.add_argument("--torch", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--list", action="store_true", help="print the commands and end")
    arguments = parser.parse_args(given)
    names = arguments.tasks.split(",") if arguments.tasks else [task.name for task in TASKS]
    if unknown := set(names) - {task.name for task in TASKS}:
        known = ", ".join(task.name for task in TASKS)
        parser.error(f"--tasks: expected some of {known}, got {sorted(unknown)}")
    chosen = [task for task in TASKS if task.name in names]
    if arguments.list:
        for task in chosen:
            print(f"{task.name}: python {task.command}")
        return 0
    if arguments.out is None:
        parser.error("--out is needed: the folder for figures and logs")
    summary = arguments.out / "gpu-tasks.json"
    if summary.exists():
        parser.error(f"--out: {arguments.out} holds a run already; give another folder")
    if not arguments.minutes > 0:
        parser.error(f"--minutes: expected a number above 0, got {arguments.minutes}")
    about = machine()
    arguments.out.mkdir(parents=True, exist_ok=True)
    whole = 60 * arguments.minutes
    until, results = time.monotonic() + whole, []
    for task in chosen:
        left = until - time.monotonic()
        if left < LEAST:
            result = {"name": task.name, "ended": "not begun, the time was up", "seconds": 0.0}
        else:
            print(f"{task.name} …", flush=True)
            seconds = min(left, max(task.share * whole, LEAST))
            result = run(task, arguments.out, arguments.torch, seconds)
        print(f"{task.name}: {result['ended']} ({result['seconds']:.0f} s)", flush=True)
        results.append(result)
        write_json(summary, {"machine": vars(about), "tasks": results})
    return int(any(r["ended"].startswith(("with status", "stopped")) for r in results))


if __name__ == "__main__":
    raise SystemExit(main())
