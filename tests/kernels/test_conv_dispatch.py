"""The convolution triple as a GPU runs it: the plans that it takes, and when it goes the plain way.

The launcher is the emulator here, and arrays are NumPy's that say they lie on a GPU.
"""

import numpy as np
import pytest
from emulator import driver
from hypothesis import given, settings
from kernels.runner import run
from numpy.testing import assert_array_equal
from strategies import convolutions

from kernels import direct
from minigan import cuda as device
from minigan.conv import Geometry, ladder_plan, plain
from minigan.conv import cuda as conv
from minigan.cuda import launcher

reason = driver.unavailable()
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))

LAYER = Geometry(9, 7, 4, 4, (2, 2), (1, 2, 1, 1))


@pytest.fixture
def launched(monkeypatch):
    """The launches that were made, on a GPU of compute capability 8.0."""
    made = []

    def note(launches):
        made.extend(launches)
        run(launches, "emulator")

    monkeypatch.setattr(launcher, "capability", lambda array: 80)
    monkeypatch.setattr(launcher, "run", note)
    return made


def triple(g, x, w, y):
    return conv.fprop(g, x, w), conv.dgrad(g, y, w), conv.wgrad(g, x, y)


def macro(launch, name):
    return dict(launch.defines).get(name)


@pytest.mark.parametrize(("c", "k"), [(5, 9), (3, 9), (5, 1)])
def test_the_three_routines_are_exact_on_whole_numbers(launched, c, k):
    x, w, y = direct.operands(LAYER, 2, c, k, whole=True)
    before = [a.copy() for a in (x, w, y)]
    for found, expected in zip(triple(LAYER, x, w, y), direct.triple(LAYER, x, w, y), strict=True):
        assert found.dtype == np.float32
        assert_array_equal(found, expected)
    for now, then in zip((x, w, y), before, strict=True):
        assert_array_equal(now, then)
    assert {launch.file for launch in launched}


@settings(max_examples=15)
@given(case=convolutions())
def test_any_geometry_is_exact_on_whole_numbers(case):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launcher, "capability", lambda array: 80)
        patch.setattr(launcher, "run", run)
        g = case.geometry
        x, w, y = (a.astype(np.float32) for a in case.operands(np.int64))
        for found, expected in zip(triple(g, x, w, y), direct.triple(g, x, w, y), strict=True):
            assert_array_equal(found, expected)


def test_a_bias_is_added_by_the_kernel(launched):
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    out, image, _ = direct.triple(LAYER, x, w, y)
    b, c = np.arange(9, dtype=np.float32), np.arange(5, dtype=np.float32)
    assert_array_equal(conv.fprop(LAYER, x, w, b), out + b[:, None, None])
    assert_array_equal(conv.dgrad(LAYER, y, w, c), image + c[:, None, None])


def test_operands_of_any_layout_are_made_contiguous(launched):
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    strange = [np.asfortranarray(a) for a in (x, w, y)]
    for found, expected in zip(triple(LAYER, *strange), triple(LAYER, x, w, y), strict=True):
        assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("capability", "tf32", "rung"), [(75, False, 2), (75, True, 2), (80, False, 3), (90, True, 4)]
)
def test_tensor_cores_are_used_when_a_program_allows_it(
    launched, monkeypatch, capability, tf32, rung
):
    monkeypatch.setattr(launcher, "capability", lambda array: capability)
    monkeypatch.setattr(device, "allow_tf32", tf32)
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    triple(LAYER, x, w, y)
    assert {macro(launch, "RUNG") for launch in launched} - {None} == {rung}
    assert all(launch.architecture <= capability for launch in launched)


def test_float32_keeps_its_digits_unless_tf32_is_allowed(launched, monkeypatch):
    x, w, y = direct.operands(LAYER, 2, 5, 9)
    exact, size = direct.triple(LAYER, x, w, y)[0], direct.magnitudes(LAYER, x, w, y)[0]
    off = abs(conv.fprop(LAYER, x, w) - exact) / size
    assert off.max() <= (5 * 16 + 2) * direct.U
    monkeypatch.setattr(device, "allow_tf32", True)
    off = abs(conv.fprop(LAYER, x, w) - exact) / size
    assert 2.0**-16 < off.max() <= 2.0**-10 * 1.01


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.complex64, np.int64])
def test_other_dtypes_go_the_plain_way(launched, dtype):
    x, w, y = (a.astype(dtype) for a in direct.operands(LAYER, 2, 5, 9, whole=True))
    expected = plain.fprop(LAYER, x, w), plain.dgrad(LAYER, y, w), plain.wgrad(LAYER, x, y)
    for found, wanted in zip(triple(LAYER, x, w, y), expected, strict=True):
        assert found.dtype == dtype
        assert_array_equal(found, wanted)
    assert not launched


def test_mixed_dtypes_empty_batches_old_gpus_and_the_cpu_go_the_plain_way(launched, monkeypatch):
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    assert conv.fprop(LAYER, x, w.astype(np.float64)).dtype == np.float64
    assert [a.shape for a in triple(LAYER, x[:0], w, y[:0])] == [
        (0, *y.shape[1:]),
        (0, *x.shape[1:]),
        w.shape,
    ]
    for capability in (70, None):
        monkeypatch.setattr(launcher, "capability", lambda array, value=capability: value)
        assert_array_equal(conv.fprop(LAYER, x, w), direct.triple(LAYER, x, w, y)[0])
    assert not launched


def test_more_numbers_than_kernels_count_go_the_plain_way(launched, monkeypatch):
    monkeypatch.setattr(ladder_plan, "LIMIT", 100)
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    triple(LAYER, x, w, y)
    assert not launched
