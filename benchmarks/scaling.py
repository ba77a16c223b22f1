"""How the time of a training step grows: with the batch, with the image's side, with threads.

    python -m benchmarks.scaling [--out FOLDER]

A DCGAN step (critic on a real and on a fake batch, generator, Adam): on 28×28 images (W1 of
benchmarks/workloads.py) for batches of 1 to 512, and on square images of 16 to 128 pixels, 16 at a
time, by networks that halve and double until 4×4 are left.  Median of several steps, and the
arithmetic of the step's convolutions and matrix products.  Leaves scaling.json and scaling.png.
See benchmarks/step.py about the environment, and about the same on a GPU (--scaling).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import worker, workloads
from benchmarks.options import Options
from benchmarks.step import FORCING

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SIDES = (16, 32, 64, 128)
SECONDS = 3.0  # for each point, and at least three steps
RESULTS = Path(__file__).parent / "results"


def point(step: Callable[[], float]) -> dict[str, float]:
    """Median milliseconds, and the arithmetic in GFLOP."""
    step()
    gflop = worker.arithmetic(step) / 1e9
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    while len(times) < 3 or time.perf_counter() < until:
        begin = time.perf_counter()
        step()
        times.append((time.perf_counter() - begin) * 1e3)
    return {"ms": statistics.median(times), "gflop": gflop, "steps": len(times)}


def measured(numbers: list[int]) -> dict[str, Any]:
    """All points, by what varies, its value, and the number of threads."""
    import minigan
    from minigan.cpu.threads import one_blas_thread

    options = Options(frozen=True)
    found: dict[str, Any] = {"batch": {}, "side": {}}
    with one_blas_thread:
        for threads in numbers:
            minigan.set_num_threads(threads)
            for batch in BATCHES:
                step = workloads.make(f"W1@{batch}", minigan, options)
                found["batch"].setdefault(str(threads), {})[str(batch)] = point(step)
            for side in SIDES:
                step = workloads.make(f"S{side}", minigan, options)
                found["side"].setdefault(str(threads), {})[str(side)] = point(step)
    return found


def draw(found: dict[str, Any], path: Path) -> None:
    """Time over batch and side beside the line of constant arithmetic per second."""
    from minigan.figures import drawing

    titles = {
        "batch": "DCGAN, 28×28: images in a batch",
        "side": "DCGAN, 16 images: side in pixels",
    }
    with drawing(path, 10, 4) as figure:
        for i, (what, by_threads) in enumerate(found.items()):
            ax = figure.add_subplot(1, 2, i + 1)
            for (threads, points), style in zip(by_threads.items(), ("o--", "s-"), strict=False):
                x = [int(value) for value in points]
                label = f"{threads} thread{'s' * (threads != '1')}"
                ax.loglog(x, [p["ms"] for p in points.values()], style, label=label, base=2)
            largest = list(points.values())[-1]
            line = [p["gflop"] * largest["ms"] / largest["gflop"] for p in points.values()]
            ax.loglog(x, line, ":", color="black", label="proportional to the arithmetic", base=2)
            ax.set_xlabel(titles[what])
            ax.set_ylabel("ms per training step")
            ax.set_xticks(x, [str(value) for value in x])
            ticks = [4**k for k in range(7) if ax.get_ylim()[0] <= 4**k <= ax.get_ylim()[1]]
            ax.set_yticks(ticks, [str(value) for value in ticks])
            ax.minorticks_off()
            ax.grid(alpha=0.3)
            ax.legend(loc="upper left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--draw", action="store_true", help="only the figure, from scaling.json")
    arguments = parser.parse_args()
    taken = [name for name in FORCING if name in os.environ]
    if taken and not arguments.draw:
        parser.error(f"take {' and '.join(taken)} out of the environment: BLAS is forced by it")
    path = arguments.out / "scaling.json"
    if not arguments.draw:
        cores = len(os.sched_getaffinity(0))
        found = measured([1, cores] if cores > 1 else [1])
        found |= {"processor": worker._processor(), "blas": worker._blas()}
        path.write_text(json.dumps(found, indent=1) + "\n")
    found = json.loads(path.read_text())
    draw({what: found[what] for what in ("batch", "side")}, arguments.out / "scaling.png")


if __name__ == "__main__":
    main()
