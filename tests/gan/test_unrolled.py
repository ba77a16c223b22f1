"""The unrolled gradient is the derivative of what K real optimizer steps do: finite differences.

The oracle takes the steps with ``minigan.optim`` itself, in place, on a copy of the critic, and
differentiates by differences; nothing of the differentiable optimizer is in it.
"""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

import minigan
from minigan import nn, optim
from minigan.data import ImageData
from minigan.gan import Trainer, differentiable, recipe
from minigan.gan.ranks import ALONE
from minigan.gan.recipes import unrolled

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.3),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.02),
    "adam": lambda p: optim.Adam(p, lr=0.05, betas=(0.5, 0.9)),
}


def game(kind, unroll, experienced=True, dead=False, network=None):
    """Tiny networks in float64; ``experienced``: the optimizer has made steps before."""
    rng = np.random.default_rng(0)
    critic = network or nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU(),
                                      nn.Linear(4, 1))  # fmt: skip
    critic.double()
    for p in critic.parameters():
        p.data = minigan.tensor(rng.normal(size=p.shape) * 0.7)
    if dead:  # a ReLU that never opens: its incoming and outgoing weights get no gradient
        critic[2].bias.data = minigan.tensor([-50.0, 0.3, 0.2, 0.1], dtype="float64")
    optimizer = OPTIMIZERS[kind](critic.parameters())
    real = minigan.tensor(rng.normal(size=(5, 3)) + 1)
    chosen = recipe("unrolled")
    trainer = SimpleNamespace(
        networks=SimpleNamespace(critic=critic),
        optimizers=(optimizer,),
        recipe=chosen,
        settings=chosen.configure({"unroll": unroll}),
        ranks=ALONE,
        given=None,
        rng=minigan.Generator(),
    )
    z, phi = minigan.tensor(rng.normal(size=(5, 2))), rng.normal(size=(2, 3))
    for _ in range(3 if experienced else 0):
        optimizer.zero_grad()
        loss_of(trainer, critic, real, (z @ minigan.tensor(phi)).tanh()).backward()
        optimizer.step()
    return trainer, real, z, phi


def loss_of(trainer, critic, real, fake):
    return trainer.recipe.critic_loss(trainer.settings, critic, real, fake, trainer.rng).loss


def by_real_steps(trainer, real, fake):
    """-L_D after K steps of the real optimizer on a copy, and the copy."""
    critic = copy.deepcopy(trainer.networks.critic)
    original = trainer.optimizers[0]
    optimizer = type(original)(critic.parameters())
    optimizer.load_state_dict(original.state_dict())
    for _ in range(trainer.settings.unroll):
        optimizer.zero_grad()
        loss_of(trainer, critic, real, fake).backward()
        optimizer.step()
    return -loss_of(trainer, critic, real, fake).item(), critic


def gradient(trainer, real, z, phi):
    weight = minigan.tensor(phi, requires_grad=True)
    loss = unrolled.generator_loss(trainer, real, (z @ weight).tanh())
    return minigan.grad(loss, weight)[0].numpy()


def differences(trainer, real, z, phi, h=2e-5):
    found = np.empty_like(phi)
    for i in np.ndindex(phi.shape):
        ends = []
        for step in (h, -h, h / 2, -h / 2):
            moved = phi.copy()
            moved[i] += step
            fake = (z @ minigan.tensor(moved)).tanh()
            ends.append(by_real_steps(trainer, real, fake)[0])
        coarse, fine = (ends[0] - ends[1]) / (2 * h), (ends[2] - ends[3]) / h
        found[i] = (4 * fine - coarse) / 3
    return found


