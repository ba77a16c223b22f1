"""The networks of the family: layers and sizes as stated, every norm, the two optional ends."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.gan import ImageShape, SettingError, recipe
from minigan.gan.pair import Uniform, pair
from minigan.nn.summary import count_parameters


def made(name="dcgan", shape=(1, 32, 32), **values):
    settings = recipe(name).configure(values)
    return pair(settings, ImageShape(*shape), minigan.Generator().manual_seed(0))


def kinds(network):
    return [type(layer).__name__ for layer in network]


@pytest.mark.parametrize(
    ("options", "shape", "generator", "critic"),
    [
        # 100-128-256-512-784, 784-512-256-1, with biases
        (
            {"network": "mlp"},
            (1, 28, 28),
            12928 + 33024 + 131584 + 402192,
            401920 + 131328 + 257,
        ),
        # BatchNorm adds two numbers for each hidden unit
        (
            {"network": "mlp", "widths": "256,256", "latent": 64, "generator_norm": "batch"},
            (3, 9, 7),
            16640 + 65792 + 48573 + 4 * 256,
            512 * 190 + 131328 + 257,
        ),
        # Linear 100 → 256·2·2 and its BN; 256→512→256→128→1 by 25 taps; 1→32→64→128→256, Linear
        (
            {"network": "5x5"},
            (1, 32, 32),
            103424 + 512 + 25 * (131072 + 131072 + 32768 + 128) + 897 + 1792,
            25 * (32 + 2048 + 8192 + 32768) + 480 + 1025,
        ),
        # 62→1024→128·7·7, both normalised, 128→64→1; 1→64→128, Linear 6272→1024→1
        (
            {"network": "infogan", "latent": 62},
            (1, 28, 28),
            62 * 1024 + 2048 + 1024 * 6272 + 2 * 6272 + 131072 + 128 + 1025,
            1088 + 131072 + 256 + 6272 * 1024 + 2048 + 1025,
        ),
    ],
)
def test_networks_have_the_stated_sizes(options, shape, generator, critic):
    nets = made("dcgan", shape, **options)
    assert count_parameters(nets.generator) == generator
    assert count_parameters(nets.critic) == critic
    images = nets.generator(minigan.randn(2, nets.latent))
    assert images.shape == (2, *shape)
    assert nets.critic(images).shape == (2, 1)


@pytest.mark.parametrize("network", ["dcgan", "5x5", "infogan", "mlp"])
@pytest.mark.parametrize("norm", ["batch", "layer", "spectral", "none"])
def test_every_network_takes_every_norm(network, norm):
    nets = made(network=network, critic_norm=norm)
    found = kinds(nets.critic)
    assert any("BatchNorm" in kind for kind in found) == (norm == "batch")
    assert any(kind in ("GroupNorm", "LayerNorm") for kind in found) == (norm == "layer")
    layers = [layer for layer in nets.critic if isinstance(layer, (nn.Linear, nn.Conv2d))]
    assert all(hasattr(layer, "weight_orig") == (norm == "spectral") for layer in layers)
    assert "Norm" not in found[1] + found[2]  # none at the critic's input
    assert nets.critic(minigan.randn(2, 1, 32, 32)).shape == (2, 1)


def test_a_layer_normed_critic_judges_each_image_alone():
    critic = made(critic_norm="layer").critic
    x = minigan.randn(4, 1, 32, 32)
    np.testing.assert_allclose(
        critic(x)[:1].detach().numpy(), critic(x[:1]).detach().numpy(), atol=1e-6
    )


def test_the_five_by_five_generator_can_normalise_after_the_activation():
    before = kinds(made(network="5x5").generator)
    after = kinds(made(network="5x5", norm_after="true").generator)
    assert before[2:7] == ["ReLU", "BatchNorm2d", "ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert after[2:7] == ["ReLU", "BatchNorm2d", "ConvTranspose2d", "ReLU", "BatchNorm2d"]


def test_a_generator_without_batchnorm():
    for network in ("dcgan", "5x5", "infogan", "mlp"):
        assert not any("Norm" in k for k in kinds(made(network=network, generator_norm="none")[0]))


@pytest.mark.parametrize("size", [28, 30])
def test_sizes_that_do_not_divide_are_refused(size):
    with pytest.raises(SettingError, match=f"divisible by 16; got {size}×{size}"):
        made(shape=(1, size, size), network="5x5")
    with pytest.raises(SettingError, match="divisible by 4; got 30×30"):
        made(shape=(1, 30, 30), network="infogan")


def test_pixels_from_0_to_1_inside_are_from_minus_1_to_1_outside():
    nets = made(network="mlp", output="sigmoid", shape=(1, 8, 8))
    z = minigan.randn(3, 100)
    seen = []
    nets.critic[2].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = nets.generator(z)
    nets.critic(images)
    pixels = seen[0].detach().numpy()
    assert pixels.min() >= 0 and pixels.max() <= 1
    np.testing.assert_allclose(images.detach().numpy().reshape(3, -1), 2 * pixels - 1, atol=1e-6)


def test_uniform_latents_are_uniform():
    """2Φ(z) - 1 of normal numbers: the largest distance of the distribution functions is small."""
    assert isinstance(made(network="mlp", prior="uniform").generator[0], Uniform)
    rng = np.random.default_rng(0)
    u = np.sort(Uniform(1)(minigan.tensor(rng.standard_normal((20000, 1)))).numpy().ravel())
    distance = np.abs(u - np.linspace(-1, 1, 20000)).max() / 2
    assert distance < 1.63 / np.sqrt(20000)  # Kolmogorov, 1 %


def test_spectral_norms_are_close_from_the_start_and_the_seed_decides_them():
    one, two = (made("sngan") for _ in range(2))
    for a, b in zip(one.critic.buffers(), two.critic.buffers(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    one.critic(minigan.zeros(1, 1, 32, 32))
    for layer in one.critic:
        if hasattr(layer, "weight_orig"):
            w = layer.weight.detach().numpy().reshape(len(layer.weight), -1)
            assert np.linalg.norm(w, 2) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5, 6, 7, 8])
def test_generators_of_every_kernel_double_the_size(kernel):
    nets = made(kernel=kernel)
    assert nets.generator(minigan.randn(2, 100)).shape == (2, 1, 32, 32)
    sizes = {tuple(m.kernel_size) for m in nets.generator if isinstance(m, nn.ConvTranspose2d)}
    assert sizes == {(kernel, kernel)}
