"""Exact pixels of grids, frames and times of animations, the parts of the loss plot."""

import os
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minigan import report
from minigan.report import image_grid, save_animation, save_grid, to_uint8

ROOT = Path(__file__).parents[1]
GREY = report.BACKGROUND


# --- to_uint8


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_level_is_reached_from_its_own_value(dtype):
    levels = np.arange(256)
    images = (levels / 127.5 - 1).astype(dtype).reshape(1, 1, 16, 16)
    assert (to_uint8(images).ravel() == levels).all()


def test_rounding_and_clipping():
    # In halves of a level: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, 127.5 -> 128, 128.5 -> 128 (to even).
    for level, pixel in [(0.5, 0), (1.5, 2), (2.5, 2), (127.5, 128), (128.5, 128), (254.5, 254)]:
        x = level / 127.5 - 1
        if (x + 1) * 127.5 == level:  # not every such x is a float64
            assert to_uint8(np.full((1, 1, 1, 1), x)).item() == pixel
    for x, pixel in [(-1, 0), (1, 255), (0, 128), (-7, 0), (7, 255), (-np.inf, 0), (np.inf, 255)]:
        assert to_uint8(np.full((1, 1, 1, 1), float(x))).item() == pixel


def test_channels_go_last():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 4, 5)).astype(np.float32)
    before = images.copy()
    pixels = to_uint8(images)
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    for n, c, h, w in np.ndindex(images.shape):
        exact = 127.5 * (float(images[n, c, h, w]) + 1)
        assert abs(float(pixels[n, h, w, c]) - exact) <= 0.5 + 1e-4
    assert (images == before).all()


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((1, 1, 2, 2), int), TypeError, "expects floats .* got dtype int64"),
        (np.zeros((1, 2, 2, 2)), ValueError, r"expects shape .* got \(1, 2, 2, 2\)"),
        (np.zeros((1, 2, 2)), ValueError, r"got \(1, 2, 2\)"),
        (np.full((1, 1, 2, 2), [0, np.nan]), ValueError, "2 of 4 values are NaN"),
    ],
)
def test_unfit_images_are_refused(images, error, words):
    with pytest.raises(error, match=f"to_uint8: .*{words}"):
        to_uint8(images)


