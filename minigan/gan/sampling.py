"""Images from a trained generator."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from .._tensor import Tensor
from ..array import Generator
from ..autograd import no_grad
from ..nn import Module
from ..ops.creation import zeros
from ..ops.shape import cat
from .schema import ImageShape, Networks, Recipe

BATCH = 64


@no_grad()
def generate(generator: Module, latents: Tensor, device: str = "cpu") -> np.ndarray:
    """Images (N, C, H, W) float32 in [-1, 1] from latents (N, latent).

    BatchNorm uses its running statistics, so an image depends on its own latent only; they, and
    the network's mode, are left as they were.
    """
    was_training = generator.training
    generator.eval()
    try:
        # Always full batches: the last bits of a matrix product depend on its size.
        count = len(latents)
        padding = zeros(-count % BATCH, latents.shape[1], dtype=latents.dtype)
        whole = cat([latents, padding])
        parts = [whole[i : i + BATCH] for i in range(0, len(whole), BATCH)]
        images = [generator(z.to(device=device)).cpu().numpy() for z in parts]
    finally:
        generator.train(was_training)
    return np.concatenate(images)[:count]


def restore(
    recipe: Recipe, settings: object, arrays: Mapping[str, np.ndarray]
) -> tuple[Module, int]:
    """The generator (its moving average, if there is one) in a trainer's state, and its latents.

    Raises:
        ValueError: the state belongs to other networks, or something is missing.
    """
    try:
        shape = ImageShape(*json.loads(arrays["state.json"].tobytes())["shape"])
        networks: Networks = recipe.networks(settings, shape, Generator())
        name = "average" if any(key.startswith("average/") for key in arrays) else "generator"
        networks.generator.load_state_dict(below(arrays, name))
    except (KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"the state does not fit this system: {error}") from error
    return networks.generator, networks.latent


def below(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The entries ``name/key`` as ``key``."""
    prefix = f"{name}/"
    return {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
