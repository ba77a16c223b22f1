"""Plans: the launches that compute a convolution with the kernels of kernels/, on any rung.

    plan = fprop(g, x, w, bias, rung=3, architecture=90, activation="leaky_relu", slope=0.2)
    launch(plan.launches)             # minigan.cuda.launcher on a GPU, the emulator in the tests
    plan.output                       # y

A plan reads only shapes and addresses of its arrays, NumPy's or CuPy's, float32 and contiguous, and
allocates the result and the workspaces with the arrays' own module.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from ..array import Array
from ..cuda.epilogue import epilogue
from ..cuda.launch import Launch
from .geometry import Geometry
from .ladder_plan import (
    LIMIT,
    THREADS,
    Mask,
    Plan,
    aligned,
    check,
    check_options,
    macros,
    masked,
    naive,
    numbered,
    numbers,
    with_statistics,
)
from .ladder_records import MOST_CLASSES, classes_of, classes_record, conv_of, filter_size
from .ladder_tiles import TILES, Tile, choose_splits, choose_tile


def fprop(
    g: Geometry,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    rung: int = 2,
    architecture: int = 75,
    tile: Tile | None = None,
    activation: str = "none",
    slope: float = 0.0,
    statistics: bool = False,
) -> Plan:
    """y = activation(x * w + b): (N, K, P, Q) from x (N, C, H, W), w (K, C/groups, R, S), b (K,).

    ``activation`` is "none", "relu", "leaky_relu" (of that slope) or "tanh".  With ``statistics``
    the plan also fills mean and (biased) variance of each channel of y, which then may have no
    activation.  ``architecture`` only guides the choice of the tile.
    """
    check_options("fprop", rung, tile, activation, statistics)
    last = epilogue("fprop", activation, slope)
    n, k = x.shape[0], w.shape[0]
    c = w.shape[1] * g.groups
    check("fprop", x=(x, (n, c, g.H, g.W)), w=(w, (k, c // g.groups, g.R, g.S)), b=(b, (k,)))
    y = numbers(x, n, k, g.P, g.Q)
    check("fprop", result=(y, y.shape))
    conv = conv_of(g, n, c, k)
    if rung == 0:
        return Plan(naive("fprop_naive", y.size, x, w, b, y, conv, last), y)
    rows, columns, depth = k // g.groups, n * g.P * g.Q, c // g.groups * g.R * g.S
    tile = tile or choose_tile(rung, rows, columns, architecture)
    tiles = ceil(columns / tile.columns)
    sums = numbers(x, k, tiles) if statistics else None
    launch = Launch(
        "fprop.cu",
        "fprop",
        macros(tile, depth % 4 == 0 and aligned(w)),
        (tiles, ceil(rows / tile.rows), g.groups),
        (tile.threads, 1, 1),
        tile.shared,
        (x, w, b, y, sums, conv, numbered(last, tiles)),
        tile.architecture,
    )
    return with_statistics([launch], y, sums)


def dgrad(
    g: Geometry,
    y: Array,
    w: Array,
    b: Array | None = None,
    *,
    rung: int = 2,
    architecture: int = 75,
    tile: Tile | None = None,
    mask: Mask | None = None,
    activation: str = "none",
    slope: float = 0.0,
    statistics: bool = False,
) -> Plan:
    """The adjoint of fprop in x, and the transposed convolution: (N, C, H, W) from y, w and b (C,).

    ``mask`` takes y back through a LeakyReLU as it is read; the other options are fprop's.
    """
    check_options("dgrad", rung, tile, activation, statistics)
    last = epilogue("dgrad", activation, slope)
    n, k = y.shape[0], w.shape[0]
    c = w.shape[1] * g.groups
    saved = masked(mask)
    check("dgrad", y=(y, (n, k, g.P, g.Q)), w=(w, (k, c // g.groups, g.R, g.S)), b=(b, (c,)))
    check("dgrad", saved=(saved[0], y.shape))
    x = numbers(y, n, c, g.H, g.W)
    check("dgrad", result=(x, x.shape))
    if rung == 0:
        arguments = (y, *saved, w, b, x, conv_of(g, n, c, k), last)
        return Plan(naive("dgrad_naive", x.size, *arguments), x)

    classes = classes_of(g, n, c, k)
    filters = numbers(w, max(4, int(classes[-1]["filter"]) + filter_size(classes[-1])))
    rows = c // g.groups
    columns = max(n * int(conv["P"]) * int(conv["Q"]) for conv in classes)
    tile = tile or choose_tile(rung, rows, columns * len(classes), architecture)
    tiles = ceil(columns / tile.columns)
    wide = all(int(v["C"]) * int(v["R"]) * int(v["S"]) % 4 == 0 for v in classes)
    defines = macros(tile, wide and aligned(filters), mask)
    sums = numbers(y, c, tiles * len(classes)) if statistics else None
    launches = []
    for first in range(0, len(classes), MOST_CLASSES):
        some = classes[first : first + MOST_CLASSES]
        record = classes_record(some)
        size = max(1, *map(filter_size, some))
        launches += [
            Launch(
                "dgrad.cu",
                "pack_filter",
                defines,
                (ceil(size / THREADS), len(some), 1),
                (THREADS, 1, 1),
                0,
                (w, filters, np.int32(g.R), np.int32(g.S), record),
                tile.architecture,
            ),
            Launch(
                "dgrad.cu",
                "dgrad",
                defines,
                (tiles, ceil(rows / tile.rows), g.groups * len(some)),
                (tile.threads, 1, 1),
                tile.shared,
                (
                    *(y, *saved, filters, b, x, sums, record),
                    numbered(last, tiles * len(classes), tiles * first),
                ),
                tile.architecture,
            ),
        ]
    return with_statistics(launches, x, sums)


def wgrad(
    g: Geometry,
    x: Array,
    y: Array,
    *,
    rung: int = 2,
    architecture: int = 75,
    tile: Tile | None = None,
    mask: Mask | None = None,
    splits: int | None = None,
) -> Plan:
    """The adjoint of fprop in w: (K, C/groups, R, S) from x (N, C, H, W) and y (N, K, P, Q).

    The pixels are added up in ``splits`` ranges, side by side, and the ranges in their order: the
    result is the same in every run.  ``mask`` takes y back through a LeakyReLU as it is read.
    """
    check_options("wgrad", rung, tile, "none", False)
    n, k, c = y.shape[0], y.shape[1], x.shape[1]
    saved = masked(mask)
    check("wgrad", x=(x, (n, c, g.H, g.W)), y=(y, (n, k, g.P, g.Q)), saved=(saved[0], y.shape))
    if c % g.groups or k % g.groups:
        raise ValueError(f"wgrad: {c} and {k} channels cannot be split into {g.groups} groups")
    if splits is not None and splits < 1:
        raise ValueError(f"wgrad: splits must be positive, got {splits}")
    w = numbers(x, k, c // g.groups, g.R, g.S)
    conv = conv_of(g, n, c, k)
    if rung == 0:
        return Plan(naive("wgrad_naive", w.size, x, y, *saved, w, conv), w)

    rows, columns, depth = k // g.groups, c // g.groups * g.R * g.S, n * g.P * g.Q
    # the splits, of some 1024 pixels at least, bring as many blocks again
    tile = tile or choose_tile(rung, rows, columns * max(1, depth // 1024), architecture)
    blocks = tile.blocks(rows, columns) * g.groups
    splits = splits or choose_splits(tile, blocks, depth, architecture)
    size = ceil(ceil(depth / splits) / tile.depth) * tile.depth  # pixels of one range
    splits = ceil(depth / size)
    partial = w if splits == 1 else numbers(x, splits, *w.shape)
    wide = g.P * g.Q % 4 == 0 and aligned(y, *([] if mask is None else [mask.saved]))
    defines = macros(tile, wide, mask)
    launches = [
        Launch(
            "wgrad.cu",
            "wgrad",
            defines,
            (ceil(columns / tile.columns), ceil(rows / tile.rows), g.groups * splits),
            (tile.threads, 1, 1),
            tile.shared,
            (x, y, *saved, partial, np.int32(size), conv),
            tile.architecture,
        )
    ]
    if splits > 1:
        launches.append(
            Launch(
                "wgrad.cu",
                "add_splits",
                defines,
                (ceil(w.size / THREADS), 1, 1),
                (THREADS, 1, 1),
                0,
                (partial, w, np.int32(splits), np.int32(w.size)),
                tile.architecture,
            )
        )
    return Plan(launches, w)


def configurations() -> Iterator[tuple[str, tuple[tuple[str, int], ...], int]]:
    """(file, macros, least architecture) of everything that the plans above can compile."""
    rows = (row for table in TILES.values() for row in table.values())
    tiles = {tile.macros: tile for row in rows for tile in row}
    yield "naive.cu", (), 75
    yield "channel_sums.cu", (), 75
    for file in ("fprop.cu", "dgrad.cu", "wgrad.cu"):
        masks = ((),) if file == "fprop.cu" else ((), (("MASK", 1),))
        for tile in tiles.values():
            for wide in ((), (("WIDE", 1),)) if tile.rung == 2 else ((),):
                for mask in masks:
                    yield file, tile.macros + wide + mask, tile.architecture


__all__ = ["LIMIT", "Mask", "Plan", "configurations", "dgrad", "fprop", "wgrad"]
