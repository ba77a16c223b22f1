"""The curves of a run show every row that fits, say what does not, and can always be read."""

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from minigan.curves import drawing, save_losses

ROOT = Path(__file__).parents[1]


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
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in shown]
    # A legend's lines are to be kept clear too.
    handles = [
        h for axes in figure.axes if axes.get_legend() for h in axes.get_legend().get_lines()
    ]
    return boxes + [(handle.get_label(), handle.get_window_extent()) for handle in handles]


# What the systems record beside d_loss, g_loss and the probabilities.
NOISE = np.random.default_rng(1).normal(size=(4, 600))
SHARE = np.clip(0.7 + 0.1 * NOISE[0], 0, 1)
FALL = np.exp(-np.arange(600) / 100) + 0.02 * NOISE[1]
GRADIENT = {"g_gradient": np.exp(NOISE[2] - np.arange(600) / 30)}
JUDGED = {"d_accuracy": SHARE, **GRADIENT}
SYSTEMS = {
    "gan": run(600) | JUDGED,
    "acgan": run(600) | JUDGED | {"class_loss": FALL, "class_accuracy": 1 - SHARE, "penalty": FALL},
    "infogan": run(600) | JUDGED | {"class_loss": FALL, "code_loss": FALL / 3, "penalty": FALL},
    "wgan-gp": run(600, False) | GRADIENT | {"estimate": 9 * FALL, "penalty": FALL},
    "began": run(600, False)
    | GRADIENT
    | {"energy_real": FALL, "energy_fake": FALL / 2, "measure": FALL, "k": 1 - SHARE},
    "pix2pix": run(600) | JUDGED | {"distance": FALL},
    "autoencoder": {"step": np.arange(600), "loss": FALL} | GRADIENT,
    "vae": {"step": np.arange(600), "loss": 170 + FALL, "reconstruction": 165 + FALL, "kl": FALL}
    | GRADIENT,
}

CASES = {
    **{name: (columns, LINES if "d_real" in columns else {}) for name, columns in SYSTEMS.items()},
    "no gradient at all": (run(50) | {"g_gradient": np.zeros(50)}, LINES),
    "a steady gradient": ({"step": [1, 2], "g_gradient": [1e-8, 1e-8]}, {}),
    "everything": (
        {**SYSTEMS["acgan"], **SYSTEMS["began"], **SYSTEMS["wgan-gp"], **SYSTEMS["vae"]},
        {**LINES, "estimate": (0.0, "0")},
    ),
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
    figure = draw(columns, lines, r"A long title, with $\no math$ in two lines " * 3)
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


PANELS = {
    "gan": ["loss (nats)", "probability", "gradient"],
    "acgan": ["loss (nats)", "probability", "gradient"],
    "infogan": ["loss (nats)", "probability", "gradient"],
    "wgan-gp": ["loss", "estimate", "gradient"],
    "began": ["loss", "k", "measure"],
    "pix2pix": ["loss (nats)", "probability", "gradient"],
    "autoencoder": ["loss", "gradient"],
    "vae": ["loss (nats)", "KL (nats)", "gradient"],
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_has_its_panels(draw, name):
    """Each column is a curve of one panel, told apart by its dashes, or named in the footnote."""
    columns = SYSTEMS[name]
    figure = draw(columns, {}, "title", window=1)
    assert [axes.get_ylabel() for axes in figure.axes] == PANELS[name]
    values = []
    for axes in figure.axes:
        thick = [line for line in axes.lines if line.get_linewidth() == 2]
        assert len({str(line._unscaled_dash_pattern) for line in thick}) == len(thick)
        values += [line.get_ydata() for line in thick]
        assert len(axes.get_legend().get_texts()) == len(thick)
    note = figure._supxlabel.get_text()
    for column in set(columns) - {"step"}:
        inside = sum(np.isclose(columns[column], y).mean() > 0.9 for y in values)
        assert (inside > 0) != (f"not drawn: {column}" in note), column
    assert len(values) == len(columns) - 1 - ("not drawn" in note)


def test_the_gradient_has_a_logarithmic_axis(draw):
    columns = run(400) | {"g_gradient": 10.0 ** -(np.arange(400) / 50)}
    axes = draw(columns, LINES, "title", window=1).axes[-1]
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert 1e-9 < low < 1.1e-8
    assert 1 < high < 10
    assert axes.lines[0].get_ydata() == pytest.approx(columns["g_gradient"], rel=1e-12)


def test_gradients_that_vanish_or_are_no_numbers_are_counted(draw):
    gradient = np.exp(np.random.default_rng(0).normal(size=400))
    gradient[[7, 9, 300]] = 0
    gradient[[11, 12]] = np.nan, np.inf
    figure = draw(run(400) | {"g_gradient": gradient}, LINES, "title")
    note = figure._supxlabel.get_text()
    assert "left out as NaN or infinite: 2" in note
    assert "beyond the axis (triangles): 3" in note
    axes = figure.axes[-1]
    triangles = next(line for line in axes.lines if line.get_marker() == "v")
    assert list(triangles.get_xdata()) == [35, 45, 1500]
    assert triangles.get_ydata() == pytest.approx(axes.get_ylim()[0])
    assert axes.get_ylim()[0] > 1e-3


def test_the_gradient_is_the_generators_where_there_is_one(draw):
    def legend(name):
        return [text.get_text() for text in draw(SYSTEMS[name], {}, "").axes[-1].get_legend().texts]

    assert legend("gan") == ["norm of G's gradient"]
    assert legend("vae") == ["norm of the gradient"]


def test_without_a_median_every_row_is_drawn(draw):
    columns = run(1500, False)
    lines = draw(columns, {}, "", window=1).axes[0].lines
    assert [line.get_label() for line in lines] == ["D loss", "G loss"]
    assert (lines[0].get_ydata() == columns["d_loss"]).all()


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
    at, medians = drawing.running_median(np.arange(len(values)), values, window)
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
    x, y = drawing.envelope(steps, values)
    assert len(x) == len(y) < 4100
    assert (np.diff(x) >= 0).all()
    assert np.nanmax(y) == 40
    assert np.nanmin(y) == -30
    assert abs(x[np.nanargmax(y)] - 12_345) <= 50
    short = drawing.envelope(steps[:3999], values[:3999])
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
        "import sys, minigan.curves as r\n"
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
