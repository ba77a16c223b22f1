"""A matrix product on several threads.

BLAS could do that too, but then its threads and those of ``parallel`` would be set by different
hands.  Each piece of the longer side of the result is a product of its own.  There are few: for
each of them BLAS puts the whole other operand in order, unless ``blocks`` can do without.
"""

from __future__ import annotations

import numpy as np

from .blocks import multiply
from .threads import parallel

PIECES = 8  # at most
PIECE = 1 << 25  # multiplications of a piece, at least, where there are more than two
LEAST = 1 << 22  # multiplications from which sharing pays


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a · b for matrices (n, k) and (k, m)."""
    (n, k), m = a.shape, b.shape[1]
    if k == 1:  # BLAS is slow at products of two vectors
        np.multiply(a, b, out=out)
        return
    if n * k * m < LEAST:
        np.matmul(a, b, out=out)
        return
    side, tall = max(n, m), n >= m
    pieces = min(PIECES, max(2, n * k * m // PIECE // 2 * 2))
    bounds = [side * i // pieces for i in range(pieces + 1)]

    def task(i: int) -> None:
        part = slice(bounds[i], bounds[i + 1])
        if tall:
            multiply(a[part], b, out[part])
        else:
            multiply(a, b[:, part], out[:, part])

    parallel(task, pieces)


def matmul_each(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a · b for stacks (s, n, k) and (s, k, m) of matrices: of large ones one product after
    the other, each on several threads."""
    if a.shape[1] * a.shape[2] * b.shape[2] < LEAST:
        multiply(a, b, out)
        return
    for left, right, result in zip(a, b, out, strict=True):
        matmul(left, right, result)
