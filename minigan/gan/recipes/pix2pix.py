"""pix2pix: an image becomes another, judged in patches and held near the right answer.

    repeat:  input x and target y, flipped and jittered together
        D descends  ½ (-E ln σ(D(x, y)) - E ln(1 - σ(D(x, G(x)))))      over all patches
        G descends  -E ln σ(D(x, G(x))) + 100·E |G(x) - y|
    both with Adam(2·10⁻⁴, β₁ = 0.5), one pair at a time

There is no noise but G's dropout, which stays on when images are drawn, and BatchNorm uses the
statistics of the image itself then too.

Source: Isola, Zhu, Zhou & Efros 2017, arXiv 1611.07004.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from ..._tensor import Tensor
from ...data import PairData
from ...generators import Generator
from ...losses import l1_loss
from ...nn import Module
from ...ops.shape import cat
from .. import game, paired
from .. import settings as common
from ..networks import dcgan_init
from ..objectives import OBJECTIVES
from ..schema import NOTHING, ImageShape, Known, Losses, Networks
from ..translation import patch_critic, unet
from ..values import SettingError

if TYPE_CHECKING:
    from ..trainer import Trainer


@dataclass(frozen=True)
class Settings(common.Settings):
    """The weight of the distance, the size of a patch, the dropout."""

    fixed: ClassVar[tuple[str, ...]] = (
        *("latent", "prior", "network", "widths", "critic_widths", "activation", "output"),
        *("generator_norm", "norm_after", "critic_norm", "n_critic", "critic_burst", "kernel"),
        *("label_at", "one_batch", "gp", "dragan", "r1"),
    )
    because: ClassVar[str] = (
        "the networks are the U-Net and the PatchGAN, and what they start from are images"
    )
    l1: float = 100.0  # weight of E |G(x) - y|
    patch_layers: int = 3  # patches of 16, 34, 70, 142 pixels for 1, 2, 3, 4
    dropout: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        paired.refuse_colour(self)
        if self.loss == "wgan" and not self.clip_weights:
            raise SettingError("loss=wgan needs a bounded slope, here by clip_weights=0.01")
        if not (self.l1 >= 0 and isfinite(self.l1)):
            raise SettingError("setting l1 must not be negative and must be finite")
        if not 1 <= self.patch_layers <= 4:
            raise SettingError("setting patch_layers must lie between 1 and 4")
        if not 0 <= self.dropout < 1:
            raise SettingError("setting dropout must lie in [0, 1)")


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> Networks:
    """The U-Net and the PatchGAN."""
    generator = unet(shape, settings.dropout)
    critic = patch_critic(shape, settings.patch_layers)
    dcgan_init(generator, rng)
    dcgan_init(critic, rng)
    return Networks(generator, critic, 0)


def critic_loss(
    settings: Any,
    critic: Module,
    real: Tensor,
    fake: Tensor,
    rng: Generator,
    known: Known = NOTHING,
) -> Losses:
    """Half the game's, so that D learns more slowly than G."""
    judged = game.critic_loss(settings, critic, real, fake, rng)
    return Losses(judged.loss / 2, judged.record)


def play(trainer: Trainer) -> dict[str, Tensor]:
    """D on the pairs (x, y) and (x, G(x)), then G."""
    settings, (generator, critic, *_) = trainer.settings, trainer.networks
    x, y = trainer.pair()
    made = generator(x)
    record = trainer.critic_step(cat([x, y], 1), cat([x, made], 1))
    critic.requires_grad_(False)
    fooled = OBJECTIVES[settings.loss].generator(critic(cat([x, made], 1)))
    distance = l1_loss(made, y)
    slope = trainer.descend(fooled + distance * settings.l1)
    critic.requires_grad_(True)
    return {**record, "g_loss": fooled.detach(), "distance": distance.detach(), "g_gradient": slope}


RECIPE = game.image_gan(
    "pix2pix",
    "image to image, from pairs",
    "Isola, Zhu, Zhou & Efros 2017, arXiv 1611.07004",
    Settings,
    networks=networks,
    critic_loss=critic_loss,
    generator_loss=None,
    play=play,
    view=paired.VIEW,
    data=PairData,
    steps=4000,
    batch_size=1,
    augment="flip,jitter",
    side=256,
)
