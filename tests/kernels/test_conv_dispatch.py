"""The convolution triple as a GPU runs it: the plans that it takes, and when it goes the plain way.

The launcher is the emulator here, and arrays are NumPy's that say they lie on a GPU.
"""

from dataclasses import replace

import numpy as np
import pytest
from fakegpu import GPU, Cupy, held
from hypothesis import given, settings
from kernels.runner import run
from machine import needs_emulator
from numpy.testing import assert_array_equal
from strategies import convolutions

from kernels import direct
from minigan import array as arrays
from minigan import cuda as device
from minigan.conv import Activation, Geometry, ladder_plan, ladder_tiles, ladder_winograd, plain
from minigan.conv import cuda as conv
from minigan.cuda import launch as launch_module
from minigan.cuda import launcher
from minigan.cuda.launch import LaunchError, is_array
from minigan.fused import rounded

pytestmark = needs_emulator

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


ACTIVATED = {  # exact on whole numbers
    Activation("relu"): lambda v: np.maximum(v, 0),
    Activation("leaky_relu", 0.25): lambda v: np.where(v > 0, v, 0.25 * v),
}


@pytest.mark.parametrize("f", ACTIVATED, ids=lambda f: f.name)
@pytest.mark.parametrize(("c", "k"), [(5, 9), (3, 9), (5, 1)])
@pytest.mark.parametrize("winograd", [None, 0.0])
def test_an_activation_is_the_epilogue_of_whatever_computes(
    launched, monkeypatch, f, c, k, winograd
):
    """The ladder, few channels, Winograd's form; the plain way for another dtype and an old GPU."""
    monkeypatch.setitem(ladder_tiles.WINOGRAD, 80, winograd)
    x, w, y = direct.operands(LAYER, 2, c, k, whole=True)
    b, a = np.arange(k, dtype=np.float32) - 3, np.arange(c, dtype=np.float32) - 2
    out, image, _ = direct.triple(LAYER, x, w, y)
    expected = [ACTIVATED[f](v + u[:, None, None]) for v, u in ((out, b), (image, a))]

    def found(dtype=np.float32):
        made = [v.astype(dtype) for v in (x, w, y, b, a)]
        x_, w_, y_, b_, a_ = made
        return conv.fprop(LAYER, x_, w_, b_, activation=f), conv.dgrad(
            LAYER, y_, w_, a_, activation=f
        )

    for got, exact in zip(found(), expected, strict=True):
        assert_array_equal(got, exact)
    count = len(launched)
    assert count and not any(launch.name == "bias_act" for launch in launched)
    for got, exact in zip(found(np.float64), expected, strict=True):
        assert_array_equal(got, exact)
    monkeypatch.setattr(launcher, "capability", lambda array: 70)
    for got, exact in zip(found(), expected, strict=True):
        assert_array_equal(got, exact)
    assert len(launched) == count


def test_operands_of_any_layout_are_made_contiguous(launched):
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    strange = [np.asfortranarray(a) for a in (x, w, y)]
    for found, expected in zip(triple(LAYER, *strange), triple(LAYER, x, w, y), strict=True):
        assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("capability", "tf32", "bf16", "rung"),
    [
        (75, False, False, 2),
        (75, True, True, 2),
        (80, False, False, 3),
        (90, True, False, 4),
        (80, False, True, 5),
        (90, True, True, 5),
    ],
)
def test_tensor_cores_are_used_when_a_program_allows_it(
    launched, monkeypatch, capability, tf32, bf16, rung
):
    monkeypatch.setattr(launcher, "capability", lambda array: capability)
    monkeypatch.setattr(device, "allow_tf32", tf32)
    monkeypatch.setattr(device, "allow_bf16", bf16)
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    triple(LAYER, x, w, y)
    assert {macro(launch, "RUNG") for launch in launched} - {None} == {rung}
    assert all(launch.architecture <= capability for launch in launched)


