"""The time of single convolutions, by algorithm, beside PyTorch where it is installed.

    python -m benchmarks.conv                       the layers of W1, W2, cgan and pix2pix-64
    python -m benchmarks.conv W2 --torch PYTHON     some of them; PyTorch in another environment
    python -m benchmarks.conv --device cuda         on a GPU: see benchmarks/conv_cuda.py

For every layer and routine: milliseconds of each algorithm that fits (the one chosen is marked *),
and the better of PyTorch's channels-first and channels-last forms; for every layer also NumPy's
bare matrix product of that size, of a row for each output by a column for each of its channels,
with nothing gathered or scattered.  Best of several rounds in which all take turns.  See
benchmarks/step.py about threads and the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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


def best(calls: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Milliseconds of each call, the best of ``rounds`` turns."""
    times = {name: float("inf") for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name] = min(times[name], (time.perf_counter() - begin) * 1e3)
    return times


def ours(layer: tuple, rounds: int) -> dict[str, dict[str, float]]:
    """{routine: {algorithm: ms}}, the chosen one with a * after its name; {"product": ms}."""
    import numpy as np

    from minigan.conv import Geometry
    from minigan.conv.cpu import ALGORITHMS, choose, fits
    from minigan.cpu import products
    from minigan.cpu.threads import one_blas_thread

    n, c, h, k, r, s, p = layer
    g = Geometry(h, h, r, r, (s, s), (p,) * 4)
    rng = np.random.default_rng(0)

    def nhwc(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32).transpose(0, 3, 1, 2)

    x, y = nhwc(n, h, h, c), nhwc(n, g.P, g.Q, k)
    w = rng.standard_normal((r, r, c, k), dtype=np.float32).transpose(3, 2, 0, 1)
    operands = {"fprop": (x, w), "dgrad": (y, w), "wgrad": (x, y)}
    found = {}
    with one_blas_thread:
        for routine in ROUTINES:
            chosen = choose(routine, g, n, c, k)
            calls = {}
            for name, algorithm in ALGORITHMS.items():
                if fits(name, routine, g, c, k, x.dtype):
                    call = getattr(algorithm, routine)
                    label = name + "*" * (name == chosen)
                    calls[label] = lambda call=call, routine=routine: call(g, *operands[routine])
            found[routine] = best(calls, rounds)
        right = w.transpose(2, 3, 1, 0).reshape(-1, k)
        left = np.ones((n * g.P * g.Q, len(right)), np.float32)
        out = np.empty((len(left), k), np.float32)
        bare = best({"product": lambda: products.matmul(left, right, out)}, rounds)
    return {**found, **bare}


def theirs(layer: tuple, rounds: int, threads: int) -> dict[str, float]:
    """{routine: ms} of PyTorch's better memory order."""
    import torch
    from torch.nn.functional import conv2d

    torch.set_num_threads(threads)
    n, c, h, k, r, s, p = layer
    times: dict[str, dict[str, float]] = {}
    for form in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(n, c, h, h).contiguous(memory_format=form)
        w = torch.randn(k, c, r, r).contiguous(memory_format=form)
        with torch.no_grad():
            y = torch.randn_like(conv2d(x, w, None, s, p))

        def back(mask: list[bool], x=x, w=w, y=y) -> object:
            one = ([s, s], [p, p], [1, 1], False, [0, 0], 1)
            return torch.ops.aten.convolution_backward(y, x, w, None, *one, mask)

        calls = {
            "fprop": lambda x=x, w=w: conv2d(x, w, None, s, p),
            "dgrad": lambda back=back: back([True, False, False]),
            "wgrad": lambda back=back: back([False, True, False]),
        }
        with torch.no_grad():
            times[str(form)] = best(calls, rounds)
    return {routine: min(t[routine] for t in times.values()) for routine in ROUTINES}


def product(engine: str, threads: int, rounds: int) -> float:
    """GFLOP/s of a product of two 1024×1024 matrices: what an engine has to work with."""
    if engine == "torch":
        import torch

        torch.set_num_threads(threads)
        a = torch.ones(1024, 1024)

        def call() -> object:
            return torch.mm(a, a)
    else:
        import numpy as np

        from minigan.cpu import products
        from minigan.cpu.threads import one_blas_thread

        left, out = np.ones((1024, 1024), np.float32), np.empty((1024, 1024), np.float32)

        def call() -> object:
            with one_blas_thread:
                return products.matmul(left, left, out)

    return 2 * 1024**3 / 1e6 / best({"product": call}, 3 * rounds)["product"]


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
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--worker", choices=("minigan", "torch"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    names = [n for n in LAYERS if n.startswith(tuple(arguments.layers) or "")]
    if arguments.worker:
        run = {
            "minigan": ours,
            "torch": lambda layer, rounds: theirs(layer, rounds, threads),
        }[arguments.worker]
        found = {n: run(LAYERS[n], arguments.rounds) for n in names}
        found["product"] = product(arguments.worker, threads, arguments.rounds)
        print(json.dumps(found))
        return
    environment = {k: v for k, v in os.environ.items() if k not in FORCING}
    results: dict[str, dict] = {}
    rates: dict[str, float] = {}
    for name in names:  # layer by layer, one engine after the other
        for engine, python in (("minigan", sys.executable), ("torch", arguments.torch)):
            command = [python, "-m", "benchmarks.conv", name, "--worker", engine]
            command += ["--rounds", str(arguments.rounds)]
            ended = subprocess.run(
                command, env=environment, cwd=ROOT, capture_output=True, text=True
            )
            if ended.returncode and engine == "minigan":
                raise SystemExit(ended.stderr)
            answer = json.loads(ended.stdout) if ended.returncode == 0 else {name: None}
            results.setdefault(name, {})[engine] = answer[name]
            rates[engine] = max(rates.get(engine, 0.0), answer.get("product", 0.0))
    print(
        "| layer | routine | ms by algorithm (* chosen) | PyTorch | ratio |\n|---|---|---|---|---|"
    )
    for name, row in results.items():
        for routine in ROUTINES:
            mine = row["minigan"][routine]
            text = ", ".join(f"{a} {t:.2f}" for a, t in mine.items())
            chosen = next(t for a, t in mine.items() if a.endswith("*"))
            other = row["torch"] and row["torch"][routine]
            ratio = f"{other:.2f} | {chosen / other:.2f}" if other else "not there |"
            print(f"| {name} | {routine} | {text} | {ratio} |")
        print(f"| {name} | | bare product {row['minigan']['product']:.2f} | | |")
    said = ", ".join(f"{engine} {rate:.0f}" for engine, rate in rates.items() if rate)
    print(f"\n{threads} threads; a product of 1024×1024 matrices, GFLOP/s: {said}")
    if arguments.json:
        facts = {"threads": threads, "product_gflops": rates, "layers": results}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
