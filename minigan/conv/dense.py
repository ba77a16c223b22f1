"""Winograd's algorithm with transforms that are matrix products themselves.

``winograd.py`` derives y = Aᵀ [(G w) ⊙ (B x)] and transforms images by additions: many short array
operations, each a walk through memory.  Here a tile, or neighbouring ones in a row of the image,
are transformed by one matrix (``dense_plan.py``), which multiplies more and walks less; so are the
filters (``dense_filters.py``).
With the blocks of pixels that a row of tiles reads as a matrix:

    fprop   V = T blocks,   Y = O [V U],     U = G w
    dgrad   V = Oᵀ y,       blocks = Σ over rows of tiles Tᵀ [V Uᵀ]
    wgrad   w = Gᵀ [(T blocks)ᵀ (Oᵀ y)]

where [ ] is a product for each place: of all tiles by channels with channels by channels.  From
14×14 to 7×7 pixels with 4×4 filters and stride 2 there are 40 places in each of 2 tiles, where the
plain algorithm multiplies 196 times.

V and the products lie in memory by places, then columns of tiles in a band, bands, images, rows of
tiles and channels: so both the transform of a row of tiles and the product of a place are plain
matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..cpu import copies, memory
from ..cpu.blocks import multiply, multiply_long
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .dense_filters import filters, filters_back
from .dense_plan import Plan, plan_of
from .geometry import Geometry
from .kept import NOTHING, Kept
from .layout import PIECES, nchw, nhwc

KEY = 0  # under which transforms are kept: winograd.py uses its M
PIECE_BYTES = 64 << 20  # of transforms of images at a time
TASK_BYTES = 2 << 20  # of blocks that are transformed by one call
CALL = 1 << 24  # multiplications by one call, about, but
CALLS = 8  # at least, for threads to share


def fits(g: Geometry) -> bool:
    """What a plan can be made for."""
    return Plan.fits(g)


def tiles(g: Geometry) -> int:
    """Of an image."""
    return plan_of(g).size(1) // plan_of(g).places


def spread(g: Geometry) -> float:
    """Multiplications for each output and channel."""
    return plan_of(g).size(1) / (g.P * g.Q)


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE, kept: Kept = NOTHING) -> np.ndarray:
    """f(the convolution of x (N, C, H, W) with w (K, C, R, S), plus b (K,)): (N, K, P, Q)."""
    plan, (n, c), k = plan_of(g), x.shape[:2], w.shape[0]
    dtype, cc = np.result_type(x, w), plan.s**2 * c
    u = kept.filters(KEY, w, lambda w: filters(plan, w))
    y = memory.empty((n, g.P, g.Q, k), dtype)
    room = kept.room("x", KEY, x, (plan.size(n) * cc,), dtype)
    for part in _pieces(plan, n, cc + k, dtype):
        v = _inputs(plan, x[part], _part(plan, room, part, cc, dtype))
        products = _part(plan, None, part, k, dtype)
        _multiply(plan, v, u, products)
        _outputs(plan, products, y[part], b, f)
    return nchw(y)


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE, kept: Kept = NOTHING) -> np.ndarray:
    """f(the adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C, R, S), plus b (C,))."""
    plan, (n, k), c = plan_of(g), y.shape[:2], w.shape[1]
    dtype, cc = np.result_type(y, w), plan.s**2 * c
    u = kept.filters(KEY, w, lambda w: filters(plan, w)).transpose(0, 2, 1)
    x = memory.empty((n, g.H, g.W, c), dtype)
    room = kept.room("y", KEY, y, (plan.size(n) * k,), dtype)
    for part in _pieces(plan, n, cc + k, dtype):
        given = _outputs_back(plan, y[part], _part(plan, room, part, k, dtype))
        v = _part(plan, None, part, cc, dtype)
        _multiply(plan, given, u, v)
        _inputs_back(plan, v, x[part], b, f)
    return nchw(x)


def wgrad(g: Geometry, x, y, kept: Kept = NOTHING) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    plan, (n, c), k = plan_of(g), x.shape[:2], y.shape[1]
    dtype, cc = np.result_type(x, y), plan.s**2 * c
    total = memory.empty((plan.places, cc, k), dtype)
    all_v, all_given = kept.get("x", KEY, x), kept.get("y", KEY, y)
    for part in _pieces(plan, n, cc + k, dtype):
        v = _part(plan, all_v, part, cc, dtype)
        given = _part(plan, all_given, part, k, dtype)
        if all_v is None:
            _inputs(plan, x[part], v)
        if all_given is None:
            _outputs_back(plan, y[part], given)
        _add_products(plan, v, given, total, part.start == 0)
    return filters_back(plan, total, (k, c))


# ------------------------------------------------------------------------------- the products


def _pieces(plan: Plan, n: int, channels: int, dtype: np.dtype) -> Iterator[slice]:
    """The batch in pieces of nearly one size, whose transforms are not too large."""
    count = max(1, -(-plan.size(n) * channels * dtype.itemsize // PIECE_BYTES))
    step = max(1, -(-n // count))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _part(
    plan: Plan, room: np.ndarray | None, part: slice, channels: int, dtype: np.dtype
) -> np.ndarray:
    """(places·columns of tiles, bands, images, rows of tiles, channels): a piece of ``room``, or
    new."""
    count = part.stop - part.start
    shape = (plan.places * plan.wide, plan.bands, count, len(plan.rows), channels)
    if room is None:
        return memory.empty(shape, dtype)
    return room[plan.size(part.start) * channels : plan.size(part.stop) * channels].reshape(shape)


def _by_place(plan: Plan, v: np.ndarray) -> np.ndarray:
    """(places, tiles of all images, channels)."""
    return v.reshape(plan.places, -1, v.shape[-1])


def _multiply(plan: Plan, v: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    left, products = _by_place(plan, v), _by_place(plan, out)
    _by_places(left, u, lambda some: multiply(left[some], u[some], products[some]))


def _add_products(
    plan: Plan, v: np.ndarray, given: np.ndarray, total: np.ndarray, first: bool
) -> None:
    """total (places, s·s·C, K) += vᵀ given, summed over images and tiles; if ``first``, set."""
    left, right = _by_place(plan, v).transpose(0, 2, 1), _by_place(plan, given)

    def task(some: slice) -> None:
        if first:
            multiply_long(left[some], right[some], total[some])
        else:
            product = scratch("product", total[some].shape, total.dtype)
            multiply_long(left[some], right[some], product)
            total[some] += product

    _by_places(left, right, task)


def _by_places(left: np.ndarray, right: np.ndarray, task: Callable[[slice], None]) -> None:
    """task(places), some of small ones: between calls threads wait for the interpreter's lock."""
    step = max(1, min(CALL // (left[0].size * right.shape[2]), -(-len(left) // CALLS)))
    parallel(lambda i: task(slice(i * step, i * step + step)), -(-len(left) // step))


# ----------------------------------------------------------------------------- the transforms


def _by_images(n: int, bytes_per_image: int, task: Callable[[slice], None]) -> None:
    """task(images) for a few images at a time."""
    step = max(1, min(TASK_BYTES // bytes_per_image, -(-n // PIECES)))
    parallel(lambda i: task(slice(i * step, min((i + 1) * step, n))), -(-n // step))


def _blocks(plan: Plan, count: int, cc: int, dtype: np.dtype) -> np.ndarray:
    """Working memory for the blocks of some images."""
    return scratch("frame", (count, plan.bands, plan.s, *plan.blocks, cc // plan.s), dtype)


def _bytes(plan: Plan, cc: int, dtype: np.dtype) -> int:
    """Of an image's blocks."""
    return plan.bands * plan.blocks[0] * plan.blocks[1] * cc * dtype.itemsize


def _row_of_tiles(v: np.ndarray, images: slice, row: int, s: int = 1) -> np.ndarray:
    """(images, bands, s, places·columns of tiles, channels/s): of a row of tiles."""
    tiles = v[:, :, images, row]
    return tiles.reshape(*tiles.shape[:3], s, -1).transpose(2, 1, 3, 0, 4)


def _inputs(plan: Plan, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """T blocks of x (N, C, H, W), for every row of tiles, into v as ``_part`` shapes it."""
    t, cc = plan.matrix("T", v.dtype), v.shape[-1]
    if not nhwc(x).flags.c_contiguous:
        copies.note(x)

    def task(images: slice) -> None:
        blocks = _blocks(plan, images.stop - images.start, cc, v.dtype)
        plan.gather(x[images], blocks)
        for row, tile in enumerate(plan.rows):
            read = blocks[:, :, :, tile.start : tile.start + plan.n]
            read = read.reshape(*blocks.shape[:3], t.shape[1], -1)
            np.matmul(t, read, out=_row_of_tiles(v, images, row, plan.s))

    _by_images(len(x), _bytes(plan, cc, v.dtype), task)
    return v


def _inputs_back(
    plan: Plan, v: np.ndarray, x: np.ndarray, b: np.ndarray | None, f: Activation
) -> None:
    """x (N, H, W, C) = f(the adjoint of ``_inputs``, plus b (C,))."""
    t, cc = plan.matrix("T", v.dtype).T, v.shape[-1]

    def task(images: slice) -> None:
        blocks = _blocks(plan, images.stop - images.start, cc, v.dtype)
        parts = blocks.shape[:3]
        shape = (*parts, plan.n, *blocks.shape[4:])
        for row, tile in enumerate(plan.rows):
            rows = blocks[:, :, :, tile.start : tile.start + plan.n]
            made = scratch("product", shape, v.dtype) if tile.read else rows
            given = _row_of_tiles(v, images, row, plan.s)
            np.matmul(t, given, out=made.reshape(*parts, len(t), -1))
            if tile.read:  # these rows of blocks belong to the tiles above too
                rows[:, :, :, : tile.read] += made[:, :, :, : tile.read]
                rows[:, :, :, tile.read :] = made[:, :, :, tile.read :]
        plan.scatter(blocks, nchw(x[images]))
        end(x[images], b, f)

    _by_images(len(x), _bytes(plan, cc, v.dtype), task)


def _outputs(plan: Plan, v: np.ndarray, y: np.ndarray, b: np.ndarray | None, f: Activation) -> None:
    """y (N, P, Q, K) = f(O v of every row of tiles, plus b (K,))."""

    def task(images: slice) -> None:
        for row, made in enumerate(plan.made()):
            out, o = y[images, made], plan.matrix("O", v.dtype, row)
            given = _row_of_tiles(v, images, row)[:, :, 0]
            if plan.bands == 1:
                np.matmul(o, given, out=out.reshape(len(out), 1, len(o), -1))
            else:
                bands = _bands(plan, out)
                rows = scratch("product", bands.shape, v.dtype)
                np.matmul(o, given, out=rows.reshape(*rows.shape[:2], len(o), -1))
                bands[...] = rows
        end(y[images], b, f)

    _by_images(len(y), y[:1].nbytes, task)


def _outputs_back(plan: Plan, y: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The adjoint of ``_outputs``, from y (N, K, P, Q) into v as ``_part`` shapes it."""
    k = v.shape[-1]

    def task(images: slice) -> None:
        given = copies.contiguous(nhwc(y[images]))
        for row, made in enumerate(plan.made()):
            o = plan.matrix("O", v.dtype, row).T
            rows = _bands(plan, given[:, made]).reshape(len(given), plan.bands, -1, k)
            np.matmul(o, rows, out=_row_of_tiles(v, images, row)[:, :, 0])

    _by_images(len(y), plan.g.P * plan.g.Q * k * v.itemsize, task)
    return v


def _bands(plan: Plan, rows: np.ndarray) -> np.ndarray:
    """(N, rows, Q, K) as (N, bands, rows, width, K)."""
    n, count, _, k = rows.shape
    return rows.reshape(n, count, plan.bands, plan.width, k).transpose(0, 2, 1, 3, 4)
