"""Critics that are told the class: where it joins, which classes, and that the generator obeys."""

from itertools import product

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.data import ImageData
from minigan.gan import ImageShape, SettingError, Trainer, recipe
from minigan.gan.conditional import Labelled, joined, told
from minigan.gan.latents import one_hot
from minigan.gan.pair import pair

CLASSES = 3
NETWORKS = ("dcgan", "5x5", "infogan", "cgan", "cgan-dcgan", "mlp")
SMALL = {"network": "mlp", "widths": "16", "critic_widths": "16,16", "latent": "4"}


def made(labelled=True, **values):
    settings = recipe("dcgan").configure(values)
    shape = ImageShape(2, 16, 16, CLASSES if labelled else 0)
    return pair(settings, shape, minigan.Generator().manual_seed(0))


def bands(labelled=True):
    """Dark 12×12 images; those of class k are bright in rows 4k to 4k + 3."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (96, 1, 12, 12), dtype=np.uint8)
    labels = np.arange(96) % CLASSES
    for image, k in zip(images, labels, strict=True):
        image[:, 4 * k : 4 * k + 4] += 190
    if not labelled:
        return ImageData("bands", images, None, 0)
    return ImageData("bands", images, labels.astype(np.int64), CLASSES)


def brightest(images):
    """The class that images (N, 1, 12, 12) look like."""
    return np.asarray(images).reshape(len(images), CLASSES, -1).mean(2).argmax(1)


def trainer(name, seed=0, batch_size=16, **options):
    chosen = recipe(name)
    return Trainer(chosen, chosen.configure(options), bands(), batch_size=batch_size, seed=seed)


def test_planes_are_constant_and_hold_the_weights():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 5), dtype=np.float32)
    labels = rng.standard_normal((2, 2), dtype=np.float32)
    whole = joined(minigan.tensor(x), minigan.tensor(labels)).numpy()
    assert whole.shape == (2, 5, 4, 5)
    assert np.array_equal(whole[:, :3], x)
    for n, k, i, j in np.ndindex(2, 2, 4, 5):
        assert whole[n, 3 + k, i, j] == labels[n, k]
    flat = joined(minigan.tensor(x[:, :, 0, 0]), minigan.tensor(labels)).numpy()
    assert np.array_equal(flat, np.concatenate([x[:, :, 0, 0], labels], 1))


@pytest.mark.parametrize(("network", "place"), list(product(NETWORKS, ["input", "hidden"])))
def test_one_layer_is_widened_and_the_others_are_as_they_were(network, place):
    plain, nets = made(network=network), made(network=network, label_at=place)
    assert (plain.classes, nets.classes) == (0, CLASSES)
    before = [m for m in plain.critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    after = [m for m in nets.critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    wider = 0 if place == "input" else 1
    for i, (a, b) in enumerate(zip(before, after, strict=True)):
        more = CLASSES if i == wider else 0
        assert b.weight.shape == (a.weight.shape[0], a.weight.shape[1] + more, *a.weight.shape[2:])
        assert (a.bias is None) == (b.bias is None)
        assert getattr(a, "stride", None) == getattr(b, "stride", None)
        assert getattr(a, "padding", None) == getattr(b, "padding", None)
    z = minigan.randn(4, nets.latent + CLASSES)
    labels = minigan.tensor(one_hot(np.array([0, 1, 2, 0]), CLASSES))
    assert nets.critic(nets.generator(z), labels).shape == (4, 1)


@pytest.mark.parametrize("place", ["input", "hidden"])
def test_weights_of_zero_are_the_critic_without_labels(place):
    """With the old part of the widened kernel in a plain critic both say the same of label 0."""
    plain = made(labelled=False).critic
    told_critic = made(label_at=place).critic
    layers = [*told_critic.before, *told_critic.after]
    with minigan.no_grad():
        for a, b in zip(plain, layers, strict=True):
            for name, p in a.named_parameters():
                p.copy_(dict(b.named_parameters())[name][tuple(map(slice, p.shape))])
    x = minigan.randn(4, 2, 16, 16)
    expected = plain(x).detach().numpy()
    zeros, one = minigan.zeros(4, CLASSES), minigan.eye(CLASSES)[:1].expand(4, CLASSES)
    np.testing.assert_allclose(told_critic(x, zeros).detach().numpy(), expected, atol=1e-5)
    assert np.abs(told_critic(x, one).detach().numpy() - expected).max() > 1e-3


def test_told_fixes_the_labels_of_a_labelled_critic_only():
    plain, labelled = made().critic, made(label_at="input").critic
    x, labels = minigan.randn(4, 2, 16, 16), minigan.tensor(one_hot(np.arange(4) % 3, CLASSES))
    assert told(plain, labels) is plain
    assert isinstance(labelled, Labelled)
    assert np.array_equal(
        told(labelled, labels)(x).detach().numpy(), labelled(x, labels).detach().numpy()
    )


@pytest.mark.parametrize("name", ["cgan", "dcgan"])
def test_unlabelled_images_are_refused(name):
    chosen = recipe(name)
    settings = chosen.configure({"label_at": "hidden"})
    with pytest.raises(SettingError, match="label_at=hidden needs data with labels, and these "):
        Trainer(chosen, settings, bands(labelled=False), batch_size=4, seed=0)


@pytest.mark.parametrize(
    ("place", "widths", "said"),
    [
        ("hidden", "16", "needs a critic with at least 2 hidden layers, this one has 1"),
        ("input", "", "needs a critic with at least 1 hidden layer, this one has 0"),
    ],
)
def test_a_class_that_image_and_critic_could_not_use_is_refused(place, widths, said):
    with pytest.raises(SettingError, match=said):
        made(network="mlp", critic_widths=widths, label_at=place)


def heard_labels(t):
    """The labels that the critic is told, pass by pass, as classes."""
    seen = []
    critic = t.networks.critic
    critic.after.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    return seen


def test_real_images_are_judged_as_what_they_are_and_fakes_as_what_they_were_asked_to_be():
    t = trainer("dcgan", label_at="input", batch_size=32)
    seen = heard_labels(t)
    drawn = []
    for _ in range(20):
        seen.clear()
        t.train_step()
        real, fake, again = (x.numpy() for x in seen)
        planes = real[:, 1:]
        assert np.array_equal(planes, np.broadcast_to(planes[:, :, :1, :1], planes.shape))
        assert np.array_equal(planes[:, :, 0, 0], one_hot(brightest(real[:, :1]), CLASSES))
        assert np.array_equal(again, fake)  # the generator's step: the same images and classes
        drawn += list(fake[:, 1:, 0, 0].argmax(1))
    # Drawn evenly: 640 draws, each class within 4 standard deviations of a third.
    shares = np.bincount(drawn, minlength=CLASSES) / len(drawn)
    assert np.abs(shares - 1 / 3).max() < 4 * np.sqrt(1 / 3 * 2 / 3 / len(drawn))


def test_with_gp_the_fakes_have_the_real_images_classes():
    """So that an image between the two is of one class, by which the penalty judges it."""
    t = trainer("wgan-gp", label_at="input", **SMALL)
    seen = heard_labels(t)
    t.train_step()
    passes = [x.numpy()[:, -CLASSES:] for x in seen]
    assert len(passes) == 3 * 5 + 1  # real, fake, between; at last the generator's
    images = [x.numpy()[:, :-CLASSES] for x in seen]
    for i in range(0, 15, 3):
        own = one_hot(brightest(images[i]), CLASSES)
        for labels in passes[i : i + 3]:
            assert np.array_equal(labels, own)


def test_the_slope_around_real_images_is_of_their_own_class():
    t = trainer("dragan", label_at="hidden", **SMALL)
    seen = heard_labels(t)
    t.train_step()
    real, fake, around, _ = (x.numpy()[:, -CLASSES:] for x in seen)
    assert np.array_equal(around, real) and not np.array_equal(fake, real)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dcgan", {"label_at": "hidden", "lr": "1e-3"}),
        ("wgan-gp", {"label_at": "input", **SMALL, "lr": "5e-3"}),
        ("dragan", {"label_at": "input", "network": "dcgan", "critic_norm": "none", "lr": "1e-3"}),
    ],
)
def test_300_steps_make_the_generator_draw_the_class_asked_for(name, options):
    t = trainer(name, **options)
    for _ in range(300):
        row = t.train_step()
    noise = np.random.default_rng(1).standard_normal((30, t.networks.latent), dtype=np.float32)
    asked = np.arange(30) % CLASSES
    latents = np.concatenate([noise, one_hot(asked, CLASSES)], 1)
    images = t.generate(minigan.tensor(latents))
    assert (brightest(images) == asked).mean() >= 0.9
    if name != "dcgan":  # a slope near 1: (s - 1)² < 0.1, from (0 - 1)² ≈ 1 at the start
        assert row["penalty"] / 10 < 0.1
