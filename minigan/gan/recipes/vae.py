"""VAE: an autoencoder whose code is a distribution, so that new images can be drawn.

    encoder   x → 256 ReLU → μ, ln σ²                        of each of the d numbers of the code
    z = μ + σ·ε,  σ = exp(½ ln σ²),  ε ~ N(0, I)
    decoder   z → 256 ReLU → a logit for every pixel
    both descend  Σ over pixels BCE(logit, pixel in [0, 1])  +  KL,  mean over the batch,  with
                  KL = ½ Σ (μ² + σ² - ln σ² - 1) = KL(N(μ, σ²) ‖ N(0, I))                Adam(10⁻³)

The sum of both bounds -ln p(x) from above.  beta weighs the KL (β-VAE).

Source: Kingma & Welling 2013, arXiv 1312.6114.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from ... import nn
from ..._tensor import Tensor
from ...generators import Generator
from ...losses import binary_cross_entropy_with_logits
from ...ops.creation import randn
from .. import autoencoding
from ..manifold import VIEW
from ..schema import ImageShape


@dataclass(frozen=True)
class Settings(autoencoding.Settings):
    """An autoencoder's, the sizes, and the weight of the KL."""

    code: int = 2
    hidden: int = 256
    beta: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        autoencoding.counted(self, "code", "hidden")


class Gaussian(nn.Module):
    """x → (μ, ln σ²), each (N, code); once it is trained (eval) the code is μ alone."""

    def __init__(self, trunk: nn.Module, hidden: int, code: int):
        super().__init__()
        self.trunk = trunk
        self.mean = nn.Linear(hidden, code)
        self.log_variance = nn.Linear(hidden, code)

    def forward(self, x: Tensor) -> Any:
        h = self.trunk(x)
        return (self.mean(h), self.log_variance(h)) if self.training else self.mean(h)


class Logits(nn.Module):
    """z → logits (N, C, H, W); once it is trained (eval) images in [-1, 1], 2σ(logit) - 1."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, z: Tensor) -> Tensor:
        logits = self.layers(z)
        return logits if self.training else logits.sigmoid() * 2 - 1


def networks(settings: Settings, shape: ImageShape, rng: Generator) -> autoencoding.Coder:
    """Fully connected both ways."""
    s, pixels = settings, prod(shape.size)
    trunk = nn.Sequential(nn.Flatten(), nn.Linear(pixels, s.hidden), nn.ReLU())
    encoder = Gaussian(trunk, s.hidden, s.code)
    decoder = nn.Sequential(
        nn.Linear(s.code, s.hidden),
        nn.ReLU(),
        nn.Linear(s.hidden, pixels),
        nn.Unflatten(1, shape.size),
    )
    for network in (encoder, decoder):
        autoencoding.start(network, rng)
    return autoencoding.Coder(encoder, Logits(decoder), (s.code,))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) of each row (N,).

    >>> import minigan
    >>> divergence(minigan.tensor([[1.0, 0.0]]), minigan.zeros(1, 2)).item()
    0.5
    """
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = μ + exp(½ ln σ²)·ε."""
    return mean + (0.5 * log_variance).exp() * noise


def play(trainer: Any) -> dict[str, Tensor]:
    """One step down the bound."""
    coder, x = trainer.networks, trainer.real()
    mean, log_variance = coder.encoder(x)
    noise = randn(*mean.shape, generator=trainer.rng, device=trainer.device)
    logits = coder.decoder(drawn(mean, log_variance, noise))
    missed = binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="sum") / len(x)
    kl = divergence(mean, log_variance).mean()
    loss = missed + kl * trainer.settings.beta
    slope = trainer.step_of(trainer.optimizers.coder, loss)
    return {
        "loss": loss.detach(),
        "reconstruction": missed.detach(),
        "kl": kl.detach(),
        "g_gradient": slope,
    }


RECIPE = autoencoding.autoencoder(
    "vae",
    "variational autoencoder with a code of two numbers",
    "Kingma & Welling 2013, arXiv 1312.6114",
    Settings,
    networks,
    {},
    play=play,
    view=VIEW,
    steps=5000,
)
