"""The protocols are their papers': shapes, starts and settings, and packs that stay together."""

import numpy as np
import pytest

import minigan
from minigan import Tensor, nn, optim
from minigan.gan import recipe
from minigan.toys.mixtures_protocols import CONTENDERS, PROTOCOLS, Maxout, Packed
from minigan.toys.mixtures_training import Job, trainer_of


def linear_shapes(module):
    return [(m.in_features, m.out_features) for m in module.modules() if isinstance(m, nn.Linear)]


def game(contender, protocol="pacgan"):
    return trainer_of(Job("ring", contender, protocol, 1, 0))


def test_pacgans_networks():
    trainer = game("gan")
    generator, critic = trainer.networks.generator, trainer.networks.critic
    assert linear_shapes(generator) == [(2, 400), (400, 400), (400, 400), (400, 400), (400, 2)]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in generator.modules()) == 4
    assert linear_shapes(critic) == [(2, 1000), (200, 1000), (200, 1000), (200, 1)]
    weights = np.concatenate(
        [p.detach().numpy().ravel() for p in critic.parameters() if p.ndim == 2]
    )
    assert abs(weights.std() - 0.02) < 5 * 0.02 / np.sqrt(2 * weights.size)
    critic_optimizer, _ = trainer.optimizers
    assert isinstance(critic_optimizer, optim.Adam)
    group = critic_optimizer.param_groups[0]
    assert (group["lr"], group["betas"]) == (1e-4, (0.8, 0.999))
    assert trainer.batch_size == 100 and PROTOCOLS["pacgan"].steps == 400 * 100_000 // 100


def test_pooles_networks():
    trainer = game("unrolled", "poolio")
    assert linear_shapes(trainer.networks.generator) == [(256, 128), (128, 128), (128, 2)]
    assert linear_shapes(trainer.networks.critic) == [(2, 128), (128, 128), (128, 1)]
    square = trainer.networks.critic[2].weight.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(square @ square.T, 1.4**2 * np.eye(128), atol=1e-4)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
    assert rates == [1e-4, 1e-3] and trainer.batch_size == 512


def test_wgan_gps_toy_networks():
    """Gulrajani et al. 2017, section 4.1 and its code: Adam(1e-4, β1 0.5, β2 0.9), batch 256."""
    trainer = game("gan", "wgan-gp")
    inner = [(512, 512), (512, 512)]
    assert linear_shapes(trainer.networks.generator) == [(2, 512), *inner, (512, 2)]
    assert linear_shapes(trainer.networks.critic) == [(2, 512), *inner, (512, 1)]
    for optimizer in trainer.optimizers:
        group = optimizer.param_groups[0]
        assert (group["lr"], group["betas"]) == (1e-4, (0.5, 0.9))
    assert "Adam(1e-4, β1 0.5, β2 0.9)" in PROTOCOLS["wgan-gp"].title
    assert trainer.batch_size == 256 and PROTOCOLS["wgan-gp"].steps == 100_000


def test_a_recipe_with_an_optimizer_of_its_own_keeps_it():
    gp, clip = game("wgan-gp").settings, game("wgan").settings
    assert (gp.gp, gp.n_critic, gp.lr, gp.beta1, gp.beta2) == (0.1, 5, 1e-4, 0.5, 0.9)
    plain = recipe("wgan").configure({})
    for name in ("optimizer", "lr", "clip_weights", "n_critic", "critic_burst"):
        assert getattr(clip, name) == getattr(plain, name)


def test_how_far_to_look_ahead():
    unrolled = {name: c.settings.get("unroll") for name, c in CONTENDERS.items()}
    assert [unrolled[n] for n in ("unrolled-0", "unrolled-1", "unrolled", "unrolled-10")] == [
        *(0, 1, 5, 10)
    ]


def test_packs_are_the_rows_side_by_side():
    """With the identity for a critic one sees what it is given: PacGAN joins features."""
    x = minigan.arange(12.0).reshape(6, 2)
    assert Packed(nn.Identity(), 2)(x).tolist() == x.numpy().reshape(3, 4).tolist()
    assert Packed(nn.Identity(), 3)(x).shape == (2, 6)


def test_pacgan_sees_as_many_packs_as_gan_sees_points():
    trainer = game("pacgan")
    assert trainer.batch_size == 200
    assert linear_shapes(trainer.networks.critic)[0] == (4, 1000)
    assert trainer.networks.critic(trainer.real()).shape == (100, 1)


def test_maxout_is_the_largest_of_its_pieces():
    layer = Maxout(3, 4, 5)
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    w, b = layer.pieces.weight.detach().numpy(), layer.pieces.bias.detach().numpy()
    expected = np.empty((7, 4))
    for i in range(7):
        for j in range(4):
            expected[i, j] = max(w[k * 4 + j] @ x[i] + b[k * 4 + j] for k in range(5))
    np.testing.assert_allclose(layer(Tensor(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("contender", ["gan", "pacgan", "unrolled-1", "wgan-gp", "lsgan", "hinge"])
def test_everybody_can_play_by_every_protocol(contender, protocol):
    trainer = game(contender, protocol)
    before = [p.detach().numpy().copy() for p in trainer.networks.generator.parameters()]
    trainer.train_step()
    after = [p.detach().numpy() for p in trainer.networks.generator.parameters()]
    assert all(np.isfinite(p).all() for p in after)
    assert any((a != b).any() for a, b in zip(after, before, strict=True))
