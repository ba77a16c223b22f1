"""The conditional GAN: its two pairs of networks as stated, and images of the class asked for."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.data import ImageData
from minigan.gan import ImageShape, SettingError, Trainer, recipe
from minigan.gan.explore import label_grid
from minigan.gan.latents import one_hot
from minigan.nn.summary import count_parameters

CLASSES = 3


def networks(shape, **values):
    chosen = recipe("cgan")
    rng = minigan.Generator().manual_seed(0)
    return chosen.networks(chosen.configure(values), ImageShape(*shape), rng)


def trainer(**options):
    """Dark 12×12 images; those of class k are bright in rows 4k to 4k + 3."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (96, 1, 12, 12), dtype=np.uint8)
    labels = (np.arange(96) % CLASSES).astype(np.int64)
    for image, k in zip(images, labels, strict=True):
        image[:, 4 * k : 4 * k + 4] += 190
    chosen = recipe("cgan")
    data = ImageData("bands", images, labels, CLASSES)
    return Trainer(chosen, chosen.configure(options), data, batch_size=8, seed=0)


@pytest.mark.parametrize(
    ("options", "shape", "generator", "critic"),
    [
        # 110→1024→128·7·7, 5×5: 128→64→1; 5×5: 1 + 10 planes→64, 64→128, 3200→256→1
        (
            {},
            (1, 28, 28, 10),
            110 * 1024 + 2 * 1024 + 1024 * 6272 + 2 * 6272 + 25 * 128 * 64 + 2 * 64 + 25 * 64 + 1,
            25 * 11 * 64 + 64 + 25 * 64 * 128 + 128 + 3200 * 256 + 256 + 256 + 1,
        ),
        # 32 pixels: 8·8 instead of 7·7; 16, then 6 pixels in the critic; label planes in between
        (
            {"label_at": "hidden"},
            (3, 32, 32, 4),
            104 * 1024 + 2 * 1024 + 1024 * 8192 + 2 * 8192 + 25 * 128 * 64 + 2 * 64 + 25 * 192 + 3,
            25 * 3 * 64 + 64 + 25 * 68 * 128 + 128 + 4608 * 256 + 256 + 256 + 1,
        ),
        # k7: 110→256, k4: →128→1; 5×5: 11→64→128, Linear 6272
        (
            {"network": "cgan-dcgan"},
            (1, 28, 28, 10),
            49 * 110 * 256 + 512 + 16 * 256 * 128 + 256 + 16 * 128 + 1,
            25 * 11 * 64 + 64 + 25 * 64 * 128 + 128 + 6273,
        ),
        # k2: 110→1024, k4: →512→256→128→3; 5×5: 13→64→128→256→512, Linear 2048
        (
            {"network": "cgan-dcgan"},
            (3, 32, 32, 10),
            4 * 110 * 1024 + 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 3 + 2 * 1920,
            25 * (13 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 960 + 2049,
        ),
    ],
)
def test_networks_have_the_stated_sizes(options, shape, generator, critic):
    nets = networks(shape, **options)
    assert count_parameters(nets.generator) == generator
    assert count_parameters(nets.critic) == critic
    assert nets.classes == shape[3]
    labels = minigan.tensor(one_hot(np.array([0, 1]), nets.classes))
    latents = minigan.cat([minigan.randn(2, nets.latent), labels], 1)
    images = nets.generator(latents)
    assert images.shape == (2, *shape[:3])
    assert nets.critic(images, labels).shape == (2, 1)


def test_the_critic_drops_half_of_its_features_in_training_only():
    critic = networks((1, 12, 12, 2)).critic
    (dropout,) = (layer for layer in critic.modules() if isinstance(layer, nn.Dropout))
    assert dropout.p == 0.5
    x, labels = minigan.randn(4, 1, 12, 12), minigan.tensor(one_hot(np.array([0, 1, 0, 1]), 2))
    assert not np.array_equal(*(critic(x, labels).detach().numpy() for _ in range(2)))
    critic.eval()
    assert np.array_equal(*(critic(x, labels).detach().numpy() for _ in range(2)))


@pytest.mark.parametrize(
    ("network", "size", "said"),
    [
        ("cgan", 30, "cgan makes square images of 12 and more pixels divisible by 4; got 30×30"),
        ("cgan", 8, "cgan makes square images of 12 and more pixels divisible by 4; got 8×8"),
        ("cgan-dcgan", 14, "cgan-dcgan makes square images of 8 and more .* got 14×14"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(network, size, said):
    with pytest.raises(SettingError, match=said):
        networks((1, size, size, 2), network=network)


@pytest.mark.parametrize("norm", ["batch", "layer", "spectral", "none"])
@pytest.mark.parametrize("network", ["cgan", "cgan-dcgan"])
def test_every_norm_fits_the_critic_and_none_stands_at_its_input(network, norm):
    nets = networks((1, 16, 16, 2), network=network, critic_norm=norm)
    layers = [type(m).__name__ for m in nets.critic.modules() if not list(m.children())]
    layers = [name for name in layers if name != "Sequential"]
    normed = {"batch": "BatchNorm2d", "layer": "GroupNorm"}.get(norm)
    assert normed is None or normed in layers
    assert layers[:2] == ["Conv2d", "LeakyReLU"]
    assert any("Norm" in name for name in layers) == (normed is not None)
    weighted = [m for m in nets.critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert all(hasattr(m, "weight_orig") == (norm == "spectral") for m in weighted)


def softplus(x):
    return np.logaddexp(0, x)


@pytest.mark.parametrize("options", [{"lr": "1e-3"}, {"network": "cgan-dcgan"}])
def test_300_steps_keep_the_law_and_draw_the_class_asked_for(options):
    """The losses are the cross entropies of what D said; the same noise gives every class."""
    t = trainer(**options)
    said = []
    t.networks.critic.register_forward_hook(
        lambda module, inputs, output: said.append(output.detach().numpy().astype(np.float64))
    )
    for _ in range(300):
        said.clear()
        row = t.train_step()
        real, fake, again = said
        expected = softplus(-real).mean() + softplus(fake).mean()
        assert row["d_loss"] == pytest.approx(expected, rel=1e-4)
        assert row["g_loss"] == pytest.approx(softplus(-again).mean(), rel=1e-4)
    view = t.recipe.view
    images = view.decode(t.networks, label_grid(view.space(t.networks), 10, seed=1), "cpu")
    rows = images.reshape(10 * CLASSES, CLASSES, 4 * 12).mean(2)
    bright = np.arange(CLASSES) == np.tile(np.arange(CLASSES), 10)[:, None]
    assert ((rows > 0) == bright).mean() > 0.95  # 219 where it is bright, 29 elsewhere, of 255


def test_a_state_put_back_goes_on_bit_for_bit():
    """Also what the critic's Dropout drops."""
    one = trainer()
    for _ in range(2):
        one.train_step()
    state = {k: v.copy() for k, v in one.state_dict().items()}
    rows = [one.train_step() for _ in range(3)]
    after = one.state_dict()
    two = trainer()
    two.load_state_dict(state)
    assert [two.train_step() for _ in range(3)] == rows
    for name, array in two.state_dict().items():
        assert array.tobytes() == after[name].tobytes(), name
