"""What a run has trained: its networks, and images or points from them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .config import Config, RunError, read_config
from .cpu.threads import one_blas_thread
from .data import DataError, DataWarning, load
from .gan import ImageShape, Recipe, Request, recipe_for
from .gan.sampling import restore
from .gan.schema import Data
from .gan.streams import stream
from .generators import Generator
from .serialize import SerializeError, read_npz


def sample(
    folder: Path,
    count: int,
    seed: int,
    labels: np.ndarray | None = None,
    inputs: np.ndarray | None = None,
) -> np.ndarray:
    """``count`` images (N, C, H, W) float32 in [-1, 1], or points (N, 2), of the run in ``folder``.

    The first images of a seed are the same whatever ``count`` is.

    Args:
        labels: weights of the classes (count, classes), for a system that knows classes.
        inputs: images (count, C, H, W) in [-1, 1], for a system that makes images from images; by
            default ``own_inputs``.
    """
    trained = load_networks(folder)
    if inputs is None and trained.recipe.view.from_images:
        inputs = own_inputs(trained.config, count, seed)
    return trained.sample(Request(count, seed, labels, inputs))


def own_inputs(config: Config, count: int | None, seed: int) -> np.ndarray:
    """Images (count, C, H, W) in [-1, 1] of the run's data, those not trained on where there are.

    They come in an order drawn from ``seed``; by default 64, or all if there are fewer.

    Raises:
        RunError: there are not so many.
    """
    try:
        data = data_of(config, "test")
    except DataError:  # all there is was for training
        data = data_of(config)
    if count is not None and count > len(data):
        raise RunError(f"-n {count}: {data.name} has only {len(data)} {data.unit}")
    order = Generator().manual_seed(stream(seed, "sample")).rng.permutation(len(data))
    return data.take(order[: count or 64])[0]


class Trained(NamedTuple):
    """A run's recipe and networks (the moving average in the generator's place), and the shape of
    its images."""

    config: Config
    recipe: Recipe
    networks: Any
    shape: ImageShape

    def sample(self, request: Request) -> np.ndarray:
        """Images (N, C, H, W) float32 in [-1, 1], or points (N, 2)."""
        with one_blas_thread:
            return self.recipe.view.sample(self.networks, request, "cpu")

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Images, or points, of rows of the view's space, see gan/explore.py."""
        with one_blas_thread:
            return self.recipe.view.decode(self.networks, rows, "cpu")


def load_networks(folder: Path) -> Trained:
    """What the run in ``folder`` has trained, from its checkpoint."""
    config = read_config(folder)
    chosen = recipe_for(config.recipe, config.data)
    path = folder / "checkpoint.npz"
    if not path.is_file():
        raise RunError(f"{folder}: has no checkpoint yet, so there is nothing to sample from")
    try:
        networks, shape = restore(chosen, chosen.configure(config.settings), read_npz(path))
    except SerializeError:
        raise
    except ValueError as error:
        raise RunError(f"{path}: {error}") from error
    return Trained(config, chosen, networks, shape)


def data_of(config: Config, split: str = "train") -> Data:
    """The data set of a run; images that it leaves out were spoken of in training."""
    places = {"data_dir": config.data_dir, "image_size": config.image_size}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return load(config.data, split=split, **places, **config.data_options)
