"""Convolutions on a GPU: every rung of the ladder, beside cuDNN and beside im2col with cuBLAS.

    python -m benchmarks.conv --device cuda                 rungs 2 to 4
    python -m benchmarks.conv --device cuda --rung all      all of them, thin and Winograd kernels
    python -m benchmarks.conv --device cuda --shapes odd --json FILE --plot FILE.png

Every result is compared with the exact one before it is timed; a wrong one ends the program.  Times
are the medians of single calls by the GPU's events, with a cold and with a warm L2 cache.  cuDNN is
measured through PyTorch, where it is installed with CUDA, at the same precision.

Written without a GPU at hand: what needs none is tested, the rest never ran.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conv_report import plot, summary, table
from benchmarks.gpu import Clock, Machine, machine
from minigan.conv.geometry import Geometry

ROUTINES = ("fprop", "dgrad", "wgrad")
PRECISION = {4: "tf32", 5: "bf16"}  # of a rung; the others are exact to float32
UNIT = {"fp32": 2.0**-24, "tf32": 2.0**-11, "bf16": 2.0**-8}  # half a step: the error of a factor

Layer = tuple[int, int, int, Geometry]  # images, input channels, output channels


def _square(n: int, c: int, h: int, k: int, r: int, s: int, p: int, **more: Any) -> Layer:
    return n, c, k, Geometry(h, h, r, r, (s, s), (p,) * 4, **more)


SHAPES: dict[str, dict[str, Layer]] = {
    "dcgan": {  # DCGAN of 64×64 pixels, 128 images; the generator's layers are dgrads of these
        "3→64, 64→32": _square(128, 3, 64, 64, 4, 2, 1),
        "64→128, 32→16": _square(128, 64, 32, 128, 4, 2, 1),
        "128→256, 16→8": _square(128, 128, 16, 256, 4, 2, 1),
        "256→512, 8→4": _square(128, 256, 8, 512, 4, 2, 1),
        "512→1, 4→1": _square(128, 512, 4, 1, 4, 1, 0),
        "512→100, 4→1": _square(128, 512, 4, 100, 4, 1, 0),
    },
    "pix2pix": {  # U-Net and PatchGAN of 256×256 pixels, one image
        "3→64, 256→128": _square(1, 3, 256, 64, 4, 2, 1),
        "64→128, 128→64": _square(1, 64, 128, 128, 4, 2, 1),
        "128→256, 64→32": _square(1, 128, 64, 256, 4, 2, 1),
        "256→512, 32→16": _square(1, 256, 32, 512, 4, 2, 1),
        "512→512, 16→8": _square(1, 512, 16, 512, 4, 2, 1),
        "512→512, 4→2": _square(1, 512, 4, 512, 4, 2, 1),
        "256→512, 32→31": _square(1, 256, 32, 512, 4, 1, 1),
        "512→1, 31→30": _square(1, 512, 31, 1, 4, 1, 1),
    },
    "odd": {
        "65→33, 17, 3×3": _square(7, 65, 17, 33, 3, 1, 1),
        "dilation 2": _square(8, 64, 32, 64, 3, 1, 2, dilation=(2, 2)),
        "groups 4": _square(8, 64, 32, 64, 3, 1, 1, groups=4),
        "depthwise": _square(8, 64, 32, 64, 3, 1, 1, groups=64),
        "1×1": _square(8, 128, 32, 256, 1, 1, 0),
        "5×3, padded 1 2 0 1": (4, 48, 80, Geometry(29, 37, 5, 3, (2, 1), (1, 2, 0, 1))),
    },
}


def shapes_of(layer: Layer) -> dict[str, tuple[int, ...]]:
    """The shapes of x, w and y."""
    n, c, k, g = layer
    return {"x": (n, c, g.H, g.W), "w": (k, c // g.groups, g.R, g.S), "y": (n, k, g.P, g.Q)}


def work(layer: Layer) -> tuple[float, float]:
    """(operations of the plain algorithm, bytes of its three tensors); the same for each routine.

    >>> work(_square(1, 2, 4, 3, 3, 1, 1))  # 2·16·3·2·9, 4·(32 + 54 + 48)
    (1728.0, 536.0)
    """
    n, c, k, g = layer
    flops = 2.0 * n * g.P * g.Q * k * (c // g.groups) * g.R * g.S
    return flops, 4.0 * sum(math.prod(shape) for shape in shapes_of(layer).values())


def names_of(routine: str) -> tuple[str, str, str]:
    """The operands of a routine and its result: ("x", "w", "y") for fprop."""
    return {"fprop": ("x", "w", "y"), "dgrad": ("y", "w", "x"), "wgrad": ("x", "y", "w")}[routine]


def terms(layer: Layer, routine: str) -> int:
    """How many products are added up for one number of the result, at most."""
    n, c, k, g = layer
    per = {"fprop": c, "dgrad": k}
    return n * g.P * g.Q if routine == "wgrad" else per[routine] // g.groups * g.R * g.S


def bound(magnitude: Any, count: int, precision: str) -> Any:
    """What rounding may do, element by element: c·u·Σ|a||b| of sums and 2·u'·Σ|a||b| of factors."""
    factors = 0.0 if precision == "fp32" else 2 * UNIT[precision]
    return ((count + 2) * UNIT["fp32"] + 1.01 * factors) * magnitude