def far(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("unroll", [1, 2, 3, 4, 5])
def test_the_gradient_equals_finite_differences(kind, unroll):
    parts = game(kind, unroll)
    assert far(gradient(*parts), differences(*parts)) < 1e-6


def test_the_gradient_from_a_fresh_adam():
    """Its first step is lr·g/(|g| + ε): no gradient in g, but the later ones have."""
    parts = game("adam", 3, experienced=False)
    assert far(gradient(*parts), differences(*parts)) < 1e-6


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gradient_that_stops_at_the_updates_is_another(kind, monkeypatch):
    """ "Fake unrolling", K steps ahead with θ_K held constant, is not within reach of 1 %."""
    parts = game(kind, 3)
    whole = gradient(*parts)
    ahead = differentiable.look_ahead
    monkeypatch.setattr(
        unrolled, "look_ahead", lambda *a: {p: v.detach() for p, v in ahead(*a).items()}
    )
    stopped = gradient(*parts)
    assert far(stopped, whole) > 0.01


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_steps_are_the_optimizers_own_and_nothing_is_changed(kind):
    trainer, real, z, phi = game(kind, 4)
    critic, optimizer = trainer.networks.critic, trainer.optimizers[0]
    fake = (z @ minigan.tensor(phi)).tanh()
    before = {k: v.numpy().copy() for k, v in critic.state_dict().items()}
    slots = {(p, k): np.array(v) for p, state in optimizer.state.items() for k, v in state.items()}
    ahead = differentiable.look_ahead(
        critic, optimizer, lambda c: loss_of(trainer, c, real, fake), 4
    )
    _, stepped = by_real_steps(trainer, real, fake)
    for p, expected in zip(critic.parameters(), stepped.parameters(), strict=True):
        np.testing.assert_allclose(ahead[p].detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    assert all(np.array_equal(before[k], v.numpy()) for k, v in critic.state_dict().items())
    for (p, k), value in slots.items():
        assert np.array_equal(np.array(optimizer.state[p][k]), value)
    assert all(isinstance(p, nn.Parameter) for p in critic.parameters())


@pytest.mark.parametrize("experienced", [False, True])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_dead_units_contribute_zero_not_nan(kind, experienced):
    """√v of Adam has no derivative at v = 0, where a unit never had a gradient."""
    parts = game(kind, 3, experienced, dead=True)
    found = gradient(*parts)
    assert np.isfinite(found).all()
    assert far(found, differences(*parts)) < 1e-6
    state = parts[0].optimizers[0].state.get(parts[0].networks.critic[2].weight, {})
    if experienced and kind == "adam":
        assert not state["exp_avg_sq"].numpy()[0].any()  # it is dead indeed


@pytest.mark.parametrize("kind", ["adam", "rmsprop"])
def test_an_entry_whose_gradient_is_zero_contributes_zero(kind):
    """Even where that zero is about to change: 1/ε, the slope there, would drown all others."""
    layer = nn.Linear(2, 1, bias=False).double()
    optimizer = OPTIMIZERS[kind](layer.parameters())
    slope = minigan.tensor([[0.0, 2.0]], dtype="float64", requires_grad=True)
    ahead = differentiable.look_ahead(layer, optimizer, lambda m: (m.weight * slope).sum(), 2)
    (found,) = minigan.grad(ahead[layer.weight].sum(), slope)
    assert found.numpy()[0, 0] == 0.0
    assert abs(found.numpy()[0, 1]) < 1e-6  # g/(|g| + ε) is flat elsewhere


def test_shared_parameters_are_replaced_under_both_their_names():
    layer = nn.Linear(3, 3)
    twice = nn.Sequential(layer, nn.Tanh(), nn.Sequential(layer), nn.Linear(3, 1))
    parts = game("adam", 2, network=twice)
    assert far(gradient(*parts), differences(*parts)) < 1e-6


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: optim.Adam(p, weight_decay=0.1),
        lambda p: optim.Adagrad(p),
    ],
)
def test_rules_that_are_not_written_out_are_refused(make):
    layer = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="look_ahead: expected SGD, RMSprop or Adam without"):
        differentiable.look_ahead(layer, make(layer.parameters()), lambda m: m.weight.sum(), 1)


# ------------------------------------------------------------------- on the convolutional networks


def trainer(name, size=8, seed=0, **settings):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 1, size, size), dtype=np.uint8)
    chosen = recipe(name)
    data = ImageData("noise", images, None, 0)
    made = Trainer(chosen, chosen.configure(settings), data, batch_size=4, seed=seed)
    for network in made.networks[:2]:
        network.double()
    return made


def generators_gradient(trainer, loss):
    parameters = list(trainer.networks.generator.parameters())
    return [g.numpy() for g in minigan.grad(loss, parameters)]


def both_batches(trainer):
    z = minigan.randn(4, 100, generator=minigan.Generator().manual_seed(5), dtype="float64")
    return trainer.real().to("float64"), trainer.networks.generator(z)


@pytest.mark.parametrize("network", ["dcgan", "mlp"])
def test_without_unrolling_it_is_the_saturating_gan(network):
    """K = 0: the generator's gradient at equal parameters, batch and noise, to 1e-12."""
    ours, plain = trainer("unrolled", unroll=0, network=network), trainer("dcgan", network=network)
    real, fake = both_batches(ours)
    found = generators_gradient(ours, unrolled.generator_loss(ours, real, fake))
    saturating = recipe("dcgan").configure({"loss": "saturating", "network": network})
    _, fake = both_batches(plain)
    loss = plain.recipe.generator_loss(saturating, plain.networks.critic, fake, plain.rng).loss
    for a, b in zip(found, generators_gradient(plain, loss), strict=True):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_it_runs_through_convolutions_and_normalisation(norm):
    """Second derivatives of convolution and norm, along one direction of the generator."""
    one = trainer("unrolled", unroll=2, optimizer="sgd", lr=0.02, critic_norm=norm)
    real, fake = both_batches(one)
    gradients = generators_gradient(one, unrolled.generator_loss(one, real, fake))
    rng = np.random.default_rng(1)
    parameters = list(one.networks.generator.parameters())
    way = [rng.normal(size=p.shape) for p in parameters]
    values, h = [], 1e-7
    for step in (h, -h):
        for p, d in zip(parameters, way, strict=True):
            p.array += step * d
        _, fake = both_batches(one)
        values.append(unrolled.generator_loss(one, real, fake).item())
        for p, d in zip(parameters, way, strict=True):
            p.array -= step * d
    slope = sum((g * d).sum() for g, d in zip(gradients, way, strict=True))
    assert (values[0] - values[1]) / (2 * h) == pytest.approx(slope, rel=1e-5)


def test_a_step_moves_each_player_once():
    """The critic's Adam counts one step, from θ₀: a plain step on these images gives the same."""
    ours = trainer("unrolled", unroll=3)
    plain = trainer("dcgan")
    for one in (ours, plain):
        for network in one.networks[:2]:
            network.float()
    row = ours.train_step()
    real, fake = plain.real(), plain.fake()
    record = plain.critic_step(real, fake)
    assert row["d_loss"] == record["d_loss"].item()
    mine, theirs = (one.networks.critic.state_dict() for one in (ours, plain))
    for key, value in theirs.items():  # BatchNorm's running statistics too
        assert np.array_equal(mine[key].numpy(), value.numpy()), key
    assert {state["step"] for o in ours.optimizers for state in o.state.values()} == {1}