def test_float32_keeps_its_digits_unless_fewer_are_allowed(launched, monkeypatch):
    x, w, y = direct.operands(LAYER, 2, 5, 9)
    exact, size = direct.triple(LAYER, x, w, y)[0], direct.magnitudes(LAYER, x, w, y)[0]
    off = abs(conv.fprop(LAYER, x, w) - exact) / size
    assert off.max() <= (5 * 16 + 2) * direct.U
    monkeypatch.setattr(device, "allow_tf32", True)
    off = abs(conv.fprop(LAYER, x, w) - exact) / size
    assert 2.0**-16 < off.max() <= 2.0**-10 * 1.01
    monkeypatch.setattr(device, "allow_bf16", True)
    off = abs(conv.fprop(LAYER, x, w) - exact) / size
    assert 2.0**-13 < off.max() <= 2.0**-7 * 1.01


@pytest.mark.parametrize(("c", "k"), [(5, 9), (3, 9)])
@pytest.mark.parametrize("capability", [70, 75, 80])
def test_low_rounds_the_operands_whatever_computes(launched, monkeypatch, capability, c, k):
    """The plain way, rung 2, rung 5, and kernels for few channels."""
    monkeypatch.setattr(launcher, "capability", lambda array: capability)
    x, w, y = direct.operands(LAYER, 2, c, k)
    b = np.linspace(0, 1, k, dtype=np.float32)
    found = [
        conv.fprop(LAYER, x, w, b, low=True) - b[:, None, None],
        conv.dgrad(LAYER, y, w, low=True),
        conv.wgrad(LAYER, x, y, low=True),
    ]
    low = [rounded(a) for a in (x, w, y)]
    sums = zip(found, direct.triple(LAYER, *low), direct.magnitudes(LAYER, *low), strict=True)
    for got, exact, size in sums:
        assert (abs(got - exact) <= 300 * direct.U * (size + 1)).all()
    rungs = {macro(launch, "RUNG") for launch in launched} - {None}
    assert rungs <= {{75: 2, 80: 5}.get(capability)}
    assert bool(launched) == (capability > 70)


def test_the_launcher_compiles_and_runs_what_was_allowed(monkeypatch):
    """BF16, by way of a CuPy that stands in: every factor is rounded, whole numbers are exact."""
    cupy, real, made = Cupy(GPU("90")), launcher.run, []

    def on_gpu(launches):
        made.extend(launches)
        real(
            replace(a, arguments=tuple(held(cupy, v) if is_array(v) else v for v in a.arguments))
            for a in launches
        )

    monkeypatch.setattr(arrays, "cupy", lambda: cupy)
    monkeypatch.setattr(launcher, "capability", lambda array: 90)
    monkeypatch.setattr(launcher, "run", on_gpu)
    monkeypatch.setattr(device, "allow_bf16", True)
    kept = (launcher._kernel, launcher._module, launcher._headers, launcher._source)
    for cache in kept:
        cache.cache_clear()
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    for found, expected in zip(triple(LAYER, x, w, y), direct.triple(LAYER, x, w, y), strict=True):
        assert_array_equal(found, expected)
    for cache in kept:
        cache.cache_clear()
    assert {"-DRUNG=5" in compiled["options"] for compiled in cupy.gpu.compiled} == {True}
    assert [kernel["name"] for kernel in cupy.gpu.launched] == [launch.name for launch in made]


# -- Winograd's form


@pytest.mark.parametrize("filters", [4, 3])
def test_winograd_is_used_where_the_table_says_that_it_is_faster(launched, monkeypatch, filters):
    g = Geometry(9, 7, filters, filters, (filters - 2,) * 2, (1, 2, 1, 1))
    x, w, y = direct.operands(g, 2, 5, 9, whole=True)
    expected, saving = direct.triple(g, x, w, y), ladder_winograd.saving(g, 5, 9)
    for least, used in ((None, False), (saving * 1.01, False), (saving, True)):
        launched.clear()
        monkeypatch.setitem(ladder_tiles.WINOGRAD, 80, least)
        for found, exact in zip(triple(g, x, w, y), expected, strict=True):
            assert_array_equal(found, exact)
        assert any(launch.file == "winograd.cu" for launch in launched) is used
        assert any(macro(launch, "RUNG") for launch in launched) is not used


