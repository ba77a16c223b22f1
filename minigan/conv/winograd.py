"""Winograd's minimal filtering: fewer multiplications, paid for with additions.

In one dimension, m outputs of an r-tap filter come from n = m + r - 1 inputs with n products
instead of m·r.  Two polynomials of m and r coefficients are multiplied by evaluating both at n
points, multiplying the values and interpolating.  With V_k the matrix of powers p⁰ … p^(k-1) of
the points (the last point is ∞: it reads the leading coefficient) the product is

    V_n⁻¹ [(V_r w) ⊙ (V_m h)].

It is linear in h; its transpose is the correlation we want:

    y = V_mᵀ [(V_r w) ⊙ (V_n⁻ᵀ x)],    in short    y = Aᵀ [(G w) ⊙ (B x)].

An image is cut into tiles of m×m outputs and the transforms act on rows, then on columns.  The
products at each of the n×n places, summed over channels, are n² matrix products of tiles by
channels: F(2×2, 2×2) does with 9 multiplications what takes 16, F(2×2, 3×3) with 16 what takes 36.
Tiles of 2×2 are what is used here: B x needs additions only, as long as the points are 0, ±1 and ∞.
Larger ones multiply less, F(4×4, 2×2) 25 instead of 64 times; ``dense.py`` has them.

The three routines are that bilinear form and its adjoints, so they share all transforms:

    fprop    y = Aᵀ[(G w) ⊙ (B x)]
    dgrad    x = Bᵀ[(G w) ⊙ (A y)]
    wgrad    w = Gᵀ[(B x) ⊙ (A y)]

A filter of stride 2 becomes one of stride 1: blocks of 2×2 pixels are taken as pixels with four
times the channels, and a 4×4 filter as a 2×2 one.

Source: Winograd 1980; Lavin & Gray 2015, arXiv 1509.09308.
"""

from __future__ import annotations

import numpy as np

from ..cpu import memory
from ..cpu.blocks import multiply
from ..cpu.threads import parallel, scratch
from .activation import NONE, Activation, end
from .geometry import Geometry
from .kept import NOTHING, Kept
from .layout import chunks, nchw, unframed
from .tiles import Plan

M = 2  # outputs of a tile in one dimension; under this transforms are kept
ROWS = 128  # the least rows of a matrix product: with fewer the filters are fetched too often
SUPER_BYTES = 48 << 20  # of transforms held at a time by wgrad


def spread(g: Geometry) -> float:
    """Multiplications for each output and channel."""
    plan = Plan(g, M)
    return plan.n**2 * plan.tiles[0] * plan.tiles[1] / (g.P * g.Q)


