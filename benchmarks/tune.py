"""Which tiles the ladder should have on this GPU: remakes the table in ladder_tiles.py.

    python -m benchmarks.tune                     measures, shows what is fastest where
    python -m benchmarks.tune --write             and puts the tiles that win somewhere in the table

For each rung every tile of ``candidates`` computes every layer of the DCGAN and pix2pix families
that no thin kernel takes.  A tile that does not compile is left out, a wrong result ends the
program.  A tile gets into the table if it is the fastest anywhere; the largest come first, as the
choice of a tile expects.  The kernels of new tiles want a run of the compile gate's tests, and
``python tests/kernels/gate.py``, before they are kept.

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
from minigan.conv import ladder, ladder_thin, ladder_tiles, plain
from minigan.conv.ladder_tiles import TILES, Tile
from minigan.cuda import launcher
from minigan.cuda.launch import shared_limit
from minigan.serialize import atomic_write

Times = dict[tuple[str, str], dict[Tile, float]]  # (layer, routine): seconds of each tile


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


def measure(layer: Layer, routine: str, tiles: list[Tile], capability: int, clock: Any) -> dict:
    """{tile: seconds, with a warm cache} of the tiles that compile; each is verified first."""
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
    for tile in tiles:
        how = {"rung": tile.rung, "tile": tile, "architecture": capability}
        plan = getattr(ladder, routine)(g, *operands, **how)
        plan.output.fill(cupy.nan)
        try:
            launcher.run(plan.launches)
        except clock.cupy.cuda.compiler.CompileException:
            continue
        precision = PRECISION.get(tile.rung, "fp32")
        allowed = bound(magnitude, terms(layer, routine), precision)
        if not bool((abs(plan.output - exact) <= allowed).all()):
            raise SystemExit(f"{tile}, {routine} of {layer}: the result is wrong")
        times[tile] = clock(lambda plan=plan: launcher.run(plan.launches), warm=True)
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


def written(tiles: dict[int, list[Tile]]) -> str:
    """The table as Python."""
    lines = ["TILES = {"]
    for rung, row in tiles.items():
        lines.append(f"    {rung}: (")
        for tile in row:
            sizes = f"{tile.rung}, {tile.rows}, {tile.columns}, {tile.depth}, {tile.stages}"
            measured = f', "{tile.measured}"' if tile.measured else ""
            lines.append(f"        Tile({sizes}{measured}),")
        lines.append("    ),")
    return "\n".join([*lines, "}\n"])


def replaced(text: str, table: str) -> str:
    """The module's text with another table."""
    found, count = re.subn(r"^TILES = \{\n.*?^\}\n", lambda _: table, text, flags=re.S | re.M)
    if count != 1:
        raise SystemExit("minigan/conv/ladder_tiles.py has no table TILES that could be replaced")
    return found


def main(given: list[str] | None = None) -> None:
    """The program; ``given`` are its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write", action="store_true", help="replace the table")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args(given)
    about = machine()
    clock = Clock(about, arguments.rounds)
    table = {rung: list(row) for rung, row in TILES.items()}
    for rung in TILES:
        tiles = candidates(rung, about.capability) if rung > 1 else []
        if not tiles:
            continue
        times: Times = {
            (name, routine): measure(layer, routine, tiles, about.capability, clock)
            for name, layer, routine in problems()
        }
        table[rung] = [replace(tile, measured=about.name) for tile in winners(times)]
        for (name, routine), row in times.items():
            best = min(row, key=row.get)
            size = f"{best.rows}×{best.columns}×{best.depth}, {best.stages} stages"
            ratio = max(row.values()) / row[best]
            print(f"rung {rung}, {name}, {routine}: {size} ({ratio:.2f} × as fast as the slowest)")
        gains = [max(row.values()) / min(row.values()) for row in times.values()]
        mean = math.exp(np.mean(np.log(gains)))
        print(f"rung {rung}: the best is {mean:.2f} × as fast as the worst\n")
    text = written(table)
    print(text)
    if arguments.write:
        path = Path(ladder_tiles.__file__)
        with atomic_write(path) as file:
            file.write(replaced(path.read_text(encoding="utf-8"), text).encode())


if __name__ == "__main__":
    main()
