"""Which tiles the ladder should have on this GPU: remakes its entries in ladder_tiles.py.

    python -m benchmarks.tune                     measures, shows what is fastest where
    python -m benchmarks.tune --write             and puts it in the tables, for this kind of GPU

For each rung every tile of ``candidates`` computes every layer of the DCGAN and pix2pix families
that no thin kernel takes.  A tile that does not compile is left out, a wrong result ends the
program.  A tile gets into the table if it is the fastest anywhere; the largest come first, as the
choice of a tile expects.  Winograd's form is set against the fastest float32 tile, layer by layer;
it gets the layers from that saving on which makes the geometric mean of all best.  Entries of other
compute capabilities stay as they are.  The kernels of new tiles want a run of the compile gate's
tests, and ``python tests/kernels/gate.py``, before they are kept.

Written without a GPU at hand: all but the measuring itself is tested.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conv_cuda import (
    PRECISION,
    ROUTINES,
    SHAPES,
    Layer,
    bound,
    names_of,
    shapes_of,
    terms,
)
from benchmarks.gpu import Clock, machine
from minigan.array import array_module
from minigan.conv import ladder, ladder_thin, ladder_tiles, ladder_winograd, plain
from minigan.conv.ladder_tiles import RUNGS, TILES, Tile, choose_rung, tiles_of
from minigan.conv.ladder_tiles import WINOGRAD as LEAST_SAVINGS
from minigan.cuda import launcher
from minigan.cuda.launch import Launch, shared_limit
from minigan.serialize import atomic_write

WINOGRAD = "Winograd"  # what a layer can be computed by, beside a tile
Form = Tile | str
Times = dict[tuple[str, str], dict[Form, float]]  # (layer, routine): seconds of each form


def candidates(rung: int, capability: int) -> list[Tile]:
    """The table's tiles and their neighbours in size, depth and stages, that a GPU has room for.

    >>> [(t.rows, t.columns, t.depth) for t in candidates(2, 75)]
    [(64, 64, 8), (64, 128, 8), (128, 64, 8), (128, 128, 8)]
    """
    sides, stages = (64, 128), (1,) if rung < 3 else (2, 3, 4)
    depths = (8,) if rung < 4 else (16, 32)
    every = [Tile(rung, *sizes) for sizes in product(sides, sides, depths, stages)]
    return [
        tile
        for tile in every
        if tile.architecture <= capability and tile.shared <= shared_limit(capability)
    ]


def problems() -> Iterator[tuple[str, Layer, str]]:
    """(name, layer, routine) of what the ladder computes in the two families."""
    for family in ("dcgan", "pix2pix"):
        for name, layer in SHAPES[family].items():
            for routine in ROUTINES:
                _, c, k, g = layer
                if not ladder_thin.fits(routine, g, c, k):
                    yield f"{family} {name}", layer, routine


def _plan(
    layer: Layer, routine: str, operands: list, form: Form, capability: int
) -> tuple[list[Launch], Any]:
    """The launches, and the array that they fill."""
    g = layer[3]
    if form == WINOGRAD:
        shape = shapes_of(layer)[names_of(routine)[2]]
        out = array_module(operands[0]).empty(shape, np.float32)
        return getattr(ladder_winograd, routine)(g, *operands, out), out
    how = {"rung": form.rung, "tile": form, "architecture": capability}
    plan = getattr(ladder, routine)(g, *operands, **how)
    return plan.launches, plan.output


def measure(
    layer: Layer, routine: str, forms: list[Form], capability: int, clock: Any
) -> dict[Form, float]:
    """{form: seconds, with a warm cache} of those that compile; each is verified first."""
    cupy, rng = clock.cupy, np.random.default_rng(0)
    g, shapes = layer[3], shapes_of(layer)
    first, second, _ = names_of(routine)
    operands = [
        cupy.asarray(rng.standard_normal(shapes[name], np.float32)) for name in (first, second)
    ]
    wide = [a.astype(cupy.float64) for a in operands]
    exact = getattr(plain, routine)(g, *wide)
    magnitude = getattr(plain, routine)(g, *map(abs, wide))
    times = {}
    for form in forms:
        launches, out = _plan(layer, routine, operands, form, capability)
        out.fill(cupy.nan)
        try:
            launcher.run(launches)
        except clock.cupy.cuda.compiler.CompileException:
            continue
        precision = "fp32" if form == WINOGRAD else PRECISION.get(form.rung, "fp32")
        allowed = bound(magnitude, terms(layer, routine), precision)
        allowed *= 16 if form == WINOGRAD else 1  # its transforms add and subtract first
        if not bool((abs(out - exact) <= allowed).all()):
            raise SystemExit(f"{form}, {routine} of {layer}: the result is wrong")
        times[form] = clock(lambda launches=launches: launcher.run(launches), warm=True)
    return times


def winners(times: Times) -> list[Tile]:
    """The tiles that are the fastest somewhere, the largest first.

    >>> small, large = Tile(2, 64, 64, 8), Tile(2, 128, 64, 8)
    >>> found = winners({("a", "fprop"): {small: 1.0, large: 2.0},
    ...                  ("b", "fprop"): {small: 3.0, large: 2.0}})
    >>> [tile.rows for tile in found]
    [128, 64]
    """
    found = {min(row, key=row.get) for row in times.values() if row}
    return sorted(found, key=lambda t: (-t.rows * t.columns, -t.depth, t.stages))


def least_saving(gains: list[tuple[float, float]]) -> float | None:
    """From which saving on Winograd's form should be used; None: nowhere.

    ``gains`` has, for each problem, the saving and how many times as fast the form is; problems of
    the same saving go together.

    >>> least_saving([(10.0, 0.5), (50.0, 1.25), (70.0, 0.9), (90.0, 2.0)])
    50.0
    >>> least_saving([(10.0, 0.5), (90.0, 0.9)]) is None
    True
    """
    found, best = None, 0.0
    for least in {saving for saving, _ in gains}:
        total = sum(math.log(gain) for saving, gain in gains if saving >= least)
        if total > best:
            found, best = least, total
    return found


def winograd(times: Times, capability: int, clock: Any) -> float | None:
    """``least_saving`` of the layers that Winograd's form fits, against the fastest tile."""
    gains = []
    for name, layer, routine in problems():
        _, c, k, g = layer
        tiles = times[name, routine]
        if not tiles or not ladder_winograd.fits(g):
            continue
        seconds = measure(layer, routine, [WINOGRAD], capability, clock).get(WINOGRAD)
        if seconds is not None:
            gains.append((ladder_winograd.saving(g, c, k), min(tiles.values()) / seconds))
            print(f"Winograd, {name}, {routine}: {gains[-1][1]:.2f} × as fast as the best tile")
    return least_saving(gains)


