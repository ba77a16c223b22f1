"""Activations and products in blocks: values bit for bit, edge cases, and what is declined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import numbers, seeds

from minigan import fused
from minigan.cpu import threads
from minigan.fused import blocked, plain

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SIZES = [1, blocked.LEAST - 1, blocked.LEAST, blocked.LEAST + 1, blocked.BLOCK - 1, blocked.BLOCK]
SIZES += [blocked.BLOCK + 1, 3 * blocked.BLOCK + 5, 2 * blocked.PART - 1, 2 * blocked.PART + 1]


def layouts_of(shape):
    """Functions that put an array of this shape in another memory order, a few sizes apart."""
    ways = {
        "as it is": np.ascontiguousarray,
        "reversed": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
        "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        "Fortran": np.asfortranarray,
    }
    if len(shape) == 4:
        ways["channels last"] = lambda a: a.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
        ways["rows last"] = lambda a: a.transpose(3, 1, 0, 2).copy().transpose(2, 1, 3, 0)
    return ways


def edges(dtype, size):
    """Zeros of both signs, infinities, denormals, the largest numbers, among normal ones."""
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    special = [0.0, -0.0, np.inf, -np.inf, tiny, -tiny, 4 * tiny, huge, -huge, 1.0, -1.0]
    values = numbers(0, size, dtype=dtype)
    values[: len(special)] = special
    return np.random.default_rng(1).permutation(values)


@FLOATS
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_leaky_relu_of_every_kind_of_number(dtype, slope):
    """x where it is positive, the rounded slope·x elsewhere, to the bit."""
    x, g = edges(dtype, blocked.LEAST + 3), edges(dtype, blocked.LEAST + 3)[::-1].copy()
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        low = dtype(slope) * x if slope else np.zeros_like(x)
        expected, through = np.where(x > 0, x, low), np.where(x > 0, g, dtype(slope) * g)
        found, factor = fused.leaky_relu(x, slope), fused.leaky_relu_grad(g, x, slope)
    assert_array_equal(found, expected)
    assert_array_equal(factor, through)
    assert found.dtype == factor.dtype == dtype


@FLOATS
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_activations_of_any_size_are_the_plain_ones(dtype, size, slope):
    """The last block is a part of one; one thread and three cut differently."""
    x, g = numbers(0, size, dtype=dtype), numbers(1, size, dtype=dtype)
    for number in (1, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threads._team, "size", number)
            assert_array_equal(blocked.leaky_relu(x, slope), plain.leaky_relu(x, slope))
            found = blocked.leaky_relu_grad(g, x, slope)
            assert_array_equal(found, plain.leaky_relu_grad(g, x, slope))


@settings(max_examples=40)
@given(st.data(), st.sampled_from([(5, 4, 33, 31), (130, 131), (17_000,), (3, 5, 1, 1200)]))
def test_activations_of_any_layout(data, shape):
    """The result lies as x (or s) does, and the operands are not changed."""
    ways = layouts_of(shape)
    one, two = (data.draw(st.sampled_from(sorted(ways))) for _ in range(2))
    x, g = (numbers(i, shape, dtype=np.float32) for i in (0, 1))
    a, b = ways[one](x), ways[two](g)
    found, factor = fused.leaky_relu(a, 0.2), fused.leaky_relu_grad(b, a, 0.2)
    assert_array_equal(found, np.maximum(x, x * np.float32(0.2)))
    assert_array_equal(factor, np.where(x > 0, g, g * np.float32(0.2)))
    assert_array_equal(a, x)
    assert_array_equal(b, g)
    if one in ("channels last", "Fortran", "rows last"):
        assert found.strides == factor.strides == a.strides
    assert not np.shares_memory(found, a) and not np.shares_memory(factor, b)


def test_repeated_numbers_are_no_hindrance():
    """Gradients of sums are views of stride 0."""
    x, g = numbers(0, (200, 300)), np.broadcast_to(numbers(1, (200, 1)), (200, 300))
    assert_array_equal(fused.leaky_relu_grad(g, x, 0.2), np.where(x > 0, g, g * 0.2))
    assert_array_equal(fused.leaky_relu(g, 0.2), np.where(g > 0, g, g * 0.2))


@given(st.sampled_from(SIZES), st.integers(1, 4))
def test_blocks_make_up_the_whole(size, number):
    """Every element is in one part, and no part is longer than two shares or a block."""
    parts = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads._team, "size", number)
        blocked.in_blocks(parts.append, size)
    covered = np.zeros(size, int)
    for part in parts:
        covered[part] += 1
        assert len(range(*part.indices(size))) <= max(2 * blocked.PART, blocked.BLOCK)
    assert (covered == 1).all()
    blocked.in_blocks(lambda part: pytest.fail("nothing to do"), 0)


@FLOATS
@settings(max_examples=20)
@given(seed=seeds, data=st.data())
def test_products_are_sums_of_products(dtype, seed, data):
    """Whole numbers, so that the sums are exact; long, wide, thin, transposed operands."""
    side = st.sampled_from([1, 3, 40, 130, 257, 600])
    n, k, m = (data.draw(side) for _ in range(3))
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-9, 10, (n, k)), rng.integers(-9, 10, (k, m))
    order = st.sampled_from(["C", "F"])
    left, right = a.astype(dtype, data.draw(order)), b.astype(dtype, data.draw(order))
    found = blocked.matmul(left, right)
    if n * k + k * m + n * m < blocked.LEAST:
        assert found is None
    else:
        assert found.dtype == dtype
        assert_array_equal(found, a @ b)
    assert_array_equal(fused.matmul(left, right), a @ b)


@pytest.mark.parametrize("slope", [-0.1, 1.1, np.nan])
def test_slopes_for_which_the_maximum_is_wrong_are_declined(slope):
    x = numbers(0, blocked.LEAST)
    assert blocked.leaky_relu(x, slope) is None
    assert blocked.leaky_relu_grad(x, x, slope) is None
    assert_array_equal(fused.leaky_relu(x, slope), np.where(x > 0, x, x * slope))
    assert_array_equal(fused.leaky_relu_grad(x, x, slope), np.where(x > 0, x, x * slope))


def test_operands_that_are_unlike_are_declined():
    x = numbers(0, (128, 128))
    assert blocked.leaky_relu_grad(x.astype(np.float32), x, 0.2) is None
    assert blocked.leaky_relu_grad(x[0], x, 0.2) is None
    assert blocked.matmul(x, x[0]) is None and blocked.matmul(x, x[1:]) is None
    assert blocked.matmul(x, x.astype(np.float32)) is None
    assert blocked.matmul(x[None], x[None]) is None
    assert_array_equal(fused.matmul(x[None], x), x[None] @ x)
    with pytest.raises(ValueError, match="mismatch"):
        fused.matmul(x, x[1:])


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex128, np.int64])
def test_other_dtypes_go_the_plain_way(dtype, monkeypatch):
    """float16 would lose its sums, longdouble its digits, in the blocks' arithmetic."""
    for name in ("leaky_relu", "leaky_relu_grad", "matmul"):
        monkeypatch.setattr(blocked, name, lambda *args: pytest.fail("not made for this"))
    x = np.ones((128, 128), dtype)
    assert_array_equal(fused.leaky_relu(x, 0.0 if x.dtype.kind == "i" else 0.5), x)
    assert_array_equal(fused.matmul(x, x), 128 * x)
