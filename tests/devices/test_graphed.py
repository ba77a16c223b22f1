"""Recorded steps of a trainer are the plain ones: the same numbers to the last bit."""

from dataclasses import replace

import fakegpu
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import fused, nn
from minigan.data import ImageData, PairData
from minigan.gan import Trainer, recipe, recipe_names
from minigan.gan.graphed import PLAIN

SMALL = {"network": "mlp", "widths": "8", "critic_widths": "8", "latent": "4"}
SYSTEMS = {  # recipe, settings
    "falling rates, an average": ("gan", {"ema": 0.9, "decay": 10}),
    "targets, flips, R1": ("gan", {"flip": 0.2, "real_targets": "0.8,1", "r1": 1.0}),
    "SGD": ("gan", {"optimizer": "sgd", "decay": 3}),
    "clipped weights, bursts": ("wgan", {"n_critic": 2, "critic_burst": 0}),
    "gradient penalty": ("wgan-gp", {"n_critic": 2, "label_at": "input"}),
    "classes": ("cgan", {}),
    "three optimizers": ("infogan", {"classes": 3, "codes": 1}),
    "DRAGAN, clipped gradients": ("dragan", {"clip_gradients": 1.0}),
    "spectral norm's vectors": ("hinge", {"critic_norm": "spectral"}),
    "running statistics": ("gan", {"generator_norm": "batch", "critic_norm": "batch"}),
    "augmentation": ("hinge", {"augment": "translation,cutout,color"}),
    "autoencoder": ("vae", {"hidden": 8}),
    "steps ahead": ("unrolled", {"unroll": 2, "decay": 10}),
    "convolutions": ("dcgan", {}),
    "convolutions of spectral norm": ("sngan", {"network": "dcgan"}),
    "least squares": ("lsgan", {}),
    "two heads": ("acgan", {}),
    "energies": ("ebgan", {"code": 3, "latent": 3}),
    "energies in balance": ("began", {"code": 3, "latent": 3, "decay": 10}),
    "pairs, dropout": ("pix2pix", {"patch_layers": 1}),
    "principal components": ("autoencoder", {"code": 3}),
    "pooling": ("conv-autoencoder", {}),
}
OWN = {"dcgan", "sngan", "ebgan", "began", "pix2pix"}  # networks of their own
OWN |= {"vae", "autoencoder", "conv-autoencoder"}


@pytest.fixture
def cupy(monkeypatch):
    """A GPU that the kernels are made for: they run in the emulator."""
    return fakegpu.install(monkeypatch, capability="80")


@pytest.fixture
def narrow(monkeypatch):
    """Networks that no setting makes small, made small for the emulator."""

    def generator(shape, latent, **options):
        unflat = nn.Unflatten(1, (4, 4, 4))
        last = nn.ConvTranspose2d(4, shape.channels, 4, 2, 1)
        return nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), unflat, last, nn.Tanh())

    def patches(shape, layers):
        first = nn.Conv2d(shape.inputs + shape.channels, 4, 4, 2, 1)
        norm = nn.BatchNorm2d(4)
        return nn.Sequential(first, norm, nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4, 1, 1))

    monkeypatch.setattr("minigan.gan.energy.infogan_generator", generator)
    monkeypatch.setattr("minigan.gan.translation.WIDTHS", (4, 8, 8))
    monkeypatch.setattr("minigan.gan.recipes.pix2pix.patch_critic", patches)


def examples(kind):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 1, 8, 8)).astype(np.uint8)
    if kind is PairData:
        return PairData("pairs", pixels, pixels[:, :, ::-1].copy(), 0)
    return ImageData("noise", pixels, rng.integers(0, 3, 12), 3, ("a", "b", "c"))


def trainer(name, settings, graphs=True):
    minigan.manual_seed(3)
    chosen = recipe(name)
    given = settings if name in OWN else {**SMALL, **settings}
    return Trainer(
        chosen,
        chosen.configure(given),
        examples(chosen.data),
        batch_size=2 if name in OWN else 4,
        seed=0,
        device="cuda",
        graphs=graphs,
    )


