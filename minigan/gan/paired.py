"""How a system that makes images from images shows what it has learnt: in triples.

    input | output | target

The generator works as it did in training, image by image: dropout is its only noise, and BatchNorm
takes the statistics of the image itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd import no_grad
from ..data import PairData
from ..data.images import centred
from ..generators import default_generator
from ..report import save_grid
from .autoencoding import spread
from .differentiable import replaced
from .schema import Grid, ImageShape, Networks, Request, View
from .streams import stream
from .values import SettingError

TRIPLES = 8  # in the pictures of a run


def refuse_colour(settings: Any) -> None:
    """Among the augmentations of what the critic sees."""
    if "color" in settings.augment:
        raise SettingError(
            "augment=color would change input and target together as the colours of one image; "
            "translation and cutout are fine"
        )


@no_grad()
def translate(generator: Any, inputs: np.ndarray, seed: int, device: str = "cpu") -> np.ndarray:
    """Images (N, C, H, W) made from ``inputs``, one by one; ``seed`` draws the dropout.

    Nothing is changed by it: running statistics and the random generator are put back.
    """
    chance = default_generator(device)
    before = chance.get_state()
    was_training = generator.training
    generator.train()
    try:
        with replaced(generator, {}):
            made = []
            for i, image in enumerate(inputs):
                chance.manual_seed(stream(seed, f"image {i}"))
                made.append(generator(Tensor(image[None]).to(device=device)).cpu().numpy())
    finally:
        generator.train(was_training)
        chance.set_state(before)
    return np.concatenate(made)


def triples(inputs: np.ndarray, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Input, output and target of each (3N, C, H, W); grey beside colour becomes colour."""
    channels = max(inputs.shape[1], targets.shape[1])
    same = [
        np.broadcast_to(x, (len(x), channels, *x.shape[2:])) for x in (inputs, outputs, targets)
    ]
    return np.stack(same, 1).reshape(-1, *same[0].shape[1:])


def examples(
    networks: Networks, data: PairData, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Some pairs of the data."""
    return data.take(rng.permutation(len(data))[:TRIPLES])


def pictures(networks: Networks, chosen: tuple[np.ndarray, ...], device: str) -> Grid:
    """Two triples a row."""
    inputs, targets = chosen
    return Grid(triples(inputs, translate(networks.generator, inputs, 0, device), targets), 6)


def sample(networks: Networks, request: Request, device: str) -> np.ndarray:
    """What the inputs become."""
    if request.labels is not None:
        raise SettingError("pix2pix makes images from images, so no class can be asked for")
    return translate(networks.generator, request.inputs, request.seed, device)


def shapes(networks: Networks, shape: ImageShape) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Inputs of the two networks."""
    size = shape.size[1:]
    return {
        "generator": ((2, shape.inputs, *size),),
        "critic": ((2, shape.inputs + shape.channels, *size),),
    }


def save_triples(networks: Networks, data: PairData, path: Path, device: str) -> None:
    """Pairs spread evenly over the data."""
    chosen = spread(len(data), TRIPLES)
    inputs, targets = centred(data.inputs[chosen]), centred(data.targets[chosen])
    outputs = translate(networks.generator, inputs, 0, device)
    save_grid(path, triples(inputs, outputs, targets), 6)


VIEW = View(
    examples, pictures, sample, shapes, from_images=True, figures={"triples.png": save_triples}
)
