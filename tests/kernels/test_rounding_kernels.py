"""BF16: rounded, kept and taken back, bit for bit as NumPy does it, whatever the bits."""

import numpy as np
import pytest
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run
from numpy.testing import assert_array_equal

from minigan.cuda import rounding
from minigan.cuda.launch import LaunchError
from minigan.fused import plain

COUNTS = [1, 4, 257, 5000]


def any_bits(count):
    """Numbers of every kind: all bit patterns are as likely, and ties and the ends are there."""
    bits = np.random.default_rng(0).integers(0, 2**32, count, np.uint32)
    bits[::3] = bits[::3] & 0xFFFF0000 | 0x8000
    ends = [0, 0x80000000, 0x7F800000, 0xFF800000, 0x7F7F8000, 0x7FFFFFFF, 0x7F800001, 0x7FFF]
    bits[: len(ends)] = ends[:count]
    return bits.view(np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", COUNTS)
def test_the_same_bits_as_on_the_cpu(count, backend):
    x = any_bits(count)
    y, halves = np.full(count, np.nan, np.float32), np.full(count, 0x7FC0, np.uint16)
    run(poisoned(rounding.plan("rounded", x, y), x), backend)
    run(poisoned(rounding.plan("packed", x, halves), x), backend)
    assert_array_equal(halves, plain.packed(x))
    assert_array_equal(y.view(np.uint32), halves.astype(np.uint32) << 16)
    back = np.zeros(count, np.float32)
    run(poisoned(rounding.plan("unpacked", halves, back), halves), backend)
    assert_array_equal(back.view(np.uint32), y.view(np.uint32))


def test_a_result_may_be_the_operand():
    x = any_bits(5000)
    expected = plain.rounded(x)
    run(rounding.plan("rounded", x, x))
    assert_array_equal(x.view(np.uint32), expected.view(np.uint32))


def test_the_compile_gate_knows_every_configuration():
    launches = [
        *rounding.plan("packed", np.zeros(4, np.float32), np.zeros(4, np.uint16)),
        *rounding.plan("rounded", np.zeros(5, np.float32), np.zeros(5, np.float32)),
    ]
    found = {(launch.file, launch.defines, launch.architecture) for launch in launches}
    assert found == set(rounding.configurations())
    assert rounding.plan("packed", np.zeros(0, np.float32), np.zeros(0, np.uint16)) == []


@pytest.mark.parametrize(
    ("kernel", "given", "made", "message"),
    [
        (
            "packed",
            np.float32,
            np.int16,
            "packed: expected arrays of float32 and uint16, got float",
        ),
        ("rounded", np.float64, np.float32, "expected arrays of float32 and float32, got float64"),
        ("cut", np.float32, np.float32, "expected one of rounded, packed, unpacked, got 'cut'"),
    ],
)
def test_what_does_not_fit_is_refused(kernel, given, made, message):
    with pytest.raises(LaunchError, match=message):
        rounding.plan(kernel, np.zeros(4, given), np.zeros(4, made))
    with pytest.raises(LaunchError, match=r"made expects shape \(4,\), got \(5,\)"):
        rounding.plan("packed", np.zeros(4, np.float32), np.zeros(5, np.uint16))