def recorded(made):
    return list(made._graphs._recorded)


def test_every_recipe_is_among_the_systems():
    assert {name for name, _ in SYSTEMS.values()} == {*recipe_names()}


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=list(SYSTEMS))
def test_replayed_steps_are_the_plain_ones(cupy, system):
    steps = range(PLAIN + (2 if system[0] in OWN else 4))
    plain = trainer(*system, graphs=False)
    rows, expected = [plain.train_step() for _ in steps], plain.state_dict()
    replayed = trainer(*system)  # then: dropout draws from one generator of the device
    assert [replayed.train_step() for _ in steps] == rows
    assert replayed.plain_because is None and len(recorded(replayed)) == 1
    for name, array in replayed.state_dict().items():
        assert_array_equal(array, expected[name], err_msg=name)


def test_activations_in_bf16_are_recorded_too(cupy, monkeypatch):
    monkeypatch.setattr("minigan._autocast.LEAST", 8)
    packed = []
    monkeypatch.setattr(fused, "packed", lambda x, pack=fused.packed: packed.append(1) or pack(x))
    system = SYSTEMS["gradient penalty"]
    with minigan.autocast("cuda"):
        plain, replayed = trainer(*system, graphs=False), trainer(*system)
        for _ in range(PLAIN + 4):
            assert replayed.train_step() == plain.train_step()
    assert replayed.plain_because is None and len(recorded(replayed)) == 1
    assert packed
    expected = plain.state_dict()
    for name, array in replayed.state_dict().items():
        assert_array_equal(array, expected[name], err_msg=name)


def test_steps_of_another_kind_are_recorded_apart(cupy):
    """Ten critic steps at first and then at every 500th, two between."""
    settings = {"n_critic": 2, "critic_burst": 3}
    plain, replayed = trainer("wgan", settings, graphs=False), trainer("wgan", settings)
    for each in (plain, replayed):
        each.step = 20
    for _ in range(10):
        assert replayed.train_step() == plain.train_step()
    assert recorded(replayed) == [3, 2]


def test_a_state_that_is_loaded_is_recorded_anew(cupy):
    made = trainer("gan", {})
    for _ in range(PLAIN + 2):
        made.train_step()
    state = made.state_dict()
    ahead = [made.train_step() for _ in range(PLAIN + 3)]
    made.load_state_dict(state)
    assert not recorded(made)
    assert [made.train_step() for _ in range(PLAIN + 3)] == ahead


def test_random_numbers_of_others_do_not_disturb(cupy):
    """Pictures draw from the device's generator between steps and put it back."""
    plain, replayed = trainer("gan", {}, graphs=False), trainer("gan", {})
    for _ in range(PLAIN + 3):
        for each in (plain, replayed):
            minigan.randn(3, device="cuda", generator=each.rng)
        assert replayed.train_step() == plain.train_step()


def test_a_new_seed_is_recorded_anew(cupy):
    """Its generator has memory of its own, which the recorded step does not know."""
    plain, replayed = trainer("gan", {}, graphs=False), trainer("gan", {})
    for step in range(2 * PLAIN + 4):
        if step == PLAIN + 2:
            for each in (plain, replayed):
                each.rng.manual_seed(8)
        assert replayed.train_step() == plain.train_step()


def test_what_waits_for_the_gpu_goes_on_plainly(cupy):
    plain, other = trainer("gan", {}, graphs=False), trainer("gan", {})
    play = other.recipe.play

    def waiting(made):
        record = play(made)
        record["d_loss"].item()
        return record

    other.recipe = replace(other.recipe, play=waiting)
    for _ in range(PLAIN + 3):
        assert other.train_step() == plain.train_step()
    assert "gan cannot be recorded" in other.plain_because and "item" in other.plain_because
    expected = plain.state_dict()
    for name, array in other.state_dict().items():
        assert_array_equal(array, expected[name], err_msg=name)


def test_a_gpu_older_than_the_kernels_has_reasons_too(monkeypatch):
    fakegpu.install(monkeypatch, capability="70")
    made = trainer("gan", {})
    made.train_step()
    assert "optimizer" in made.plain_because
