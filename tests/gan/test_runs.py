"""Run folders of every system: written, stopped, resumed to the same bytes, sampled from."""

import numpy as np
import pytest

from minigan import cli, trained
from minigan import run as runs
from minigan.config import Config, read_config
from minigan.gan import recipe

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = {"network": "mlp", "widths": "8,8", "critic_widths": "8", "latent": 3}
CASES = {
    "gan": {**SMALL, "augment": "translation,cutout", "ema": 0.9},
    "wgan": {**SMALL, "critic_burst": 3},
    "wgan-gp": {**SMALL, "critic_norm": "layer", "decay": 6},
    "unrolled": {**SMALL, "unroll": 2},
    "lsgan": SMALL,
    "hinge": {**SMALL, "critic_norm": "spectral"},
    "sngan": {**SMALL, "optimizer": "sgd"},
    "dragan": SMALL,
    "cgan": {**SMALL, "critic_widths": "8,8", "label_at": "hidden"},
    "acgan": SMALL,
    "infogan": {**SMALL, "ema": 0.9},
    "ebgan": {"latent": 3, "code": 4},
    "began": {"latent": 3, "code": 4, "decay": 6},
    "vae": {"hidden": 8},
    "autoencoder": {"code": 5},
}
AUGMENT = {"lsgan": "flip,crop=2", "dragan": "rotate=20,color=0.5"}  # of the images themselves


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    """Six batches an epoch."""
    original = runs.load
    monkeypatch.setattr(runs, "load", lambda name, **options: original(name, count=24, **options))


def config(name):
    settings = recipe(name).configure(CASES[name])
    return Config(
        recipe=name,
        settings={**vars(settings)},
        data="glyphs",
        data_dir=None,
        image_size=8,
        steps=8,
        batch_size=4,
        seed=1,
        device="cpu",
        sample_every=4,
        checkpoint_every=3,
        augment=AUGMENT.get(name),
    )


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name != "config.json"
    }


@pytest.mark.parametrize("name", CASES)
def test_a_stopped_run_goes_on_to_the_same_bytes(name, tmp_path):
    whole = runs.Run.create(tmp_path / "whole", config(name))
    assert whole.train()
    whole.close()
    stopped = runs.Run.create(tmp_path / "stopped", config(name))
    assert not stopped.train(stopped=lambda: stopped.trainer.step == 5)
    stopped.close()
    again = runs.Run.open(tmp_path / "stopped")  # settings come from config.json
    assert again.settings == whole.settings
    assert again.train()
    again.close()
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert read_config(tmp_path / "stopped").recipe == name
    images = trained.sample(tmp_path / "whole", 5, seed=0)
    assert images.shape == (5, 1, 8, 8)
    assert np.abs(images).max() <= 1


@pytest.mark.parametrize("name", ["vae", "autoencoder"])
def test_a_system_that_explodes_says_so_in_a_line(name, tmp_path, capsys):
    """Its figures, which would need finite networks, are not drawn."""
    options = ["--steps", "5", "--batch-size", "4", "--image-size", "8", "--device", "cpu"]
    words = ["train", name, "--out", str(tmp_path / "run"), *options, "--set", "lr=1e25"]
    assert cli.main(words) == 2
    assert "became" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run" / "figures").exists()
