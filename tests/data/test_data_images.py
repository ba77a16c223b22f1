"""ImageData keeps its promise of dtypes and shapes; resizing keeps strokes, range and order."""

import numpy as np
import pytest

from minigan.data import DataError, ImageData
from minigan.data.images import resized

IMAGES = np.zeros((3, 1, 8, 8), np.uint8)
LABELS = np.array([0, 1, 2], np.int64)


@pytest.mark.parametrize(
    ("images", "labels", "classes", "says"),
    [
        (IMAGES.astype(np.float32), LABELS, 3, "images must be uint8"),
        (IMAGES[:, 0], LABELS, 3, r"shape \(N, C, H, W\), got uint8 of shape \(3, 8, 8\)"),
        (IMAGES, LABELS.astype(np.int32), 3, "labels must be int64"),
        (IMAGES, LABELS[:2], 3, r"of shape \(3,\), got int64 of shape \(2,\)"),
        (IMAGES, LABELS, 2, r"labels must be in 0\.\.1, got 0\.\.2"),
        (IMAGES, LABELS - 1, 3, r"labels must be in 0\.\.2, got -1\.\.1"),
        (IMAGES, None, 3, "classes must be 0 without labels, got 3"),
    ],
)
def test_wrong_arrays_are_refused_with_the_name_of_the_set(images, labels, classes, says):
    with pytest.raises(DataError, match=f"^shapes: .*{says}"):
        ImageData("shapes", images, labels, classes)


def test_length_and_immutability():
    data = ImageData("shapes", IMAGES, None, 0)
    assert len(data) == 3
    with pytest.raises(AttributeError):
        data.images = IMAGES


def test_the_same_size_changes_nothing():
    assert resized(IMAGES, 8) is IMAGES


def test_grey_28_to_32_is_padded_so_that_no_stroke_changes():
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), np.uint8)
    larger = resized(images, 32)
    assert larger.shape == (2, 1, 32, 32) and larger.dtype == np.uint8
    np.testing.assert_array_equal(larger[:, :, 2:30, 2:30], images)
    assert larger.sum(dtype=np.int64) == images.sum(dtype=np.int64)


def test_colour_28_to_32_is_resized_not_padded():
    images = np.full((1, 3, 28, 28), 200, np.uint8)
    np.testing.assert_array_equal(resized(images, 32), np.full((1, 3, 32, 32), 200))


def test_halving_averages_as_an_antialiasing_triangle_filter_does():
    # A one-pixel checkerboard: without antialiasing the result would be 0, 255 or a moire.
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)[None, None]
    inner = resized(board, 16)[0, 0, 1:-1, 1:-1].astype(int)
    assert np.abs(inner - 127.5).max() <= 1.5


def test_a_ramp_stays_a_ramp_in_every_channel():
    ramp = np.broadcast_to(np.arange(0, 160, 10, dtype=np.uint8), (16, 16))
    images = np.stack([np.stack([ramp, ramp.T, 255 - ramp])])
    larger = resized(images, 32).astype(int)
    # Bilinear at twice the size: sample centres at (i + 0.5) / 2 - 0.5, clamped at the ends.
    places = np.clip((np.arange(32) + 0.5) / 2 - 0.5, 0, 15) * 10
    expected = np.broadcast_to(places, (32, 32))
    assert np.abs(larger[0, 0] - expected).max() <= 1
    assert np.abs(larger[0, 1] - expected.T).max() <= 1
    assert np.abs(larger[0, 2] - (255 - expected)).max() <= 1


def test_images_that_are_not_square_become_square():
    assert resized(np.zeros((2, 3, 10, 20), np.uint8), 16).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("size", [8, 512])
def test_the_smallest_and_the_largest_size_are_allowed(size):
    assert resized(IMAGES[:1], size).shape == (1, 1, size, size)


@pytest.mark.parametrize("size", [7, 513, 0, -28, 28.0, "28", True, None])
def test_other_sizes_are_refused(size):
    with pytest.raises(DataError, match=r"^image_size: .*from 8 to 512, got "):
        resized(IMAGES, size)
