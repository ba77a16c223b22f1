"""Matrix products in blocks: every operand is a view, every result exact, no block too large."""

from types import SimpleNamespace

import numpy as np
import pytest
from blocks import tiny_blocks
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import seeds

from minigan.cpu import blocks, threads
from minigan.cpu.products import matmul

LEADS = st.sampled_from([(), (1,), (3,), (2, 1)])
SIZES = st.integers(0, 19)


def operand(rng, lead, rows, columns, transposed):
    """Small integers; as columns of a wider matrix, or the other way round in memory."""
    if transposed:
        return operand(rng, lead, columns, rows, False).swapaxes(-1, -2)
    wide = rng.integers(-9, 10, (*lead, rows, columns + 3)).astype(np.float32)
    return wide[..., 1 : columns + 1]


@settings(max_examples=400)
@given(LEADS, SIZES, SIZES, SIZES, st.booleans(), st.booleans(), st.booleans(), seeds)
def test_products_are_exact_whatever_the_operands_memory(lead, n, k, m, ta, tb, kernels, seed):
    """Stacks, transposed matrices, parts of larger ones, nothing at all; also without kernels."""
    rng = np.random.default_rng(seed)
    a, b = operand(rng, lead, n, k, ta), operand(rng, lead, k, m, tb)
    expected = (a.astype(np.int64)[..., :, :, None] * b.astype(np.int64)[..., None, :, :]).sum(-2)
    for f in (blocks.multiply, blocks.multiply_long):
        out = operand(rng, lead, n, m, False)
        around = out.base.copy()
        with tiny_blocks(kernels):
            f(a, b, out)
        assert_array_equal(out, expected)
        around[..., 1 : m + 1] = expected
        assert_array_equal(out.base, around)


