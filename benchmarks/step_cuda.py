"""Training steps on a GPU: minigan beside every way in which PyTorch runs them.

    python -m benchmarks.step --device cuda                          W1 and W2 at three precisions
    python -m benchmarks.step --device cuda --scaling                batch 32 … 2048, side 28 … 256
    python -m benchmarks.step --device cuda --workloads W1-gp,vae --precision fp32
    python -m benchmarks.step --device cuda --torch ../venv/bin/python --json FILE

Contestants (benchmarks/engines_cuda.py) are processes of their own that take turns, at the same
precision: fp32, tf32, or bf16, which is each engine's ``autocast`` (minigan's rounds factors, but
holds float32).  Before anything is timed, six steps on the same weights, images and noise must
give finite losses, and the same as PyTorch eager's up to rounding; three of the six are replays
where steps are recorded.  An engine that cannot do a step, or does it wrongly, gets a row without
figures and a line that says why.

Given are the median of the GPU's time from step to step with the middle half, images a second (of
the real batch), how many times as fast minigan is as the fastest of PyTorch's, the host's time for
the call of a step and its share of the GPU's, the memory taken for arrays, and the arithmetic of
the plain algorithms over the time, beside what the GPU's data sheet promises.  Then what was
aimed at for W1 and W2: 1.0 times the fastest of PyTorch's in fp32 and 0.85 times in tf32, and a
host's time under a tenth of the GPU's where steps are recorded.

Written without a GPU at hand: what needs none is tested, the rest never ran.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import engines_cuda, workloads
from benchmarks.gpu import Machine, machine
from benchmarks.step import ROOT
from benchmarks.step_report import goals, notes, table
from minigan.serialize import write_json

ENGINES = (
    "minigan,minigan+graph,eager,channels_last,compile,graph,graph+channels_last,compile+graph"
)
BATCHES = (32, 64, 128, 256, 512, 1024, 2048)
SIDES = (28, 32, 64, 128, 256)
SCALING = [*(f"W1@{batch}" for batch in BATCHES), *(f"S{side}@64" for side in SIDES)]
SCALED = "minigan,minigan+graph,eager,graph+channels_last"
TOLERANCE = {"fp32": 2e-3, "tf32": 1e-2, "bf16": 5e-2}  # of a loss, which the rest of 1 is added to


class Contestant:
    """An engine in a process of its own, which is begun anew where it has ended with an error."""

    def __init__(self, engine: str, command: list[str], environment: dict, patience: float):
        self.engine, self.command, self.environment = engine, command, environment
        self.patience = patience
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Let the process begin to import what it needs."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=self.environment,
            )

    def ask(self, line: str) -> dict[str, Any]:
        """The answer; {"error": sentence} of a process that has ended, or takes too long."""
        self.start()
        late = threading.Timer(self.patience, self.process.kill)
        late.start()
        try:
            print(line, file=self.process.stdin, flush=True)
            said = self.process.stdout.readline()
        except BrokenPipeError:
            said = ""
        finally:
            over = not late.is_alive()
            late.cancel()
        if said:
            answer = json.loads(said)
        elif over:
            answer = {"error": f"no answer in {self.patience:.0f} s"}
        else:
            answer = {"error": f"the process ended with {self.process.wait()}"}
        if "error" in answer:
            self.stop()
        return answer

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


def differing(losses: list, reference: list, precision: str) -> str | None:
    """What is wrong with the losses of the first steps; None where nothing is.

    >>> differing([[1.0, 0.7]], [[1.0, 0.7001]], "fp32")
    >>> differing([[1.0, 0.7]], [[1.0, 0.71]], "fp32")
    'wrong: a loss of step 1 is 0.7, PyTorch eager has 0.71'
    """
    for number, (mine, theirs) in enumerate(zip(losses, reference, strict=True), 1):
        for a, b in zip(mine, theirs, strict=True):
            if not math.isfinite(a):
                return f"wrong: a loss of step {number} is {a}"
            if abs(a - b) > TOLERANCE[precision] * (1 + abs(b)):
                return f"wrong: a loss of step {number} is {a:.6g}, PyTorch eager has {b:.6g}"
    return None


def measure(
    workload: str,
    precision: str,
    contestants: list[Contestant],
    rounds: int,
    steps: int,
) -> list[dict[str, Any]]:
    """One row for each contestant; those that fail have an "error" and no figures."""
    rows: dict[str, dict[str, Any]] = {}
    kind, side, batch = workloads.parse(workload)
    for contestant in contestants:
        facts = contestant.ask(f"begin {workload}")
        names = {"workload": workload, "precision": precision, "engine": contestant.engine}
        rows[contestant.engine] = {**names, "batch": batch, "side": side, **facts}
    # The dropout of these two draws other masks in every engine.
    reference = None if kind in ("cgan", "pix2pix-64") else rows.get("eager", {}).get("losses")
    for row in rows.values():
        if losses := row.get("losses"):
            wrong = differing(losses, reference or losses, precision)
            row |= {"error": wrong} if wrong else {}
    times: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for contestant in contestants:
            row = rows[contestant.engine]
            if "error" not in row:
                time.sleep(0.05)
                answer = contestant.ask(str(steps))
                held = times.setdefault(contestant.engine, {"ms": [], "host_ms": []})
                for key, values in answer.items():
                    if key == "error":
                        row["error"] = values
                    else:
                        held[key] += values
    for contestant in contestants:
        row = rows[contestant.engine]
        if contestant.process is not None:
            row |= contestant.ask("end")
        if "error" not in row:
            row |= _figures(batch, **times[contestant.engine])
    return [*rows.values()]


def _figures(batch: int, ms: list[float], host_ms: list[float]) -> dict[str, Any]:
    low, median, high = statistics.quantiles(ms, n=4)
    return {
        "ms": median,
        "middle_half_ms": [low, high],
        "host_ms": statistics.median(host_ms),
        "images_per_s": batch / median * 1e3,
        "steps": len(ms),
    }


def _contestants(arguments: argparse.Namespace, precision: str) -> list[Contestant]:
    """One for each engine, with what it needs in its environment."""
    made = []
    for engine in arguments.engines.split(","):
        ours = engine.startswith("minigan")
        environment = dict(os.environ)
        if ours and precision != "fp32":  # matrix products are cuBLAS's, by CuPy
            environment["CUPY_TF32"] = "1"
        python = sys.executable if ours else arguments.torch
        command = [python, "-m", "benchmarks.worker_cuda", engine, precision]
        made.append(Contestant(engine, command, environment, arguments.patience))
    return made


def run(arguments: argparse.Namespace, about: Machine) -> list[dict[str, Any]]:
    """All rows; what is there is written after each workload, should the time be up."""
    rows: list[dict[str, Any]] = []
    until = time.monotonic() + 60 * arguments.minutes
    for precision in arguments.precision.split(","):
        contestants = _contestants(arguments, precision)
        try:
            for contestant in contestants:
                contestant.start()
            for workload in arguments.workloads.split(","):
                if time.monotonic() > until:
                    print(f"not measured, the time is up: {workload}, {precision}")
                    continue
                rows += measure(workload, precision, contestants, arguments.rounds, arguments.steps)
                if arguments.json:
                    arguments.json.parent.mkdir(parents=True, exist_ok=True)
                    facts = {"machine": vars(about), "scaling": arguments.scaling, "rows": rows}
                    write_json(arguments.json, facts)
        finally:
            for contestant in contestants:
                contestant.stop()
    return rows


def main(given: list[str] | None = None) -> None:
    """The program; ``given`` are its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step --device cuda",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workloads", help="separated by commas (W1,W2)")
    parser.add_argument("--engines", help=f"({ENGINES}; with --scaling {SCALED})")
    parser.add_argument("--precision", help="some of fp32, tf32, bf16 (all; with --scaling fp32)")
    parser.add_argument("--scaling", action="store_true", help=f"the workloads {SCALING}")
    parser.add_argument("--torch", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="in each round (%(default)s)")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds for one answer")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing after that")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args(given)
    arguments.workloads = arguments.workloads or ",".join(
        SCALING if arguments.scaling else ["W1", "W2"]
    )
    arguments.engines = arguments.engines or (SCALED if arguments.scaling else ENGINES)
    arguments.precision = arguments.precision or ("fp32" if arguments.scaling else "fp32,tf32,bf16")
    for name in arguments.workloads.split(","):
        try:
            workloads.parse(name)
        except ValueError as error:
            parser.error(f"--workloads: {error}")
    for name in arguments.engines.split(","):
        if not engines_cuda.known(name):
            expected = f"minigan, minigan+graph, eager or {'+'.join(engines_cuda.PARTS)} or a part"
            parser.error(f"--engines: expected {expected} of it, got {name!r}")
    if unknown := set(arguments.precision.split(",")) - set(engines_cuda.PRECISIONS):
        parser.error(f"--precision: expected some of fp32, tf32, bf16, got {sorted(unknown)}")
    if arguments.rounds < 1 or arguments.steps < 1 or arguments.rounds * arguments.steps < 2:
        parser.error("--rounds, --steps: expected two steps or more in all")
    about = machine()
    rows = run(arguments, about)
    print(f"{about.name}, {about.versions}, {about.clock / 1e6:.0f} MHz at most\n")
    print(table(rows, about))
    print("\n".join(["", *notes(rows), *goals(rows)]))


if __name__ == "__main__":
    main()
