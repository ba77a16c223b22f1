"""Autoencoders: the linear one beside principal components, the VAE beside its closed forms."""

import json

import numpy as np
import pytest
from PIL import Image

import minigan
from minigan.data import ImageData, load
from minigan.gan import Request, SettingError, Trainer, recipe
from minigan.gan.autoencoding import reconstructed, spread
from minigan.gan.principal import components, projected, save_comparison
from minigan.gan.recipes.vae import divergence, drawn
from minigan.trained import sample

NAMES = ("autoencoder", "conv-autoencoder", "vae")


def trainer(name, seed=0, data=None, **settings):
    data = data or load("glyphs", count=64, image_size=8)
    chosen = recipe(name)
    return Trainer(chosen, chosen.configure(settings), data, batch_size=16, seed=seed)


def low_rank(rank, noise=0.0):
    """64 images of 8×8 around a plane of ``rank`` dimensions, which is not through the origin."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(64, rank)) @ rng.normal(size=(rank, 64)) * 8 + 60
    rows += rng.normal(size=rows.shape) * noise
    return ImageData("plane", np.clip(rows, 0, 255).astype(np.uint8).reshape(64, 1, 8, 8), None, 0)


# --------------------------------------------------------------------------- the linear one


@pytest.mark.parametrize("count", [1, 3, 10])
def test_what_principal_components_lose_are_the_other_eigenvalues(count):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(40, 12)) @ rng.normal(size=(12, 12)) + 5
    eigenvalues = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1]
    lost = ((rows - projected(rows, count)) ** 2).sum(1).mean()
    assert lost == pytest.approx(eigenvalues[count:].sum(), rel=1e-10)


def test_a_linear_autoencoder_with_the_components_as_weights_reaches_the_optimum():
    """Written into the networks, they give the projection itself: nothing in between bends."""
    data = low_rank(5, noise=4)
    one = trainer("autoencoder", data=data, code=3)
    images = data.images / np.float32(127.5) - 1
    flat = images.reshape(64, -1).astype(np.float64)
    mean, directions = components(flat, 3)
    encoder, decoder = one.networks.encoder[1], one.networks.decoder[0]
    encoder.weight.data = minigan.tensor(directions.astype(np.float32))
    encoder.bias.data = minigan.tensor((-directions @ mean).astype(np.float32))
    decoder.weight.data = minigan.tensor(directions.T.astype(np.float32).copy())
    decoder.bias.data = minigan.tensor(mean.astype(np.float32))
    found = reconstructed(one.networks, images)
    np.testing.assert_allclose(found.reshape(64, -1), projected(flat, 3), atol=1e-5)


def test_training_comes_near_the_optimum_and_never_below_it():
    """300 steps on data of 5 dimensions and noise."""
    data = low_rank(5, noise=25)
    one = trainer("autoencoder", data=data, code=5, lr=1e-2)
    images = data.images / np.float32(127.5) - 1
    least = ((images.reshape(64, -1) - projected(images.reshape(64, -1), 5)) ** 2).mean()
    ratios = []
    for step in range(300):
        row = one.train_step()
        if step % 50 == 49:
            error = ((reconstructed(one.networks, images) - images) ** 2).mean()
            ratios.append(error / least)
    assert min(ratios) >= 1 - 1e-5
    assert ratios[-1] < 1.5 < ratios[0]
    assert set(row) == {"loss", "g_gradient"}


def test_the_comparison_is_drawn_and_a_rank_that_holds_everything_too(tmp_path):
    for code in (3, 70):  # 70 numbers hold 64 pixels
        one = trainer("autoencoder", code=code)
        save_comparison(one.networks, load("glyphs", count=64, image_size=8), tmp_path / "a", "cpu")
        with Image.open(tmp_path / "a") as picture:
            assert picture.size[0] == 900


# --------------------------------------------------------------------------- the convolutional one


def test_the_convolutional_code_is_a_quarter_of_the_size_and_learns():
    one = trainer("conv-autoencoder", lr=3e-3)
    x = one.real()
    code = one.networks.encoder(x)
    assert code.shape == (16, 16, 2, 2) == (16, *one.networks.code)
    losses = [one.train_step()["loss"] for _ in range(300)]
    variance = load("glyphs", count=64, image_size=8).images / 127.5
    # Better than the mean image, which is what it could say without looking.
    assert np.mean(losses[-20:]) < 0.3 * variance.var(0).mean()


def test_sides_that_do_not_halve_twice_are_refused():
    with pytest.raises(SettingError, match="sides divisible by 4; got 30×30"):
        trainer("conv-autoencoder", data=load("glyphs", count=20, image_size=30))


# --------------------------------------------------------------------------- the variational one


def test_divergence_is_the_integral_of_its_definition():
    """KL(N(μ, σ²) ‖ N(0, 1)) = ∫ p ln(p/q), summed over the dimensions."""
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    x = np.linspace(-30, 30, 200_001)
    expected = np.zeros(4)
    for i, j in np.ndindex(4, 3):
        m, v = mean[i, j], np.exp(log_variance[i, j])
        log_p = -0.5 * ((x - m) ** 2 / v + np.log(2 * np.pi * v))
        log_q = -0.5 * (x**2 + np.log(2 * np.pi))
        expected[i] += np.trapezoid(np.exp(log_p) * (log_p - log_q), x)
    found = divergence(minigan.tensor(mean), minigan.tensor(log_variance)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_codes_are_drawn_with_the_standard_deviation_and_not_the_variance():
    noise = np.random.default_rng(0).normal(size=(20_000, 1))
    mean, log_variance = minigan.full((20_000, 1), 2.0), minigan.full((20_000, 1), np.log(9.0))
    z = drawn(mean, log_variance, minigan.tensor(noise.astype(np.float32))).numpy()
    # The sampling error of a standard deviation is σ/√(2n).
    assert abs(z.std() - 3) < 4 * 3 / np.sqrt(2 * 20_000)
    assert abs(z.mean() - 2) < 4 * 3 / np.sqrt(20_000)


def test_300_steps_keep_the_bound_together_and_lower_it():
    """loss = reconstruction + beta·KL at every step; the recorded KL is that of the encoder."""
    one = trainer("vae", beta=0.5, hidden=32, lr=3e-3)
    rows = []
    for _ in range(300):
        before = minigan.Generator()
        before.set_state(one.rng.get_state())
        place = one.batches.state_dict()
        x = one.real()
        one.batches.load_state_dict(place)
        mean, log_variance = (t.detach().numpy() for t in one.networks.encoder(x))
        rows.append(one.train_step())
        kl = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1).mean()
        assert rows[-1]["kl"] == pytest.approx(kl, rel=1e-4, abs=1e-6)
        total = rows[-1]["reconstruction"] + 0.5 * rows[-1]["kl"]
        assert rows[-1]["loss"] == pytest.approx(total, rel=1e-5)
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"]
    assert rows[-1]["kl"] > 0.1  # the code is in use


def test_the_reconstruction_is_the_cross_entropy_summed_over_pixels():
    """An untrained decoder with zero weights says ½ everywhere: ln 2 for each of 64 pixels."""
    one = trainer("vae")
    last = one.networks.decoder.layers[2]
    last.weight.data, last.bias.data = last.weight * 0, last.bias * 0
    assert one.train_step()["reconstruction"] == pytest.approx(64 * np.log(2), rel=1e-6)


def test_samples_are_decoded_noise_and_reconstructions_when_asked():
    one = trainer("vae")
    view = one.recipe.view
    images = view.sample(one.networks, Request(70, 3), "cpu")
    assert images.shape == (70, 1, 8, 8) and np.abs(images).max() <= 1
    assert np.array_equal(view.sample(one.networks, Request(5, 3), "cpu"), images[:5])
    assert not np.array_equal(view.sample(one.networks, Request(5, 4), "cpu"), images[:5])
    given = view.sample(one.networks, Request(5, 3, inputs=images[:5]), "cpu")
    np.testing.assert_array_equal(given, reconstructed(one.networks, images[:5]))
    with pytest.raises(SettingError, match="no classes"):
        view.sample(one.networks, Request(5, 3, labels=np.ones((5, 2))), "cpu")


# --------------------------------------------------------------------------- all


@pytest.mark.parametrize("name", NAMES)
def test_a_state_put_back_goes_on_bit_for_bit(name):
    straight, other = trainer(name), trainer(name)
    for _ in range(3):
        straight.train_step()
    other.train_step()
    other.load_state_dict(straight.state_dict())
    assert straight.train_step() == other.train_step()
    a, b = straight.state_dict(), other.state_dict()
    assert json.loads(a["state.json"].tobytes())["step"] == 4
    assert all(np.array_equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [None, "three"])
def test_every_figure_is_drawn(name, labels, tmp_path):
    glyphs = load("glyphs", count=40, image_size=8)
    data = ImageData("few", glyphs.images, labels and glyphs.labels, 10 if labels else 0)
    one = trainer(name, data=data)
    for file, draw in one.recipe.view.figures.items():
        draw(one.shown(), data, tmp_path / file, "cpu")
        with Image.open(tmp_path / file) as picture:
            assert min(picture.size) > 8 and picture.format == file[-3:].upper()


@pytest.mark.parametrize("code", [1, 3])
def test_the_plane_of_codes_of_other_sizes(code, tmp_path):
    one = trainer("vae", code=code)
    data = load("glyphs", count=30, image_size=8)
    for file, draw in one.recipe.view.figures.items():
        draw(one.shown(), data, tmp_path / file, "cpu")
    assert len(list(tmp_path.iterdir())) == len(one.recipe.view.figures) == 5


def test_the_manifold_is_the_plane_with_the_first_number_to_the_right(tmp_path):
    """A decoder that shows its code: red grows to the right, the second number upwards."""
    one = trainer("vae")

    class Shows(minigan.nn.Module):
        def forward(self, z):
            return (z / 4).reshape(len(z), 2, 1, 1)[:, [0, 1, 1]].expand(len(z), 3, 8, 8)

    coder = one.networks._replace(decoder=Shows())
    one.recipe.view.figures["manifold.png"](coder, None, tmp_path / "m.png", "cpu")
    with Image.open(tmp_path / "m.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    low, high = 10, len(pixels) - 10
    assert pixels[high, low].tolist() == [0, 0, 0]
    assert pixels[high, high].tolist() == [255, 0, 0]
    assert pixels[low, low].tolist() == [0, 255, 255]


def test_pictures_alternate_images_and_reconstructions():
    one = trainer("conv-autoencoder")
    data = load("glyphs", count=64, image_size=8)
    chosen = one.recipe.view.examples(one.networks, data, np.random.default_rng(0))
    grid = one.pictures(chosen)
    assert grid.columns == 8 and len(grid.images) == 64
    np.testing.assert_array_equal(grid.images[::2], chosen[0])
    np.testing.assert_array_equal(grid.images[1::2], reconstructed(one.networks, chosen[0]))


def test_indices_are_spread_evenly():
    assert spread(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert np.diff(spread(1000, 7)).tolist() == [142, 143, 143, 143, 143, 143]


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("autoencoder", {"code": 0}, "setting code must be positive"),
        ("vae", {"beta": -1}, "setting beta must not be negative"),
        ("vae", {"lr": 0}, "setting lr must be positive"),
        ("conv-autoencoder", {"beta1": 1}, r"setting beta1 must lie in \[0, 1\)"),
    ],
)
def test_settings_that_cannot_be_are_refused(name, settings, said):
    with pytest.raises(SettingError, match=said):
        recipe(name).configure(settings)


def test_a_run_is_sampled_from_images_it_did_not_train_on(tmp_path):
    from minigan.cli import main

    run = str(tmp_path / "run")
    options = ["--steps", "2", "--batch-size", "4", "--image-size", "8", "--device", "cpu"]
    assert main(["train", "autoencoder", "--out", run, *options]) == 0
    images = sample(tmp_path / "run", 6, 0)
    assert images.shape == (6, 1, 8, 8)
    assert np.array_equal(sample(tmp_path / "run", 3, 0), images[:3])
    assert (tmp_path / "run" / "figures" / "principal-components.png").is_file()