@pytest.mark.parametrize("sizes", [(3000, 16, 64), (500, 275, 64), (999, 48, 130), (640, 256, 64)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_a_convolutions_size(sizes, dtype):
    n, k, m = sizes
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((n, k)).astype(dtype), rng.standard_normal((k, m)).astype(dtype)
    c, error = rng.standard_normal((n, m)).astype(dtype), 40 * np.finfo(dtype).eps
    exact = a.astype(np.float64) @ b.astype(np.float64)
    for right in (b, np.asfortranarray(b)):
        out = np.empty((n, m), dtype)
        blocks.multiply(a, right, out)
        assert_allclose(out, exact, atol=error * k, rtol=0)
    out = np.empty((k, m), dtype)
    blocks.multiply_long(a.T, c, out)
    assert_allclose(out, a.T.astype(np.float64) @ c.astype(np.float64), atol=error * 80, rtol=0)


@pytest.fixture
def products(monkeypatch):
    """The shapes (rows, terms, columns) of the blocks that reach NumPy."""
    found, matmul = [], np.matmul

    def noting(a, b, **options):
        found.append((*a.shape[-2:], b.shape[-1]))
        return matmul(a, b, **options)

    monkeypatch.setattr(blocks, "without_copies", lambda: True)
    for f in (blocks._rows_and_columns, blocks._rows_terms_and_columns):
        monkeypatch.setattr(blocks, f.__name__, f.__wrapped__)
    monkeypatch.setattr(blocks, "np", SimpleNamespace(matmul=noting, add=np.add))
    return found


SHAPES = [(3136, 16, 64), (1568, 275, 64), (8192, 48, 128), (500, 256, 128)]


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_blocks_are_of_the_size_that_blas_leaves_where_it_lies(products, n, k, m):
    """OpenBLAS's limits: 10⁶ multiplications, and 1200 results of at least 32 terms where the right
    matrix is a transposed one."""

    def made(f, a, b):
        del products[:]
        f(a, b, np.empty((len(a), b.shape[1]), np.float32))
        return products

    a, b, c = (np.zeros(shape, np.float32) for shape in ((n, k), (k, m), (n, m)))
    for blocks_made in (made(blocks.multiply, a, b), made(blocks.multiply_long, a.T, c)):
        assert all(rows * terms * columns <= 10**6 for rows, terms, columns in blocks_made)
    if k >= 128:
        squares = made(blocks.multiply, a[:1000], np.asfortranarray(b))
        assert all(rows * columns <= 1200 and terms >= 32 for rows, terms, columns in squares)
    assert made(blocks.multiply, a[:4], b) == [(4, k, m)]  # small enough as it is


def test_a_large_product_is_cut_whoever_shares_it(products, monkeypatch):
    monkeypatch.setattr(threads._team, "size", 1)
    a, b = np.zeros((4000, 275), np.float32), np.zeros((275, 64), np.float32)
    matmul(a, b, np.empty((4000, 64), np.float32))
    assert len(products) > 1
    assert all(rows * terms * columns <= 10**6 for rows, terms, columns in products)


def test_where_few_rows_are_all_of_a_block_columns_are_cut(products):
    blocks.multiply(*(np.zeros(s, np.float32) for s in ((37, 256), (256, 2048), (37, 2048))))
    assert products == [(37, 256, 64)]


WHOLE = {  # n, k, m, transposed operands, dtype
    "few multiplications": (100, 100, 100, "", "f"),
    "so deep that rows would be few": (1000, 700, 64, "", "f"),
    "both transposed": (500, 256, 512, "ab", "f"),
    "many rows make up for the copies": (2000, 256, 64, "b", "f"),
    "few terms by a transposed matrix": (500, 64, 64, "b", "f"),
    "complex": (3136, 16, 64, "", "F"),
    "integers": (3136, 16, 64, "", "i"),
}


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_what_is_multiplied_as_a_whole(products, case):
    n, k, m, transposed, dtype = case
    a, b = np.zeros((n, k), dtype), np.zeros((k, m), dtype)
    a = np.asfortranarray(a) if "a" in transposed else a
    b = np.asfortranarray(b) if "b" in transposed else b
    blocks.multiply(a, b, np.empty((n, m), dtype))
    assert products == [(n, k, m)]


@pytest.mark.parametrize("sizes", [(1024, 4000, 128), (100, 90, 100), (127, 4000, 64)])
def test_long_sums_that_are_made_as_a_whole(products, sizes):
    """Many results, few multiplications, and rows that cannot be divided."""
    n, k, m = sizes
    a, b = np.zeros((k, n), np.float32), np.zeros((k, m), np.float32)
    blocks.multiply_long(a.T, b, np.empty((n, m), np.float32))
    assert products == [(n, k, m)]


def test_nothing_is_cut_where_blas_has_no_such_kernels(products, monkeypatch):
    monkeypatch.setattr(blocks, "without_copies", lambda: False)
    a, b = np.zeros((3136, 16), np.float32), np.zeros((16, 64), np.float32)
    blocks.multiply(a, b, np.empty((3136, 64), np.float32))
    blocks.multiply_long(a.T, np.zeros((3136, 64), np.float32), np.empty((16, 64), np.float32))
    assert products == [(3136, 16, 64), (16, 3136, 64)]


@pytest.mark.parametrize(
    ("names", "known"),
    [
        ([], False),  # BLAS cannot be asked
        (["SkylakeX"], True),
        (["Cooperlake", "SapphireRapids"], True),
        (["SkylakeX", "Haswell"], False),
        ([None], False),  # not OpenBLAS
    ],
)
def test_only_processors_with_the_kernels_cut(monkeypatch, names, known):
    libraries = [SimpleNamespace(architecture=n) if n else SimpleNamespace() for n in names]
    monkeypatch.setattr(blocks, "blas_libraries", lambda: libraries)
    assert blocks.without_copies.__wrapped__() is known


@given(st.integers(1, 10**5), st.integers(1, 2000))
def test_pieces_are_even_and_not_too_large(n, most):
    size = blocks._even(n, most)
    assert 0 < size <= most
    assert size * 2 > min(n, most) or n % size == 0
