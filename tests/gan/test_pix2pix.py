"""pix2pix: shapes and receptive fields, the losses of a step, what 300 steps learn, drawing."""

from itertools import pairwise

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.conv import algorithm
from minigan.data import DataError, ImageData, PairData
from minigan.gan import ImageShape, Request, SettingError, Trainer, recipe
from minigan.gan.paired import translate, triples
from minigan.gan.translation import depth_of, patch_critic, receptive_field, unet
from minigan.generators import default_generator


def pairs(count=12, size=8, channels=3):
    """A bright square somewhere; the target is its negative, grey."""
    rng = np.random.default_rng(0)
    inputs = np.zeros((count, channels, size, size), np.uint8)
    for image in inputs:
        top, left = rng.integers(0, size // 2, 2)
        image[:, top : top + size // 2, left : left + size // 2] = 255
    return PairData("squares", inputs, 255 - inputs[:, :1])


def trainer(seed=0, data=None, batch_size=2, **options):
    chosen = recipe("pix2pix")
    settings = chosen.configure({"patch_layers": 1, **options})
    return Trainer(chosen, settings, data or pairs(), batch_size=batch_size, seed=seed)


# --------------------------------------------------------------------------- networks


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_receptive_fields_are_the_published_ones_and_true(layers, field):
    """What one output pixel depends on, measured by its gradient, is a square of that side."""
    size = 256
    critic = patch_critic(ImageShape(1, size, size, inputs=1), layers)
    assert receptive_field(critic) == field
    plain = nn.Sequential(*(layer for layer in critic if isinstance(layer, nn.Conv2d)))
    for layer in plain:
        layer.weight.data = minigan.ones_like(layer.weight)
    x = minigan.zeros(1, 2, size, size).requires_grad_()
    with algorithm("im2col"):  # whose zeros are exact
        y = plain(x)
        (g,) = minigan.grad(y[0, 0, y.shape[2] // 2, y.shape[3] // 2], x)
    touched = np.argwhere(g.numpy()[0, 0] != 0)
    assert (np.ptp(touched, 0) + 1).tolist() == [field, field]


def test_the_patch_critic_of_the_paper_has_30_by_30_patches():
    critic = patch_critic(ImageShape(3, 256, 256, inputs=3))
    assert critic(minigan.zeros(1, 6, 256, 256)).shape == (1, 1, 30, 30)
    # 6·64, 64·128, 128·256, 256·512, 512·1 by 16 taps; biases of the first and last; BatchNorm
    weights = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert sum(p.numel() for p in critic.parameters()) == weights + 64 + 1 + 2 * (128 + 256 + 512)


def test_the_unet_of_256_pixels_has_the_published_size():
    """The layers of the paper, counted by hand: 54.4 million, as in the authors' code."""
    generator = unet(ImageShape(3, 256, 256, inputs=3))
    down = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    weights = sum(16 * a * b for a, b in pairwise(down))
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64)]
    weights += sum(16 * a * b for a, b in up) + 16 * 128 * 3
    biases = 64 + 512 + 3
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    found = sum(p.numel() for p in generator.parameters())
    assert found == weights + biases + norms
    assert round(found / 1e6, 1) == 54.4


@pytest.mark.parametrize(("side", "depth"), [(8, 3), (16, 4), (64, 6), (256, 8), (512, 8)])
def test_the_depth_follows_the_size(side, depth):
    assert depth_of(ImageShape(3, side, side)) == depth


@pytest.mark.parametrize("shape", [ImageShape(1, 8, 8, 0, 3), ImageShape(3, 16, 24, 0, 1)])
def test_the_unet_keeps_the_size_and_drops_out_in_three_blocks(shape):
    generator = unet(shape)
    y = generator(minigan.randn(2, shape.inputs, *shape.size[1:]))
    assert y.shape == (2, *shape.size) and np.abs(y.detach().numpy()).max() <= 1
    drops = [m for m in generator.modules() if isinstance(m, nn.Dropout)]
    assert len(drops) == min(3, depth_of(shape) - 1)


def test_skips_carry_what_the_middle_cannot():
    """With the innermost weights 0 the output still depends on every input pixel."""
    generator = unet(ImageShape(1, 16, 16, inputs=1), dropout=0.0)
    x = minigan.randn(2, 1, 16, 16).requires_grad_()
    innermost = [m for m in generator.modules() if isinstance(m, nn.Conv2d)][-1]
    innermost.weight.data = innermost.weight * 0
    (g,) = minigan.grad(generator(x).sum(), x)
    assert (g.numpy() != 0).all()


@pytest.mark.parametrize(("height", "width"), [(28, 28), (64, 12)])
def test_sizes_that_do_not_halve_three_times_are_refused(height, width):
    with pytest.raises(SettingError, match="divisible by 8"):
        unet(ImageShape(1, height, width, inputs=1))


def test_a_patch_larger_than_the_image_allows_is_refused():
    with pytest.raises(SettingError, match="needs images of at least 24 pixels"):
        trainer(patch_layers=3)


# --------------------------------------------------------------------------- a step


def test_a_step_is_the_papers():
    """Losses recomputed in NumPy from what the critic said; D's gradient is half the game's."""
    one = trainer()
    said, made = [], []
    for network, seen in ((one.networks.critic, said), (one.networks.generator, made)):
        network.register_forward_hook(
            lambda m, a, y, seen=seen: seen.append((a[0].detach(), y.detach()))
        )
    row = one.train_step()
    (real, on_real), (fake, on_fake), (again, fooled) = said
    ((x, y),) = made
    for seen in (fake, again):
        np.testing.assert_array_equal(seen.numpy()[:, :3], x.numpy())
        np.testing.assert_array_equal(seen.numpy()[:, 3:], y.numpy())
    np.testing.assert_array_equal(real.numpy()[:, :3], x.numpy())
    target = real.numpy()[:, 3:]
    r, f, g = (t.numpy().astype(np.float64) for t in (on_real, on_fake, fooled))
    d_loss = np.logaddexp(0, -r).mean() + np.logaddexp(0, f).mean()
    assert row["d_loss"] == pytest.approx(d_loss, rel=1e-5)
    assert row["g_loss"] == pytest.approx(np.logaddexp(0, -g).mean(), rel=1e-5)
    distance = np.abs(y.numpy() - target).mean()
    assert row["distance"] == pytest.approx(distance, rel=1e-5)
    chosen, images = recipe("pix2pix"), minigan.randn(2, 4, 8, 8)
    loss = chosen.critic_loss(one.settings, one.networks.critic, images, images, one.rng)
    assert loss.loss.item() == pytest.approx(loss.record["d_loss"].item() / 2)


def test_300_steps_learn_the_negative():
    one = trainer(lr=1e-3, batch_size=4)
    rows = [one.train_step() for _ in range(300)]
    assert np.mean([r["distance"] for r in rows[-20:]]) < 0.25 * rows[0]["distance"]


def test_a_state_put_back_goes_on_bit_for_bit_with_its_dropout():
    straight, other = trainer(), trainer()
    for _ in range(3):
        straight.train_step()
    state = {key: array.copy() for key, array in straight.state_dict().items()}
    following = [straight.train_step() for _ in range(2)]
    other.load_state_dict(state)
    assert [other.train_step() for _ in range(2)] == following


def test_single_images_are_refused():
    chosen = recipe("pix2pix")
    images = ImageData("grey", np.zeros((4, 1, 16, 16), np.uint8), None, 0)
    with pytest.raises(DataError, match="pix2pix needs pairs of images, grey has images"):
        Trainer(chosen, chosen.configure({}), images, batch_size=1, seed=0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"latent": 5}, "latent has no part here"),
        ({"label_at": "hidden"}, "label_at has no part"),
        ({"augment": "color"}, "translation and cutout are fine"),
        ({"l1": -1}, "l1 must not be negative"),
        ({"patch_layers": 5}, "patch_layers must lie between 1 and 4"),
        ({"dropout": 1}, r"dropout must lie in \[0, 1\)"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, said):
    with pytest.raises(SettingError, match=said):
        recipe("pix2pix").configure(values)


# --------------------------------------------------------------------------- drawing


def test_drawing_changes_nothing_and_a_seed_is_a_picture():
    """Dropout is on: another seed is another picture; networks and random state stay."""
    one = trainer()
    inputs = pairs().take(np.arange(3))[0]
    before = {k: v.copy() for k, v in one.state_dict().items()}
    chance = default_generator("cpu").get_state()
    first, again, other = (translate(one.networks.generator, inputs, s) for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert default_generator("cpu").get_state() == chance
    after = one.state_dict()
    assert all(np.array_equal(before[k], after[k]) for k in before)
    alone = translate(one.networks.generator, inputs[:1], 0)
    assert np.array_equal(alone, first[:1])  # an image does not depend on the others


def test_triples_are_input_output_target_in_one_kind_of_colour():
    x, y, t = (np.full((2, c, 8, 8), v, np.float32) for c, v in ((3, 0.1), (1, 0.2), (1, 0.3)))
    found = triples(x, y, t)
    assert found.shape == (6, 3, 8, 8)
    assert found[:, 2, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3] * 2)


def test_the_pictures_of_a_run_and_its_samples(tmp_path):
    one = trainer()
    view, data = one.recipe.view, pairs()
    chosen = view.examples(one.networks, data, np.random.default_rng(0))
    grid = one.pictures(chosen)
    assert grid.columns == 6 and grid.images.shape == (24, 3, 8, 8)
    images = view.sample(one.networks, Request(2, 0, inputs=chosen[0][:2]), "cpu")
    assert images.shape == (2, 1, 8, 8)
    with pytest.raises(SettingError, match="no class can be asked for"):
        view.sample(one.networks, Request(2, 0, np.ones((2, 3)), chosen[0]), "cpu")
    view.figures["triples.png"](one.networks, data, tmp_path / "t.png", "cpu")
    assert (tmp_path / "t.png").stat().st_size > 500
