"""Mistakes in values, which no gradient checker can see: each is caught by a named property.

Every test runs the property on the wrong version (it must fail) and on the right one.
"""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import Tensor, nn, optim

REAL, FAKE = numbers(0, (6, 2, 3, 3)), numbers(1, (6, 2, 3, 3))


def both(holds, wrong, right):
    """The property tells the two apart."""
    assert holds(right), "the right version does not have the property"
    assert not holds(wrong), "the planted mistake was not caught"


# ------------------------------------------------------------------------------ gradient penalty


def penalty(per_pixel):
    """(‖∂D/∂x‖ - 1)², with the norm over an image's pixels, or mistakenly over channels only."""
    dims = (1,) if per_pixel else (1, 2, 3)

    def value(critic, x):
        x = Tensor(x).requires_grad_()
        (g,) = minigan.grad(critic(x).sum(), x, create_graph=True)
        return ((((g * g).sum(dims)).sqrt() - 1) ** 2).mean().item()

    return value


def test_gradient_penalty_with_a_norm_per_pixel():
    """A linear critic of slope ‖a‖ has the penalty (‖a‖ - 1)²."""
    a = numbers(2, (2, 3, 3))

    def holds(value):
        return all(
            np.isclose(value(lambda x, s=s: x * Tensor(a / np.linalg.norm(a) * s), REAL),
                       (s - 1) ** 2, atol=1e-12)
            for s in (1.0, 3.0)
        )  # fmt: skip

    both(holds, penalty(per_pixel=True), penalty(per_pixel=False))


def interpolates(one_for_all):
    def between(real, fake, rng):
        shape = (1,) if one_for_all else (len(real), 1, 1, 1)
        share = rng.random(shape)
        return share * real + (1 - share) * fake

    return between


def test_one_epsilon_for_the_whole_batch():
    """Every image has a share of its own, one for all its pixels."""

    def holds(between):
        mixed = between(REAL, FAKE, np.random.default_rng(0))
        shares = ((mixed - FAKE) / (REAL - FAKE)).reshape(len(REAL), -1)
        return np.ptp(shares, axis=1).max() < 1e-9 and len(set(shares[:, 0].round(9))) == len(REAL)

    both(holds, interpolates(True), interpolates(False))


# ------------------------------------------------------------------------------ objectives


def test_wasserstein_sign_flipped():
    """A step of the critic raises E D(real) - E D(fake); one of the generator raises E D(fake)."""

    def holds(losses):
        critic_loss, generator_loss = losses
        real, fake = minigan.zeros(4, requires_grad=True), minigan.zeros(4, requires_grad=True)
        up, down = minigan.grad(critic_loss(real, fake), (real, fake))
        (push,) = minigan.grad(generator_loss(fake), fake)
        return bool((up < 0).all()) and bool((down > 0).all()) and bool((push < 0).all())

    right = (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean())
    both(holds, (lambda r, f: r.mean() - f.mean(), right[1]), right)
    both(holds, (right[0], lambda f: f.mean()), right)


def test_log_variance_taken_for_log_deviation():
    """Samples of the reparameterised Gaussian have the stated mean and variance."""
    noise = Tensor(np.random.default_rng(0).standard_normal(200_000))

    def holds(sample):
        x = sample(Tensor(np.array(1.5)), Tensor(np.array(np.log(4.0))), noise).numpy()
        return abs(x.mean() - 1.5) < 0.02 and abs(x.var() - 4.0) < 0.05

    both(
        holds,
        lambda mean, log_var, e: mean + log_var.exp() * e,
        lambda mean, log_var, e: mean + (log_var * 0.5).exp() * e,
    )


def test_a_penalty_scaled_by_the_batch():
    """A batch written twice has the same mean loss."""

    def holds(loss):
        x = numbers(5, (4, 3))
        return np.isclose(loss(Tensor(np.concatenate([x, x]))).item(), loss(Tensor(x)).item())

    both(holds, lambda x: (x * x).sum() / 3, lambda x: (x * x).mean())


# ------------------------------------------------------------------------------ optimisation


