"""DCGAN: two convolutional networks play the original game.

    repeat:  real x, noise z ~ N(0, I)
        D descends  -E ln σ(D(x)) - E ln(1 - σ(D(G(z))))     (real and fake in separate batches)
        G descends  -E ln σ(D(G(z)))
    both with Adam(2·10⁻⁴, β₁ = 0.5)

Source: Radford, Metz & Chintala 2015, arXiv 1511.06434.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from typing import Literal

from ..._tensor import Tensor
from ...array import Generator
from ...nn import Module
from ...ops.creation import rand
from ...ops.kinks import where
from ...optim import Adam
from .. import objectives
from ..networks import dcgan_critic, dcgan_generator, dcgan_init
from ..schema import ImageShape, Losses, Networks, Recipe, SettingError


@dataclass(frozen=True)
class Settings:
    """Everything that can be chosen."""

    latent: int = 100  # numbers the generator starts from
    lr: float = 2e-4  # of both networks
    beta1: float = 0.5
    beta2: float = 0.999
    n_critic: int = 1  # critic steps for each generator step
    generator_loss: Literal["non-saturating", "saturating"] = "non-saturating"
    activation: Literal["relu", "leaky"] = "relu"  # in the generator
    real_targets: tuple[float, float] = (1.0, 1.0)  # drawn uniformly; clipped to [0, 1]
    fake_targets: tuple[float, float] = (0.0, 0.0)
    flip: float = 0.0  # share of targets exchanged between real and fake
    ema: float = 0.0  # decay of the generator's moving average (0: none)

    def __post_init__(self):
        for name, most in (("latent", 2**16), ("n_critic", 2**16), ("lr", inf)):
            value = getattr(self, name)
            if not 0 < value <= most or value == inf:
                limit = "finite" if most == inf else f"at most {most}"
                raise SettingError(f"dcgan: setting {name} must be positive and {limit}")
        for name in ("beta1", "beta2", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"dcgan: setting {name} must lie in [0, 1)")
        if not 0 <= self.flip <= 0.5:
            raise SettingError("dcgan: setting flip is a share between 0 and 0.5")
        for name in ("real_targets", "fake_targets"):
            low, high = getattr(self, name)
            if not -inf < low <= high < inf:
                raise SettingError(f"dcgan: setting {name} expects low,high with low ≤ high")

    def warnings(self) -> list[str]:
        """What the user should know about these settings."""
        limits = (*self.real_targets, *self.fake_targets)
        if min(limits) < 0 or max(limits) > 1:
            return [
                "targets are clipped to [0, 1]: outside it the cross entropy has no lower bound "
                "and the discriminator's logits would grow for ever"
            ]
        return []


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> Networks:
    """The pair of ``gan/networks.py``, started as DCGANs are."""
    generator = dcgan_generator(shape, settings.latent, settings.activation)
    critic = dcgan_critic(shape)
    dcgan_init(generator, rng)
    dcgan_init(critic, rng)
    return Networks(generator, critic, settings.latent)


def _targets(like: Tensor, bounds: tuple[float, float], settings: Settings, other, rng) -> Tensor:
    """U(bounds) clipped to [0, 1]; a share ``flip`` of them from the ``other`` side's bounds."""
    size = {"generator": rng, "dtype": like.dtype, "device": like.device}
    low, high = bounds
    targets = rand(like.shape, **size) * (high - low) + low
    if settings.flip:
        low, high = other
        flipped = rand(like.shape, **size) * (high - low) + low
        targets = where(rand(like.shape, **size) < settings.flip, flipped, targets)
    return targets.clamp(0, 1)


def critic_loss(
    settings: Settings, critic: Module, real: Tensor, fake: Tensor, rng: Generator
) -> Losses:
    """Real and fake go through separately: BatchNorm must not mix their statistics."""
    on_real, on_fake = critic(real), critic(fake)
    sides = settings.real_targets, settings.fake_targets
    if sides == ((1.0, 1.0), (0.0, 0.0)) and not settings.flip:
        loss = objectives.bce_critic(on_real, on_fake)
    else:
        loss = objectives.bce_critic(
            on_real,
            on_fake,
            _targets(on_real, sides[0], settings, sides[1], rng),
            _targets(on_fake, sides[1], settings, sides[0], rng),
        )
    return Losses(loss, on_real, on_fake)


def generator_loss(settings: Settings, critic: Module, fake: Tensor, rng: Generator) -> Losses:
    """Make the critic say "real"."""
    on_fake = critic(fake)
    saturating = settings.generator_loss == "saturating"
    return Losses(objectives.bce_generator(on_fake, saturating), None, on_fake)


def optimizers(settings: Settings, nets: Networks) -> tuple[Adam, Adam]:
    """Adam for both."""
    betas = (settings.beta1, settings.beta2)
    return (
        Adam(nets.critic.parameters(), settings.lr, betas),
        Adam(nets.generator.parameters(), settings.lr, betas),
    )


def lines(settings: Settings) -> dict[str, tuple[float, str]]:
    """Where real and fake are one distribution: D is half the sum of the targets' means."""
    d = (_mean(settings.real_targets) + _mean(settings.fake_targets)) / 2
    saturating = settings.generator_loss == "saturating"
    if d == 0.5:
        g = (-log(2), "−ln 2") if saturating else (log(2), "ln 2")
        return {"d_loss": (2 * log(2), "2 ln 2"), "g_loss": g, "d_real": (0.5, "1/2")}
    if not 0 < d < 1:
        return {}
    d_loss = -2 * (d * log(d) + (1 - d) * log(1 - d))
    g_loss = log(1 - d) if saturating else -log(d)
    return {
        "d_loss": (d_loss, f"{d_loss:.3f}"),
        "g_loss": (g_loss, f"{g_loss:.3f}"),
        "d_real": (d, f"{d:.3g}"),
    }


def _mean(bounds: tuple[float, float]) -> float:
    """The mean of U(bounds) clipped to [0, 1]."""
    low, high = bounds
    if low == high:
        return min(max(low, 0.0), 1.0)
    a, b = min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
    inside = (b * b - a * a) / 2  # the part of the interval between 0 and 1 ...
    above = max(high, 1.0) - max(low, 1.0)  # ... and what is clipped down to 1
    return (inside + above) / (high - low)


RECIPE = Recipe(
    name="dcgan",
    summary="convolutional GAN, 28, 32 or 64 pixels",
    source="Radford, Metz & Chintala 2015, arXiv 1511.06434",
    settings=Settings,
    networks=networks,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    optimizers=optimizers,
    lines=lines,
)