# --- image_grid


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 7),
    st.sampled_from([1, 3]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_every_pixel_of_a_grid(n, channels, height, width, columns, padding, scale):
    images = np.random.default_rng(0).integers(0, 256, (n, height, width, channels), np.uint8)
    grid = image_grid(images, columns, padding, scale)
    columns = min(columns, n)
    cell_h, cell_w = scale * height + padding, scale * width + padding
    rows = (n + columns - 1) // columns
    assert grid.shape[:2] == (rows * cell_h + padding, columns * cell_w + padding)
    assert grid.ndim == (2 if channels == 1 else 3)
    grid = grid.reshape(*grid.shape[:2], channels)
    for y, x in np.ndindex(grid.shape[:2]):
        row, dy = divmod(y - padding, cell_h)
        column, dx = divmod(x - padding, cell_w)
        index = row * columns + column
        inside = 0 <= dy < scale * height and 0 <= dx < scale * width and row >= 0 and column >= 0
        expected = [GREY] * channels
        if inside and index < n:
            expected = images[index, dy // scale, dx // scale]
        assert (grid[y, x] == expected).all()


def test_floats_and_their_pixels_make_the_same_grid():
    images = np.random.default_rng(0).uniform(-1, 1, (5, 3, 4, 4))
    assert (image_grid(images, 3) == image_grid(to_uint8(images), 3)).all()


@pytest.mark.parametrize(
    ("images", "options"),
    [
        (np.zeros((0, 1, 2, 2)), {}),
        (np.zeros((1, 1, 2, 2)), {"columns": 0}),
        (np.zeros((1, 1, 2, 2)), {"padding": -1}),
        (np.zeros((1, 1, 2, 2)), {"scale": 0}),
        (np.zeros((1, 1, 2, 2), np.uint8), {}),
    ],
)
def test_impossible_grids_are_refused(images, options):
    with pytest.raises(ValueError, match=r"image_grid: .*expects"):
        image_grid(images, **options)


# --- save_grid


@pytest.mark.parametrize(
    ("shape", "columns", "scale"),
    [
        ((64, 1, 28, 28), 8, 3),
        ((64, 3, 4, 32), 8, 2),
        ((64, 3, 64, 64), 8, 1),
        ((2, 3, 9, 400), 2, 1),
        ((100, 1, 28, 28), 1, 1),
    ],
)
def test_a_saved_grid_is_the_grid_at_a_comfortable_size(tmp_path, shape, columns, scale):
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    save_grid(tmp_path / "a.png", images, columns)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert (np.asarray(picture) == image_grid(images, columns, scale=scale)).all()
    save_grid(tmp_path / "b.png", images[:2], columns, scale=2)
    with Image.open(tmp_path / "b.png") as picture:
        assert (np.asarray(picture) == image_grid(images[:2], columns, scale=2)).all()


def test_a_refused_grid_leaves_the_old_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(ValueError, match="NaN"):
        save_grid(tmp_path / "a.png", np.full((1, 1, 2, 2), np.nan))
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


# --- save_animation


def play(path):
    """Frames as RGB arrays, and their times in seconds."""
    frames, times = [], []
    with Image.open(path) as gif:
        assert gif.format == "GIF"
        assert gif.info["loop"] == 0
        for index in range(gif.n_frames):
            gif.seek(index)
            times.append(gif.info["duration"] / 1000)
            frames.append(np.asarray(gif.convert("RGB")).astype(int))
    return frames, times


def flat(value, shape=(40, 100)):
    return np.full(shape, value, np.uint8)


def test_frames_come_back_in_order_above_their_captions(tmp_path):
    rng = np.random.default_rng(0)
    grids = [rng.integers(0, 256, (40, 100), np.uint8) for _ in range(5)]
    save_animation(tmp_path / "a.gif", grids, labels=[0, 10, 200, 3000, 40000])
    frames, times = play(tmp_path / "a.gif")
    assert len(frames) == 5
    assert sum(times) == pytest.approx(6, abs=0.01)  # 4 frames of the allowed 1 s, then 2 s
    for grid, frame in zip(grids, frames, strict=True):
        assert np.abs(frame[:40] - grid[:, :, None]).max() <= 9  # 16 levels of grey
    captions = [frame[40:].tobytes() for frame in frames]
    assert len(set(captions)) == 5
    assert all(frame[40:].min() < 64 and frame[40:].max() == 255 for frame in frames)


def test_colours_survive(tmp_path):
    # A slow sweep of colours, as pictures have; noise over the whole cube would need more of them.
    ramp = np.linspace(0, 255, 60).astype(np.uint8)
    grid = np.stack(
        [np.tile(ramp, (40, 1)), np.full((40, 60), 90), np.tile(ramp[::-1], (40, 1))], 2
    )
    save_animation(tmp_path / "a.gif", [grid.astype(np.uint8), flat(0, (40, 60, 3))])
    frames, _ = play(tmp_path / "a.gif")
    assert frames[0].shape == (40, 60, 3)  # no labels, no strip
    assert np.abs(frames[0] - grid).max() <= 16


def test_a_number_is_a_step_and_a_text_is_itself(tmp_path):
    for name, label in [("n", 1500), ("numpy", np.int64(1500)), ("t", "step 1500"), ("o", 1501)]:
        save_animation(tmp_path / name, [flat(0)], [label])
    files = {name: (tmp_path / name).read_bytes() for name in ("n", "numpy", "t", "o")}
    assert files["n"] == files["numpy"] == files["t"] != files["o"]


@pytest.mark.parametrize("count", [1, 2, 30, 60])
def test_playing_time(tmp_path, count):
    save_animation(tmp_path / "a.gif", (flat(4 * i) for i in range(count)), range(count), seconds=7)
    frames, times = play(tmp_path / "a.gif")
    assert len(frames) == count
    assert count == 1 or times[-1] == 2
    assert len(set(times[:-1])) <= 1
    if count >= 30:
        assert 6 <= sum(times) <= 8


@pytest.mark.parametrize("count", [1, 59, 60, 61, 62, 119, 120, 121, 500, 4097])
def test_thinning_is_even_and_keeps_both_ends(count):
    kept = report._thin(iter(range(count)))
    assert len(kept) <= 60
    assert kept[0] == 0
    assert kept[-1] == count - 1
    gaps = np.diff(kept)
    if count <= 60:
        assert kept == list(range(count))
    else:
        assert len(kept) >= 30
        assert len(set(gaps[:-1])) == 1
        assert gaps[-1] <= 2 * gaps[0]


def test_only_the_pictures_shown_are_read(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(100)]
    for index in [*range(0, 100, 2), 99]:
        Image.fromarray(flat(index)).save(paths[index])
    save_animation(tmp_path / "a.gif", paths, range(100))  # the others do not exist
    frames, _ = play(tmp_path / "a.gif")
    assert len(frames) == 51
    for frame, index in zip(frames, [*range(0, 100, 2), 99], strict=True):
        assert abs(frame[0, 0, 0] - index) <= 9


def test_a_long_stream_is_never_held_whole(tmp_path):
    living, most = set(), 0

    def stream():
        nonlocal most
        for index in range(1000):
            grid = flat(index % 256, (8, 8))
            living.add(index)
            weakref.finalize(grid, living.discard, index)
            most = max(most, len(living))
            yield grid

    save_animation(tmp_path / "a.gif", stream(), range(1000))
    assert 60 <= most <= 64


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([],), ValueError, "at least one frame"),
        (([flat(0), flat(0)], [1]), ValueError, "2 frames and 1 labels"),
        (([flat(0), flat(0, (2, 2))],), ValueError, "frames of one size"),
        (([flat(0).astype(float)],), TypeError, "expects uint8, got dtype float64"),
        (([flat(0, (2, 2, 4))],), ValueError, r"got \(2, 2, 4\)"),
        (([flat(0)], None, 0), ValueError, "seconds expects a number > 0, got 0"),
        (([flat(0)], None, float("nan")), ValueError, "seconds expects a number > 0"),
    ],
)
def test_impossible_animations_are_refused(tmp_path, arguments, error, words):
    with pytest.raises(error, match=f"save_animation: .*{words}"):
        save_animation(tmp_path / "a.gif", *arguments)
    assert os.listdir(tmp_path) == []
