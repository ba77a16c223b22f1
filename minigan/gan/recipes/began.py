"""BEGAN: two reconstruction errors are held in proportion by a controller.

    L(x) = mean |x - D(x)|, D an autoencoder;  k = 0 at first
    repeat:  real x, noise z ~ N(0, I)
        D descends  L(x) - k·L(G(z))
        G descends  L(G(z))
        k ← clip(k + 0.001·(γ L(x) - L(G(z))), 0, 1)
    both with Adam(2·10⁻⁴, β₁ = 0.5), the rates falling to 2·10⁻⁵; γ = 0.75

At the balance L(G(z)) = γ L(x): a smaller γ asks for better and less various images.
M = L(x) + |γ L(x) - L(G(z))|, the column "measure", falls as the images get better.

Source: Berthelot, Schumm & Metz 2017, arXiv 1703.10717.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..._tensor import Tensor
from ...generators import Generator
from ...nn import Module
from ...ops.creation import zeros
from .. import energy
from ..augmentation import augmented
from ..game import image_gan
from ..schema import NOTHING, Known, Losses
from ..values import SettingError

if TYPE_CHECKING:
    from ..trainer import Trainer


@dataclass(frozen=True)
class Settings(energy.Settings):
    """The controller's numbers."""

    decay: int = 3000
    decay_to: float = 0.1  # 2·10⁻⁵
    gamma: float = 0.75
    control: float = 0.001  # how fast k moves

    def __post_init__(self):
        super().__post_init__()
        for name in ("gamma", "control"):
            if not (getattr(self, name) > 0 and isfinite(getattr(self, name))):
                raise SettingError(f"setting {name} must be positive and finite")
        if self.n_critic != 1 or self.critic_burst:
            raise SettingError("n_critic and critic_burst are of no use here: k holds the balance")
        if self.clip_weights:
            raise SettingError("clip_weights is of no use here: nothing needs a bounded slope")


def moved(k: Tensor, settings: Settings, on_real: Tensor, on_fake: Tensor) -> Tensor:
    """k after a step; on_real and on_fake are L(x) and L(G(z)).

    >>> import minigan
    >>> from minigan.gan import recipe
    >>> k, x, g = (minigan.tensor(value, dtype="float64") for value in (0.5, 0.4, 0.2))
    >>> moved(k, recipe("began").configure({}), x, g).item()
    0.5001
    """
    return (k + (on_real * settings.gamma - on_fake) * settings.control).clamp(0.0, 1.0)


def errors(settings: Settings, critic: Module, x: Tensor, rng: Generator) -> Tensor:
    """L(x) of each image (N,)."""
    x = augmented(x, settings.augment, rng)
    return energy.absolute_error(x, critic(x)[0])


def generator_loss(
    settings: Any, critic: Module, fake: Tensor, rng: Generator, known: Known = NOTHING
) -> Losses:
    """L(G(z))."""
    loss = errors(settings, critic, fake, rng).mean()
    return Losses(loss, {"g_loss": loss.detach()})


def play(trainer: Trainer) -> dict[str, Tensor]:
    """One step of each player and of k."""
    settings, critic = trainer.settings, trainer.networks.critic
    k = trainer.values.setdefault("k", zeros((), dtype="float64", device=trainer.device))
    real, fake, _ = trainer.deal()
    on_real = errors(settings, critic, real, trainer.rng).mean()
    on_fake = errors(settings, critic, fake.detach(), trainer.rng).mean()
    loss = on_real - on_fake * k.to(dtype=on_fake.dtype)
    trainer.step_of(trainer.optimizers.critic, loss)
    record = trainer.generator_step(fake)
    on_real, on_fake = (trainer.ranks.mean(x.detach()) for x in (on_real, on_fake))
    balance = settings.gamma * on_real - on_fake
    k.copy_(moved(k, settings, on_real.to(dtype=k.dtype), on_fake.to(dtype=k.dtype)))
    return {
        "d_loss": loss.detach(),
        **record,
        "energy_real": on_real,
        "energy_fake": on_fake,
        "k": k.to(dtype=on_real.dtype),
        "measure": on_real + balance.abs(),
    }


RECIPE = image_gan(
    "began",
    "boundary equilibrium GAN: autoencoding discriminator, balance held by a controller",
    "Berthelot, Schumm & Metz 2017, arXiv 1703.10717",
    Settings,
    networks=energy.networks,
    critic_loss=None,
    generator_loss=generator_loss,
    play=play,
    lines=energy.no_lines,
    steps=3000,
)
