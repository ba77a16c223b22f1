"""Differentiable augmentation: changes are what they say, and gradients go through."""

import numpy as np
import pytest

import minigan
from minigan import gradcheck
from minigan.gan import game, recipe
from minigan.gan.augmentation import AUGMENTATIONS, augmented, color, cutout, translation


def generator(seed=0):
    return minigan.Generator().manual_seed(seed)


def test_translation_moves_whole_images_by_up_to_an_eighth():
    x = np.random.default_rng(0).normal(size=(200, 2, 16, 8))
    moved = translation(minigan.tensor(x), generator()).numpy()
    found = set()
    for before, after in zip(x, moved, strict=True):
        matches = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-1, 2)
            if np.array_equal(np.pad(before, ((0, 0), (2, 2), (1, 1)))[
                :, 2 + dy : 18 + dy, 1 + dx : 9 + dx], after)
        ]  # fmt: skip
        assert len(matches) == 1
        found.update(matches)
    assert len(found) == 15  # every shift comes about


def test_cutout_is_a_rectangle_of_half_the_size():
    x = minigan.ones(300, 2, 12, 8)
    cut = cutout(x, generator()).numpy()
    areas = set()
    for image in cut:
        assert np.array_equal(image[0], image[1])
        hole = image[0] == 0
        rows, columns = hole.any(1), hole.any(0)
        assert np.array_equal(hole, np.outer(rows, columns))
        for line in (rows, columns):  # an interval
            assert np.abs(np.diff(line.astype(int))).sum() <= 2
        areas.add((rows.sum(), columns.sum()))
    assert max(areas) == (6, 4)
    assert min(a for a, _ in areas) == 3 and min(b for _, b in areas) == 2  # half of it outside


def test_color_changes_level_saturation_and_contrast_of_each_image():
    """On a grey flat image only brightness acts; contrast keeps the mean; all within bounds."""
    flat = color(minigan.zeros(500, 3, 4, 4), generator()).numpy()
    assert np.ptp(flat, axis=(1, 2, 3)).max() < 1e-6
    assert -0.5 <= flat.min() < -0.48 and 0.48 < flat.max() <= 0.5
    x = np.random.default_rng(1).normal(size=(500, 1, 4, 4))
    grey = color(minigan.tensor(x), generator()).numpy()
    ratio = grey.std((1, 2, 3)) / x.std((1, 2, 3))
    assert 0.5 <= ratio.min() < 0.52 and 1.48 < ratio.max() <= 1.5


def test_saturation_scales_the_distance_from_grey():
    """Contrast scales the grey image and the colours in it alike; what is left is U(0, 2)."""
    x = np.random.default_rng(1).normal(size=(500, 3, 4, 4))
    changed = color(minigan.tensor(x), generator()).numpy()
    grey, was_grey = (images.mean(1, keepdims=True) for images in (changed, x))
    contrast = grey.std((1, 2, 3)) / was_grey.std((1, 2, 3))
    assert contrast.min() >= 0.5 and contrast.max() <= 1.5
    saturation = (changed - grey).std((1, 2, 3)) / (x - was_grey).std((1, 2, 3)) / contrast
    assert 0 <= saturation.min() < 0.02 and 1.98 < saturation.max() <= 2
    scale = (contrast * saturation).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(changed - grey, scale * (x - was_grey), atol=1e-12)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_gradients_go_through_to_the_second_order(kind, monkeypatch):
    """The check compares dtypes; the strengths drawn must not depend on it."""
    monkeypatch.setattr(
        "minigan.gan.augmentation.rand",
        lambda shape, generator, dtype, device: minigan.rand(shape, generator=generator).to(dtype),
    )
    x = minigan.tensor(np.random.default_rng(2).normal(size=(3, 2, 8, 8)))
    assert gradcheck(lambda x: augmented(x, [kind], generator()).tanh(), x, order=2)


def test_one_after_the_other_and_none_is_none():
    x = minigan.randn(4, 1, 8, 8, generator=generator())
    assert augmented(x, (), generator()) is x
    rng = generator(3)
    by_hand = cutout(translation(x, rng), rng).numpy()
    assert np.array_equal(augmented(x, ("translation", "cutout"), generator(3)).numpy(), by_hand)


def test_both_players_see_real_and_generated_images_changed():
    """Images of ones, judged by their mean: cut they are below 1, differently each time."""
    settings = recipe("dcgan").configure({"augment": "cutout", "loss": "wgan", "gp": 0.0})
    ones, seen = minigan.ones(16, 1, 8, 8), []

    def critic(x):
        seen.append(x.mean((1, 2, 3)).numpy())
        return x.mean((1, 2, 3))

    game.critic_loss(settings, critic, ones, ones, generator())
    game.generator_loss(settings, critic, ones, generator(1))
    assert len(seen) == 3
    for means in seen:
        assert (means < 1).all() and (means >= 0.75).all()
    assert len({tuple(means) for means in seen}) == 3
