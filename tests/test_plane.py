"""Pictures of the plane: what is drawn where, in which colour, and that a film does not jump."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from minigan.data import mixture
from minigan.figures import canvas, class_colours
from minigan.plane import REAL, SIDE, Plane, places, save_paths, scene_of, walk_frames

RING = mixture("ring", 3000, seed=0)
SCENE = scene_of(RING)
HEIGHTS = (places(SCENE.box) ** 2).sum(1).reshape(SIDE, SIDE)


def series(plane):
    """What the axes hold: (points, colour) of each series, and the limits."""
    from matplotlib.colors import to_rgba

    with canvas(4, 4) as figure:
        axes = figure.subplots()
        plane.draw(axes)
        lines = [(line.get_xydata(), to_rgba(line.get_markerfacecolor())) for line in axes.lines]
        return lines, (*axes.get_xlim(), *axes.get_ylim()), axes.collections


def test_points_lie_over_real_ones_and_modes_in_the_datas_own_box():
    points = mixture("ring", 50, seed=1).points
    (real, modes, generated), limits, contours = series(Plane(SCENE, points, heights=HEIGHTS))
    np.testing.assert_array_equal(real[0], RING.points[:REAL])
    np.testing.assert_array_equal(modes[0], RING.modes)
    np.testing.assert_array_equal(generated[0], points)
    assert limits == (-1.5, 1.5, -1.5, 1.5)
    assert len(contours) == 1
    assert not series(Plane(SCENE, points))[2]


def test_contours_are_where_the_critic_has_its_level():
    """Of x² + y² they are circles."""
    from matplotlib.path import Path

    (found,) = series(Plane(SCENE, RING.points[:1], heights=HEIGHTS))[2]
    rings = [path for path in found.get_paths() if len(path.vertices) > 20]
    assert len(rings) >= 3
    for path in rings:
        curve = path.vertices[path.codes != Path.CLOSEPOLY]
        inside = curve[np.abs(curve).max(1) < 1.45]
        radius = np.hypot(*inside.T)
        assert np.ptp(radius) < 0.05


@pytest.mark.parametrize("discovered", [False, True])
def test_a_class_and_its_mode_have_one_colour(discovered):
    data = mixture("ring", 400, seed=2)
    plane = Plane(SCENE, data.points, data.labels, 8, discovered)
    lines = series(plane)[0][2:]  # after the real points and the modes
    colours = class_colours(8)
    if not discovered:
        crosses = lines[1::2]
        lines = lines[::2]
        for (at, _), mode in zip(crosses, data.modes, strict=True):
            np.testing.assert_array_equal(at, [mode])
    assert len(lines) == 8
    for label, (points, colour) in enumerate(lines):
        np.testing.assert_array_equal(points, data.points[data.labels == label])
        assert colour[:3] == pytest.approx(colours[label][:3])


def test_the_title_counts_what_can_be_seen_and_what_not():
    points = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.5], [9.0, 0.0], [np.nan, 0.0]], np.float32)
    plane = Plane(SCENE, points)
    said = "ring: 4 points, 2 of 8 modes, 50.0 % within 3 std of one, 1 outside"
    assert plane.title() == said
    roll = Plane(scene_of(mixture("roll", 20, seed=0)), points[:3])
    assert roll.title() == "roll: 3 points"
    assert roll.legend() == "grey: real points"


def test_pictures_of_one_run_have_one_size_whatever_the_points(tmp_path):
    rng = np.random.default_rng(0)
    many = [rng.normal(0, s, (200, 2)).astype(np.float32) for s in (1e-6, 1, 1e6)]
    broken = np.full((5, 2), np.nan, np.float32)
    for labels in (None, np.arange(200) % 8):
        sizes = set()
        for i, points in enumerate([*many, broken]):
            own = None if labels is None else labels[: len(points)]
            heights = HEIGHTS * np.nan if i == 1 else HEIGHTS
            Plane(SCENE, points, own, 8, heights=heights).save(tmp_path / "p.png")
            with Image.open(tmp_path / "p.png") as picture:
                sizes.add(picture.size)
        assert len(sizes) == 1


def test_a_walk_is_drawn_and_filmed(tmp_path):
    path = SCENE.box * 0.5 * np.stack([np.cos(t := np.linspace(0, 6, 40)), np.sin(t)], 1)
    frames = walk_frames(SCENE, path, 5)
    assert len(frames) == 5 and len({frame.shape for frame in frames}) == 1
    assert all((a != b).any() for a, b in pairwise(frames))
    orange = [np.argwhere((f == (0xC8, 0x50, 0x0A)).all(2)).mean(0) for f in frames]
    middle = np.array(frames[0].shape[:2]) / 2
    across = [at[1] - middle[1] for at in orange]
    assert across[0] > 50 > -50 > across[2]  # it starts at the right, and is half round at the left
    save_paths(tmp_path / "a.png", SCENE, path.reshape(4, 10, 2), "four", list("abcd"))
    save_paths(tmp_path / "b.png", SCENE, path.reshape(4, 10, 2), "four", closed=True)
    assert (tmp_path / "a.png").stat().st_size and (tmp_path / "b.png").stat().st_size
