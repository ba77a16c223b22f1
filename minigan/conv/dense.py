"""Winograd's algorithm on small images, with transforms that are matrix products themselves.

``winograd.py`` derives y = Aᵀ [(G w) ⊙ (B x)] and transforms images by additions: many short array
operations, which on small images take longer than the products that they save.  An
image of up to 8×8 outputs is small enough to be transformed whole, all of its tiles at once, by one
matrix (``dense_plan.py``).  With the image's blocks as a matrix (L·L', s·s·C):

    fprop   V = T blocks,   Y = O [V U],     U = G w
    dgrad   V = Oᵀ y,       blocks = Tᵀ [V Uᵀ]
    wgrad   w = Gᵀ [(T blocks)ᵀ (Oᵀ y)]

where [ ] is a product for each place: of all images and tiles by channels with channels by
channels.  From 14×14 to 7×7 pixels with 4×4 filters and stride 2 there are 81 such places, for
which the plain algorithm multiplies 196 times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..cpu import copies, memory
from ..cpu.threads import parallel, scratch
from .dense_plan import Group, Plan, plan_of
from .geometry import Geometry
from .kept import NOTHING, Kept
from .layout import nchw, nhwc

KEY = 0  # under which transforms are kept: winograd.py uses its m
PIECE_BYTES = 32 << 20  # of transforms of images at a time
TASK_BYTES = 1 << 20  # of blocks that are transformed by one call
PLACES = 16  # whose products are one task


def fits(g: Geometry) -> bool:
    """What a plan can be made for."""
    return Plan.fits(g)


def fprop(g: Geometry, x, w, b=None, kept: Kept = NOTHING) -> np.ndarray:
    """The convolution of x (N, C, H, W) with w (K, C, R, S), plus b (K,): (N, K, P, Q)."""
    plan, (n, c), k = plan_of(g), x.shape[:2], w.shape[0]
    dtype, cc = np.result_type(x, w), plan.s**2 * c
    u = kept.filters(KEY, w, lambda w: _filters(plan, w))
    y = memory.empty((n, g.P, g.Q, k), dtype)
    room = kept.room("x", KEY, x, (plan.places * n * cc,), dtype)
    for part in _pieces(plan, n, cc + k, dtype):
        v = _inputs(plan, x[part], _part(plan, room, part, cc, dtype))
        products = memory.empty((plan.places, *v.shape[1:-1], k), dtype)
        _multiply(plan, v, u, products)
        _outputs(plan, products, y[part], b)
    return nchw(y)


def dgrad(g: Geometry, y, w, b=None, kept: Kept = NOTHING) -> np.ndarray:
    """The adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C, R, S), plus b (C,)."""
    plan, (n, k), c = plan_of(g), y.shape[:2], w.shape[1]
    dtype, cc = np.result_type(y, w), plan.s**2 * c
    u = kept.filters(KEY, w, lambda w: _filters(plan, w)).transpose(0, 2, 1)
    x = memory.empty((n, g.H, g.W, c), dtype)
    room = kept.room("y", KEY, y, (plan.places * n * k,), dtype)
    for part in _pieces(plan, n, cc + k, dtype):
        given = _outputs_back(plan, y[part], _part(plan, room, part, k, dtype))
        v = memory.empty((plan.places, *given.shape[1:-1], cc), dtype)
        _multiply(plan, given, u, v)
        _inputs_back(plan, v, x[part], b)
    return nchw(x)


def wgrad(g: Geometry, x, y, kept: Kept = NOTHING) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    plan, (n, c), k = plan_of(g), x.shape[:2], y.shape[1]
    dtype, cc = np.result_type(x, y), plan.s**2 * c
    total = memory.empty((len(plan.G), cc, k), dtype)
    if not n:
        total[...] = 0
    all_v, all_given = kept.get("x", KEY, x), kept.get("y", KEY, y)
    for part in _pieces(plan, n, cc + k, dtype):
        v = _part(plan, all_v, part, cc, dtype)
        given = _part(plan, all_given, part, k, dtype)
        if all_v is None:
            _inputs(plan, x[part], v)
        if all_given is None:
            _outputs_back(plan, y[part], given)
        _add_products(plan, v, given, total, part.start == 0)
    return _filters_back(plan, total, (k, c))


# ------------------------------------------------------------------------------- the products


def _pieces(plan: Plan, n: int, channels: int, dtype: np.dtype) -> Iterator[slice]:
    """The batch in pieces whose transforms are not too large."""
    step = max(1, PIECE_BYTES // (plan.places * channels * dtype.itemsize))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _part(
    plan: Plan, room: np.ndarray | None, part: slice, channels: int, dtype: np.dtype
) -> np.ndarray:
    """(places, images, channels): a piece of ``room``, or of its own."""
    shape = (plan.places, part.stop - part.start, channels)
    if room is None:
        return memory.empty(shape, dtype)
    row = plan.places * channels
    return room[row * part.start : row * part.stop].reshape(shape)


def _for_places(plan: Plan, task: Callable[[Group, slice, slice], None]) -> None:
    """task(group, places, their filters) for all, some filters at a time."""
    tasks = []
    for group in plan.groups:
        first, last = group.filters.start, group.filters.stop
        for start in range(first, last, PLACES):
            stop = min(start + PLACES, last)
            at = [group.places.start + (f - first) * group.tiles for f in (start, stop)]
            tasks.append((group, slice(*at), slice(start, stop)))
    parallel(lambda i: task(*tasks[i]), len(tasks))


def _rows(group: Group, v: np.ndarray) -> np.ndarray:
    """Some places of a group, (filters·tiles, N, C), as (filters, tiles·N, C)."""
    return v.reshape(len(v) // group.tiles, -1, v.shape[2])


def _multiply(plan: Plan, v: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    def multiply(group: Group, places: slice, filters: slice) -> None:
        np.matmul(_rows(group, v[places]), u[filters], out=_rows(group, out[places]))

    _for_places(plan, multiply)


def _add_products(
    plan: Plan, v: np.ndarray, given: np.ndarray, total: np.ndarray, first: bool
) -> None:
    """total (filters, s·s·C, K) += vᵀ given, summed over images and tiles; if ``first``, set."""

    def multiply(group: Group, places: slice, filters: slice) -> None:
        left, right = _rows(group, v[places]).transpose(0, 2, 1), _rows(group, given[places])
        if first:
            np.matmul(left, right, out=total[filters])
        else:
            total[filters] += np.matmul(left, right)

    _for_places(plan, multiply)


# ----------------------------------------------------------------------------- the transforms


def _by_images(n: int, bytes_per_image: int, task: Callable[[slice], None]) -> None:
    """task(images) for a few images at a time."""
    step = max(1, min(TASK_BYTES // bytes_per_image, -(-n // 4)))
    parallel(lambda i: task(slice(i * step, min((i + 1) * step, n))), -(-n // step))


def _blocks(plan: Plan, count: int, cc: int, dtype: np.dtype) -> np.ndarray:
    """Working memory for the blocks of some images."""
    return scratch("frame", (count, *plan.blocks, plan.s, cc // plan.s), dtype)


def _inputs(plan: Plan, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """T blocks of x (N, C, H, W) into v (places, N, s·s·C)."""
    t, cc = plan.matrix("T", v.dtype), v.shape[2]
    if not nhwc(x).flags.c_contiguous:
        copies.note(x)

    def task(images: slice) -> None:
        blocks = _blocks(plan, images.stop - images.start, cc, v.dtype)
        plan.gather(x[images], blocks)
        np.matmul(t, blocks.reshape(len(blocks), -1, cc), out=v[:, images].transpose(1, 0, 2))

    _by_images(len(x), t.shape[1] * cc * v.itemsize, task)
    return v


def _inputs_back(plan: Plan, v: np.ndarray, x: np.ndarray, b: np.ndarray | None) -> None:
    """The adjoint of ``_inputs`` into x (N, H, W, C), plus b (C,)."""
    t, cc = plan.matrix("T", v.dtype).T, v.shape[2]

    def task(images: slice) -> None:
        blocks = _blocks(plan, images.stop - images.start, cc, v.dtype)
        np.matmul(t, v[:, images].transpose(1, 0, 2), out=blocks.reshape(len(blocks), -1, cc))
        plan.scatter(blocks, nchw(x[images]))
        if b is not None:
            x[images] += b

    _by_images(len(x), t.shape[0] * cc * v.itemsize, task)


def _outputs(plan: Plan, v: np.ndarray, y: np.ndarray, b: np.ndarray | None) -> None:
    """O v into y (N, P, Q, K), plus b (K,)."""
    o, k = plan.matrix("O", v.dtype), v.shape[2]

    def task(images: slice) -> None:
        out = y[images].reshape(-1, len(o), k)
        np.matmul(o, v[:, images].transpose(1, 0, 2), out=out)
        if b is not None:
            out += b

    _by_images(len(y), o.shape[1] * k * v.itemsize, task)


def _outputs_back(plan: Plan, y: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The adjoint of ``_outputs``, from y (N, K, P, Q) into v (places, N, K)."""
    o, k = plan.matrix("O", v.dtype).T, v.shape[2]

    def task(images: slice) -> None:
        given = copies.contiguous(nhwc(y[images])).reshape(-1, o.shape[1], k)
        np.matmul(o, given, out=v[:, images].transpose(1, 0, 2))

    _by_images(len(y), o.shape[0] * k * v.itemsize, task)
    return v


