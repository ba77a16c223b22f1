"""A trained run, measured: samples against real images, by every metric."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..config import Config, RunError, read_config
from ..data import DataError, ImageData, PairData, PointData
from ..data.pictures import split_folder
from ..data.registry import parsed
from ..serialize import atomic_write, read_npz, write_json
from .draws import Draw, draw
from .features import VERSION, FeatureNetwork, Progress, feature_network, silent
from .halves import Halves, halves
from .measures import Metrics, measure
from .neighbours import picture
from .points import measure_points
from .table import table


@dataclass(frozen=True)
class Evaluation:
    """What became of it.

    Attributes:
        result: what ``evaluation.json`` holds: the run ("recipe", "data", "step"); "count", "seed"
            and "samples" (how they were made, if that needs saying); "real", where the images came
            from; "network", None for points; and "metrics", see ``measure`` and ``measure_points``.
            Infinite values are None.
        nearest: the picture of samples above their nearest training images, uint8; None of points.
    """

    result: dict[str, Any]
    nearest: np.ndarray | None

    def __str__(self) -> str:
        """The result as a table."""
        return table(self.result)

    def save(self, numbers: Path, nearest: Path) -> None:
        """Write the result as JSON and the picture, if there is one, as PNG, atomically."""
        from PIL import Image

        write_json(numbers, self.result)
        if self.nearest is None:
            return
        with atomic_write(nearest) as file:
            Image.fromarray(self.nearest).save(file, format="PNG", optimize=True)


def evaluate(
    folder: str | os.PathLike[str],
    count: int | None = None,
    seed: int = 0,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    network: FeatureNetwork | None = None,
    sampler: Draw = draw,
    progress: Progress = silent,
) -> Evaluation:
    """Measure the run in ``folder``; nothing is written there.

    ``count`` samples are compared with as many real images, and so are as many other real images,
    which gives each metric's floor; points with points. The real ones are drawn from the test
    split; where there is none, from what was trained on, and the result says so.

    Args:
        folder: the run.
        count: samples; None: half as many as there are test images, at most 5000.
        seed: of the samples and of the real images drawn.
        data_dir: where the data set's files are, if not where they were in training.
        network: whose features are compared; None: ``feature_network`` of the training images.
        sampler: makes the samples; ``draws.draw`` knows every system of this package.
        progress: told of what is being done.

    Raises:
        RunError: no run, no checkpoint, a run on pairs of images, too few real images,
            samples that are not finite.
        DataError, SerializeError: the data set or the checkpoint cannot be read.
    """
    folder = Path(folder)
    config = read_config(folder)
    step = _step(folder)
    train, test = splits_of(config, data_dir)
    real = halves(train, test, count, seed)
    samples, labels, said = sampler(folder, real, seed)
    if samples.shape[1:] != real.first.shape[1:]:
        raise RunError(
            f"{folder}: its samples have the shape {samples.shape[1:]}, the {train.unit} of "
            f"{train.name} {real.first.shape[1:]}; is it the data that it was trained on?"
        )
    if not np.isfinite(samples).all():
        raise RunError(f"{folder}: its samples are not finite, so there is nothing to measure")
    metrics, described, nearest = _measured(samples, labels, train, real, network, progress)
    result = {
        "recipe": config.recipe,
        "data": train.name,
        "step": step,
        "count": len(samples),
        "seed": seed,
        "samples": said,
        "real": real.said,
        "network": described,
        "metrics": {
            name: {key: value if np.isfinite(value) else None for key, value in values.items()}
            for name, values in metrics.items()
        },
    }
    return Evaluation(result, nearest)


def _measured(
    samples: np.ndarray,
    labels: np.ndarray | None,
    train: ImageData | PointData,
    real: Halves,
    network: FeatureNetwork | None,
    progress: Progress,
) -> tuple[Metrics, dict[str, Any] | None, np.ndarray | None]:
    """The metrics, the network that was looked through, the picture of the nearest images."""
    if isinstance(train, PointData):
        return measure_points(samples, train, real, labels), None, None
    if network is None:
        network = feature_network(train, progress=progress)
    metrics, neighbours = measure(samples, train, real, network, labels=labels, progress=progress)
    return metrics, _described(network, real), picture(samples, train, neighbours)


def _step(folder: Path) -> int:
    """The generator steps that the run's checkpoint has behind it."""
    path = folder / "checkpoint.npz"
    if not path.is_file():
        raise RunError(f"{folder}: has no checkpoint yet, so there is nothing to evaluate")
    try:
        return int(json.loads(read_npz(path)["state.json"].tobytes())["step"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise RunError(f"{path}: is not the checkpoint of a training ({error})") from error


def splits_of(config: Config, data_dir: str | os.PathLike[str] | None = None) -> tuple[Any, Any]:
    """The run's training images or points, and the test ones where the data set has some."""
    train = data.load(config.data, **_options(config, data_dir))
    if isinstance(train, PairData):
        raise RunError(f"measuring expects a run on single images, {train.name} has {train.unit}")
    return train, held_out(config, data_dir)


def held_out(config: Config, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """The images that a run of ``config`` does not learn from, where the data set has some."""
    kind, folders = parsed(config.data)
    if kind == "folder":
        try:
            split_folder(folders[0], "test")
        except DataError:
            return None
    return data.load(config.data, split="test", **_options(config, data_dir))


def _options(config: Config, data_dir: str | os.PathLike[str] | None) -> dict[str, Any]:
    return {
        "data_dir": config.data_dir if data_dir is None else data_dir,
        "image_size": config.image_size,
        **config.data_options,
    }


def _described(network: FeatureNetwork, real: Halves) -> dict[str, Any]:
    """The network, and how well it knows the real images it was not trained on, if there are."""
    described: dict[str, Any] = {"kind": network.kind, "version": VERSION}
    _, classes = network(real.second)
    if classes is None:
        described["error"] = network.error(real.second)
    elif real.labels is not None:
        described["accuracy"] = float((classes == real.labels).mean())
    return described
