"""The emulator computes what a GPU would, and reports what a GPU would silently get wrong."""

import os

import numpy as np
import pytest
from emulator import driver
from emulator.driver import EmulatorError, Module
from machine import needs_emulator
from numpy.testing import assert_array_equal

SAMPLES = driver.INCLUDE.parent / "samples.cu"

pytestmark = needs_emulator


@pytest.fixture(scope="module")
def samples():
    return Module(SAMPLES, architecture=80)


def nans(*shape):
    return np.full(shape, np.nan, np.float32)


def real(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


# -- what a GPU computes


@pytest.mark.parametrize("seed", range(4))
def test_every_thread_of_every_block_runs_once(samples, seed):
    grid, block = (3, 2, 2), (5, 3, 4)
    y = np.zeros((12, 60), np.int32)
    samples.launch("numbers", grid, block, (y,), seed=seed)
    assert_array_equal(y, 1 + 1000 * np.arange(12)[:, None] + np.arange(60))


def test_barriers_and_dynamic_shared_memory(samples):
    x, y = real(3, 64), nans(3, 64)
    samples.launch("backwards", (3, 1, 1), (64, 1, 1), (x, y), shared=256)
    assert_array_equal(y, x[:, ::-1])


def test_a_headers_template_has_its_static_shared_memory(samples):
    x = np.random.default_rng(0).integers(-8, 9, (2, 96)).astype(np.float32)
    y = nans(2)
    samples.launch("sums", (2, 1, 1), (96, 1, 1), (x, y))
    assert_array_equal(y, x.sum(axis=1))


@pytest.mark.parametrize("width", [4, 16, 32])
@pytest.mark.parametrize("by", [0, 1, 3, 8])
def test_shuffles_take_the_value_of_the_lane_that_the_guide_says(samples, by, width):
    x = np.random.default_rng(0).integers(0, 100, 64).astype(np.int32)
    y = np.zeros((4, 64), np.int32)
    samples.launch("shuffles", (1, 1, 1), (64, 1, 1), (x, np.int32(by), np.int32(width), y))
    for lane in range(64):
        first, within = lane - lane % width, lane % width
        assert y[0, lane] == x[first + by % width]
        assert y[1, lane] == x[lane + by if within + by < width else lane]
        assert y[2, lane] == x[lane - by if within >= by else lane]
        if by < width:
            assert y[3, lane] == x[lane ^ by]


def test_votes_of_a_warp_and_of_a_block(samples):
    for x in (np.arange(64) % 3 == 1, np.ones(64), np.arange(64) < 32, np.zeros(64)):
        x = x.astype(np.int32)
        y = np.zeros(5, np.uint32)
        samples.launch("votes", (1, 1, 1), (64, 1, 1), (x, y))
        for warp in range(2):
            votes = x[32 * warp : 32 * warp + 32]
            assert y[warp] == sum(int(v) << i for i, v in enumerate(votes))
            assert y[2 + warp] == votes.any() + 2 * votes.all()
        assert y[4] == x.any() + 2 * x.all() + 4 * x.sum()


def test_atomics_count(samples):
    x = np.random.default_rng(0).integers(0, 5, 300).astype(np.int32)
    y = np.zeros(5, np.int32)
    samples.launch("histogram", (5, 1, 1), (64, 1, 1), (x, y, np.int32(300)))
    assert_array_equal(y, np.bincount(x))


def test_vectors_structs_and_booleans_are_passed_by_value(samples):
    kind = np.dtype([("slope", "f4"), ("shift", "i4"), ("twice", "u1")], align=True)
    by = np.array((1.5, -2, 1), kind)[()]
    x, y = np.arange(32, dtype=np.float32).reshape(8, 4), nans(8, 4)
    samples.launch("affine", (1, 1, 1), (8, 1, 1), (x, y, by, np.bool_(True)))
    assert_array_equal(y, -3 * x - 2)


def test_small_floats_round_to_the_nearest(samples):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(512) * 2.0 ** rng.integers(-8, 9, 512)).astype(np.float32)
    x[:4] = 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-11, -1 - 2.0**-11  # halfway
    half, bfloat, tf32 = np.zeros(512, np.float16), np.zeros(512, np.uint16), nans(512)
    samples.launch("roundings", (1, 1, 1), (512, 1, 1), (x, half, bfloat, tf32))
    assert_array_equal(half, x.astype(np.float16))
    bfloat = (bfloat.astype(np.uint32) << 16).view(np.float32)
    for rounded, bits in ((bfloat, 8), (tf32, 11)):
        mantissa, exponent = np.frexp(x.astype(np.float64))
        scaled = mantissa * 2.0**bits
        away = np.copysign(np.floor(abs(scaled) + 0.5), scaled)
        expected = np.rint(scaled) if bits == 8 else away
        assert_array_equal(rounded, np.ldexp(expected, exponent - bits))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tiles", [1, 2, 5])
