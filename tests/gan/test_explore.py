"""Latents that show what a generator has learnt: grids of classes, sweeps, walks."""

import numpy as np
import pytest

from minigan.gan import SettingError
from minigan.gan.explore import label_grid, slerp, sweep, walk
from minigan.gan.latents import sampled_latents
from minigan.gan.schema import Space

PLAIN, CLASSES, CODES = Space(5), Space(5, 3), Space(5, 3, 2)


@pytest.mark.parametrize("space", [PLAIN, CLASSES, CODES])
def test_the_first_rows_are_the_same_for_every_count(space):
    few, many = sampled_latents(space, 3, 1), sampled_latents(space, 9, 1)
    assert few.dtype == np.float32 and few.shape == (3, sum(space[:3]))
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(few, sampled_latents(space, 3, 2))


def test_noise_and_codes_do_not_depend_on_what_is_asked_for():
    weights = np.array([[0.5, 0, -2]] * 4, np.float32)
    drawn, asked = sampled_latents(CODES, 4, 0), sampled_latents(CODES, 4, 0, weights)
    assert np.array_equal(asked[:, 5:8], weights)
    assert np.array_equal(np.delete(drawn, [5, 6, 7], 1), np.delete(asked, [5, 6, 7], 1))
    assert set(drawn[:, 5:8].sum(1)) == {1} and np.abs(drawn[:, 8:]).max() <= 1


def test_a_grid_has_a_class_in_each_column_and_one_noise_in_each_row():
    rows = label_grid(CODES, 4, seed=0).reshape(4, 3, -1)
    assert np.array_equal(rows[..., 5:8], np.broadcast_to(np.eye(3), (4, 3, 3)))
    rest = np.delete(rows, [5, 6, 7], 2)
    assert np.array_equal(rest, np.broadcast_to(rest[:, :1], rest.shape))
    assert len(np.unique(rest[:, 0], axis=0)) == 4
    assert np.array_equal(rest[:, 0], np.delete(sampled_latents(CODES, 4, 0), [5, 6, 7], 1))
    with pytest.raises(SettingError, match="trained without classes"):
        label_grid(PLAIN, 4, seed=0)


def test_a_sweep_of_a_code_changes_it_alone():
    found, columns = sweep(CODES, 2, rows=5, seed=0)
    found = found.reshape(5, columns, -1)
    assert columns == 3
    assert np.array_equal(found[:, 0, 9], [-2, -1, 0, 1, 2])
    assert np.array_equal(found[0, :, 5:8], np.eye(3)) and not found[..., 8].any()
    rest = found[..., :9]
    assert np.array_equal(rest, np.broadcast_to(rest[:1], rest.shape))
    assert np.array_equal(found[0, 0, :5], found[0, 2, :5])


def test_a_sweep_without_codes_is_of_the_noise():
    found, columns = sweep(PLAIN, 3, rows=3, seed=0)
    found = found.reshape(3, columns, -1)
    assert columns == 8
    assert np.array_equal(found[:, 4, 2], [-2, 0, 2])
    rest = np.delete(found, 2, 2)
    assert np.array_equal(rest, np.broadcast_to(rest[:1], rest.shape))
    assert len(np.unique(rest[0], axis=0)) == 8


def test_a_sweep_of_one_class_has_other_noise_in_each_column():
    label = np.array([0, 0.5, 0.5], np.float32)
    found, columns = sweep(CODES, 1, rows=3, seed=0, labels=label)
    found = found.reshape(3, columns, -1)
    assert columns == 8
    assert np.array_equal(found[..., 5:8], np.broadcast_to(label, (3, 8, 3)))
    assert len(np.unique(found[0, :, :5], axis=0)) == 8


@pytest.mark.parametrize(
    ("space", "said"), [(CODES, "has 2 codes to sweep"), (PLAIN, "has 5 numbers of noise to sweep")]
)
def test_there_must_be_such_a_number(space, said):
    for number in (0, 6):
        with pytest.raises(SettingError, match=f"{said}, there is no number {number}"):
            sweep(space, number, rows=3, seed=0)


def test_slerp_goes_along_the_great_circle_at_constant_speed():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 6))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    angle = np.arccos(a @ b)
    for t in np.linspace(0, 1, 11):
        x = slerp(a, b, t)
        assert np.linalg.norm(x) == pytest.approx(1, abs=1e-12)
        assert np.arccos(np.clip(x @ a, -1, 1)) == pytest.approx(t * angle, abs=1e-7)
        assert np.linalg.matrix_rank(np.stack([a, b, x]), tol=1e-9) == 2
    assert np.allclose(slerp(3 * a, 3 * b, 0.3), 3 * slerp(a, b, 0.3))


@pytest.mark.parametrize("b", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_slerp_is_straight_where_no_circle_is_meant(b):
    a, b = np.array([1.0, 2.0]), np.array(b)
    for t in (0.0, 0.25, 1.0):
        assert np.allclose(slerp(a, b, t), (1 - t) * a + t * b)


def test_a_walk_passes_its_points_and_comes_back():
    points, steps = 4, 5
    found = walk(CODES, points, steps, seed=0).reshape(points, steps, -1)
    ends = sampled_latents(CODES, points, 0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], ends, atol=1e-6)
    for i in range(points):
        here, there = ends[i], ends[(i + 1) % points]
        for k in range(steps):
            t = k / steps
            np.testing.assert_allclose(found[i, k, 5:], ((1 - t) * here + t * there)[5:], atol=1e-6)
            np.testing.assert_allclose(found[i, k, :5], slerp(here[:5], there[:5], t), atol=1e-6)


def test_a_walk_takes_labels_in_turn_and_points_again():
    labels = np.eye(3, dtype=np.float32)[[2, 0, 1]]
    found = walk(CLASSES, 1, 4, seed=0, labels=labels).reshape(3, 4, -1)
    assert np.array_equal(found[:, 0, 5:], labels)
    np.testing.assert_allclose(found[0, 2, 5:], [0.5, 0, 0.5])
    noise = found[..., :5]
    np.testing.assert_allclose(noise, np.broadcast_to(noise[:1, :1], noise.shape), atol=1e-6)
    more = walk(CLASSES, 5, 2, seed=0, labels=labels).reshape(5, 2, -1)
    assert np.array_equal(more[:, 0, 5:], labels[[0, 1, 2, 0, 1]])
