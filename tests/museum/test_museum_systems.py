"""Mistakes in values, which no gradient checker can see: each is caught by a named property.

Every test runs the property on the wrong version (it must fail) and on the right one, which is the
library's own wherever it has one.
"""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import Generator, Tensor, nn, optim
from minigan.data import load
from minigan.gan import Trainer, recipe
from minigan.gan.objectives import OBJECTIVES
from minigan.gan.penalties import dragan_penalty, gradient_penalty, r1_penalty
from minigan.gan.recipes import vae

REAL, FAKE = numbers(0, (6, 2, 3, 3)), numbers(1, (6, 2, 3, 3))


def assert_right_and_not_wrong(holds, wrong, right):
    """The property tells the two apart."""
    assert holds(right), "the right version does not have the property"
    assert not holds(wrong), "the planted mistake was not caught"


# ------------------------------------------------------------------------------ gradient penalty


def planted_penalty(dims=(1, 2, 3), per_image=True):
    """WGAN-GP's penalty: the norm over ``dims``, another ε for each image or one for all."""

    def penalty(critic, real, fake, rng):
        eps = minigan.rand((len(real) if per_image else 1, 1, 1, 1), generator=rng, dtype="float64")
        x = (eps * real + (1 - eps) * fake).requires_grad_()
        (g,) = minigan.grad(critic(x).sum(), x, create_graph=True)
        return (((g * g).sum(dims).sqrt() - 1) ** 2).mean()

    return penalty


def at_images(penalty, critic):
    return penalty(critic, Tensor(REAL), Tensor(FAKE), Generator().manual_seed(0)).item()


def test_gradient_penalty_with_a_norm_per_pixel():
    """A linear critic of slope ‖a‖ has the penalty (‖a‖ - 1)²."""
    a = numbers(2, (2, 3, 3))

    def holds(penalty):
        return all(
            np.isclose(at_images(penalty, lambda x, s=s: x * Tensor(a / np.linalg.norm(a) * s)),
                       (s - 1) ** 2, rtol=0, atol=1e-12)
            for s in (1.0, 3.0)
        )  # fmt: skip

    assert_right_and_not_wrong(holds, planted_penalty(dims=(1,)), gradient_penalty)
    assert holds(planted_penalty())  # nothing else is wrong with the planted one
    assert holds(lambda critic, real, fake, rng: dragan_penalty(critic, real, rng))


def test_one_epsilon_for_the_whole_batch():
    """Every image has a share of its own, one for all its pixels."""

    def holds(penalty):
        seen = []
        at_images(penalty, lambda x: seen.append(x.detach().numpy()) or x)
        (mixed,) = seen
        shares = ((mixed - FAKE) / (REAL - FAKE)).reshape(len(REAL), -1)
        return np.ptp(shares, axis=1).max() < 1e-9 and len(set(shares[:, 0].round(9))) == len(REAL)

    assert_right_and_not_wrong(holds, planted_penalty(per_image=False), gradient_penalty)
    assert holds(planted_penalty())


# ------------------------------------------------------------------------------ objectives


def test_wasserstein_sign_flipped():
    """A step of the critic raises E D(real) - E D(fake); one of the generator raises E D(fake)."""

    def holds(losses):
        critic_loss, generator_loss = losses
        real, fake = minigan.zeros(4, requires_grad=True), minigan.zeros(4, requires_grad=True)
        up, down = minigan.grad(critic_loss(real, fake), (real, fake))
        (push,) = minigan.grad(generator_loss(fake), fake)
        return bool((up < 0).all()) and bool((down > 0).all()) and bool((push < 0).all())

    right = OBJECTIVES["wgan"].critic, OBJECTIVES["wgan"].generator
    assert_right_and_not_wrong(holds, (lambda r, f: r.mean() - f.mean(), right[1]), right)
    assert_right_and_not_wrong(holds, (right[0], lambda f: f.mean()), right)


def test_log_variance_taken_for_log_deviation():
    """Samples of the reparameterised Gaussian have the stated mean and variance."""
    noise = Tensor(np.random.default_rng(0).standard_normal(200_000))

    def holds(sample):
        x = sample(Tensor(np.array(1.5)), Tensor(np.array(np.log(4.0))), noise).numpy()
        return abs(x.mean() - 1.5) < 0.02 and abs(x.var() - 4.0) < 0.05

    assert_right_and_not_wrong(
        holds,
        lambda mean, log_var, e: mean + log_var.exp() * e,
        vae.drawn,
    )