def _filters(plan: Plan, w: np.ndarray) -> np.ndarray:
    """G w as (filters, s·s·C, K), from w (K, C, R, S)."""
    (k, c), s, r = w.shape[:2], plan.s, plan.r
    taps = w.transpose(2, 3, 1, 0).reshape(r, s, r, s, c, k).transpose(0, 2, 1, 3, 4, 5)
    u = memory.empty((len(plan.G), s * s * c * k), w.dtype)
    _in_columns(plan.matrix("G", w.dtype), taps.reshape(r * r, -1), u)
    return u.reshape(len(u), s * s * c, k)


def _filters_back(plan: Plan, u: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The adjoint of ``_filters``: w (K, C, R, S), in (R, S, C, K) memory."""
    (k, c), s, r = shape, plan.s, plan.r
    taps = memory.empty((r * r, s * s * c * k), u.dtype)
    _in_columns(plan.matrix("G", u.dtype).T, u.reshape(len(u), -1), taps)
    w = np.empty((r, s, r, s, c, k), u.dtype)
    w[...] = taps.reshape(r, r, s, s, c, k).transpose(0, 2, 1, 3, 4, 5)
    return w.reshape(r * s, r * s, c, k).transpose(3, 2, 0, 1)


def _in_columns(g: np.ndarray, given: np.ndarray, out: np.ndarray) -> None:
    """out = g · given, some columns at a time: then both stay in cache."""
    step = max(1, TASK_BYTES // ((len(g) + len(given)) * given.itemsize))

    def task(i: int) -> None:
        part = slice(i * step, (i + 1) * step)
        np.matmul(g, given[:, part], out=out[:, part])

    parallel(task, -(-given.shape[1] // step))