def test_winograd_takes_no_other_filters_few_channels_or_rounded_factors(launched, monkeypatch):
    monkeypatch.setitem(ladder_tiles.WINOGRAD, 80, 0.0)
    for g, c, k in (
        (Geometry(9, 7, 4, 4), 5, 9),
        (Geometry(9, 7, 3, 3, dilation=(2, 2)), 5, 9),
        (Geometry(9, 7, 4, 4, (2, 2), groups=5), 25, 30),
        (Geometry(9, 7, 3, 3), 3, 3),
    ):
        triple(g, *direct.operands(g, 2, c, k, whole=True))
    x, w, y = direct.operands(LAYER, 2, 5, 9, whole=True)
    for name in ("allow_tf32", "allow_bf16"):
        with monkeypatch.context() as patch:
            patch.setattr(device, name, True)
            triple(LAYER, x, w, y)
    assert launched and not any(launch.file == "winograd.cu" for launch in launched)


@pytest.mark.parametrize("filters", [4, 3])
def test_the_saving_is_that_of_the_launches(launched, monkeypatch, filters):
    """Multiply-adds of the products and numbers between them, counted in the launches themselves.

    Sides of 8 pixels: tiles fill the output, and no pixel is padding only.
    """
    stride = filters - 2
    g = Geometry(8, 8, filters, filters, (stride,) * 2, (1,) * 4)
    x, w, _ = direct.operands(g, 2, 5, 6, whole=True)
    monkeypatch.setitem(ladder_tiles.WINOGRAD, 80, 0.0)
    conv.fprop(g, x, w)
    (products,) = [launch for launch in launched if launch.name == "batched_gemm"]
    _, v, m, sizes, batch = products.arguments
    done = int(batch) * int(sizes["rows"]) * int(sizes["columns"]) * int(sizes["depth"])
    plainly = 2 * g.P * g.Q * 6 * 5 * filters**2
    assert ladder_winograd.saving(g, 5, 6) == pytest.approx((plainly - done) / (v.size + m.size))


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


def test_more_groups_than_a_grid_has_blocks_go_the_plain_way(launched):
    g, groups = Geometry(1, 1, 1, 1, groups=65536), 65536
    x = np.arange(groups, dtype=np.float32).reshape(1, groups, 1, 1) % 7
    w = np.arange(groups, dtype=np.float32).reshape(groups, 1, 1, 1) % 5
    assert_array_equal(conv.fprop(g, x, w), (x[0] * w[:, 0])[None])
    assert_array_equal(conv.dgrad(g, x, w), (x[0] * w[:, 0])[None])
    assert not launched


@pytest.mark.parametrize(
    ("c", "k", "winograd", "launches"),
    [(5, 9, None, ["fprop"]), (3, 9, None, ["few_inputs"]), (5, 9, 0.0, [])],
)
def test_no_plan_is_launched_in_part(launched, monkeypatch, c, k, winograd, launches):
    """On grids of one block: fprop's single launch has room there, no other routine's have."""
    monkeypatch.setattr(launch_module, "GRID_LIMIT", (1, 1, 1))
    monkeypatch.setitem(ladder_tiles.WINOGRAD, 80, winograd)
    x, w, y = direct.operands(LAYER, 2, c, k, whole=True)
    for found, exact in zip(triple(LAYER, x, w, y), direct.triple(LAYER, x, w, y), strict=True):
        assert_array_equal(found, exact)
    assert [launch.name for launch in launched] == launches


def test_other_mistakes_in_a_plan_are_not_hidden(launched, monkeypatch):
    monkeypatch.setitem(launch_module.SHARED_LIMIT, 80, 100)
    x, w, _ = direct.operands(LAYER, 2, 5, 9, whole=True)
    with pytest.raises(LaunchError, match="at most 100 bytes of shared memory"):
        conv.fprop(LAYER, x, w)