def contestants(layer: Layer, routine: str, rungs: str, capability: int) -> Iterator[tuple]:
    """(name, precision, prepare) of what computes ``routine``.

    ``prepare(operands)`` gives a call, the launches that it makes and the array that it fills.
    """
    from minigan.array import array_module
    from minigan.conv import ladder, ladder_thin, ladder_winograd, plain
    from minigan.cuda import launcher

    _, c, k, g = layer

    def of_rung(rung: int) -> Callable:
        def prepare(operands: tuple) -> tuple[Callable[[], None], list, Any]:
            how = {"rung": rung, "architecture": capability}
            plan = getattr(ladder, routine)(g, *operands, **how)
            return lambda: launcher.run(plan.launches), plan.launches, plan.output

        return prepare

    def of_plans(module: Any) -> Callable:
        def prepare(operands: tuple) -> tuple[Callable[[], None], list, Any]:
            out = empty(operands)
            launches = getattr(module, routine)(g, *operands, out)
            return lambda: launcher.run(launches), launches, out

        return prepare

    def empty(operands: tuple) -> Any:
        shape = shapes_of(layer)[names_of(routine)[2]]
        return array_module(operands[0]).empty(shape, np.float32)

    wanted = range(6) if rungs == "all" else [int(rung) for rung in rungs.split(",")]
    for rung in wanted:
        if rung < 3 or capability >= 80:
            yield f"rung {rung}", PRECISION.get(rung, "fp32"), of_rung(rung)
    if rungs == "all" and ladder_thin.fits(routine, g, c, k):
        yield "thin", "fp32", of_plans(ladder_thin)
    if rungs == "all" and ladder_winograd.fits(g):
        yield "Winograd", "fp32", of_plans(ladder_winograd)

    def im2col(operands: tuple) -> tuple[Callable[[], None], list, Any]:
        out = empty(operands)

        def call() -> None:
            out[...] = getattr(plain, routine)(g, *operands)

        return call, [], out

    yield "im2col", "fp32", im2col


def cudnn(layer: Layer, routine: str, precision: str) -> Callable[[], Any] | None:
    """cuDNN's fastest algorithm for ``routine`` through PyTorch; None where it cannot be had."""
    try:
        import torch
    except ImportError:
        return None
    g = layer[3]
    top, bottom, left, right = g.pad
    if not torch.cuda.is_available() or (top, left) != (bottom, right):
        return None
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    tensors = {
        name: torch.randn(shape, device="cuda", dtype=dtype)
        for name, shape in shapes_of(layer).items()
    }
    how = (list(g.stride), [top, left], list(g.dilation), False, [0, 0], g.groups)

    def call() -> Any:
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        if routine == "fprop":
            return torch.ops.aten.convolution(tensors["x"], tensors["w"], None, *how)
        mask = [routine == "dgrad", routine == "wgrad", False]
        return torch.ops.aten.convolution_backward(
            tensors["y"], tensors["x"], tensors["w"], None, *how, mask
        )

    return call


