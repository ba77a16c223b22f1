"""The truth panel: exact where it says so, and a floor that belongs to the size of the sample."""

import numpy as np
import pytest
from PIL import Image

from minigan.data import DataError, mixture
from minigan.toys import truth as truth_module
from minigan.toys.distances import binned, em
from minigan.toys.truth import MEASURES, TruthPanel, save_truth, truth

REAL = mixture("ring", 1200, seed=0).points


def test_it_is_em_and_the_bins_of_the_sets_it_names():
    """Of all 2n points n are compared: with n = N/2 the halves partition the real points."""
    panel = TruthPanel(REAL, count=600)
    generated = mixture("ring", 900, seed=1).points + np.float32(0.1)
    found = panel.measure(generated)
    held = panel._real
    assert found["em"] == em(held, generated[:600])
    assert tuple(found[name] for name in ("tv", "kl", "js")) == binned(
        held, generated[:600], panel.grid
    )
    rest = {tuple(p) for p in REAL.astype(float)} - {tuple(p) for p in held}
    assert len(rest) == 600
    assert panel.floor["em"] == pytest.approx(em(held, np.array(list(rest))))


def test_a_fresh_sample_reaches_the_floor_and_a_shifted_one_does_not():
    """TV of two samples changes by 1/n with a point: between floors it differs by 8/√n at most,
    but with probability 10⁻¹³ (McDiarmid, for either).  A shift by 0.5 moves EM by 0.5 at most."""
    n = 500
    panel = TruthPanel(REAL, count=n)
    fresh = panel.measure(mixture("ring", n, seed=2).points)
    assert abs(fresh["tv"] - panel.floor["tv"]) < 8 / np.sqrt(n)
    assert abs(fresh["em"] - panel.floor["em"]) < 8 * 2 / np.sqrt(n)  # the ring is 2 wide
    moved = panel.measure(mixture("ring", n, seed=2).points + np.array([0.5, 0.0]))
    assert 0.5 - fresh["em"] <= moved["em"] <= 0.5 + fresh["em"]
    assert moved["tv"] > 0.9 > panel.floor["tv"]


def test_a_lost_mode_is_seen_by_all():
    """One of 8 modes instead of all: no coupling leaves 7/8 of the mass where it is."""
    data = mixture("ring", 1000, seed=3)
    collapsed = data.points[data.labels == 0][:100]
    found = truth(REAL, collapsed, count=100)
    for name in MEASURES:
        assert found[name]["value"] > 3 * found[name]["floor"]
    assert found["tv"]["value"] > 0.75


def test_points_beyond_the_grid_count_at_its_border():
    panel = TruthPanel(REAL, count=100)
    assert panel.measure(REAL[:100] * 100 + 1000)["tv"] == 1


def test_everything_is_repeatable():
    first, second = TruthPanel(REAL, seed=4), TruthPanel(REAL, seed=4)
    assert first.floor == second.floor
    assert str(first).startswith("500 points; TV, KL, JS on 20 × 20 bins on [-1")


@pytest.mark.parametrize(
    ("real", "options", "said"),
    [
        (np.zeros((0, 2)), {}, "truth: real expects at least one point"),
        (REAL[:3], {}, "at least 4 real points and count from 2 to 2000, got 3 and 500"),
        (REAL, {"count": 2001}, "count from 2 to 2000, got 1200 and 2001"),
        (np.full((9, 2), np.nan), {}, "truth: real holds NaN"),
    ],
)
def test_mistakes_in_the_real_points(real, options, said):
    with pytest.raises(DataError, match=said):
        TruthPanel(real, **options)


def test_mistakes_in_the_generated_points():
    panel = TruthPanel(REAL, count=100)
    with pytest.raises(
        DataError, match=r"at least 100 points of 2 dimensions, got shape \(99, 2\)"
    ):
        panel.measure(REAL[:99])
    with pytest.raises(DataError, match="of 2 dimensions"):
        panel.measure(np.zeros((100, 3)))
    with pytest.raises(DataError, match="generated holds NaN"):
        panel.measure(np.full((100, 2), np.nan))


def test_estimates_are_drawn_in_their_own_panels(monkeypatch):
    seen = []
    monkeypatch.setattr(truth_module, "save", lambda figure, path: seen.append(figure))
    panel = TruthPanel(REAL, count=100)
    rows = [panel.measure(REAL[i : i + 100]) for i in (0, 100)]
    said = {"estimates": [0.1, -0.2], "js_estimates": [-0.3, 0.4]}
    save_truth("none", panel, [0, 10], rows, "A run", **said)
    drawn = [
        {str(line.get_label()): list(line.get_ydata()) for line in axes.lines}
        for axes in seen[0].axes
    ]
    assert [len(lines) for lines in drawn] == [3, 2, 2, 3]
    assert drawn[0]["critic's estimate"] == [0.1, -0.2]
    assert drawn[3]["discriminator's estimate (nats)"] == [-0.3, 0.4]
    assert [axes.get_ylim()[0] for axes in seen[0].axes] == [-0.2, 0, 0, -0.3]


@pytest.mark.parametrize(
    "options", [{"count": 2.5}, {"bins": 2.5}, {"bins": 0}, {"seed": -1}, {"seed": None}]
)
def test_settings_are_whole_numbers(options):
    (name,) = options
    with pytest.raises(DataError, match=f"truth: {name} expects a whole number from"):
        TruthPanel(REAL, **options)


def test_the_figure_has_a_panel_for_each(tmp_path):
    panel = TruthPanel(REAL, count=100)
    rows = [panel.measure(REAL[i : i + 100]) for i in (0, 100, 200)]
    save_truth(tmp_path / "truth.png", panel, [0, 10, 20], rows, "A run", [0.1, 0.2, -0.1])
    with Image.open(tmp_path / "truth.png") as picture:
        assert picture.size == (900, 640)
    with pytest.raises(DataError, match="a row for each step, got 3, 2"):
        save_truth(tmp_path / "no.png", panel, [0, 10], rows, "A run")
    assert not (tmp_path / "no.png").exists()
