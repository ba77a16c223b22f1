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