def measure(layer: Layer, routine: str, rungs: str, about: Machine, clock: Clock) -> list[dict]:
    """One row for each contestant, verified, timed and compared."""
    from minigan.conv import plain
    from minigan.cuda import launcher

    cupy, (flops, traffic) = clock.cupy, work(layer)
    rng = np.random.default_rng(0)
    shapes = shapes_of(layer)
    first, second, _ = names_of(routine)
    operands = [
        cupy.asarray(rng.standard_normal(shapes[name], np.float32)) for name in (first, second)
    ]
    wide = [a.astype(cupy.float64) for a in operands]
    exact = getattr(plain, routine)(layer[3], *wide)
    magnitude = getattr(plain, routine)(layer[3], *map(abs, wide))
    rows = []
    for name, precision, prepare in contestants(layer, routine, rungs, about.capability):
        call, launches, out = prepare(tuple(operands))
        out.fill(cupy.nan)
        call()
        allowed = bound(magnitude, terms(layer, routine), precision)
        allowed *= 16 if name == "Winograd" else 1  # its transforms add and subtract first
        if not bool((abs(out - exact) <= allowed).all()):
            raise SystemExit(f"{name}, {routine} of {layer}: the result is wrong")
        cold, warm = (clock(call, warm=w) for w in (False, True))
        roof = about.roof(precision, flops, traffic)
        taken = [launcher.resources(launch) for launch in launches]
        rows.append(
            {"name": name, "routine": routine, "precision": precision, "cold": cold, "warm": warm}
            | {"flops": flops, "bytes": traffic, "tflops": flops / warm / 1e12}
            | {"of_roof": roof and roof / warm}
            | {"registers": max((r for r, _ in taken), default=None)}
            | {"shared": max((s for _, s in taken), default=None)}
        )
    library = {}
    for precision in {row["precision"] for row in rows}:
        call = cudnn(layer, routine, precision)
        library[precision] = clock(call, warm=True) if call else None
    plain_time = next(row["warm"] for row in rows if row["name"] == "im2col")
    for row in rows:
        theirs = library[row["precision"]]
        row["to_cudnn"] = theirs and theirs / row["warm"]
        row["to_im2col"] = plain_time / row["warm"]
    return rows


def main(given: list[str] | None = None) -> None:
    """The program; ``given`` are its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conv --device cuda",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rung", default="2,3,4", help='rungs, "2,3", or "all" (2,3,4)')
    parser.add_argument("--shapes", default=",".join(SHAPES), help="dcgan, pix2pix, odd (all)")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--plot", type=Path, help="draw the roofline there")
    arguments = parser.parse_args(given)
    families = arguments.shapes.split(",")
    if unknown := set(families) - set(SHAPES):
        parser.error(f"--shapes: expected some of {', '.join(SHAPES)}, got {sorted(unknown)}")
    if arguments.rung != "all" and not set(arguments.rung.split(",")) <= set("012345"):
        parser.error(f'--rung: expected "all" or numbers from 0 to 5, got {arguments.rung!r}')
    about = machine()
    clock = Clock(about, arguments.rounds)
    results: dict[str, list[dict]] = {}
    for family in families:
        for name, layer in SHAPES[family].items():
            results[f"{family} {name}"] = [
                row
                for routine in ROUTINES
                for row in measure(layer, routine, arguments.rung, about, clock)
            ]
    print(f"{about.name}, {about.versions}, {about.clock / 1e6:.0f} MHz at most\n")
    print(table(results))
    for precision, (mean, least) in summary(results).items():
        print(f"\n{precision}: {mean:.2f} × cuDNN by geometric mean, {least:.2f} at least")
    if arguments.json:
        facts = {"machine": vars(about), "results": results}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        plot(results, about, arguments.plot)


if __name__ == "__main__":
    main()