def written(tiles: dict[int, dict[int, tuple[Tile, ...]]]) -> str:
    """The table of tiles as Python."""
    lines = ["TILES = {"]
    for capability, rungs in sorted(tiles.items()):
        lines.append(f"    {capability}: {{")
        for rung, row in sorted(rungs.items()):
            lines.append(f"        {rung}: (")
            for tile in row:
                sizes = f"{tile.rung}, {tile.rows}, {tile.columns}, {tile.depth}, {tile.stages}"
                measured = f', "{tile.measured}"' if tile.measured else ""
                lines.append(f"            Tile({sizes}{measured}),")
            lines.append("        ),")
        lines.append("    },")
    return "\n".join([*lines, "}\n"])


def written_savings(least: dict[int, float | None]) -> str:
    """The table of Winograd's least savings as Python."""
    rows = [f"    {capability}: {saving}," for capability, saving in sorted(least.items())]
    return "\n".join(["WINOGRAD: dict[int, float | None] = {", *rows, "}\n"])


def replaced(text: str, name: str, table: str) -> str:
    """The module's text with another table ``name``."""
    pattern = rf"^{name}\b[^\n]*= \{{\n.*?^\}}\n"
    found, count = re.subn(pattern, lambda _: table, text, flags=re.S | re.M)
    if count != 1:
        raise SystemExit(f"minigan/conv/ladder_tiles.py has no table {name} to be replaced")
    return found


def main(given: list[str] | None = None) -> None:
    """The program; ``given`` are its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write", action="store_true", help="replace this GPU's entries")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args(given)
    about = machine()
    clock, capability = Clock(about, arguments.rounds), about.capability
    table, least = {1: tiles_of(capability, 1)}, None  # rung 1 has one tile
    for rung in RUNGS[2:]:
        tiles = candidates(rung, capability)
        if not tiles:
            continue
        times: Times = {
            (name, routine): measure(layer, routine, tiles, capability, clock)
            for name, layer, routine in problems()
        }
        table[rung] = tuple(replace(tile, measured=about.name) for tile in winners(times))
        for (name, routine), row in times.items():
            best = min(row, key=row.get)
            size = f"{best.rows}×{best.columns}×{best.depth}, {best.stages} stages"
            ratio = max(row.values()) / row[best]
            print(f"rung {rung}, {name}, {routine}: {size} ({ratio:.2f} × as fast as the slowest)")
        gains = [max(row.values()) / min(row.values()) for row in times.values()]
        mean = math.exp(np.mean(np.log(gains)))
        print(f"rung {rung}: the best is {mean:.2f} × as fast as the worst\n")
        if rung == choose_rung(capability):
            least = winograd(times, capability, clock)
    print(f"\nWinograd's form from a saving of {least} on\n")
    print(written({capability: table}))
    if arguments.write:
        path = Path(ladder_tiles.__file__)
        text = path.read_text(encoding="utf-8")
        text = replaced(text, "TILES", written(TILES | {capability: table}))
        text = replaced(text, "WINOGRAD", written_savings(LEAST_SAVINGS | {capability: least}))
        with atomic_write(path) as file:
            file.write(text.encode())


if __name__ == "__main__":
    main()
