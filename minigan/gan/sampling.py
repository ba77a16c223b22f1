"""How a GAN shows what it has learnt: images from fixed noise, images asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd import no_grad
from ..generators import Generator
from ..nn import Module
from ..ops.shape import cat
from .conditional import Labelled
from .latents import one_hot, sampled_latents, width
from .schema import Data, Grid, ImageShape, Networks, Recipe, Request, Space, View
from .values import SettingError

BATCH = 64
GRID = 64  # images in the fixed-noise grid, about
MOST_COLUMNS = 16


@no_grad()
def generate(network: Module, inputs: Tensor, device: str = "cpu") -> np.ndarray:
    """What ``network`` in evaluation mode makes of ``inputs`` (N, …), as an array (N, …).

    BatchNorm uses its running statistics, so an image depends on its own latent only; they, and
    the network's mode, are left as they were.
    """
    was_training = network.training
    network.eval()
    try:
        # Always full batches: the last bits of a matrix product depend on its size.
        count = len(inputs)
        padding = inputs.new_zeros(-count % BATCH, *inputs.shape[1:])
        whole = cat([inputs, padding])
        parts = [whole[i : i + BATCH] for i in range(0, len(whole), BATCH)]
        images = [network(z.to(device=device)).cpu().numpy() for z in parts]
    finally:
        network.train(was_training)
    return np.concatenate(images)[:count]


def examples(networks: Networks, data: Data, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Latents: 64 of them; with classes, the same noise in every column and a class for each."""
    if not networks.classes:
        return (rng.standard_normal((GRID, width(networks)), dtype=np.float32),)
    columns = min(networks.classes, MOST_COLUMNS)
    rows = max(1, GRID // columns)
    noise = rng.standard_normal((rows, 1, networks.latent), dtype=np.float32)
    codes = rng.uniform(-1, 1, (rows, 1, networks.codes))
    whole = (rows, columns)
    parts = [
        np.broadcast_to(noise, (*whole, networks.latent)),
        np.broadcast_to(one_hot(np.arange(columns), networks.classes), (*whole, networks.classes)),
        np.broadcast_to(codes, (*whole, networks.codes)),
    ]
    return (np.concatenate(parts, 2, dtype=np.float32).reshape(rows * columns, -1),)


def pictures(networks: Networks, chosen: tuple[np.ndarray, ...], device: str) -> Grid:
    """The examples through the generator: 8 columns, or one for each class."""
    columns = min(networks.classes, MOST_COLUMNS) or 8
    return Grid(generate(networks.generator, Tensor(chosen[0]), device), columns)


def sample(networks: Networks, request: Request, device: str) -> np.ndarray:
    """New images, of the classes asked for."""
    if request.inputs is not None:
        raise SettingError("this system makes images from noise, not from images")
    if request.labels is not None and not networks.classes:
        raise SettingError("this system was trained without classes, so none can be asked for")
    rows = sampled_latents(networks, request.count, request.seed, request.labels)
    return decode(networks, rows, device)


def decode(networks: Networks, rows: np.ndarray, device: str) -> np.ndarray:
    """The images of rows as in gan/latents.py."""
    return generate(networks.generator, Tensor(rows), device)


def space(networks: Networks) -> Space:
    """What the generator takes."""
    return Space(networks.latent, networks.classes, networks.codes)


def shapes(networks: Networks, shape: ImageShape) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Inputs of the two networks; a conditional critic takes the classes too."""
    told = ((2, networks.classes),) if isinstance(networks.critic, Labelled) else ()
    return {"generator": ((2, width(networks)),), "critic": ((2, *shape.size), *told)}


VIEW = View(examples, pictures, sample, shapes, space=space, decode=decode)


def restore(
    recipe: Recipe, settings: object, arrays: Mapping[str, np.ndarray]
) -> tuple[Any, ImageShape]:
    """The networks in a trainer's state, with the moving average in the generator's place.

    Raises:
        ValueError: the state belongs to other networks, or something is missing.
    """
    try:
        shape = ImageShape(*json.loads(arrays["state.json"].tobytes())["shape"])
        networks = recipe.networks(settings, shape, Generator())
        averaged = any(key.startswith("average/") for key in arrays)
        for name, network in modules(networks).items():
            place = "average" if averaged and name == "generator" else name
            network.load_state_dict(below(arrays, place))
    except (KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"the state does not fit this system: {error}") from error
    return networks, shape


def modules(networks: Any) -> dict[str, Module]:
    """The networks among a recipe's ``networks``, by name."""
    return {name: part for name, part in networks._asdict().items() if isinstance(part, Module)}


def below(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The entries ``name/key`` as ``key``."""
    prefix = f"{name}/"
    return {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
