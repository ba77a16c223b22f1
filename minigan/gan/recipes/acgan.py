"""AC-GAN: the discriminator also names the class, and so teaches the generator to draw it.

    repeat:  real x with its class y, noise z ~ N(0, I), classes c drawn evenly
        D, C descend  -E ln σ(D(x)) - E ln(1 - σ(D(G(z, c)))) - E ln C_y(x) - E ln C_c(G(z, c))
        G descends  -E ln σ(D(G(z, c))) - E ln C_c(G(z, c))
    both with Adam(2·10⁻⁴, β₁ = 0.5)

C is a softmax of its own head on the features that D judges by.

Source: Odena, Olah & Shlens 2016, arXiv 1610.09585.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..._tensor import Tensor
from ...generators import Generator
from ...losses import cross_entropy
from .. import game
from .. import settings as common
from ..heads import Headed, overheard
from ..pair import started
from ..schema import ImageShape, Known, Losses, Networks
from ..values import SettingError


@dataclass(frozen=True)
class Settings(common.Settings):
    """InfoGAN's networks."""

    network: common.Network = "infogan"
    latent: int = 62

    def __post_init__(self):
        super().__post_init__()
        if self.label_at != "none":
            raise SettingError(
                f"label_at={self.label_at} tells the discriminator the class, which it is to name "
                "itself here"
            )
        if self.one_batch:
            raise SettingError(
                "one_batch has no part here: the classes of real and generated images are heard "
                "apart"
            )


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> Networks:
    """A generator that is told the class, and a critic with a head for it."""
    if not shape.classes:
        raise SettingError(
            "acgan needs data with labels, from which its discriminator learns the classes, and "
            "these have none; infogan finds classes without"
        )
    headed = partial(Headed, classes=shape.classes)
    return started(settings, shape, rng, shape.classes, finish=headed)


def critic_loss(
    settings: Settings, critic: Headed, real: Tensor, fake: Tensor, rng: Generator, known: Known
) -> Losses:
    """Tell real from fake, and name the classes of both."""
    logit, heard = overheard(critic)
    judged = game.critic_loss(settings, logit, real, fake, rng, known)
    on_real, on_fake = heard[0].classes, heard[1].classes
    loss = cross_entropy(on_real, known.real) + cross_entropy(on_fake, known.fake)
    right = on_real.detach().argmax(1) == known.real.argmax(1)
    named = {"class_loss": loss.detach(), "class_accuracy": right.to(loss.dtype).mean()}
    return Losses(judged.loss + loss, {**judged.record, **named})


def generator_loss(
    settings: Settings, critic: Headed, fake: Tensor, rng: Generator, known: Known
) -> Losses:
    """Make the critic say "real", and the class that was asked for."""
    logit, heard = overheard(critic)
    fooled = game.generator_loss(settings, logit, fake, rng, known)
    return Losses(fooled.loss + cross_entropy(heard[0].classes, known.fake), fooled.record)


RECIPE = game.image_gan(
    "acgan",
    "GAN whose discriminator also names the class",
    "Odena, Olah & Shlens 2016, arXiv 1610.09585",
    Settings,
    networks=networks,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
)
