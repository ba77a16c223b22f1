"""The time of a training step: minigan beside whatever else is installed, in one interleaved run.

    python -m benchmarks.step                               W1 and W2, minigan and PyTorch
    python -m benchmarks.step --workloads W1-gp,cgan,vae    others (see benchmarks/workloads.py)
    python -m benchmarks.step --torch ../venv/bin/python    PyTorch lives in another environment
    python -m benchmarks.step --json FILE                   keep the figures
    python -m benchmarks.step --device cuda                 on a GPU: see benchmarks/step_cuda.py

Every contestant is a process of its own and takes its turn for a few steps, round after round, so
that the machine's moods hit all alike.  Given are the median of all steps with the middle half of
them, the ratio to the first contestant, the most memory a process has held, and the arithmetic of
the step (2 for each multiplication of the plain algorithms) over its time, beside the machine's
own matrix product measured in the same run.

    minigan      as ``minigan train`` runs it: BLAS on one thread, our threads beside it
    eager        PyTorch as scripts use it
    dezero       DeZero (W1 and W2 only), BLAS on all threads
    chainer      Chainer (the same), without iDeep
    best         PyTorch with channels_last memory, fused Adam, the critic frozen while it is not
                 trained

BLAS libraries choose their kernels for the processor: what an environment variable would force on
them is taken away for the run, unless --keep-environment is given.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SLOW = ("dezero", "chainer")  # a step of theirs takes as long as ten of the others'
FORCING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
ROOT = Path(__file__).resolve().parent.parent


class Contestant:
    """A process that makes steps on demand."""

    def __init__(self, name: str, python: str, workload: str, threads: int, environment: dict):
        self.name, self.times = name, []
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", name, workload, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.facts: dict[str, Any] = self._answer()

    def _answer(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"benchmarks.step: {self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, steps: int) -> Any:
        """The seconds of ``steps`` steps; 0 ends the process and gives what it has to say."""
        print(steps, file=self.process.stdin, flush=True)
        return self._answer()


def measure(workload: str, contestants: list[Contestant], rounds: int, steps: int) -> list[dict]:
    """One row for each contestant."""
    for _ in range(rounds):
        for contestant in contestants:
            time.sleep(0.2)  # let threads that spin while they wait go to sleep
            contestant.times += contestant.ask(1 if contestant.name in SLOW else steps)
    rows: list[dict[str, Any]] = []
    for contestant in contestants:
        last = contestant.ask(0)
        ms = sorted(t * 1e3 for t in contestant.times)
        quarters = statistics.quantiles(ms, n=4)
        rows.append(
            {
                "workload": workload,
                "contestant": contestant.name,
                "median_ms": statistics.median(ms),
                "middle_half_ms": [quarters[0], quarters[2]],
                "peak_mib": last["peak_mib"],
                "flops": last.get("flops"),
                "steps": len(ms),
                **contestant.facts,
            }
        )
    return rows


def table(rows: list[dict], gflops: float) -> str:
    """The rows as Markdown."""
    lines = [
        "| step | engine | median ms | middle half | to minigan | peak MiB | GFLOP/s (of sgemm) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = [r for r in rows if r["workload"] == row["workload"]]
        flops = next((r["flops"] for r in same if r["flops"]), None)
        rate = flops / row["median_ms"] / 1e6 if flops else None
        low, high = row["middle_half_ms"]
        share = f"{rate:.0f} ({rate / gflops:.0%})" if rate else ""
        lines.append(
            f"| {row['workload']} | {row['contestant']} | {row['median_ms']:.1f} | "
            f"{low:.1f} – {high:.1f} | {row['median_ms'] / same[0]['median_ms']:.2f} | "
            f"{row['peak_mib']:.0f} | {share} |"
        )
    return "\n".join(lines)


def main() -> None:
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    chosen, rest = device.parse_known_args()
    if chosen.device == "cuda":
        from benchmarks import step_cuda

        step_cuda.main(rest)
        return
    parser = argparse.ArgumentParser(
        parents=[device],
        description=__doc__.splitlines()[0],
        epilog="on a GPU: the options of --device cuda --help",
    )
    parser.add_argument("--workloads", default="W1,W2", help="separated by commas (%(default)s)")
    parser.add_argument("--engines", default="minigan,eager,best", help="(%(default)s)")
    parser.add_argument("--torch", default=sys.executable, help="the Python that has PyTorch")
    for name in SLOW:
        parser.add_argument(f"--{name}", default=sys.executable, help=f"the Python that has {name}")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="in each round (%(default)s)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--keep-environment", action="store_true", help="see above")
    arguments = parser.parse_args()
    taken = [] if arguments.keep_environment else [v for v in FORCING if v in os.environ]
    environment = {k: v for k, v in os.environ.items() if k not in taken}
    pythons = {name: getattr(arguments, name) for name in SLOW} | {"minigan": sys.executable}
    rows = []
    product = Contestant("sgemm", sys.executable, "-", arguments.threads, environment)
    rates = []
    for workload in arguments.workloads.split(","):
        contestants = [
            Contestant(
                name,
                pythons.get(name, arguments.torch),
                workload,
                arguments.threads,
                environment,
            )
            for name in arguments.engines.split(",")
            if name not in SLOW or workload in ("W1", "W2")
        ]
        rates += product.ask(5)
        rows += measure(workload, contestants, arguments.rounds, arguments.steps)
        rates += product.ask(5)
    gflops = max(rates)
    product.ask(0)
    print(table(rows, gflops))
    print(
        f"\n{arguments.threads} threads, float32, sgemm {gflops:.0f} GFLOP/s "
        f"({product.facts['versions']}); system allocator untouched; taken out of the environment: "
        f"{', '.join(taken) or 'nothing'}"
    )
    if arguments.json:
        facts = {"threads": arguments.threads, "sgemm_gflops": gflops, "taken": taken}
        facts["processor"] = product.facts["processor"]
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
