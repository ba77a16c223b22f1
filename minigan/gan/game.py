"""The game of two networks on images: its losses, optimizers, schedule and equilibrium.

Everything is chosen by the settings alone (gan/settings.py), independently of the networks:

    critic     descends  objective(D(x), D(G(z))) + gp·… + dragan·… + r1·…
    generator  descends  its own objective of D(G(z))

Both see images through the augmentation, if there is one.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from .. import optim
from .._tensor import Tensor
from ..generators import Generator
from ..nn import Module
from ..ops.shape import cat
from .augmentation import augmented
from .conditional import Labelled, told
from .objectives import OBJECTIVES
from .pair import pair
from .penalties import Critic, dragan_penalty, gradient_penalty, r1_penalty
from .sampling import VIEW
from .schema import NOTHING, Known, Losses, Networks, Optimizers, Recipe
from .targets import draw_targets, mean_target

if TYPE_CHECKING:
    from .trainer import Trainer


def critic_loss(
    settings: Any,
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    rng: Generator,
    known: Known = NOTHING,
) -> Losses:
    """Tell real from fake; a conditional critic knows the classes.

    In the record ``d_loss`` is the objective alone, ``penalty`` what the penalties add, and
    ``estimate``, under the WGAN objective, minus the objective.
    """
    objective = OBJECTIVES[settings.loss]
    real, fake = (augmented(x, settings.augment, rng) for x in (real, fake))
    on_real, on_fake = verdicts(settings, critic, real, fake, known)
    up, low = settings.real_targets, settings.fake_targets
    if objective.probabilities and ((up, low) != ((1, 1), (0, 0)) or settings.flip):
        loss = objective.critic(
            on_real,
            on_fake,
            draw_targets(on_real, up, low, settings.flip, rng),
            draw_targets(on_fake, low, up, settings.flip, rng),
        )
    else:
        loss = objective.critic(on_real, on_fake)
    record = {"d_loss": loss.detach()}
    if objective.probabilities:
        record["d_real"] = on_real.detach().sigmoid().mean()
        record["d_fake"] = on_fake.detach().sigmoid().mean()
        record["d_accuracy"] = accuracy(on_real.detach(), on_fake.detach())
    if settings.loss == "wgan":
        record["estimate"] = -loss.detach()
    penalty = penalties(settings, told(critic, known.real), real, fake, rng)
    if penalty is not None:
        loss, record["penalty"] = loss + penalty, penalty.detach()
    return Losses(loss, record)


def verdicts(
    settings: Any, critic: Critic, real: Tensor, fake: Tensor, known: Known
) -> tuple[Tensor, Tensor]:
    """What the critic says of both.

    They go through separately, so that BatchNorm does not mix their statistics: with
    ``one_batch`` it does, and the critic can tell by the mixture.
    """
    if not settings.one_batch:
        return told(critic, known.real)(real), told(critic, known.fake)(fake)
    labels = cat([known.real, known.fake]) if isinstance(critic, Labelled) else None
    both = told(critic, labels)(cat([real, fake]))
    return both[: len(real)], both[len(real) :]


def accuracy(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """The share of images that the logits' signs judge rightly; ½ is guessing.

    >>> import minigan
    >>> accuracy(minigan.tensor([2.0, 1.0]), minigan.tensor([-1.0, 3.0])).item()
    0.75
    """
    right = (on_real > 0).to(on_real.dtype).mean() + (on_fake < 0).to(on_fake.dtype).mean()
    return right / 2


def penalties(
    settings: Any, critic: Critic, real: Tensor, fake: Tensor, rng: Generator
) -> Tensor | None:
    """The sum of the gradient penalties asked for, each times its weight."""
    total = None
    for weight, penalty, images in (
        (settings.gp, gradient_penalty, (real, fake, rng)),
        (settings.dragan, dragan_penalty, (real, rng)),
        (settings.r1, r1_penalty, (real,)),
    ):
        if weight:
            term = penalty(critic, *images) * weight
            total = term if total is None else total + term
    return total


def generator_loss(
    settings: Any, critic: Critic, fake: Tensor, rng: Generator, known: Known = NOTHING
) -> Losses:
    """Make the critic say "real"."""
    judged = told(critic, known.fake)(augmented(fake, settings.augment, rng))
    loss = OBJECTIVES[settings.loss].generator(judged)
    return Losses(loss, {"g_loss": loss.detach()})


def optimizers(settings: Any, nets: Networks) -> Optimizers:
    """The critic's and the generator's, of one kind."""

    def chosen(network: Module, lr: float, beta1: float) -> optim.Optimizer:
        if settings.optimizer == "sgd":
            return optim.SGD(network.parameters(), lr)
        if settings.optimizer == "rmsprop":
            return optim.RMSprop(network.parameters(), lr)
        return optim.Adam(network.parameters(), lr, (beta1, settings.beta2))

    own = settings.critic_beta1
    return Optimizers(
        chosen(nets.critic, settings.critic_lr or settings.lr, settings.beta1 if own < 0 else own),
        chosen(nets.generator, settings.lr, settings.beta1),
    )


def critic_steps(settings: Any, step: int) -> int:
    """How many steps the critic takes before generator step ``step`` (0, 1, …).

    >>> from minigan.gan import recipe
    >>> wgan = recipe("wgan").configure({})
    >>> [critic_steps(wgan, step) for step in (0, 24, 25, 499, 500, 501)]
    [100, 100, 5, 5, 100, 5]
    """
    burst = step < 25 or step % 500 == 0
    return settings.critic_burst if settings.critic_burst and burst else settings.n_critic


def alternate(trainer: Trainer) -> dict[str, Tensor]:
    """One step of the game: critic steps, each on a fresh batch, then one of the generator.

    The fakes of the last critic step serve the generator too (their graph is kept), so that nothing
    is computed twice.
    """
    for _ in range(critic_steps(trainer.settings, trainer.step)):
        real, fake, known = trainer.deal()
        judged = trainer.critic_step(real, fake, known)
    return {**judged, **trainer.generator_step(fake, known)}


def lines(settings: Any) -> dict[str, tuple[float, str]]:
    """The losses, and D, where real and fake are one distribution.

    The cross entropy's D is half the sum of the targets' means.
    """
    objective = OBJECTIVES[settings.loss]
    found = dict(objective.lines)
    if not objective.probabilities:
        return found
    d = (mean_target(settings.real_targets) + mean_target(settings.fake_targets)) / 2
    if d == 0.5:
        return {**found, "d_real": (0.5, "1/2")}
    if not 0 < d < 1:
        return {}
    d_loss = -2 * (d * log(d) + (1 - d) * log(1 - d))
    g_loss = log(1 - d) if settings.loss == "saturating" else -log(d)
    return {
        "d_loss": (d_loss, f"{d_loss:.3f}"),
        "g_loss": (g_loss, f"{g_loss:.3f}"),
        "d_real": (d, f"{d:.3g}"),
    }


def image_gan(name: str, summary: str, source: str, settings: type, **parts: Any) -> Recipe:
    """A recipe of this family; ``parts`` replace what it does otherwise, such as ``play``."""
    family = {
        "networks": pair,
        "critic_loss": critic_loss,
        "generator_loss": generator_loss,
        "optimizers": optimizers,
        "play": alternate,
        "lines": lines,
        "view": VIEW,
        "kind": critic_steps,
    }
    return Recipe(name, summary, source, settings, **{**family, **parts})
