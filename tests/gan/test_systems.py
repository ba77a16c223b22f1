"""Every system trains 300 steps on tiny images; at each step its own law holds.

What the critic said is caught by a hook, so that the recorded losses are compared with formulas
written in NumPy, and the networks are looked at between the steps.
"""

from pathlib import Path

import numpy as np
import pytest

import minigan
from minigan.data import ImageData
from minigan.gan import Trainer, recipe, recipe_names
from minigan.gan.game import critic_steps

STEPS = 300
# Systems that are no game of the common kind: where their 300 steps stand.
OWN = {
    "autoencoder": "test_autoencoders.py",
    "conv-autoencoder": "test_autoencoders.py",
    "vae": "test_autoencoders.py",
    "cgan": "test_cgan.py",
    "acgan": "test_acgan.py",
    "infogan": "test_infogan.py",
    "ebgan": "test_energy.py",
    "began": "test_energy.py",
    "pix2pix": "test_pix2pix.py",
}
SMALL = {"network": "mlp", "widths": "16", "critic_widths": "16", "latent": 4}
OPTIONS = {
    "gan": {"widths": "16", "critic_widths": "16", "latent": 4, "loss": "saturating", "lr": 2e-3},
    "dcgan": {},
    "wgan": {**SMALL, "lr": 1e-3, "critic_burst": 20},
    "wgan-gp": {**SMALL, "lr": 5e-3},
    "unrolled": {**SMALL, "lr": 2e-3, "unroll": 3},
    "lsgan": {**SMALL, "lr": 2e-3},
    "hinge": {**SMALL, "lr": 2e-3},
    "sngan": {"network": "dcgan", "lr": 1e-3},
    "dragan": {**SMALL, "lr": 2e-3},
}


def trainer(name, seed=0, **options):
    """Dark 8×8 images with a bright upper half."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (64, 1, 8, 8), dtype=np.uint8)
    images[:, :, :4] += 190
    chosen = recipe(name)
    data = ImageData("halves", images, None, 0)
    return Trainer(chosen, chosen.configure(options), data, batch_size=8, seed=seed)


def softplus(x):
    return np.logaddexp(0, x)


LOSSES = {
    "bce": lambda r, f: softplus(-r).mean() + softplus(f).mean(),
    "saturating": lambda r, f: softplus(-r).mean() + softplus(f).mean(),
    "wgan": lambda r, f: f.mean() - r.mean(),
    "hinge": lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
    "lsgan": lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean(),
}
GENERATOR = {
    "bce": lambda f: softplus(-f).mean(),
    "saturating": lambda f: -softplus(f).mean(),
    "wgan": lambda f: -f.mean(),
    "hinge": lambda f: -f.mean(),
    "lsgan": lambda f: ((f - 1) ** 2).mean(),
}


def spectral_norms(critic):
    weights = [layer.weight for layer in critic if hasattr(layer, "weight_orig")]
    assert len(weights) == 3  # every layer
    return [np.linalg.norm(w.detach().numpy().reshape(len(w), -1), 2) for w in weights]


def gan(t, row, said):
    """The minimax game: G's loss is E ln(1 - D(G(z))), never above 0."""
    assert row["g_loss"] < 0


def dcgan(t, row, said):
    """The recorded probabilities are the mean σ of what D said."""
    assert row["d_real"] == pytest.approx((1 / (1 + np.exp(-said[0]))).mean(), rel=1e-5)
    assert row["d_fake"] == pytest.approx((1 / (1 + np.exp(-said[1]))).mean(), rel=1e-5)


def wgan(t, row, said):
    """Every weight of the critic is inside the box, and the estimate is minus its loss."""
    assert max(np.abs(p.detach().numpy()).max() for p in t.networks.critic.parameters()) <= (
        np.float32(0.01)
    )
    assert row["estimate"] == -row["d_loss"] and "penalty" not in row


def wgan_gp(t, row, said):
    """The penalty comes to what a critic of slope near 1 pays."""
    assert row["estimate"] == -row["d_loss"]
    if t.step == STEPS:
        assert row["penalty"] / 10 < 0.1  # (s - 1)² < 0.1, from (0 - 1)² ≈ 1 at the start


def unrolled(t, row, said):
    """G's loss is minus the loss of the D that is three steps ahead, which does better."""
    assert len(said) == 2 * 3 + 2 + 2
    assert row["g_loss"] == pytest.approx(-LOSSES["bce"](*said[6:8]), rel=1e-5)
    assert -row["g_loss"] < row["d_loss"] + 1e-3


def lsgan(t, row, said):
    """Least squares are never negative; D's outputs are pulled between the targets."""
    assert row["d_loss"] >= 0 and row["g_loss"] >= 0
    if t.step > 100:
        assert -0.5 < np.mean(said[:2]) < 1.5


def hinge(t, row, said):
    """A D beyond its margins on every image has nothing left to learn."""
    assert row["d_loss"] >= 0
    assert (row["d_loss"] == 0) == bool((said[0] >= 1).all() and (said[1] <= -1).all())


def sngan(t, row, said):
    """The spectral norm of every layer, as it is used, is 1 up to the lag of the iteration."""
    if t.step % 10 == 0:
        assert spectral_norms(t.networks.critic) == pytest.approx([1, 1, 1], abs=0.03)


def dragan(t, row, said):
    """A slope near 1 around the real images."""
    if t.step == STEPS:
        assert row["penalty"] / 10 < 0.1


LAWS = {
    "gan": gan,
    "dcgan": dcgan,
    "wgan": wgan,
    "wgan-gp": wgan_gp,
    "unrolled": unrolled,
    "lsgan": lsgan,
    "hinge": hinge,
    "sngan": sngan,
    "dragan": dragan,
}


@pytest.mark.parametrize("name", LAWS)
def test_300_steps_keep_the_law_and_learn(name):
    t = trainer(name, **OPTIONS[name])
    settings = t.settings
    said = []
    t.networks.critic.register_forward_hook(
        lambda module, inputs, output: said.append(output.detach().numpy().astype(np.float64))
    )
    target = np.where(np.arange(8) < 4, 219, 29).reshape(8, 1) / 127.5 - 1

    latents = minigan.randn(64, settings.latent, generator=minigan.Generator().manual_seed(9))

    def distance():
        return np.abs(t.generate(latents).mean((0, 1)) - target).mean()

    before = distance()
    for step in range(STEPS):
        said.clear()
        row = t.train_step()
        passes = (len(said) - 1) // critic_steps(settings, step)
        last = said[-2:] if name == "unrolled" else said[-1 - passes :][:2]
        assert row["d_loss"] == pytest.approx(LOSSES[settings.loss](*last), rel=1e-4, abs=1e-5)
        if name != "unrolled":
            expected = GENERATOR[settings.loss](said[-1])
            assert row["g_loss"] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        LAWS[name](t, row, said if name == "unrolled" else last)
    assert t.step == STEPS
    assert distance() < 0.5 * before


def test_there_is_a_law_for_every_system():
    """Here, or in a file of its own."""
    assert not set(LAWS) & set(OWN)
    assert set(LAWS) | set(OWN) == set(recipe_names())
    for name, file in OWN.items():
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f'"{name}"' in text and "300" in text