def test_clipping_before_the_step():
    """After a WGAN critic's update every weight lies in [-c, c]."""

    def step(clip_first):
        w = nn.Parameter(minigan.full((3,), 0.009))
        optimizer = optim.SGD([w], lr=1.0)
        (w * minigan.tensor([1.0, -1.0, 0.5])).sum().backward()

        def clip():
            with minigan.no_grad():
                w.clamp_(-0.01, 0.01)

        if clip_first:
            clip()
        optimizer.step()
        if not clip_first:
            clip()
        return np.abs(w.detach().numpy()).max()

    both(lambda first: step(first) <= 0.0100001, True, False)


def adam(correct):
    """The first update of Adam for a gradient, lr = 1, in plain numbers."""

    def first(g, betas=(0.9, 0.999), eps=1e-12):
        m, v = (1 - betas[0]) * g, (1 - betas[1]) * g * g
        if correct:
            m, v = m / (1 - betas[0]), v / (1 - betas[1])
        return -m / (np.sqrt(v) + eps)

    return first


def engines_adam(g):
    w = nn.Parameter(minigan.zeros(1, dtype="float64"))
    w.grad = Tensor(np.array([g]))
    optim.Adam([w], lr=1.0, eps=1e-12).step()
    return w.detach().numpy().item()


def test_adam_without_bias_correction():
    """The first step has the length lr, against the gradient, whatever its size."""

    def holds(first):
        return all(np.isclose(first(g), -np.sign(g), rtol=1e-6) for g in (1e-4, -3.0, 1e3))

    both(holds, adam(correct=False), adam(correct=True))
    assert holds(engines_adam)


def test_biased_running_variance():
    """With momentum 1 the running variance is the batch's unbiased one, the mean its mean."""
    x = numbers(6, (5, 3))

    def running(biased):
        layer = nn.BatchNorm1d(3, momentum=1.0)
        layer(Tensor(x.astype("float32")))
        variance = layer.running_var.numpy()
        return (variance * 4 / 5 if biased else variance), layer.running_mean.numpy()

    def holds(biased):
        variance, mean = running(biased)
        same_mean = np.allclose(mean, x.mean(0), atol=1e-6)
        return same_mean and np.allclose(variance, x.var(0, ddof=1), rtol=1e-5)

    both(holds, True, False)


def test_a_generator_step_that_trains_the_critic():
    """Where the generator learns, the critic's weights get no gradient and do not move."""

    def moved(freeze):
        generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        for p in critic.parameters():
            p.requires_grad_(not freeze)
        (-critic(generator(minigan.ones(4, 2))).mean()).backward()
        return any(p.grad is not None for p in critic.parameters())

    both(lambda freeze: not moved(freeze), False, True)


def test_a_fake_batch_that_is_not_detached():
    """The critic's loss leaves the generator's gradients alone."""

    def touched(detach):
        generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        fake = generator(minigan.ones(4, 2))
        critic(fake.detach() if detach else fake).mean().backward()
        return any(p.grad is not None for p in generator.parameters())

    both(lambda detach: not touched(detach), False, True)


def test_a_value_changed_in_place_after_it_was_saved():
    """The engine refuses to use it: no gradient is better than a stale one."""
    x = minigan.tensor([1.0, 2.0], requires_grad=True)

    def refuses(through_the_engine):
        y = x.exp()
        if through_the_engine:
            with minigan.no_grad():
                y.mul_(2.0)
        else:
            y.array[...] *= 2.0  # behind the engine's back
        try:
            y.sum().backward()
        except RuntimeError as error:
            return "changed in place" in str(error)
        return False

    both(refuses, False, True)


def test_a_gradient_of_the_wrong_shape():
    """A broadcast that is not summed back at all cannot get through."""

    class Unsummed(minigan.Function):
        def forward(self, a, b):
            return a + b

        def vjp(self, needs, g, y, a, b):
            return g, g

    a, b = minigan.ones(3, 4, requires_grad=True), minigan.ones(4, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Unsummed gave a gradient of shape \(3, 4\)"):
        Unsummed()(a, b).sum().backward()
