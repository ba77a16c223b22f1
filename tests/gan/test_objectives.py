"""The objectives against their closed forms in float64."""

import math

import numpy as np
import pytest

import minigan
from minigan.gan import objectives

LOGITS = np.array([-300.0, -3.0, -0.5, 0.0, 2.0, 40.0])


def log_sigmoid(x):
    return -np.logaddexp(0.0, -x)


def test_critic_loss_is_the_cross_entropy_of_real_and_fake():
    real, fake = LOGITS, LOGITS[::-1].copy()
    expected = -log_sigmoid(real).mean() - log_sigmoid(-fake).mean()
    got = objectives.bce_critic(minigan.tensor(real), minigan.tensor(fake)).item()
    assert got == pytest.approx(expected, rel=1e-14)


def test_targets_weigh_the_two_terms():
    real, fake = LOGITS[:3], LOGITS[3:]
    up, low = np.array([0.9, 0.5, 1.0]), np.array([0.1, 0.0, 0.3])
    expected = (
        -(up * log_sigmoid(real) + (1 - up) * log_sigmoid(-real)).mean()
        - (low * log_sigmoid(fake) + (1 - low) * log_sigmoid(-fake)).mean()
    )
    tensors = [minigan.tensor(a) for a in (real, fake, up, low)]
    assert objectives.bce_critic(*tensors).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("saturating", [False, True])
def test_generator_loss_and_its_gradient(saturating):
    """Non-saturating: -ln σ, gradient σ - 1.  Saturating: ln(1 - σ), gradient -σ."""
    x = minigan.tensor(LOGITS, requires_grad=True)
    loss = objectives.bce_generator(x, saturating)
    expected = log_sigmoid(-LOGITS).mean() if saturating else -log_sigmoid(LOGITS).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-14)
    loss.backward()
    sigma = 1 / (1 + np.exp(-LOGITS))
    slope = (-sigma if saturating else sigma - 1) / LOGITS.size
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-12, atol=1e-18)


def test_the_undecided_critic_is_at_the_equilibrium_lines():
    zero = minigan.zeros(5, 1)
    assert objectives.bce_critic(zero, zero).item() == pytest.approx(2 * math.log(2), rel=1e-6)
    assert objectives.bce_generator(zero).item() == pytest.approx(math.log(2), rel=1e-6)


def test_wgan_hinge_and_least_squares_are_their_formulas():
    real, fake = LOGITS, LOGITS[::-1].copy() / 2 + 0.3
    x, y = minigan.tensor(real), minigan.tensor(fake)
    expected = {
        "wgan": (fake.mean() - real.mean(), -fake.mean()),
        "hinge": (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(), -fake.mean()),
        "lsgan": (((real - 1) ** 2).mean() + (fake**2).mean(), ((fake - 1) ** 2).mean()),
    }
    expected["lsgan-half"] = tuple(value / 2 for value in expected["lsgan"])
    for name, (critic, generator) in expected.items():
        objective = objectives.OBJECTIVES[name]
        assert objective.critic(x, y).item() == pytest.approx(critic, rel=1e-14)
        assert objective.generator(y).item() == pytest.approx(generator, rel=1e-14)


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_the_lines_are_the_losses_of_the_best_constant_critic(name):
    """Where real and fake are one distribution, the best critic is a constant: search for it."""
    objective = objectives.OBJECTIVES[name]
    constants = [minigan.tensor([c], dtype="float64") for c in np.linspace(-1, 1, 401)]
    losses = [objective.critic(c, c).item() for c in constants]
    best = constants[int(np.argmin(losses))]
    assert objective.lines["d_loss"][0] == pytest.approx(min(losses), abs=1e-12)
    if "g_loss" in objective.lines:
        assert objective.lines["g_loss"][0] == pytest.approx(objective.generator(best).item())
    else:  # the generator's loss is whatever constant the critic has settled on
        assert np.ptp(losses) < 1e-12


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_a_step_of_each_player_goes_its_own_way(name):
    """Descending, the critic raises its real and lowers its fake logits; the generator raises."""
    objective = objectives.OBJECTIVES[name]
    real, fake = (minigan.tensor([v, -v], requires_grad=True) for v in (0.2, 0.4))
    up, down = minigan.grad(objective.critic(real, fake), (real, fake))
    (push,) = minigan.grad(objective.generator(fake), fake)
    assert (up.numpy() < 0).all() and (push.numpy() < 0).all()
    # Least squares pull fake logits to 0, from either side.
    assert (down.numpy() * (fake.detach().numpy() if "lsgan" in name else 1) > 0).all()