def test_asynchronous_copies_arrive_in_time(samples, tiles, seed):
    x, y = np.random.default_rng(0).integers(-8, 9, (tiles, 128)).astype(np.float32), nans(128)
    samples.launch("pipeline", (1, 1, 1), (32, 1, 1), (x, y, np.int32(tiles)), seed=seed)
    assert_array_equal(y, x.sum(axis=0))


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_an_asynchronous_copy_fills_up_with_zeros(samples, count):
    x, y = real(4), nans(4)
    samples.launch("partial_copy", (1, 1, 1), (1, 1, 1), (x, y, np.int32(4 * count)))
    assert_array_equal(y, np.where(np.arange(4) < count, x, 0))


def test_kernels_are_compiled_for_an_architecture(samples):
    y = nans(1)
    samples.launch("from_sm_80", (1, 1, 1), (1, 1, 1), (y,))
    assert y == 80
    with pytest.raises(EmulatorError, match=r"samples\.cu has no kernel from_sm_80"):
        Module(SAMPLES, architecture=75).launch("from_sm_80", (1, 1, 1), (1, 1, 1), (y,))


def test_a_seed_is_an_order_of_blocks_warps_and_lanes(samples):
    orders = []
    for seed in (0, 1, 2, 1):
        y, counter = np.zeros((6, 64), np.int32), np.zeros(1, np.int32)
        samples.launch("tickets", (6, 1, 1), (64, 1, 1), (counter, y), seed=seed)
        assert_array_equal(np.sort(y, axis=None), np.arange(6 * 64))
        orders.append(y)
    assert_array_equal(orders[0], np.arange(6 * 64).reshape(6, 64))
    assert_array_equal(orders[1], orders[3])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        by_block = [np.argsort(orders[i][:, 0]) for i in (a, b)]
        assert (by_block[0] != by_block[1]).any()
        lanes = [np.argsort(orders[i][0, :32]) for i in (a, b)]
        assert (lanes[0] != lanes[1]).any()


# -- what a GPU gets wrong without a word


@pytest.mark.parametrize("size", [4, 5, 1024])  # filling its 16 bytes, its page, or not
def test_an_access_beyond_an_array_is_an_error_or_nan(samples, size):
    x, y = np.zeros(size, np.float32), np.zeros(1, np.float32)
    one = (1, 1, 1)
    if size % 4:
        samples.launch("reads_beyond", one, one, (x, y, np.int32(size)))
        assert np.isnan(y)
        with pytest.raises(EmulatorError, match="written beside argument 0"):
            samples.launch("writes_beyond", one, one, (x, np.int32(size)))
    else:
        for name, arguments in (("reads_beyond", (x, y)), ("writes_beyond", (x,))):
            with pytest.raises(EmulatorError, match=r"illegal memory access.*block \(0,0,0\)"):
                samples.launch(name, one, one, (*arguments, np.int32(size)))
    with pytest.raises(EmulatorError, match=r"illegal memory access|written beside"):
        samples.launch("writes_beyond", one, one, (x, np.int32(-1)))
    samples.launch("writes_beyond", one, one, (x, np.int32(size - 1)))  # the control
    assert x[-1] == 1


