"""Plans of ``kernels/thin.cu`` and ``thin_wgrad.cu``: convolutions with 1 to 4 channels on a side.

Channels count within a group, so a depthwise convolution is thin on both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..array import array_module
from ..cuda.epilogue import epilogue
from ..cuda.launch import Launch
from .geometry import Geometry
from .ladder_records import classes_of, conv_of

FILE, WGRAD_FILE = "thin.cu", "thin_wgrad.cu"
THREADS = 256
THIN = 4  # channels at most
COUNTS = (1, 4)  # few_outputs: channels that it is compiled for
FORMS = ((32, 4), (8, 1), (1, 1))  # few_outputs: (LANES, PIXELS), from many output pixels to few
BLOCKS = 128  # a form with fewer blocks leaves most of a GPU idle
WIDE, PAIR = 16, 2  # few_inputs: output channels and pixels of a thread
FILTERS = 48 * 1024 // (4 * WIDE)  # few_inputs: numbers of a filter that fit shared memory
WGRAD_BLOCKS, WGRAD_STEPS, RANGES = 1024, 4, 64  # blocks; pixels of a thread; sums to add
TAPS = 4  # wgrad: of a filter row in a block

FILTER = np.dtype([(name, np.int32) for name in ("output", "input", "group", "S")])
PARTS = np.dtype([(name, np.int32) for name in ("across", "pieces", "range")])
TILES = ((4, 1), (4, 3), (1, 4))  # wgrad: channels of dy and of x in a block

Configuration = tuple[str, tuple[tuple[str, int], ...], int]


def configurations() -> list[Configuration]:
    """Every (file, macros, least architecture) that these plans compile."""
    gathers = [(FILE, _gather_macros(n, form), 75) for n in COUNTS for form in FORMS]
    return gathers + [(WGRAD_FILE, _wgrad_macros(tile), 75) for tile in TILES]


def fits(routine: str, g: Geometry, c: int, k: int) -> bool:
    """Whether there is a thin plan for ``routine`` with c input and k output channels in all."""
    c, k = c // g.groups, k // g.groups
    if routine == "wgrad":
        return min(c, k) <= THIN
    outputs, inputs = (k, c) if routine == "fprop" else (c, k)
    return outputs <= THIN or (inputs <= THIN and inputs * g.R * g.S <= FILTERS)


def fprop(
    g: Geometry,
    x: Any,
    w: Any,
    y: Any,
    b: Any | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> list[Launch]:
    """y (N, K, P, Q) from x (N, C, H, W) and w (K, C/groups, R, S), plus b (K,), activated."""
    k, c, taps = w.shape[0] // g.groups, w.shape[1], g.R * g.S
    filters = np.array((c * taps, taps, k * c * taps, g.S), FILTER)[()]
    conv = conv_of(g, x.shape[0], x.shape[1], w.shape[0])
    return _gather([conv], x, w, b, y, filters, epilogue("fprop", activation, slope))


def dgrad(
    g: Geometry,
    y: Any,
    w: Any,
    x: Any,
    b: Any | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> list[Launch]:
    """x (N, C, H, W), the adjoint of ``fprop`` in y, plus b (C,), activated."""
    k, c, taps = w.shape[0] // g.groups, w.shape[1], g.R * g.S
    filters = np.array((taps, c * taps, k * c * taps, g.S), FILTER)[()]
    convs = classes_of(g, y.shape[0], x.shape[1], w.shape[0])
    return _gather(convs, y, w, b, x, filters, epilogue("dgrad", activation, slope))


def _gather_macros(outputs: int, form: tuple[int, int]) -> tuple[tuple[str, int], ...]:
    return ("OUTPUTS", outputs), ("LANES", form[0]), ("PIXELS", form[1])


def _gather(
    convs: list[np.void], image: Any, w: Any, b: Any, out: Any, filters: np.void, last: np.void
) -> list[Launch]:
    plan = []
    for conv in convs:
        inputs, outputs, groups = int(conv["C"]), int(conv["K"]), int(conv["groups"])
        pixels = int(conv["N"]) * int(conv["P"]) * int(conv["Q"])
        arguments = (image, w, b, out, conv, filters, last)
        if outputs <= THIN:
            form = next((f for f in FORMS if pixels >= BLOCKS * f[0] * f[1]), FORMS[-1])
            defines = _gather_macros(COUNTS[outputs > 1], form)
            grid = (-(-pixels // (form[0] * form[1])), groups, 1)
            name, shared = "few_outputs", 0
        else:
            defines = _gather_macros(COUNTS[-1], FORMS[0])
            grid = (-(-pixels // (THREADS * PAIR)), -(-outputs // WIDE), groups)
            name, shared = "few_inputs", 4 * WIDE * inputs * int(conv["R"]) * int(conv["S"])
        plan.append(Launch(FILE, name, defines, grid, (THREADS, 1, 1), shared, arguments))
    return plan


def _wgrad_macros(tile: tuple[int, int]) -> tuple[tuple[str, int], ...]:
    return ("GRADIENTS", tile[0]), ("CHANNELS", tile[1]), ("TAPS", TAPS)


def wgrad(g: Geometry, x: Any, y: Any, w: Any) -> list[Launch]:
    """w (K, C/groups, R, S), the adjoint of ``fprop`` in w, from x and y (N, K, P, Q)."""
    k, c = w.shape[0] // g.groups, w.shape[1]
    tile = (1, 4) if k == 1 else (4, 1) if c == 1 else (4, 3)
    pieces = -(-g.S // TAPS)
    across, down = -(-c // tile[1]), -(-k // tile[0])
    pixels, blocks = x.shape[0] * g.P * g.Q, g.groups * across * down * g.R * pieces
    wanted = -(-pixels // (THREADS * WGRAD_STEPS))
    ranges = max(1, min(wanted, -(-WGRAD_BLOCKS // blocks), RANGES))
    size = -(-pixels // ranges)
    ranges = -(-pixels // size)
    parts = array_module(x).empty((ranges, *w.shape), np.float32)
    defines = _wgrad_macros(tile)
    conv = conv_of(g, x.shape[0], x.shape[1], w.shape[0])
    sizes = np.array((across, pieces, size), PARTS)[()]
    block, sums = (THREADS, 1, 1), (parts, w, np.int32(ranges), np.int32(w.size))
    grid, adding = (g.groups * across * down, g.R * pieces, ranges), (-(-w.size // THREADS), 1, 1)
    return [
        Launch(WGRAD_FILE, "thin_wgrad", defines, grid, block, 0, (x, y, parts, conv, sizes)),
        Launch(WGRAD_FILE, "add_parts", defines, adding, block, 0, sums),
    ]
