"""Exact pixels of grids, frames and times of animations, the parts of the loss plot."""

import hashlib
import itertools
import os
import subprocess
import sys
import weakref
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from minigan import report
from minigan.report import image_grid, save_animation, save_grid, save_losses, to_uint8

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


# --- save_losses

LINES = {"d_loss": (2 * np.log(2), "2 ln 2"), "g_loss": (np.log(2), "ln 2")}


def run(n, probabilities=True):
    rng = np.random.default_rng(0)
    columns = {
        "step": np.arange(n) * 5,
        "d_loss": 1.2 + 0.1 * rng.normal(size=n),
        "g_loss": 0.9 + 0.2 * rng.normal(size=n),
    }
    if probabilities:
        columns["d_real"] = np.clip(0.6 + 0.1 * rng.normal(size=n), 0, 1)
        columns["d_fake"] = np.clip(0.4 + 0.1 * rng.normal(size=n), 0, 1)
    return columns


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """save_losses, returning the figure that it saved."""
    figures = []
    savefig = Figure.savefig

    def watched(self, *args, **kwargs):
        figures.append(self)
        return savefig(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", watched)

    def drawn(*args, **kwargs):
        save_losses(tmp_path / "losses.png", *args, **kwargs)
        assert os.listdir(tmp_path) == ["losses.png"]
        return figures[-1]

    return drawn


def texts(figure):
    """Every piece of text that the picture shows, and its box in pixels."""
    shown = [figure._suptitle, figure._supxlabel]
    for axes in figure.axes:
        shown += [*axes.texts, axes.title]
        shown += axes.get_legend().get_texts() if axes.get_legend() else []
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            shown += [axis.label, axis.get_offset_text(), *(tick.label1 for tick in ticks)]
    shown = [text for text in shown if text.get_visible() and text.get_text().strip()]
    # An annotation's own extent would include the stroke that leads to it.
    return [(text.get_text(), Text.get_window_extent(text)) for text in shown]


CASES = {
    "no rows": (run(0), LINES),
    "one row": (run(1), LINES),
    "two rows": (run(2), LINES),
    "few rows": (run(5), LINES),
    "many rows": (run(3000), LINES),
    "no probabilities": (run(100, False), LINES),
    "no series": ({"step": [1, 2]}, {}),
    "no lines": (run(50), {}),
    "equal lines": (run(50), {"d_loss": (0.7, "one"), "g_loss": (0.7, "two")}),
    "close lines": (
        {**run(50), "a": np.ones(50), "b": np.ones(50)},
        {name: (1 + i / 100, f"label {name}") for i, name in enumerate(["b", "d_loss", "a"])},
    ),
    "lines only at the top": (run(50), {"d_loss": (9.0, "9"), "g_loss": (9.0, "nine")}),
    "large values": ({**run(50), "g_loss": 1e7 + np.arange(50.0)}, {"g_loss": (1e7, "10^7")}),
    "tiny values": ({"step": [1, 2], "d_loss": [1e-7, 3e-7]}, {}),
    "all NaN": ({**run(50), "g_loss": np.full(50, np.nan)}, LINES),
    "overflow": ({"step": [5, 5, 5], "d_loss": [1e308, -1e308, np.inf]}, {}),
    "constant": ({"step": [5, 6, 7], "d_loss": [3, 3, 3]}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_no_text_covers_another_or_leaves_the_picture(draw, case):
    columns, lines = CASES[case]
    figure = draw(columns, lines, "A long title, with $5 and two lines of words " * 3)
    placed = texts(figure)
    assert {label for _, label in lines.values()} <= {text for text, _ in placed}
    for text, box in placed:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
    for (text, box), (other_text, other) in itertools.combinations(placed, 2):
        apart = box.x1 <= other.x0 or other.x1 <= box.x0 or box.y1 <= other.y0 or other.y1 <= box.y0
        assert apart, (text, other_text)


def test_axes_lines_and_styles(draw):
    figure = draw(run(3000), LINES, "title")
    losses, probabilities = figure.axes
    assert losses.get_ylabel() == "loss (nats)"
    assert probabilities.get_xlabel() == "generator steps"
    assert losses.get_xlim() == probabilities.get_xlim()
    assert probabilities.get_ylim()[0] <= 0 <= 1 <= probabilities.get_ylim()[1]
    for axes, values in ((losses, {2 * np.log(2), np.log(2)}), (probabilities, {0.5})):
        handles = {text: line for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        assert len({str(line._unscaled_dash_pattern) for line in handles.values()}) == 2
        level = [line for line in axes.lines if set(line.get_xdata()) == {0, 1}]
        assert {line.get_ydata()[0] for line in level} == values
        assert all(line.is_dashed() for line in level)
        if axes is losses:
            colours = {line.get_ydata()[0]: line.get_color() for line in level}
            assert colours[2 * np.log(2)] == handles["D loss"].get_color()
            assert colours[np.log(2)] == handles["G loss"].get_color()
        thin = [line for line in axes.lines if (line.get_alpha() or 1) < 1]
        assert len(thin) == 2
        assert all(line.get_linewidth() < 1 for line in thin)


def test_unit_is_the_callers(draw):
    assert draw(run(3), {}, "", unit="bits").axes[0].get_ylabel() == "loss (bits)"
    assert draw(run(3), {}, "", unit="").axes[0].get_ylabel() == "loss"


def test_footnote_counts_what_is_not_shown(draw):
    columns = run(400)
    columns["d_loss"][[3, 70]] = np.nan
    columns["g_loss"][5] = -np.inf
    columns["d_real"][7] = np.nan
    columns["g_loss"][[200, 201, 300]] = [1e6, -1e5, 50]
    figure = draw(columns, LINES, "title")
    note = figure._supxlabel.get_text()
    assert "left out as NaN or infinite: 4" in note
    assert "beyond the axis (triangles): 3" in note
    low, high = figure.axes[0].get_ylim()
    assert -1 < low < high < 3
    markers = {line.get_marker(): line for line in figure.axes[0].lines}
    assert list(markers["^"].get_xdata()) == [1000, 1500]
    assert list(markers["v"].get_xdata()) == [1005]
    assert draw(run(20), LINES, "title")._supxlabel.get_text() == ""


def test_a_jump_that_lasts_is_shown_and_an_explosion_is_cut(draw):
    jump = run(1000)
    jump["g_loss"][900:] += 5
    assert draw(jump, LINES, "").axes[0].get_ylim()[1] > 5.9
    explosion = run(1000)
    explosion["g_loss"][900:] *= np.exp(np.arange(100))
    assert draw(explosion, LINES, "").axes[0].get_ylim()[1] < 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.floats(-9, 9), st.just(np.nan)), max_size=40),
    st.integers(0, 7).map(lambda k: 2 * k + 1),
)
def test_running_median_is_the_definition(values, window):
    values = np.array(values)
    at, medians = report._running_median(np.arange(len(values)), values, window)
    assert (at == np.arange(len(values))).all()
    for index in range(len(values)):
        around = values[max(0, index - window // 2) : index + window // 2 + 1]
        around = sorted(around[~np.isnan(around)])
        if not around:
            assert np.isnan(medians[index])
            continue
        middle = len(around) // 2
        truth = (around[middle] + around[-middle - 1]) / 2
        assert medians[index] == pytest.approx(truth)


def test_a_very_long_run_keeps_its_extremes():
    values = np.random.default_rng(0).normal(size=100_003)
    values[12_345], values[77_777], values[50_000:51_000] = 40, -30, np.nan
    steps = np.arange(len(values))
    x, y = report._envelope(steps, values)
    assert len(x) == len(y) < 4100
    assert (np.diff(x) >= 0).all()
    assert np.nanmax(y) == 40
    assert np.nanmin(y) == -30
    assert abs(x[np.nanargmax(y)] - 12_345) <= 50
    short = report._envelope(steps[:3999], values[:3999])
    assert len(short[0]) == 3999


def test_the_picture_does_not_depend_on_the_callers_style(tmp_path):
    save_losses(tmp_path / "a.png", run(50), LINES, "title")
    with matplotlib.rc_context({"figure.facecolor": "black", "font.size": 25, "lines.marker": "x"}):
        before = dict(matplotlib.rcParams)
        save_losses(tmp_path / "b.png", run(50), LINES, "title")
        assert dict(matplotlib.rcParams) == before
    a, b = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert hashlib.sha256(a).digest() == hashlib.sha256(b).digest()


def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path):
    program = (
        "import sys, minigan.report as r\n"
        "assert not {'matplotlib', 'PIL'} & set(sys.modules)\n"
        "r.save_losses(sys.argv[1], {'step': [1], 'd_loss': [1]}, {}, '')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    path = tmp_path / "a.png"
    subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("columns", "lines", "options", "words"),
    [
        ({"d_loss": [1]}, {}, {}, r"expect a 'step', got \['d_loss'\]"),
        ({"step": [1, 2], "d_loss": [1]}, {}, {}, r"'d_loss' .* \(2,\), got \(1,\)"),
        ({"step": [[1]]}, {}, {}, r"'step' expects one value per step"),
        ({"step": [np.nan]}, {}, {}, "'step' expects finite"),
        ({"step": [1]}, {"d_loss": (1, "one")}, {}, "got 'd_loss' with columns"),
        ({"step": [1], "d_real": [1]}, {"d_real": (1, "one")}, {}, "got 'd_real' with"),
        ({"step": [1], "d_loss": [1]}, {"d_loss": (np.inf, "inf")}, {}, "finite value"),
        ({"step": [1]}, {}, {"window": 0}, "window expects at least 1 row, got 0"),
    ],
)
def test_impossible_plots_are_refused(tmp_path, columns, lines, options, words):
    with pytest.raises(ValueError, match=f"save_losses: .*{words}"):
        save_losses(tmp_path / "a.png", columns, lines, "title", **options)
    assert os.listdir(tmp_path) == []