def test_dynamic_shared_memory_ends_where_the_launch_says(samples):
    y, one = nans(1), (1, 1, 1)
    samples.launch("shared_beyond", one, one, (y, np.int32(63)), shared=256)
    assert y == 1
    with pytest.raises(EmulatorError, match="illegal memory access"):
        samples.launch("shared_beyond", one, one, (y, np.int32(64)), shared=256)


def test_what_was_never_written_is_nan_or_garbage(samples):
    y = np.zeros(32, np.float32)
    for _ in range(2):  # what the first launch left behind is gone in the second
        samples.launch("unwritten_shared", (2, 1, 1), (32, 1, 1), (y,))
        assert_array_equal(np.isnan(y), np.arange(32) == 31)
    samples.launch("unwritten_sum", (1, 1, 1), (2, 1, 1), (np.ones(4, np.float32), y))
    assert (abs(y[:2]) > 1e30).all()


def results(samples, name, *arguments, count, block, seeds=range(4)):
    """What a kernel gives under several orders; the reports of those it fails in are left out."""
    found = []
    for seed in seeds:
        y = nans(count)
        given = (*arguments[:1], y, *arguments[1:])
        samples.launch(name, (1, 1, 1), (block, 1, 1), given, seed=seed)
        found.append(y)
    return found


def test_a_missing_barrier_gives_nan(samples):
    x = real(64)
    for y in results(samples, "no_barrier", x, count=64, block=64):
        assert np.isnan(y).any()


def test_a_missing_second_barrier_depends_on_the_order(samples):
    x = real(64)
    right = 3 * np.roll(x, -32) + 3
    found = results(samples, "no_second_barrier", x, count=64, block=64)
    assert not any(np.allclose(y, right) for y in found)


def test_a_short_wait_reads_what_has_not_landed():
    x = np.ones((4, 128), np.float32)
    wrong = Module(SAMPLES, ("-DKEEP=2",), 80)
    late, early = results(wrong, "pipeline", x, np.int32(4), count=128, block=32, seeds=(0, 1))
    assert np.isnan(late).any()
    assert_array_equal(early, 4)


def test_a_stage_overwritten_too_early_is_seen_where_copies_land_at_once():
    x = np.arange(4, dtype=np.float32).repeat(128).reshape(4, 128)
    wrong = Module(SAMPLES, ("-DREAD_BARRIER=0",), 80)
    early = results(wrong, "pipeline", x, np.int32(4), count=128, block=32, seeds=(1, 3))
    assert any((y != 6).any() for y in early)


@pytest.mark.parametrize(
    ("name", "block", "message"),
    [
        ("barrier_for_some", 64, "__syncthreads that some threads do not reach"),
        ("barriers_in_two_places", 64, "__syncthreads reached in different places"),
        ("divergent_shuffle", 32, "a warp intrinsic in divergent code.*__shfl_down_sync"),
        ("foreign_mask", 32, "lane 16 is not in its own mask 0000ffff"),
        ("gives_up", 32, "__trap"),
    ],
)
def test_threads_that_part_are_reported(samples, name, block, message):
    with pytest.raises(EmulatorError, match=message):
        samples.launch(name, (1, 1, 1), (block, 1, 1), (np.ones(64, np.float32),))
    y = np.zeros((1, 60), np.int32)  # and the next launch is none the worse for it
    samples.launch("numbers", (1, 1, 1), (60, 1, 1), (y,))
    assert_array_equal(y[0], 1 + np.arange(60))


def test_a_lane_that_takes_no_part_has_no_value(samples):
    y = np.zeros(32, np.float32)
    samples.launch("absent_lane", (1, 1, 1), (32, 1, 1), (y,))
    assert_array_equal(np.isnan(y), np.arange(32) < 16)


