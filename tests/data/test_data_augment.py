"""Augmentations: what each may do to an image, alike for a pair, the same for the same place."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data import Batches, DataError, ImageData, PairData, augmentation
from minigan.data.augment import Color, Crop, Flip, Jitter, Rotate

RNG = np.random.default_rng(3)
PHOTOS = RNG.integers(0, 256, (40, 3, 12, 16), np.uint8)
EVERY = ["flip", "crop=3", "jitter=15", "rotate=20", "color=0.4", "flip,crop=2,rotate=5,color=0.1"]


def change(text, *arrays, seed=0, masks=None):
    return augmentation(text)(np.random.default_rng(seed), arrays, masks or (False,) * len(arrays))


@pytest.mark.parametrize("text", EVERY)
def test_shape_and_dtype_stay_and_the_input_is_not_touched(text):
    before = PHOTOS.copy()
    (result,) = change(text, PHOTOS)
    assert result.shape == PHOTOS.shape and result.dtype == np.uint8
    assert result.flags.c_contiguous and not np.shares_memory(result, PHOTOS)
    np.testing.assert_array_equal(PHOTOS, before)


@pytest.mark.parametrize("text", EVERY)
def test_a_seed_repeats_and_others_differ(text):
    first, again, other = (change(text, PHOTOS, seed=seed)[0] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("text", EVERY)
def test_the_images_of_a_pair_change_alike(text):
    first, second = change(text, PHOTOS, PHOTOS)
    np.testing.assert_array_equal(first, second)
    if "color" not in text:  # moving pixels is linear: the negative moves along
        grey = 255 - PHOTOS[:, :1]
        first, negative = change(text, PHOTOS, grey)
        assert np.abs(255 - negative.astype(int) - first[:, :1]).max() <= 2  # rounded twice


@pytest.mark.parametrize("text", EVERY)
def test_masks_get_no_new_values(text):
    values = np.array([3, 90, 211], np.uint8)
    mask = values[RNG.integers(0, 3, (40, 1, 12, 16))]
    photo, moved = change(text, PHOTOS, mask, masks=(False, True))
    assert set(np.unique(moved)) == set(values)
    np.testing.assert_array_equal(photo, change(text, PHOTOS)[0])
    if text == "color=0.4":
        np.testing.assert_array_equal(moved, mask)


@pytest.mark.parametrize("text", EVERY)
def test_an_even_image_shows_no_edge(text):
    even = np.full((20, 3, 12, 16), 77, np.uint8)
    (result,) = change(text, even)
    assert (result == result[:, :1, :1, :1]).all()
    if "color" not in text:
        assert (result == 77).all()


# ---- flip


def test_each_image_is_itself_or_its_mirror_image_about_half_of_them():
    photos = RNG.integers(0, 256, (1000, 1, 4, 4), np.uint8)
    (result,) = change("flip", photos)
    same = (result == photos).all((1, 2, 3))
    mirrored = (result == photos[..., ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 430 < mirrored.sum() < 570  # 4.4 standard deviations


@given(st.integers(0, 2**32))
def test_the_same_flips_twice_are_the_identity(seed):
    (once,) = change("flip", PHOTOS, seed=seed)
    (twice,) = change("flip", once, seed=seed)
    np.testing.assert_array_equal(twice, PHOTOS)


# ---- crop


def test_a_crop_is_a_window_of_the_reflected_image_and_every_window_comes():
    image = np.arange(15 * 16, dtype=np.uint8).reshape(15, 16)
    (result,) = change("crop=2", np.broadcast_to(image, (1000, 1, 15, 16)))

    def reflected(i, size):
        i = abs(i)
        return i if i < size else 2 * (size - 1) - i

    windows = {}
    for top in range(-2, 3):
        for left in range(-2, 3):
            window = [
                [image[reflected(top + y, 15), reflected(left + x, 16)] for x in range(16)]
                for y in range(15)
            ]
            windows[np.array(window, np.uint8).tobytes()] = (top, left)
    seen = [windows[crop.tobytes()] for crop in result]  # a KeyError is no window
    assert len(set(seen)) == 25


# ---- jitter


def test_jitter_takes_windows_of_the_enlarged_image():
    """A ramp of slope 10 has slope 10 · 16 / 20 after enlarging, and begins 0 to 4 pixels later."""
    ramp = np.broadcast_to(np.arange(0, 160, 10, dtype=np.uint8), (300, 1, 16, 16))
    result = change("jitter=20", ramp)[0].astype(int)
    assert (result == result[:, :, :1]).all()
    rows = result[:, 0, 0]
    expected = np.clip((np.arange(20) + 0.5) * 16 / 20 - 0.5, 0, 15) * 10
    starts = set()
    for row in rows:
        fits = [s for s in range(5) if np.abs(row - expected[s : s + 16]).max() <= 1]
        assert len(fits) == 1
        starts |= set(fits)
    assert starts == set(range(5))


def test_jitter_of_the_same_size_changes_nothing():
    np.testing.assert_array_equal(change("jitter=12", PHOTOS)[0], PHOTOS)


# ---- rotate


def test_rotation_turns_by_at_most_its_angle_about_the_centre():
    """The plane a·x + b·y turns into one with the turned slope, which a fit finds again."""
    y, x = np.mgrid[:31, :31] - 15
    plane = (127 + 4 * x).astype(np.uint8)
    result = change("rotate=30", np.broadcast_to(plane, (200, 1, 31, 31)))[0]
    inner = np.hypot(x, y) < 12  # no reflection reaches there
    design = np.stack([np.ones(inner.sum()), x[inner], y[inner]], 1)
    angles = []
    for image in result[:, 0]:
        (level, a, b), *_ = np.linalg.lstsq(design, image[inner].astype(float), rcond=None)
        assert abs(level - 127) < 0.7 and abs(np.hypot(a, b) - 4) < 0.1
        angles.append(np.degrees(np.arctan2(b, a)))
    assert -30.5 < min(angles) < -25 and 25 < max(angles) < 30.5
    assert abs(np.mean(angles)) < 5.5  # 4.5 standard deviations of the mean


# ---- color


def test_color_is_its_formula():
    (result,) = change("color=0.5", PHOTOS, seed=9)
    b, c, s = np.random.default_rng(9).uniform(0.5, 1.5, (3, 40))
    for i, image in enumerate(PHOTOS.astype(float)):
        x = image * b[i]
        x = (x - x.mean()) * c[i] + x.mean()
        grey = 0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2]
        x = np.clip((x - grey) * s[i] + grey, 0, 255)
        assert np.abs(result[i] - x).max() <= 0.51


def test_color_keeps_grey_images_grey():
    grey = np.repeat(PHOTOS[:, :1], 3, 1)
    (result,) = change("color=0.5", grey)
    assert np.ptp(result.astype(int), axis=1).max() <= 1
    assert change("color=0.5", PHOTOS[:, :1])[0].shape == (40, 1, 12, 16)


# ---- in batches


def numbered(count):
    return ImageData("numbered", PHOTOS[:count], np.arange(count), count)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 25), st.integers(0, 2**40), st.sampled_from(EVERY))
def test_augmented_batches_go_on_bit_for_bit(taken, seed, text):
    def batches():
        return Batches(numbered(23), 4, seed=seed, augment=augmentation(text))

    original, resumed = batches(), batches()
    for _ in range(taken):
        next(original)
    resumed.load_state_dict(json.loads(json.dumps(original.state_dict())))
    for _ in range(7):
        (images, labels), (again, same) = next(original), next(resumed)
        assert images.tobytes() == again.tobytes() and labels.tobytes() == same.tobytes()
        assert images.dtype == np.float32 and -1 <= images.min() <= images.max() <= 1


def test_augmenting_leaves_the_order_and_each_epoch_draws_anew():
    plain = Batches(numbered(8), 8, seed=1)
    flipped = Batches(numbered(8), 8, seed=1, augment=augmentation("crop=3"))
    epochs = []
    for _ in range(3):
        (_, labels), (images, same) = next(plain), next(flipped)
        np.testing.assert_array_equal(labels, same)
        epochs.append(images[np.argsort(labels)])
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])


def test_batches_of_pairs_are_aligned_and_normalised():
    pairs = PairData("pairs", PHOTOS, PHOTOS[:, :1])
    inputs, targets = next(Batches(pairs, 40, seed=0, augment=augmentation("flip,crop=3")))
    assert inputs.shape == (40, 3, 12, 16) and targets.dtype == np.float32
    assert -1 <= inputs.min() < -0.9 and 0.9 < inputs.max() <= 1
    np.testing.assert_array_equal(inputs[:, :1], targets)
    with pytest.raises(DataError, match="at most the 40 pairs of pairs, got 41"):
        Batches(pairs, 41, seed=0)


# ---- what is refused


def test_steps_are_what_the_text_says():
    steps = augmentation("flip, crop=4,jitter=286 ,rotate=7.5,color=0.2").steps
    assert steps == (Flip(), Crop(4), Jitter(286), Rotate(7.5), Color(0.2))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected steps out of flip, crop=N, .*; got ''"),
        ("flip,", "got ''"),
        ("flop", "got 'flop'"),
        ("flip=2", "got 'flip=2'"),
        ("crop", "got 'crop'"),
        ("crop=", "got 'crop='"),
        ("crop=x", "crop expects a number, got 'x'"),
        ("crop=1.5", "crop expects a number, got '1.5'"),
        ("crop=0", "crop: expected a whole number from 1 to 512, got 0"),
        ("jitter=-1", "jitter: expected a whole number from 1 to 1024, got -1"),
        ("rotate=0", "rotate expects above 0 to 45 degrees, got 0.0"),
        ("rotate=46", "rotate .* got 46.0"),
        ("rotate=nan", "rotate .* got nan"),
        ("color=2", "color expects above 0 to 1, got 2.0"),
    ],
)
def test_wrong_texts_are_one_clear_line(text, says):
    with pytest.raises(DataError, match=f"^augmentation: (expected steps .*; )?{says}$"):
        augmentation(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("crop=12", "crop reflects 12 pixels, more than images of 12 have"),
        ("jitter=11", "jitter expects at least the images' 12 pixels, got 11"),
    ],
)
def test_images_that_are_too_small_or_too_large_are_said(text, says):
    with pytest.raises(DataError, match=f"^augmentation: {says}$"):
        change(text, PHOTOS)


def test_no_two_batches_nor_the_order_share_their_random_numbers():
    drawn = [np.random.default_rng([7, epoch]).random() for epoch in range(4)]

    def spy(rng, arrays, masks):
        drawn.append(rng.random())
        return arrays

    batches = Batches(numbered(8), 2, seed=7, augment=spy)
    for _ in range(16):
        next(batches)
    assert len(set(drawn)) == 4 + 16
