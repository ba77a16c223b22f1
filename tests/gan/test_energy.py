"""Discriminators that reconstruct: EBGAN's energies, BEGAN's balance, over 300 steps each."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.data import ImageData
from minigan.gan import ImageShape, SettingError, Trainer, recipe
from minigan.gan.recipes import began, ebgan


def trainer(name, seed=0, **options):
    """Dark 8×8 images with a bright upper half."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (64, 1, 8, 8), dtype=np.uint8)
    images[:, :, :4] += 190
    chosen = recipe(name)
    settings = chosen.configure({"latent": 8, "code": 4, **options})
    return Trainer(chosen, settings, ImageData("halves", images, None, 0), batch_size=8, seed=seed)


class Watched:
    """What goes into the critic and comes out, step by step."""

    def __init__(self, one):
        self.seen = []
        one.networks.critic.register_forward_hook(self.note)

    def note(self, module, arguments, output):
        x, (made, codes) = arguments[0], output
        self.seen.append(tuple(t.detach().numpy().astype(np.float64) for t in (x, made, codes)))


def cosines(codes):
    """The mean squared cosine over ordered pairs of different rows, written out."""
    total, n = 0.0, len(codes)
    for i in range(n):
        for j in range(n):
            if i != j:
                dot = codes[i] @ codes[j]
                total += (dot / np.linalg.norm(codes[i]) / np.linalg.norm(codes[j])) ** 2
    return total / (n * (n - 1))


@pytest.mark.parametrize("n", [2, 3, 9])
def test_pull_away_is_the_mean_over_pairs(n):
    codes = np.random.default_rng(n).normal(size=(n, 5))
    found = ebgan.pull_away(minigan.tensor(codes)).item()
    assert found == pytest.approx(cosines(codes), rel=1e-10)


def test_pull_away_pulls_apart_and_knows_its_gradient():
    """1 for one direction, 0 for orthogonal ones; the gradient agrees with differences."""
    one = minigan.tensor(np.outer([1.0, 2.0, -3.0], [0.3, 0.4]))
    assert ebgan.pull_away(one).item() == pytest.approx(1)
    assert ebgan.pull_away(minigan.eye(4)).item() == pytest.approx(0, abs=1e-12)
    assert ebgan.pull_away(minigan.ones(1, 4)).item() == 0
    codes = minigan.tensor(np.random.default_rng(0).normal(size=(4, 3)))
    minigan.gradcheck(ebgan.pull_away, codes, order=2)


def test_ebgan_300_steps_keep_the_formulas_and_pull_the_energies_apart():
    one = trainer("ebgan", lr=1e-3, margin=0.5)
    watched = Watched(one)
    reals = []
    for _ in range(300):
        watched.seen.clear()
        row = one.train_step()
        (x, rx, _), (g, rg, _), (h, rh, codes) = watched.seen
        energies = [((a - b) ** 2).reshape(8, -1).mean(1) for a, b in ((x, rx), (g, rg), (h, rh))]
        hinge = np.maximum(0, 0.5 - energies[1]).mean()
        assert row["d_loss"] == pytest.approx(energies[0].mean() + hinge, rel=1e-4)
        expected = energies[2].mean() + 0.1 * cosines(codes)
        assert row["g_loss"] == pytest.approx(expected, rel=1e-4)
        assert row["energy_real"] == pytest.approx(energies[0].mean(), rel=1e-4)
        reals.append(row["energy_real"])
    # Real images are learnt; a batch of eight varies, and the more the longer rounding has spread.
    assert np.mean(reals[-50:]) < 0.5 * reals[0]


def test_in_ebgans_energy_of_a_generated_image_both_sides_move():
    """dG's energy/dx of a linear autoencoder D(x) = wx: 2(w - 1)²x/n, not -2(w - 1)x/n."""

    class Linear(nn.Module):
        def forward(self, x):
            return 3 * x, x.reshape(len(x), -1)

    x = minigan.tensor(np.array([[[[1.0, 2.0]]]])).requires_grad_()
    settings = recipe("ebgan").configure({"pull_away": 0})
    loss = ebgan.generator_loss(settings, Linear(), x, minigan.Generator()).loss
    (g,) = minigan.grad(loss, x)
    np.testing.assert_allclose(g.numpy(), 2 * 4 * x.detach().numpy() / 2)