def test_a_misaligned_asynchronous_copy_is_reported(samples):
    with pytest.raises(EmulatorError, match=r"cp\.async of 16 bytes is not aligned"):
        samples.launch("misaligned_copy", (1, 1, 1), (1, 1, 1), (real(8), nans(1)))


# -- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((real(64),), "backwards has 2 parameters, 1 were given"),
        ((real(64), np.zeros(64)), "argument 1: the kernel takes f4 elements, got f8"),
        ((real(64), np.float32(1)), "argument 1: expected an array, got float32"),
        ((real(64, 2)[:, 0], real(64)), "argument 0: the array is not contiguous"),
    ],
)
def test_arguments_must_fit_the_kernels_parameters(samples, arguments, message):
    with pytest.raises(EmulatorError, match=message):
        samples.launch("backwards", (1, 1, 1), (64, 1, 1), arguments, shared=256)


def test_scalars_must_have_the_parameters_type(samples):
    x, y = np.zeros(4, np.int32), np.zeros(4, np.int32)
    for n in (np.int64(4), np.float32(4)):
        with pytest.raises(EmulatorError, match=rf"takes i4, got {n.dtype.kind}{n.nbytes}"):
            samples.launch("histogram", (1, 1, 1), (4, 1, 1), (x, y, n))


def test_one_array_given_twice_is_one_memory_and_overlaps_are_refused(samples):
    x = real(64)
    before = x.copy()
    samples.launch("backwards", (1, 1, 1), (64, 1, 1), (x, x), shared=256)
    assert_array_equal(x, before[::-1])
    long = real(80)
    with pytest.raises(EmulatorError, match="argument 1: the array overlaps another argument"):
        samples.launch("backwards", (1, 1, 1), (64, 1, 1), (long[:64], long[16:]), shared=256)


# -- compiling


def test_a_file_is_compiled_again_when_it_or_its_header_or_a_macro_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_EMULATOR_CACHE", str(tmp_path / "cache"))
    header, source = tmp_path / "value.cuh", tmp_path / "value.cu"
    source.write_text(
        '#include "value.cuh"\n'
        'extern "C" __global__ void value(float* y) { y[0] = VALUE + PLUS; }\n'
    )
    found = {}
    for text, plus in (("1", 1), ("1", 1), ("1", 2), ("5", 1)):
        header.write_text(f"#pragma once\n#define VALUE {text}\n")
        path, y = driver.compiled(source, (f"-DPLUS={plus}",)), nans(1)
        Module(source, (f"-DPLUS={plus}",)).launch("value", (1, 1, 1), (1, 1, 1), (y,))
        assert y == int(text) + plus
        found.setdefault(path, (text, plus))
        assert found[path] == (text, plus)
    assert len(found) == 3
    assert len(list((tmp_path / "cache").glob("*.so"))) == 3


def test_what_nobody_has_asked_for_is_forgotten_whatever_else_happens_to_the_folder(
    tmp_path, monkeypatch
):
    """Another process's unfinished file may be gone between its name and its date."""
    monkeypatch.setenv("MINIGAN_EMULATOR_CACHE", str(tmp_path))
    old, moved = tmp_path / "old.so", tmp_path / "moved.123"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    moved.symlink_to(tmp_path / "nowhere")
    source = tmp_path / "new.cu"
    source.write_text('extern "C" __global__ void one(float* y) { y[0] = 1; }\n')
    assert driver.compiled(source).exists()
    assert not old.exists()


def test_what_does_not_compile_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_EMULATOR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "part.cuh").write_text("#pragma once\nstatic int a;\n\nstatic int b = c;\n")
    (tmp_path / "wrong.cu").write_text('#include "part.cuh"\n\nint d = e;\n')
    with pytest.raises(EmulatorError, match=r"(?s)part\.cuh:4:.*wrong\.cu:3:"):
        Module(tmp_path / "wrong.cu")
