"""What autoencoders share: an encoder to a small code, a decoder back, one loss for both.

encoder   x (N, C, H, W) → code (N, …)
decoder   code → x again
both descend the same loss with one Adam
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import optim
from .._tensor import Tensor
from ..data import ImageData
from ..data.images import centred
from ..generators import Generator
from ..losses import mse_loss
from ..nn import Module, Sequential, init
from ..report import save_grid
from .sampling import generate
from .schema import Grid, ImageShape, Recipe, Request, View
from .settings import check_decay
from .values import SettingError

PAIRS = 32  # images in the pictures, each beside its reconstruction


class Coder(NamedTuple):
    """Both networks; ``code`` is the shape of a code, without the batch."""

    encoder: Module
    decoder: Module
    code: tuple[int, ...]


class Single(NamedTuple):
    """One optimizer for both."""

    coder: optim.Optimizer


@dataclass(frozen=True)
class Settings:
    """What can be chosen about any autoencoder."""

    lr: float = 1e-3
    beta1: float = 0.9  # of Adam
    beta2: float = 0.999
    decay: int = 0  # steps in which the rate falls on a line (0: it stays) ...
    decay_to: float = 0.0  # ... to this share
    clip_gradients: float = 0.0  # to this norm (0: not)

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not (value >= 0 and isfinite(value)):
                raise SettingError(f"setting {field.name} must not be negative and must be finite")
        if not self.lr > 0:
            raise SettingError("setting lr must be positive and finite")
        for name in ("beta1", "beta2", "decay_to"):
            if not getattr(self, name) < 1:
                raise SettingError(f"setting {name} must lie in [0, 1)")
        check_decay(self)

    def warnings(self) -> list[str]:
        """What the user should know about these settings, a sentence each."""
        return []


def counted(settings: Any, *names: str) -> None:
    """Refuse sizes that are none."""
    for name in names:
        if not 0 < getattr(settings, name) <= 2**16:
            raise SettingError(f"setting {name} must be positive and at most {2**16}")


def start(network: Module, rng: Generator) -> None:
    """Weights and biases U(-1/√inputs, 1/√inputs), as layers start everywhere here."""
    for layer in network.modules():
        if getattr(layer, "weight", None) is not None:
            inputs = init.fan_in(layer.weight)
            init.default_(layer.weight, inputs, rng)
            init.default_(layer.bias, inputs, rng)


def optimizers(settings: Any, coder: Coder) -> Single:
    """Adam over both networks."""
    parameters = [*coder.encoder.parameters(), *coder.decoder.parameters()]
    return Single(optim.Adam(parameters, settings.lr, (settings.beta1, settings.beta2)))


def reconstruct(trainer: Any) -> dict[str, Tensor]:
    """One step down E (x - decoder(encoder(x)))², the mean over pixels too."""
    x = trainer.real()
    loss = mse_loss(trainer.networks.decoder(trainer.networks.encoder(x)), x)
    slope = trainer.step_of(trainer.optimizers.coder, loss)
    return {"loss": loss.detach(), "g_gradient": slope}


# --------------------------------------------------------------------------- how it is shown


def examples(coder: Coder, data: ImageData, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Some images of the data."""
    return (centred(data.images[rng.permutation(len(data))[:PAIRS]]),)


def reconstructed(coder: Coder, images: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Images (N, C, H, W) through the code and back."""
    return generate(Sequential(coder.encoder, coder.decoder), Tensor(images), device)


def beside(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Both sets (N, C, H, W) as one of 2N, each image followed by its other.

    Grey beside colour becomes colour.
    """
    channels = max(images.shape[1], others.shape[1])
    both = [np.broadcast_to(x, (len(x), channels, *x.shape[2:])) for x in (images, others)]
    return np.stack(both, 1).reshape(-1, *both[0].shape[1:])


def pictures(coder: Coder, chosen: tuple[np.ndarray, ...], device: str) -> Grid:
    """Eight columns: image, reconstruction, image, reconstruction, …"""
    return Grid(beside(chosen[0], reconstructed(coder, chosen[0], device)), 8)


def sample(coder: Coder, request: Request, device: str) -> np.ndarray:
    """The reconstructions of the images that came with the request."""
    if request.labels is not None:
        raise SettingError("an autoencoder makes images from images, so no class can be asked for")
    return reconstructed(coder, request.inputs, device)


def save_reconstructions(coder: Coder, data: ImageData, path: Path, device: str) -> None:
    """Images of the data, spread evenly over it, each beside its reconstruction."""
    images = centred(data.images[spread(len(data), PAIRS)])
    save_grid(path, beside(images, reconstructed(coder, images, device)))


def spread(size: int, count: int) -> np.ndarray:
    """``count`` indices (or ``size``, if that is less) spread evenly over 0 … size - 1.

    >>> spread(10, 3).tolist()
    [0, 3, 6]
    """
    count = min(size, count)
    return np.arange(count) * size // count


def shapes(coder: Coder, shape: ImageShape) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Inputs of the two networks."""
    return {"encoder": ((2, *shape.size),), "decoder": ((2, *coder.code),)}


def autoencoder(
    name: str,
    summary: str,
    source: str,
    settings: type,
    networks: Callable[..., Coder],
    figures: dict[str, Callable[..., None]],
    **parts: Any,
) -> Recipe:
    """A recipe of this family; ``parts`` replace what it does otherwise, such as ``play``."""
    family = {
        "optimizers": optimizers,
        "play": reconstruct,
        "lines": lambda settings: {},
        "view": View(examples, pictures, sample, shapes, from_images=True, figures=figures),
        "steps": 1000,
    }
    return Recipe(name, summary, source, settings, networks, **{**family, **parts})
