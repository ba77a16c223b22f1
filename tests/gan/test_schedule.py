"""Schedules of critic steps and rates, clipping, and resuming with all of them bit for bit."""

import numpy as np
import pytest

import minigan
from minigan import optim
from minigan.data import ImageData
from minigan.gan import Trainer, recipe
from minigan.gan.game import critic_steps

MLP = {"network": "mlp", "widths": "8", "critic_widths": "8", "latent": 3}


def trainer(name="gan", **settings):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    chosen = recipe(name)
    data = ImageData("noise", images, None, 0)
    return Trainer(chosen, chosen.configure(settings), data, batch_size=4, seed=0)


def test_the_critic_of_wgan_catches_up_at_the_start_and_every_500_steps():
    settings = recipe("wgan").configure({})
    expected = [100] * 25 + [5] * 475 + [100] + [5] * 499 + [100, 5]
    assert [critic_steps(settings, step) for step in range(1002)] == expected
    one = trainer("wgan", **MLP)
    for step, critic in ((0, 100), (1, 200), (25, 205), (500, 305)):
        one.step = step
        one.train_step()
        counts = [{s["step"] for s in o.state.values()} for o in one.optimizers]
        assert counts[0] == {critic}
    assert counts[1] == {4}
    assert one.batches.state_dict() == {"epoch": 305 // 5, "position": 0}


def test_rates_fall_on_a_line_to_their_share():
    one = trainer(**MLP, lr=1e-3, critic_lr=4e-3, decay=4, decay_to=0.5)
    rates = []
    for _ in range(6):
        one.train_step()
        rates.append([o.param_groups[0]["lr"] for o in one.optimizers])
    line = np.array([1, 0.875, 0.75, 0.625, 0.5, 0.5])
    np.testing.assert_allclose(rates, np.stack([4e-3 * line, 1e-3 * line], 1), rtol=1e-12)


def test_gradients_are_clipped_to_the_norm():
    """With plain gradient descent a step is then never longer than lr times it."""
    one = trainer(**MLP, optimizer="sgd", lr=0.5, clip_gradients=0.01)
    for _ in range(3):
        before = [
            [p.detach().numpy().copy() for p in network.parameters()]
            for network in one.networks[:2]
        ]
        one.train_step()
        for network, old in zip(one.networks[:2], before, strict=True):
            moved = [
                p.detach().numpy() - was for p, was in zip(network.parameters(), old, strict=True)
            ]
            length = np.sqrt(sum((m.astype(np.float64) ** 2).sum() for m in moved))
            assert length == pytest.approx(0.5 * 0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("adam", optim.Adam), ("rmsprop", optim.RMSprop), ("sgd", optim.SGD)],
)
def test_both_players_have_the_optimizer_asked_for(kind, expected):
    momentum = {"beta1": 0.3} if kind == "adam" else {}
    one = trainer(**MLP, optimizer=kind, lr=1e-3, critic_lr=2e-3, **momentum)
    assert [type(o) for o in one.optimizers] == [expected, expected]
    assert [o.param_groups[0]["lr"] for o in one.optimizers] == [2e-3, 1e-3]
    assert kind != "adam" or one.optimizers[1].param_groups[0]["betas"] == (0.3, 0.999)


CASES = {
    "wgan": {**MLP, "critic_burst": 3, "n_critic": 2, "decay": 10, "decay_to": 0.1},
    "wgan-gp": {"network": "dcgan", "critic_norm": "layer", "n_critic": 2, "ema": 0.9},
    "unrolled": {"unroll": 2},
    "sngan": {"network": "dcgan", "decay": 4, "r1": 1.0, "augment": "color,translation,cutout"},
    "dragan": {"network": "dcgan", "flip": 0.2, "real_targets": "0.7,1"},
    "lsgan": {"network": "mlp", "optimizer": "sgd", "clip_gradients": 1.0, "prior": "uniform"},
    "hinge": {"network": "mlp", "output": "sigmoid", "generator_norm": "batch"},
    "gan": {},
}


@pytest.mark.parametrize("name", CASES)
def test_a_state_put_back_goes_on_bit_for_bit(name):
    """State out after 2 steps; into another trainer, with a past; 7 steps, over an epoch."""
    one = trainer(name, **CASES[name])
    for _ in range(2):
        one.train_step()
    state = {k: v.copy() for k, v in one.state_dict().items()}
    rows = [one.train_step() for _ in range(7)]
    two = trainer(name, **CASES[name])
    two.train_step()
    minigan.randn(3)  # the default generator is part of the state too
    two.load_state_dict(state)
    assert [two.train_step() for _ in range(7)] == rows
    a, b = one.state_dict(), two.state_dict()
    assert a.keys() == b.keys()
    for key in a:
        assert a[key].tobytes() == b[key].tobytes(), key


@pytest.mark.parametrize("name", CASES)
def test_a_seed_is_a_run(name):
    """Two trainers of one seed are the same, whatever has been drawn elsewhere."""
    rows = []
    for _ in range(2):
        one = trainer(name, **CASES[name])
        minigan.randn(1)
        rows.append([one.train_step() for _ in range(2)])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["dcgan", "unrolled", "sngan"])
def test_any_loss_plays_on_any_network(name):
    for loss in ("bce", "saturating", "wgan", "hinge", "lsgan", "lsgan-half"):
        options = {"critic_norm": "layer", "gp": 10.0} if loss == "wgan" else {}
        if name == "sngan":
            options.pop("critic_norm", None)
        row = trainer(name, network="dcgan", loss=loss, **options).train_step()
        assert ("d_real" in row) == (loss in ("bce", "saturating"))
        assert ("estimate" in row) == (loss == "wgan")
        assert np.isfinite(list(row.values())).all()


def test_the_critic_may_have_its_own_rate_and_momentum():
    """The conditional GAN of a tutorial: D with Adam(10⁻⁵, 0.1), G with Adam(8·10⁻⁵, 0.5)."""
    one = trainer(**MLP, lr=8e-5, critic_lr=1e-5, critic_beta1=0.1)
    groups = [o.param_groups[0] for o in one.optimizers]
    assert [group["lr"] for group in groups] == [1e-5, 8e-5]
    assert [group["betas"] for group in groups] == [(0.1, 0.999), (0.5, 0.999)]
