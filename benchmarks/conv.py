"""The time of single convolutions, by algorithm, beside PyTorch where it is installed.

    python -m benchmarks.conv                       the layers of W1, W2, cgan and pix2pix-64
    python -m benchmarks.conv W2 --torch PYTHON     some of them; PyTorch in another environment
    python -m benchmarks.conv --device cuda         on a GPU: see benchmarks/conv_cuda.py

For every layer and routine: milliseconds of each algorithm that fits (the one chosen is marked *),
and the better of PyTorch's channels-first and channels-last forms; for every layer also NumPy's
bare matrix product of that size, of a row for each output by a column for each of its channels,
with nothing gathered or scattered.  The engines take turns, in processes of their own, and in a
turn the three routines do; medians of all.  See benchmarks/step.py about threads and the
environment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.step import FORCING, ROOT

# name: batch, input channels, height, output channels, kernel, stride, padding.  A transposed
# convolution is the dgrad of the layer named here, so each line serves both directions.
LAYERS = {
    "W1 28→14": (64, 1, 28, 64, 4, 2, 1),
    "W1 14→7": (64, 64, 14, 128, 4, 2, 1),
    "W2 64→32 D": (64, 3, 64, 64, 4, 2, 1),
    "W2 32→16 D": (64, 64, 32, 128, 4, 2, 1),
    "W2 16→8 D": (64, 128, 16, 256, 4, 2, 1),
    "W2 8→4 D": (64, 256, 8, 1, 4, 2, 1),
    "W2 64→32 G": (64, 3, 64, 128, 4, 2, 1),
    "W2 32→16 G": (64, 128, 32, 256, 4, 2, 1),
    "W2 16→8 G": (64, 256, 16, 512, 4, 2, 1),
    "W2 8→4 G": (64, 512, 8, 1024, 4, 2, 1),
    "cgan G 14": (64, 128, 14, 64, 5, 1, 2),
    "cgan G 28": (64, 64, 28, 1, 5, 1, 2),
    "cgan D 28→14": (64, 11, 28, 64, 5, 2, 2),
    "cgan D 14→5": (64, 64, 14, 128, 5, 2, 0),
    "pix2pix 32→16": (1, 64, 32, 128, 4, 2, 1),
    "pix2pix 8→4": (1, 256, 8, 512, 4, 2, 1),
    "pix2pix 4→2": (1, 512, 4, 512, 4, 2, 1),
}
ROUTINES = ("fprop", "dgrad", "wgrad")
PAUSE = 0.25  # seconds between turns: the other engine's threads look for work, then sleep


Calls = dict[str, Callable[[], object]]


def in_turns(calls: Calls, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each call, in every round; a first one does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if i:
                times[name].append((time.perf_counter() - begin) * 1e3)
    return times


def ours(layer: tuple) -> list[Calls]:
    """The algorithms chosen for the three routines, with a * after the name; of each routine the
    others; the bare product."""
    import numpy as np

    from minigan.conv import Geometry
    from minigan.conv.cpu import ALGORITHMS, choose, fits
    from minigan.cpu import products

    n, c, h, k, r, s, p = layer
    g = Geometry(h, h, r, r, (s, s), (p,) * 4)
    rng = np.random.default_rng(0)

    def nhwc(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32).transpose(0, 3, 1, 2)

    x, y = nhwc(n, h, h, c), nhwc(n, g.P, g.Q, k)
    w = rng.standard_normal((r, r, c, k), dtype=np.float32).transpose(3, 2, 0, 1)
    operands = {"fprop": (x, w), "dgrad": (y, w), "wgrad": (x, y)}
    chosen: Calls = {}
    others: dict[str, Calls] = {routine: {} for routine in ROUTINES}
    for routine in ROUTINES:
        for name, algorithm in ALGORITHMS.items():
            if fits(name, routine, g, c, k, x.dtype):
                call = partial(getattr(algorithm, routine), g, *operands[routine])
                if name == choose(routine, g, n, c, k):
                    chosen[f"{routine} {name}*"] = call
                else:
                    others[routine][f"{routine} {name}"] = call
    right = w.transpose(2, 3, 1, 0).reshape(-1, k)
    left = np.ones((n * g.P * g.Q, len(right)), np.float32)
    out = np.empty((len(left), k), np.float32)
    return [chosen, *others.values(), {"product": partial(products.matmul, left, right, out)}]


def theirs(layer: tuple) -> list[Calls]:
    """PyTorch's three routines, in either memory order."""
    import torch
    from torch.nn.functional import conv2d

    n, c, h, k, r, s, p = layer
    groups = []
    for form in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(n, c, h, h).contiguous(memory_format=form)
        w = torch.randn(k, c, r, r).contiguous(memory_format=form)
        y = torch.randn_like(conv2d(x, w, None, s, p))

        def back(mask: list[bool], x=x, w=w, y=y) -> object:
            one = ([s, s], [p, p], [1, 1], False, [0, 0], 1)
            return torch.ops.aten.convolution_backward(y, x, w, None, *one, mask)

        calls: Calls = {
            "fprop": partial(conv2d, x, w, None, s, p),
            "dgrad": partial(back, [True, False, False]),
            "wgrad": partial(back, [False, True, False]),
        }
        groups.append({f"{routine} {form}": call for routine, call in calls.items()})
    return groups


