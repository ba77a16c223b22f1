"""BF16 as it is kept: in blocks on a CPU and by a kernel on a GPU, the bits of the plain way."""

import numpy as np
import pytest
from kernels.posing import pose
from machine import needs_emulator
from numpy.testing import assert_array_equal

from minigan import fused
from minigan.fused import blocked, plain

SIZES = [blocked.LEAST - 1, blocked.LEAST, 3 * blocked.BLOCK + 5, 2 * blocked.PART + 1]


def any_numbers(*shape):
    """All bit patterns are as likely: also NaN, the infinities and what rounds to them."""
    bits = np.random.default_rng(0).integers(0, 2**32, shape, np.uint32)
    return bits.view(np.float32)


def assert_alike(x):
    """``x``: rounded, packed and back, as the plain way does each."""
    halves = fused.packed(x)
    assert halves.dtype == np.uint16 and halves.shape == x.shape
    assert_array_equal(halves, plain.packed(x))
    for found in (fused.rounded(x), fused.unpacked(halves)):
        assert found.dtype == np.float32 and found.shape == x.shape
        assert_array_equal(found.view(np.uint32), plain.rounded(x).view(np.uint32))


@pytest.mark.parametrize("size", SIZES)
def test_blocks_of_any_size(size):
    assert_alike(any_numbers(size))
    assert_alike(np.nan_to_num(any_numbers(size)))  # no NaN in any block
    assert_alike(np.full(size, np.float32(3.4e38)))


@pytest.mark.parametrize(
    "laid",
    [
        lambda x: x.transpose(0, 2, 3, 1),
        lambda x: x.transpose(3, 1, 0, 2),
        lambda x: x[:, ::2],
        lambda x: x[::-1],
        lambda x: np.broadcast_to(x[:1], x.shape),
        lambda x: x[:0],
        lambda x: x[0, 0, 0, 0],
    ],
)
def test_any_layout(laid):
    assert_alike(np.asarray(laid(any_numbers(8, 6, 32, 24))))


def test_the_memory_order_stays():
    x = any_numbers(8, 6, 32, 24).transpose(0, 3, 1, 2)
    halves = fused.packed(x)
    assert [2 * s for s in halves.strides] == list(x.strides)
    assert fused.unpacked(halves).strides == fused.rounded(x).strides == x.strides


def test_other_dtypes_are_not_rounded():
    for dtype in (np.float64, np.complex64, np.int32, np.float16):
        x = np.ones(blocked.LEAST, dtype)
        assert fused.rounded(x) is x


@needs_emulator
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 4), (), (1,)])
def test_on_a_gpu_each_is_a_launch(monkeypatch, shape):
    launched = pose(monkeypatch)
    assert_alike(any_numbers(*shape))
    assert launched == ["packed", "rounded", "unpacked"]


@needs_emulator
@pytest.mark.parametrize("laid", [lambda x: x.T, lambda x: x[:, ::2], lambda x: x[:0]])
def test_what_the_kernels_are_not_made_for_goes_the_plain_way(monkeypatch, laid):
    launched = pose(monkeypatch)
    x = laid(any_numbers(4, 6))
    assert_array_equal(fused.packed(x), plain.packed(x))
    assert launched == []