def test_a_penalty_scaled_by_the_batch():
    """A batch written twice has the same mean loss."""

    def holds(loss):
        x = numbers(5, (4, 3))
        return np.isclose(loss(Tensor(np.concatenate([x, x]))).item(), loss(Tensor(x)).item())

    # the critic x³/3 has the slope x²
    assert_right_and_not_wrong(
        holds, lambda x: (x**4).sum() / 2, lambda x: r1_penalty(lambda x: x**3 / 3, x)
    )
    for objective in OBJECTIVES.values():
        assert holds(objective.generator)
        assert holds(lambda x, critic=objective.critic: critic(x, x * x))


# ------------------------------------------------------------------------------ training


def trainer(kind):
    """``kind`` of a trainer at the start of a small WGAN on images."""
    wgan = recipe("wgan")
    settings = wgan.configure({"network": "mlp", "widths": (8,), "critic_widths": (8,)})
    return kind(wgan, settings, load("glyphs", count=8), batch_size=4, seed=0)


def moved(network, step):
    """Whether ``step()`` changes any of the network's weights."""
    before = [p.detach().numpy().copy() for p in network.parameters()]
    step()
    after = [p.detach().numpy() for p in network.parameters()]
    return any((a != b).any() for a, b in zip(before, after, strict=True))


def has_gradients(network):
    return any(p.grad is not None for p in network.parameters())


def test_clipping_before_the_step():
    """After a WGAN critic's update every weight lies in [-c, c]."""

    class ClipsFirst(Trainer):
        def critic_step(self, real, fake):
            critic, limit = self.networks.critic, self.settings.clip_weights
            self.recipe.critic_loss(self.settings, critic, real, fake, self.rng).loss.backward()
            with minigan.no_grad():
                for p in critic.parameters():
                    p.clamp_(-limit, limit)
            self.optimizers[0].step()

    def holds(kind):
        game = trainer(kind)
        critic, limit = game.networks.critic, np.float32(game.settings.clip_weights)
        assert moved(critic, lambda: game.critic_step(game.real(), game.fake()))
        return all(np.abs(p.detach().numpy()).max() <= limit for p in critic.parameters())

    assert_right_and_not_wrong(holds, ClipsFirst, Trainer)


def adam_without_correction(g, betas=(0.9, 0.999), eps=1e-12):
    """The first update of Adam for a gradient, lr = 1, in plain numbers."""
    return -(1 - betas[0]) * g / (np.sqrt((1 - betas[1]) * g * g) + eps)


def engines_adam(g):
    w = nn.Parameter(minigan.zeros(1, dtype="float64"))
    w.grad = Tensor(np.array([g]))
    optim.Adam([w], lr=1.0, eps=1e-12).step()
    return w.detach().numpy().item()


def test_adam_without_bias_correction():
    """The first step has the length lr, against the gradient, whatever its size."""

    def holds(first):
        return all(np.isclose(first(g), -np.sign(g), rtol=1e-6) for g in (1e-4, -3.0, 1e3))

    assert_right_and_not_wrong(holds, adam_without_correction, engines_adam)


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

    assert_right_and_not_wrong(holds, True, False)


def test_a_generator_step_that_trains_the_critic():
    """Where the generator learns, the critic's weights get no gradient and do not move."""

    class NotFrozen(Trainer):
        def generator_step(self, fake):
            critic = self.networks.critic
            self.recipe.generator_loss(self.settings, critic, fake, self.rng).loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()

    def holds(kind):
        game = trainer(kind)
        generator, critic, *_ = game.networks

        def step():
            assert moved(generator, lambda: game.generator_step(game.fake()))

        return not moved(critic, step) and not has_gradients(critic)

    assert_right_and_not_wrong(holds, NotFrozen, Trainer)


def test_a_fake_batch_that_is_not_detached():
    """The critic's loss leaves the generator's gradients alone."""

    class NotDetached(Trainer):
        def critic_step(self, real, fake):
            critic = self.networks.critic
            self.recipe.critic_loss(self.settings, critic, real, fake, self.rng).loss.backward()
            self.optimizers[0].step()

    def holds(kind):
        game = trainer(kind)
        generator, critic, *_ = game.networks
        assert moved(critic, lambda: game.critic_step(game.real(), game.fake()))
        return not has_gradients(generator)

    assert_right_and_not_wrong(holds, NotDetached, Trainer)


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

    assert_right_and_not_wrong(refuses, False, True)


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
