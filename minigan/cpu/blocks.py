"""Matrix products in blocks so small that BLAS multiplies them where they lie.

BLAS first copies both operands of a product into an order of its own.  That pays where each number
is used often, and not in a convolution's products of thousands of rows with a few dozen columns.
OpenBLAS leaves the copies out, on processors with AVX-512, up to 10⁶ multiplications in a product
(https://github.com/OpenMathLib/OpenBLAS/pull/3335).  On one core of an AMD EPYC (family 25) 12,544
rows of 16 numbers by 64 columns take 0.26 ms in 14 such blocks and 0.33 ms as one product.  Where
BLAS has no such kernels nothing is cut.

``np.matmul`` takes stacks of matrices, and a matrix's blocks are one, seen in another way: all are
multiplied by one call, without a copy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .threads import blas_libraries, scratch

KERNELS = ("SkylakeX", "Cooperlake", "SapphireRapids")  # OpenBLAS's names of the processors
BLOCK = 10**6  # multiplications of a block, at most
WIDTH = 64  # columns of a block, where they can be divided so
ROWS = 24  # of a block, about: where fewer would be allowed, cutting does not pay
# When the right matrix is a transposed one the kernels take fewer results (and none if the left one
# is too).  Blocks are many then: they do not pay where they have few terms, or where many rows make
# up for the copies.
RESULTS = 1200  # of a block, at most
SQUARE = 32  # rows and columns of a block, about
DEEP = 128  # terms, at least
MANY = 1024  # rows, fewer than

# Long sums
HEIGHT = 32  # rows of a block, about
TERMS = 128  # of a block, at least: all the blocks' results are added up
NARROW = 1 << 22  # n·m² at most: few results n·m to add, few columns m that share the copies


@lru_cache(maxsize=1)
def without_copies() -> bool:
    """Whether all BLAS libraries of this process have the kernels.

    Asked, not measured: the same program gives the same bits in every run.
    """
    names = [getattr(library, "architecture", None) for library in blas_libraries()]
    return bool(names) and all(name in KERNELS for name in names)


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out (…, n, m) = a (…, n, k) · b (…, k, m), in blocks of rows and columns."""
    (n, k), m = a.shape[-2:], b.shape[-1]
    rows, columns = _rows_and_columns(n, k, m, *_forms(a, b))
    whole = n - n % rows if (rows, columns) != (n, m) else 0
    if whole:
        left, right = _blocks(a[..., :whole, :], rows, k), _blocks(b, k, columns)
        np.matmul(left, right, out=_blocks(out[..., :whole, :], rows, columns))
    if whole < n:
        np.matmul(a[..., whole:, :], b, out=out[..., whole:, :])


def multiply_long(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out (…, n, m) = a (…, n, k) · b (…, k, m) with k far above n and m: the k terms are cut too,
    and what the blocks give is added up."""
    (n, k), m = a.shape[-2:], b.shape[-1]
    rows, terms, columns = _rows_terms_and_columns(n, k, m, *_forms(a, b)[1:])
    if (rows, terms, columns) == (n, k, m):
        np.matmul(a, b, out=out)
        return
    whole, made = k - k % terms, _blocks(out, rows, columns)
    left, right = _blocks(a[..., :whole], rows, terms), _blocks(b[..., :whole, :], terms, columns)
    if terms == k:  # nothing to add up
        np.matmul(left, right, out=made)
        return
    shape = *left.shape[:-2], m // columns, rows, columns
    products = scratch("blocks", shape, out.dtype)
    np.matmul(left[..., None, :, :], right[..., None, :, :, :, :], out=products)
    np.add.reduce(products, axis=-4, out=made)
    if whole < k:
        out += np.matmul(a[..., whole:], b[..., whole:, :])


def _blocks(a: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(…, n, m) seen as (…, n/rows, m/columns, rows, columns)."""
    n, m = a.shape[-2:]
    return a.reshape(*a.shape[:-2], n // rows, rows, m // columns, columns).swapaxes(-2, -3)


# ------------------------------------------------------------------------- the size of a block


def _forms(a: np.ndarray, b: np.ndarray) -> tuple[bool, bool, bool]:
    """Whether a's and b's columns lie apart in memory, and whether they are float32 or float64."""
    real = a.dtype.char == b.dtype.char and a.dtype.char in "fd"
    return a.strides[-1] != a.itemsize, b.strides[-1] != b.itemsize, real


@lru_cache(maxsize=1024)
def _rows_and_columns(
    n: int, k: int, m: int, a_apart: bool, b_apart: bool, real: bool
) -> tuple[int, int]:
    """Of a block; all where the product is not to be cut."""
    if n * k * m <= BLOCK or not real or not without_copies():
        return n, m
    if b_apart:
        fits = not a_apart and DEEP <= k <= BLOCK // RESULTS and n < MANY and m % SQUARE == 0
        return (_even(n, RESULTS // SQUARE), SQUARE) if fits else (n, m)
    columns = WIDTH if m % WIDTH == 0 else m
    rows = BLOCK // (k * columns)
    return (_even(n, rows), columns) if rows >= ROWS else (n, m)


@lru_cache(maxsize=1024)
def _rows_terms_and_columns(
    n: int, k: int, m: int, b_apart: bool, real: bool
) -> tuple[int, int, int]:
    """Of a block of a long sum."""
    small = n * k * m <= BLOCK or n * m * m > NARROW
    if small or not real or b_apart or not without_copies():
        return n, k, m
    columns = WIDTH if m % WIDTH == 0 else m
    rows = next(rows for rows in range(min(n, HEIGHT), 0, -1) if n % rows == 0)
    terms = BLOCK // (rows * columns)
    if terms < TERMS or rows < min(n, HEIGHT // 3):
        return n, k, m
    return rows, _even(k, terms), columns


def _even(n: int, most: int) -> int:
    """The size of pieces of n, somewhat smaller than need be if then nothing is left over."""
    count = -(-n // most)
    return n // next((c for c in range(count, 2 * count) if n % c == 0), count)