def rate(engine: str) -> float:
    """GFLOP/s of a product of two 1024×1024 matrices: what an engine has to work with."""
    if engine == "torch":
        import torch

        a = torch.ones(1024, 1024)
        call: Callable[[], object] = partial(torch.mm, a, a)
    else:
        import numpy as np

        from minigan.cpu import products

        left, out = np.ones((1024, 1024), np.float32), np.empty((1024, 1024), np.float32)
        call = partial(products.matmul, left, left, out)
    return 2 * 1024**3 / 1e6 / min(in_turns({"": call}, 30)[""])


def work(engine: str, threads: int) -> None:
    """Answer every layer's name with the times of a turn, "product" with ``rate``."""
    if engine == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
    else:
        import minigan
        from minigan.cpu.threads import one_blas_thread

        minigan.set_num_threads(threads)
        one_blas_thread.__enter__()  # for as long as the process lives, as minigan train does
    groups: dict[str, list[Calls]] = {}
    for line in sys.stdin:
        name, rounds = line.rstrip("\n").split("\t")
        if name == "product":
            answer: object = rate(engine)
        else:
            if name not in groups:
                groups = {name: (theirs if engine == "torch" else ours)(LAYERS[name])}
            times = [in_turns(calls, int(rounds)) for calls in groups[name]]
            answer = {label: one for turn in times for label, one in turn.items()}
        print(json.dumps(answer), flush=True)


class Worker:
    """An engine in a process of its own; where it is not installed, all answers are empty."""

    def __init__(self, engine: str, python: str, threads: int):
        environment = {k: v for k, v in os.environ.items() if k not in FORCING}
        command = [python, "-m", "benchmarks.conv", "--worker", engine, str(threads)]
        pipe, errors = subprocess.PIPE, None if engine == "minigan" else subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=errors, text=True
        )
        self.engine, self.rate = engine, None
        self.rate = self.ask("product", 0)  # when that is known the process has begun

    def ask(self, name: str, rounds: int) -> Any:
        """Its answer about a layer or the product."""
        with suppress(BrokenPipeError):
            print(name, rounds, sep="\t", file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        if self.engine == "minigan" or self.rate:
            raise SystemExit(f"benchmarks.conv: {self.engine} ended with {self.process.wait()}")
        return {}


def measured(
    workers: dict[str, Worker], name: str, turns: int, rounds: int
) -> dict[str, dict[str, float]]:
    """{engine: {routine and algorithm: median of the milliseconds of all turns}}."""
    found: dict[str, dict[str, list[float]]] = {engine: {} for engine in workers}
    for _ in range(turns):
        for engine, worker in workers.items():
            time.sleep(PAUSE)
            for label, times in worker.ask(name, rounds).items():
                found[engine].setdefault(label, []).extend(times)
    return {
        engine: {label: median(times) for label, times in all_times.items()}
        for engine, all_times in found.items()
    }


def table(results: dict[str, dict]) -> str:
    """Markdown: a line for each layer and routine."""
    lines = ["| layer | routine | ms by algorithm (* chosen) | PyTorch | ratio |", "|---" * 5 + "|"]
    for name, row in results.items():
        for routine in ROUTINES:
            mine, other = (
                {k.split(" ", 1)[1]: t for k, t in row[engine].items() if k.startswith(routine)}
                for engine in ("minigan", "torch")
            )
            text = ", ".join(f"{a} {t:.2f}" for a, t in mine.items())
            chosen = next(t for a, t in mine.items() if a.endswith("*"))
            best = min(other.values(), default=0.0)
            ratio = f"{best:.2f} | {chosen / best:.2f}" if best else "not there |"
            lines.append(f"| {name} | {routine} | {text} | {ratio} |")
        lines.append(f"| {name} | | bare product {row['minigan']['product']:.2f} | | |")
    return "\n".join(lines)


def main() -> None:
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    chosen, rest = device.parse_known_args()
    if chosen.device == "cuda":
        from benchmarks import conv_cuda

        conv_cuda.main(rest)
        return
    parser = argparse.ArgumentParser(
        parents=[device],
        description=__doc__.splitlines()[0],
        epilog="on a GPU: the options of --device cuda --help",
    )
    parser.add_argument("layers", nargs="*", help="beginnings of names (all)")
    parser.add_argument("--torch", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--turns", type=int, default=3, help="of each engine, for every layer")
    parser.add_argument("--rounds", type=int, default=10, help="of all calls, in a turn")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker[0], int(arguments.worker[1]))
        return
    threads = len(os.sched_getaffinity(0))
    pythons = {"minigan": sys.executable, "torch": arguments.torch}
    workers = {engine: Worker(engine, python, threads) for engine, python in pythons.items()}
    names = [n for n in LAYERS if n.startswith(tuple(arguments.layers) or "")]
    results = {n: measured(workers, n, arguments.turns, arguments.rounds) for n in names}
    print(table(results))
    rates = {engine: worker.rate for engine, worker in workers.items() if worker.rate}
    said = ", ".join(f"{engine} {rate:.0f}" for engine, rate in rates.items())
    print(f"\n{threads} threads; a product of 1024×1024 matrices, GFLOP/s: {said}")
    if arguments.json:
        facts = {"threads": threads, "product_gflops": rates, "layers": results}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
