"""Recipes: settings are read by their type, mistakes are one clear sentence, networks as stated."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.gan import ImageShape, SettingError, game, recipe, recipe_names
from minigan.gan.targets import draw_targets
from minigan.nn.summary import count_parameters


@pytest.fixture
def dcgan():
    return recipe("dcgan")


def test_settings_from_text_and_from_json_are_the_same(dcgan):
    text = dcgan.configure({"lr": "1e-4", "n_critic": "3", "real_targets": "0.7,1"})
    plain = dcgan.configure({"lr": 1e-4, "n_critic": 3, "real_targets": [0.7, 1]})
    assert text == plain
    assert dcgan.configure(dataclasses.asdict(text)) == text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"learning": "1"}, "no setting 'learning'"),
        ({"lr": "fast"}, "lr expects a number"),
        ({"lr": "-1"}, "lr must be positive"),
        ({"n_critic": "1.5"}, "n_critic expects a whole number"),
        ({"n_critic": 1.5}, "n_critic expects a whole number"),
        ({"loss": "softmax"}, "one of bce, saturating, wgan"),
        ({"augment": "cutout,sepia"}, "any of color, translation, cutout, separated by commas"),
        ({"network": "mlp", "widths": "9,x"}, "widths expects whole numbers, separated by commas"),
        ({"network": "mlp", "widths": "0"}, "widths expects sizes"),
        ({"gp": "-1"}, "gp must not be negative"),
        ({"critic_lr": "inf"}, "critic_lr must not be negative and must be finite"),
        ({"decay_to": "1"}, r"decay_to must lie in \[0, 1\)"),
        ({"real_targets": "1"}, "2 numbers separated by a comma"),
        ({"real_targets": "1,0.5"}, "low ≤ high"),
        ({"beta1": "1"}, r"beta1 must lie in \[0, 1\)"),
        ({"flip": "0.7"}, "flip is a share"),
        ({"ema": "nan"}, "ema"),
        ({"lr": "nan"}, "lr must be positive"),
        ({"lr": "inf"}, "lr must be positive and finite"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(dcgan, values, said):
    with pytest.raises(SettingError, match=said):
        dcgan.configure(values)


def test_targets_beyond_one_are_warned_of_and_clipped(dcgan):
    settings = dcgan.configure({"real_targets": "0.5,1.5", "fake_targets": "-0.3,0.3"})
    assert "clipped" in settings.warnings()[0]
    assert dcgan.configure({}).warnings() == []
    rng = minigan.Generator().manual_seed(0)
    big = minigan.zeros(1000, 1)
    up = draw_targets(big, settings.real_targets, settings.fake_targets, 0.0, rng).numpy()
    low = draw_targets(big, settings.fake_targets, settings.real_targets, 0.0, rng).numpy()
    # Half of U(0.5, 1.5) lies above 1, half of U(-0.3, 0.3) below 0.
    assert up.min() >= 0.5 and up.max() == 1.0
    assert abs((up == 1.0).mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)
    assert low.min() == 0.0 and low.max() <= 0.3
    assert abs((low == 0.0).mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)


def test_the_critic_is_judged_by_its_targets(dcgan):
    """At the logit l the cross entropy with the targets a and b is its closed form."""
    settings = dcgan.configure({"real_targets": "0.9,0.9", "fake_targets": "0.2,0.2"})
    x = minigan.full((5, 1), 0.3, dtype="float64")
    judged = game.critic_loss(settings, nn.Identity(), x, x, minigan.Generator())
    expected = sum(-t * 0.3 + np.logaddexp(0, 0.3) for t in (0.9, 0.2))
    assert judged.loss.item() == pytest.approx(expected, rel=1e-12)


def test_flip_exchanges_that_share_of_the_targets():
    rng = minigan.Generator().manual_seed(0)
    targets = draw_targets(minigan.zeros(4000, 1), (1.0, 1.0), (0.0, 0.0), 0.2, rng).numpy()
    assert set(np.unique(targets)) == {0.0, 1.0}
    assert abs((targets == 0).mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 4000)


@pytest.mark.parametrize(
    ("size", "channels", "generator", "critic"),
    [
        # 100·6272 + 2·128 | 128·64·16 + 2·64 | 64·16 + 1;  64·16 + 64 | 64·128·16 + 256 | 6273
        (28, 1, 627200 + 256 + 131072 + 128 + 1025, 1088 + 131072 + 256 + 6273),
        (32, 3, 819200 + 256 + 131072 + 128 + 3075, 3136 + 131072 + 256 + 8193),
        # 100·16384, 1024→512→256→128 by 16 taps, 128·3·16 + 3; 3→64→128→256→1, Linear 16 → 1
        (
            64,
            3,
            1638400 + 2048 + 8388608 + 1024 + 2097152 + 512 + 524288 + 256 + 6147,
            3136 + 131072 + 256 + 524288 + 512 + 4097 + 17,
        ),
    ],
)
def test_networks_have_the_stated_sizes(dcgan, size, channels, generator, critic):
    shape = ImageShape(channels, size, size)
    nets = dcgan.networks(dcgan.configure({}), shape, minigan.Generator())
    assert count_parameters(nets.generator) == generator
    assert count_parameters(nets.critic) == critic
    with minigan.no_grad():
        images = nets.generator(minigan.randn(2, nets.latent))
        assert images.shape == (2, *shape.size)
        assert nets.critic(images).shape == (2, 1)


def test_initial_weights_follow_the_paper(dcgan):
    """N(0, 0.02²) and N(1, 0.02²), biases 0: mean and deviation within 4 standard errors."""
    rng = minigan.Generator().manual_seed(5)
    nets = dcgan.networks(dcgan.configure({}), ImageShape(1, 28, 28), rng)
    for network in (nets.generator, nets.critic):
        for layer in network:
            if not list(layer.parameters()):
                continue
            w, n = layer.weight.detach().numpy(), layer.weight.numel()
            centre = 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0
            assert abs(w.mean() - centre) < 4 * 0.02 / np.sqrt(n)
            assert abs(w.std() / 0.02 - 1) < 4 / np.sqrt(2 * n)
            if layer.bias is not None:
                assert not layer.bias.detach().numpy().any()


@pytest.mark.parametrize("size", [(1, 30, 30), (1, 4, 4), (1, 72, 72), (1, 28, 32)])
def test_impossible_sizes_are_refused(dcgan, size):
    with pytest.raises(SettingError, match="square images"):
        dcgan.networks(dcgan.configure({}), ImageShape(*size), minigan.Generator())


def test_every_listed_recipe_exists_and_unknown_ones_are_named():
    for name in recipe_names():
        assert recipe(name).name == name
    with pytest.raises(SettingError, match="unknown recipe 'pix3pix'; there are: autoencoder"):
        recipe("pix3pix")


@pytest.mark.parametrize(
    ("values", "d"),
    [
        ({}, 0.5),
        ({"real_targets": "0.9,0.9"}, 0.45),
        ({"real_targets": "0.7,1"}, 0.425),
        ({"real_targets": "0.5,1.5"}, 0.4375),  # U(0.5, 1.5) clipped at 1 has the mean 0.875
        ({"real_targets": "0.9,0.9", "fake_targets": "0.1,0.1", "flip": "0.1"}, 0.5),
    ],
)
@pytest.mark.parametrize("kind", ["bce", "saturating"])
def test_equilibrium_lines_are_the_losses_of_the_best_undecided_critic(dcgan, values, d, kind):
    """At D = d everywhere, d minimises the expected critic loss: its value is the line."""
    settings = dcgan.configure({**values, "loss": kind})
    lines = dcgan.lines(settings)
    assert lines["d_real"][0] == pytest.approx(d)
    entropy = -2 * (d * np.log(d) + (1 - d) * np.log(1 - d))
    assert lines["d_loss"][0] == pytest.approx(entropy)
    generator = np.log(1 - d) if kind == "saturating" else -np.log(d)
    assert lines["g_loss"][0] == pytest.approx(generator)


def test_the_recipe_of_ones_own_in_the_readme_trains(tmp_path):
    """The file as printed and one line, in a copy of the package."""
    package = Path(minigan.__file__).parent
    readme = (package.parent / "README.md").read_text(encoding="utf-8")
    programs = re.findall(r"```py\n(.*?)```", readme, re.DOTALL)
    (program,) = [text for text in programs if "RECIPE = " in text]
    shutil.copytree(package, tmp_path / "minigan", ignore=shutil.ignore_patterns("__pycache__"))
    recipes = tmp_path / "minigan" / "gan" / "recipes"
    (recipes / "r1gan.py").write_text(program, encoding="utf-8")
    names = (recipes / "__init__.py").read_text(encoding="utf-8")
    (recipes / "__init__.py").write_text(names.replace("_names = (", '_names = (\n    "r1gan",'))
    outputs = []
    for command in ("show r1gan", "train r1gan --image-size 8 --batch-size 4 --steps 1 --out run"):
        done = subprocess.run(
            [sys.executable, "-m", "minigan", *command.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert "r1/2·E‖∇D(x)‖²" in outputs[0]
    assert (tmp_path / "run" / "metrics.csv").read_text().startswith("step,d_loss,g_loss,")
    assert ",penalty," in (tmp_path / "run" / "metrics.csv").read_text()


def test_one_batch_mixes_batchnorms_statistics_and_two_do_not():
    """A critic that is BatchNorm alone: in two batches each has the mean 0, in one the sum has."""

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(1, affine=False)

        def forward(self, x):
            return self.norm(x)

    real, fake = minigan.full((4, 1), 3.0), minigan.full((4, 1), -1.0)
    real = real + minigan.tensor([[0.5], [-0.5], [0.5], [-0.5]])
    fake = fake + minigan.tensor([[0.5], [-0.5], [0.5], [-0.5]])
    for one_batch, expected in ((False, 0.0), (True, 2 / np.sqrt(4 + 0.25 + 1e-5))):
        settings = recipe("dcgan").configure({"one_batch": one_batch})
        on_real, on_fake = game.verdicts(settings, Norm(), real, fake, game.NOTHING)
        assert on_real.mean().item() == pytest.approx(expected, abs=1e-6)
        assert on_fake.mean().item() == pytest.approx(-expected, abs=1e-6)