def test_began_300_steps_move_k_as_its_equation_says():
    one = trainer("began", lr=1e-3, control=0.05, gamma=0.5)
    watched = Watched(one)
    k, ks, first = 0.0, [], None
    for _ in range(300):
        watched.seen.clear()
        row = one.train_step()
        (x, rx, _), (g, rg, _), (h, rh, _) = watched.seen
        on_x, on_g, on_h = (np.abs(a - b).mean() for a, b in ((x, rx), (g, rg), (h, rh)))
        assert row["d_loss"] == pytest.approx(on_x - k * on_g, rel=1e-4, abs=1e-6)
        assert row["g_loss"] == pytest.approx(on_h, rel=1e-4)
        assert row["measure"] == pytest.approx(on_x + abs(0.5 * on_x - on_g), rel=1e-4)
        k = min(max(k + 0.05 * (0.5 * on_x - on_g), 0), 1)
        assert row["k"] == pytest.approx(k, abs=1e-5)
        k = one.values["k"].item()
        ks.append(k)
        first = first or row
    assert min(ks) >= 0 and max(ks) <= 1 and max(ks) > 0.01  # it has moved
    assert row["measure"] < 0.6 * first["measure"]


def test_k_stays_between_0_and_1():
    settings = recipe("began").configure({"control": 1.0})

    def moved(*numbers):
        k, *errors = (minigan.tensor(number, dtype="float64") for number in numbers)
        return began.moved(k, settings, *errors).item()

    assert moved(0.1, 0.0, 5.0) == 0.0
    assert moved(0.9, 5.0, 0.0) == 1.0
    assert moved(0.2, 0.4, 0.1) == pytest.approx(0.4)


def test_began_resumes_with_its_k_bit_for_bit():
    straight, other = trainer("began", gamma=2.0), trainer("began", gamma=2.0)
    for _ in range(4):
        straight.train_step()
    other.load_state_dict(straight.state_dict())
    assert other.values["k"].item() == straight.values["k"].item() > 0
    assert [straight.train_step() for _ in range(3)] == [other.train_step() for _ in range(3)]


def test_the_rates_of_began_fall_to_a_tenth():
    settings = recipe("began").configure({})
    assert settings.lr * settings.decay_to == pytest.approx(2e-5)


@pytest.mark.parametrize("name", ["ebgan", "began"])
@pytest.mark.parametrize("norm", ["auto", "none", "batch"])
def test_the_discriminator_halves_codes_and_doubles(name, norm):
    """Conv 64 → Linear 32 → Linear 64·14·14 → ConvT, and the images' own shape.

    The second Linear has a bias, or BatchNorm's scale and shift.
    """
    chosen = recipe(name)
    settings = chosen.configure({"critic_norm": norm})
    nets = chosen.networks(settings, ImageShape(1, 28, 28), minigan.Generator())
    made, codes = nets.critic(minigan.zeros(3, 1, 28, 28))
    assert made.shape == (3, 1, 28, 28) and codes.shape == (3, 32)
    wide = 64 * 14 * 14
    counts = (
        16 * 64 + 64 + wide * 32 + 32 + 32 * wide + wide * (1 + (norm == "batch")) + 64 * 16 + 1
    )
    assert sum(p.numel() for p in nets.critic.parameters()) == counts


@pytest.mark.parametrize("name", ["ebgan", "began"])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"loss": "hinge"}, "loss has no part here"),
        ({"gp": 10}, "gp has no part here"),
        ({"label_at": "input"}, "label_at has no part here"),
        ({"code": 0}, "setting code must be positive"),
        ({"critic_norm": "spectral"}, "critic_norm=spectral has no part here: give none"),
    ],
)
def test_settings_without_a_part_are_refused(name, values, said):
    with pytest.raises(SettingError, match=said):
        recipe(name).configure(values)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("ebgan", {"margin": 0}, "margin must be positive"),
        ("ebgan", {"pull_away": -1}, "pull_away must not be negative"),
        ("began", {"gamma": 0}, "gamma must be positive"),
        ("began", {"n_critic": 2}, "k holds the balance"),
    ],
)
def test_numbers_that_cannot_be_are_refused(name, values, said):
    with pytest.raises(SettingError, match=said):
        recipe(name).configure(values)
