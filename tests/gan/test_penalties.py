"""Gradient penalties against closed forms, where slopes are known: linear and quadratic critics."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.gan import penalties

RNG = np.random.default_rng(0)
REAL, FAKE = (minigan.tensor(RNG.normal(size=(6, 2, 3, 3))) for _ in range(2))
SLOPE = RNG.normal(size=18)


def generator(seed=0):
    return minigan.Generator().manual_seed(seed)


def linear(weight):
    """f(x) = ⟨a, x⟩ with a Parameter: its slope is ‖a‖ everywhere."""
    layer = nn.Linear(18, 1, bias=False).double()
    layer.weight.data = minigan.tensor(weight.reshape(1, 18))
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize("norm", [0.25, 1.0, 3.0])
def test_a_linear_critic_of_slope_s_pays_s_minus_one_squared(norm):
    """And the penalty's gradient in the weights is 2(s - 1)·a/‖a‖: 0 at unit slope."""
    a = SLOPE / np.linalg.norm(SLOPE) * norm
    for penalty, target in (
        (lambda c: penalties.gradient_penalty(c, REAL, FAKE, generator()), (norm - 1) ** 2),
        (lambda c: penalties.dragan_penalty(c, REAL, generator()), (norm - 1) ** 2),
        (lambda c: penalties.r1_penalty(c, REAL), norm**2 / 2),
    ):
        critic = linear(a)
        value = penalty(critic)
        assert value.item() == pytest.approx(target, abs=1e-14)
        value.backward()
        slope = norm if target == norm**2 / 2 else 2 * (norm - 1)
        np.testing.assert_allclose(critic[1].weight.grad.numpy()[0], slope * a / norm, atol=1e-13)


def test_the_interpolates_have_one_share_for_each_image():
    """f(x) = ½‖x‖² has the slope ‖x‖: the critic sees where it is asked."""
    seen = []

    def critic(x):
        seen.append(x.detach().numpy().copy())
        return (x * x).sum((1, 2, 3)) / 2

    value = penalties.gradient_penalty(critic, REAL, FAKE, generator())
    between = seen[0]
    real, fake = REAL.numpy(), FAKE.numpy()
    shares = ((between - fake) / (real - fake)).reshape(6, -1)
    assert np.ptp(shares, axis=1).max() < 1e-9
    assert len(set(shares[:, 0].round(6))) == 6 and 0 <= shares.min() <= shares.max() < 1
    norms = np.sqrt((between**2).sum((1, 2, 3)))
    assert value.item() == pytest.approx(((norms - 1) ** 2).mean(), rel=1e-12)


def test_dragan_looks_around_the_real_images():
    """δ is uniform from 0 to half the batch's standard deviation, drawn for every pixel."""
    real = minigan.tensor(RNG.normal(0.3, 0.7, size=(50, 1, 10, 10)))
    delta = (penalties.perturbed(real, generator()) - real).numpy()
    scale = 0.5 * real.numpy().std()
    assert delta.min() >= 0 and delta.max() <= scale
    assert delta.max() > 0.999 * scale
    # The mean and the deviation of U(0, s) are s/2 and s/√12, within 4 standard errors.
    n = delta.size
    assert abs(delta.mean() - scale / 2) < 4 * scale / np.sqrt(12 * n)
    assert abs(delta.std() - scale / np.sqrt(12)) < 4 * scale / np.sqrt(n)
    assert len(np.unique(delta)) == n


def test_a_flat_critic_has_a_finite_gradient():
    """‖0‖ has no derivative; the penalty's is taken as 0, not NaN."""
    critic = linear(np.zeros(18))
    value = penalties.gradient_penalty(critic, REAL, FAKE, generator())
    value.backward()
    assert value.item() == 1.0
    assert not critic[1].weight.grad.numpy().any()


def test_no_penalty_reaches_the_generator():
    fake = minigan.tensor(FAKE.numpy(), requires_grad=True)
    penalties.gradient_penalty(linear(SLOPE), REAL, fake, generator()).backward()
    assert fake.grad is None


def test_r1_is_smooth_where_the_critic_is_flat():
    """f(x) = θ·x has the penalty ½‖θ‖², whose second derivative is 1 at θ = 0 too."""
    theta = minigan.zeros(3, dtype="float64").requires_grad_()
    x = minigan.tensor(np.random.default_rng(0).normal(size=(4, 3)))
    loss = penalties.r1_penalty(lambda x: (x * theta).sum(1), x)
    (g,) = minigan.grad(loss, theta, create_graph=True)
    (h,) = minigan.grad(g[1], theta)
    assert h.tolist() == [0, 1, 0]
