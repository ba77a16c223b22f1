"""Every system trains on a GPU as on the CPU; run folders go from one device to the other."""

import numpy as np
import pytest

from minigan import cli
from minigan import run as runs
from minigan.data import ImageData, PairData
from minigan.gan import Trainer, recipe, recipe_names
from minigan.gan.sampling import modules

pytestmark = pytest.mark.usefixtures("undrawn")

MLP = {"network": "mlp", "widths": "8,8", "critic_widths": "8,8", "latent": 3}
OPTIONS = {
    "gan": {**MLP, "augment": "color,translation,cutout", "ema": 0.9},
    "dcgan": {"augment": "color", "ema": 0.9},
    "wgan": {**MLP, "critic_burst": 2},
    "wgan-gp": {"critic_norm": "layer", "n_critic": 2, "decay": 6},
    "unrolled": {**MLP, "unroll": 2},
    "lsgan": MLP,
    "hinge": {**MLP, "critic_norm": "spectral"},
    "sngan": {"network": "dcgan"},
    "dragan": MLP,
    "cgan": {**MLP, "label_at": "hidden"},
    "acgan": MLP,
    "infogan": {**MLP, "ema": 0.9},
    "ebgan": {"latent": 3, "code": 4},
    "began": {"latent": 3, "code": 4, "decay": 6},
    "vae": {"hidden": 8},
    "autoencoder": {"code": 5},
    "pix2pix": {"patch_layers": 1, "dropout": 0},
}


def trainer(name, device):
    chosen = recipe(name)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (8, 1, 8, 8), dtype=np.uint8)
    if chosen.data is PairData:
        data = PairData("pairs", images, images[:, :, ::-1].copy(), 0)
    else:
        data = ImageData("noise", images, np.arange(8) % 3, 3)
    settings = chosen.configure(OPTIONS.get(name, {}))
    return Trainer(chosen, settings, data, batch_size=4, seed=3, device=device)


@pytest.mark.parametrize("name", recipe_names())
def test_a_few_steps_lose_what_they_lose_on_the_cpu(cuda_device, name):
    """Adam makes a step of the sign of a gradient that is rounding only: later ones differ more."""
    here, there = trainer(name, "cpu"), trainer(name, cuda_device)
    for room in (1e-4, 5e-2, 5e-2):
        expected, found = here.train_step(), there.train_step()
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert found[key] == pytest.approx(value, rel=room, abs=room), key
    for network in modules(there.networks).values():
        assert {p.device.type for p in network.parameters()} == {"cuda"}


# ------------------------------------------------------------------------------ the command

SMALL = ["--data", "glyphs", "--image-size", "8", "--batch-size", "4", "--seed", "2"]
SMALL += ["--set", "network=mlp", "--set", "widths=8", "--set", "critic_widths=8"]
OFTEN = ["--sample-every", "2", "--checkpoint-every", "2"]


@pytest.fixture
def few_images(monkeypatch):
    original = runs.load
    monkeypatch.setattr(runs, "load", lambda name, **options: original(name, count=24, **options))


def losses(folder):
    rows = (folder / "metrics.csv").read_text().splitlines()
    return rows[0], np.array([row.split(",") for row in rows[1:]], float)


def test_a_run_goes_on_where_it_likes(fake, few_images, tmp_path, capsys):
    """Four steps on the CPU; the same on the GPU; and two on either, resumed on the other."""
    for name, device in (("here", "cpu"), ("there", "cuda")):
        options = ["--steps", "4", "--device", device, "--out", str(tmp_path / name)]
        assert cli.main(["train", "gan", *SMALL, *OFTEN, *options]) == 0
    header, expected = losses(tmp_path / "here")
    found = losses(tmp_path / "there")
    assert found[0] == header
    np.testing.assert_allclose(found[1], expected, rtol=2e-3, atol=2e-3)
    assert fake.gpu.waits
    for first, second in (("cpu", "cuda"), ("cuda", "cpu")):
        folder = tmp_path / f"{first}-{second}"
        options = ["--steps", "2", "--device", first, "--out", str(folder)]
        assert cli.main(["train", "gan", *SMALL, *OFTEN, *options]) == 0
        resumed = ["train", "--resume", str(folder), "--steps", "4", "--device", second]
        assert cli.main(resumed) == 0
        np.testing.assert_allclose(losses(folder)[1], expected, rtol=2e-3, atol=2e-3)
    capsys.readouterr()
    assert cli.main(["sample", str(tmp_path / "there"), "--out", str(tmp_path / "s.png")]) == 0


def test_resuming_on_the_device_is_bit_for_bit(fake, few_images, tmp_path, capsys):
    options = ["--device", "cuda", *SMALL, *OFTEN]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli.main(["train", "gan", *options, "--steps", "4", "--out", str(whole)]) == 0
    assert cli.main(["train", "gan", *options, "--steps", "2", "--out", str(parts)]) == 0
    assert cli.main(["train", "--resume", str(parts), "--steps", "4"]) == 0
    assert losses(whole)[1].tolist() == losses(parts)[1].tolist()