def _batches(plan: Plan, n: int, channels: int, itemsize: int) -> list[slice]:
    """Twice the usual pieces: transforms are many short calls."""
    tiles = plan.tiles[0] * plan.tiles[1]
    return chunks(n, plan.n**2 * tiles * channels * itemsize // 2, least=-(-ROWS // tiles))


def fprop(g: Geometry, x, w, b=None, f: Activation = NONE, kept: Kept = NOTHING) -> np.ndarray:
    """f(the convolution of x (N, C, H, W) with w (K, C, R, S), plus b (K,)): (N, K, P, Q)."""
    plan, (n, c), k = Plan(g, M), x.shape[:2], w.shape[0]
    dtype, cc = np.result_type(x, w), plan.s**2 * c
    u = kept.filters(M, w, plan.filters)
    y = memory.empty((n, g.P, g.Q, k), dtype)
    batches = _batches(plan, n, cc + k, dtype.itemsize)
    all_v = kept.room("x", M, x, (plan.n, plan.n, n, *plan.tiles, plan.s, plan.s * c), dtype)

    def task(i: int) -> None:
        out = y[batches[i]]
        tiles = (plan.n, plan.n, len(out), *plan.tiles)
        shape = (*tiles, plan.s, plan.s * c)
        v = scratch("v", shape, dtype) if all_v is None else all_v[:, :, batches[i]]
        plan.input(x[batches[i]], v)
        products = scratch("products", (*tiles, k), dtype)
        multiply(v.reshape(*tiles[:2], -1, cc), u, products.reshape(*tiles[:2], -1, k))
        fits = out.shape[1:3] == plan.size
        whole = out if fits else scratch("frame", (len(out), *plan.size, k), dtype)
        plan.output(products, whole)
        if not fits:
            out[...] = whole[:, : g.P, : g.Q]
        end(out, b, f)

    parallel(task, len(batches))
    return nchw(y)


def dgrad(g: Geometry, y, w, b=None, f: Activation = NONE, kept: Kept = NOTHING) -> np.ndarray:
    """f(the adjoint of ``fprop`` in x, from y (N, K, P, Q) and w (K, C, R, S), plus b (C,))."""
    plan, (n, k), c = Plan(g, M), y.shape[:2], w.shape[1]
    dtype, cc = np.result_type(y, w), plan.s**2 * c
    u = kept.filters(M, w, plan.filters).transpose(0, 1, 3, 2)
    x = memory.empty((n, g.H, g.W, c), dtype)
    batches = _batches(plan, n, cc + k, dtype.itemsize)
    all_given = kept.room("y", M, y, (plan.n, plan.n, n, *plan.tiles, k), dtype)

    def task(i: int) -> None:
        out = x[batches[i]]
        tiles = (plan.n, plan.n, len(out), *plan.tiles)
        shape = (*tiles, k)
        given = (
            scratch("products", shape, dtype) if all_given is None else all_given[:, :, batches[i]]
        )
        plan.output_back(plan.outputs(y[batches[i]]), given)
        v = scratch("v", (*tiles, plan.s, plan.s * c), dtype)
        multiply(given.reshape(*tiles[:2], -1, k), u, v.reshape(*tiles[:2], -1, cc))
        frame = scratch("frame", (len(out), *plan.frame, c), dtype)
        plan.input_back(v, frame)
        unframed(frame, (g.pad[0], g.pad[2]), out, b, f)

    parallel(task, len(batches))
    return nchw(x)


def wgrad(g: Geometry, x, y, kept: Kept = NOTHING) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    plan, (n, c), k = Plan(g, M), x.shape[:2], y.shape[1]
    dtype, cc = np.result_type(x, y), plan.s**2 * c
    places, tiles = plan.n**2, plan.tiles[0] * plan.tiles[1]
    total = memory.empty((places, cc, k), dtype)
    step = max(1, min(n, SUPER_BYTES // (places * tiles * (cc + k) * dtype.itemsize)))
    all_v, all_given = kept.get("x", M, x), kept.get("y", M, y)
    for start in range(0, n, step):
        batch = slice(start, min(start + step, n))
        count = batch.stop - start
        shape = (plan.n, plan.n, count, *plan.tiles)
        inputs = (*shape, plan.s, plan.s * c)
        v = memory.empty(inputs, dtype) if all_v is None else all_v[:, :, batch]
        given = memory.empty((*shape, k), dtype) if all_given is None else all_given[:, :, batch]
        pieces = chunks(count, places * tiles * (cc + k) * dtype.itemsize)

        def transform(i: int, batch=batch, v=v, given=given, pieces=pieces) -> None:
            if all_v is None:
                plan.input(x[batch][pieces[i]], v[:, :, pieces[i]])
            if all_given is None:
                plan.output_back(plan.outputs(y[batch][pieces[i]]), given[:, :, pieces[i]])

        parallel(transform, len(pieces))
        left = v.reshape(places, count * tiles, cc).transpose(0, 2, 1)
        right = given.reshape(places, count * tiles, k)

        def multiply(i: int, first=start == 0, left=left, right=right) -> None:
            place, half = divmod(i, 2)
            part = slice(half * cc // 2, (half + 1) * cc // 2)
            out = total[place, part]
            if first:
                np.matmul(left[place, part], right[place], out=out)
            else:
                out += np.matmul(left[place, part], right[place])

        parallel(multiply, 2 * places)
    return plan.filters_back(total, (k, c))
