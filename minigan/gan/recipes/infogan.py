"""InfoGAN: classes and codes that nobody named, found by making them readable in the images.

    repeat:  real x; noise z ~ N(0, I), classes c drawn evenly, codes u ~ U(-1, 1), x̂ = G(z, c, u)
        D descends  -E ln σ(D(x)) - E ln(1 - σ(D(x̂)))
        G descends  -E ln σ(D(x̂))
        G and Q descend  -info_class·E ln Q_c(x̂) + info_code·E(Q_u(x̂) - u)²     (fresh z, c, u)
    all with Adam(2·10⁻⁴, β₁ = 0.5), the last line with one of its own

Q is D's trunk with heads of its own: a softmax over the classes, a number for each code.  Labels of
the data are not looked at.

Source: Chen et al. 2016, arXiv 1606.03657.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, ClassVar, NamedTuple

from ... import optim
from ..._tensor import Tensor
from ...generators import Generator
from ...losses import cross_entropy, mse_loss
from .. import game
from .. import settings as common
from ..augmentation import augmented
from ..heads import Headed, overheard
from ..latents import draw_latents, parts_of
from ..pair import started
from ..sampling import VIEW
from ..schema import ImageShape, Losses, Networks, Space
from ..trainer import Trainer
from ..values import SettingError


@dataclass(frozen=True)
class Settings(common.Settings):
    """InfoGAN's networks, and what there is to find."""

    of_adam: ClassVar[tuple[str, ...]] = ("critic_beta1",)  # the third optimizer is always Adam
    network: common.Network = "infogan"
    latent: int = 62
    classes: int = 10  # how many kinds of images to tell apart (0: none)
    codes: int = 2  # how many ways in which they vary
    info_class: float = 1.0  # weight of the classes' cross entropy ...
    info_code: float = 1.0  # ... and of the codes' squared error

    def __post_init__(self):
        super().__post_init__()
        if not (self.classes == 0 or 2 <= self.classes <= common.MOST):
            raise SettingError(f"setting classes must be 0 or from 2 to {common.MOST}")
        if not 0 <= self.codes <= common.MOST or not self.classes + self.codes:
            raise SettingError(
                f"setting codes must lie between 0 and {common.MOST}, and not be 0 with classes=0"
            )
        for name in ("info_class", "info_code"):
            value = getattr(self, name)
            if not (value >= 0 and isfinite(value)):
                raise SettingError(f"setting {name} must not be negative and must be finite")
        if self.label_at != "none":
            raise SettingError(
                f"label_at={self.label_at} is about the data's labels, and infogan looks at none; "
                "its classes are its own"
            )
        if self.clip_weights:
            raise SettingError(
                "clip_weights cannot hold here: the last step of the three moves the "
                "discriminator's trunk after it was clipped"
            )


class Optimizers(NamedTuple):
    """Of the two players, and of what makes classes and codes readable."""

    critic: optim.Optimizer
    generator: optim.Optimizer
    info: optim.Optimizer


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> Networks:
    """A generator that takes classes and codes, and a critic with a head for each of both."""
    found = {"classes": settings.classes, "codes": settings.codes}
    return started(settings, shape, rng, **found, finish=partial(Headed, **found))


def optimizers(settings: Settings, nets: Networks) -> Optimizers:
    """The game's two, and Adam for all but the head that tells real from fake."""
    critic = nets.critic
    parts = [nets.generator, critic.trunk, *filter(None, (critic.classes, critic.codes))]
    moved = [p for part in parts for p in part.parameters()]
    info = optim.Adam(moved, settings.lr, (settings.beta1, settings.beta2))
    return Optimizers(*game.optimizers(settings, nets), info)


def critic_loss(settings: Settings, critic: Headed, *rest: Any) -> Losses:
    """The game's, of the logit alone."""
    return game.critic_loss(settings, overheard(critic)[0], *rest)


def generator_loss(settings: Settings, critic: Headed, *rest: Any) -> Losses:
    """The game's, of the logit alone."""
    return game.generator_loss(settings, overheard(critic)[0], *rest)


def info_loss(trainer: Trainer) -> Losses:
    """How badly Q reads off fresh images what they were made from."""
    settings, nets = trainer.settings, trainer.networks
    latents = draw_latents(nets, trainer.batch_size, trainer.rng, trainer.device)
    classes, codes = parts_of(nets, latents)
    read = nets.critic(augmented(nets.generator(latents), settings.augment, trainer.rng))
    losses, loss = {}, 0.0
    if classes is not None:
        losses["class_loss"] = cross_entropy(read.classes, classes)
        loss = loss + losses["class_loss"] * settings.info_class
    if codes is not None:
        losses["code_loss"] = mse_loss(read.codes, codes)
        loss = loss + losses["code_loss"] * settings.info_code
    return Losses(loss, {name: value.detach() for name, value in losses.items()})


def play(trainer: Trainer) -> dict[str, Tensor]:
    """A step of the game, then one of understanding each other."""
    record = game.alternate(trainer)
    info = info_loss(trainer)
    trainer.step_of(trainer.optimizers.info, info.loss)
    return {**record, **info.record}


def space(nets: Networks) -> Space:
    """Its classes are not those of the data."""
    return Space(nets.latent, nets.classes, nets.codes, discovered=True)


RECIPE = game.image_gan(
    "infogan",
    "GAN that finds classes and codes by itself",
    "Chen et al. 2016, arXiv 1606.03657",
    Settings,
    networks=networks,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    optimizers=optimizers,
    play=play,
    view=VIEW._replace(space=space),
)
