"""Unrolled GAN: the generator plays against the discriminator that would answer it.

    repeat:  real x, noise z ~ N(0, I)
        θ₀ = D's parameters,  θ_{k+1} = one optimizer step from θ_k down L_D(θ_k)     (k < unroll)
        G descends  -L_D(θ_K),  with the gradient through all K steps and Adam's own moments
        D takes one ordinary step from θ₀ down L_D

L_D is the objective on the same x and z throughout.  With unroll=0 it is the minimax game itself.

Source: Metz, Poole, Pfau & Sohl-Dickstein 2016, arXiv 1611.02163.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._tensor import Tensor
from ...nn import Module
from .. import game
from .. import settings as common
from ..differentiable import look_ahead, replaced
from ..schema import NOTHING, Known
from ..trainer import Trainer
from ..values import SettingError


@dataclass(frozen=True)
class Settings(common.Settings):
    """DCGAN's, and how far to look ahead."""

    unroll: int = 5  # steps of the discriminator that the generator looks ahead

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.unroll <= 1000:
            raise SettingError("setting unroll must lie between 0 and 1000")
        for name, plain in (("n_critic", 1), ("critic_burst", 0)):
            if getattr(self, name) != plain:
                raise SettingError(
                    f"{name} is of no use here: the discriminator takes one step for each of the "
                    "generator's, and is looked ahead by unroll"
                )
        for name in ("clip_weights", "clip_gradients"):
            if getattr(self, name):
                raise SettingError(f"{name} is not part of the steps that are looked ahead")

    def warnings(self) -> list[str]:
        said = super().warnings()
        if self.unroll and self.critic_norm == "spectral":
            said.append(
                "critic_norm=spectral counts its vectors as constants, so the gradient through the "
                "discriminator's steps is only nearly right; critic_norm=layer has no such part"
            )
        return said


def generator_loss(trainer: Trainer, real: Tensor, fake: Tensor, known: Known = NOTHING) -> Tensor:
    """-L_D(θ_K), as a function of ``fake`` and through it of the generator."""
    critic, optimizer = trainer.networks.critic, trainer.optimizers[0]

    def critic_loss(critic: Module) -> Tensor:
        judged = trainer.recipe.critic_loss(
            trainer.settings, critic, real, fake, trainer.rng, known
        )
        return judged.loss

    average, given = trainer.ranks.average, trainer.given
    ahead = look_ahead(critic, optimizer, critic_loss, trainer.settings.unroll, average, given)
    with replaced(critic, ahead):
        return -critic_loss(critic)


def play(trainer: Trainer) -> dict[str, Tensor]:
    """Both players move from where they are, on the same images."""
    real, fake, known = trainer.deal()
    loss = generator_loss(trainer, real, fake, known)
    slope = trainer.descend(loss)
    return {**trainer.critic_step(real, fake, known), "g_loss": loss.detach(), "g_gradient": slope}


def lines(settings: Any) -> dict[str, tuple[float, str]]:
    """G's loss is minus D's."""
    found = game.lines(settings)
    if "d_loss" in found:
        value, text = found["d_loss"]
        found["g_loss"] = (-value, text if value == 0 else f"−{text}")
    return found


RECIPE = game.image_gan(
    "unrolled",
    "unrolled GAN: the generator looks ahead through the discriminator's steps",
    "Metz, Poole, Pfau & Sohl-Dickstein 2016, arXiv 1611.02163",
    Settings,
    play=play,
    lines=lines,
)
