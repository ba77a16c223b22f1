"""What a run was asked to do, completely, as ``config.json`` holds it."""

from __future__ import annotations

import json
import platform
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, cuda
from .precision import PRECISIONS
from .serialize import write_json

# What ``data.load`` can be told about a data set beside its place and the size of its images.
DATA_OPTIONS = {"labels": str, "attributes": str, "channels": int, "direction": str, "strict": bool}


class RunError(ValueError):
    """A run folder or an option of a run is not what it should be; one clear line."""


@dataclass(frozen=True)
class Config:
    """A run is a function of this, the data and the versions."""

    recipe: str
    settings: dict[str, Any]
    data: str
    data_dir: str | None
    image_size: int | None
    steps: int
    batch_size: int
    seed: int
    device: str
    sample_every: int
    checkpoint_every: int
    data_options: dict[str, Any] = field(default_factory=dict)  # names of DATA_OPTIONS
    augment: str | None = None  # see ``data.augmentation``
    precision: str = "fp32"  # of products in training steps, see ``precision``
    graph: bool = True  # on a GPU, record steps and replay them
    ranks: int = 1  # processes that train together, each with ``batch_size`` images in a step
    sync_batchnorm: bool = False  # BatchNorm by the images of all of them
    versions: dict[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self):
        least = {"steps": 1, "batch_size": 1, "seed": 0, "sample_every": 1, "checkpoint_every": 1}
        least["ranks"] = 1
        if self.image_size is not None:
            least["image_size"] = 1
        for name, low in least.items():
            value = getattr(self, name)
            if type(value) is not int or value < low:
                raise RunError(f"{name} expects a whole number of at least {low}, got {value!r}")
        for name in ("recipe", "data", "device"):
            if not isinstance(getattr(self, name), str):
                raise RunError(f"{name} expects a text, got {getattr(self, name)!r}")
        if self.data_dir is not None and not isinstance(self.data_dir, str):
            raise RunError(f"data_dir expects a path, got {self.data_dir!r}")
        if self.augment is not None and not isinstance(self.augment, str):
            raise RunError(f"augment expects a text, got {self.augment!r}")
        if self.device not in ("cpu", "cuda"):
            raise RunError(f'device expects "cpu" or "cuda", got {self.device!r}')
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise RunError(f"precision expects one of {known}, got {self.precision!r}")
        if self.precision == "tf32" and self.device == "cpu":
            raise RunError("--precision tf32: is for --device cuda, a CPU has no TF32")
        if not isinstance(self.graph, bool):
            raise RunError(f"graph expects true or false, got {self.graph!r}")
        if type(self.sync_batchnorm) is not bool:
            raise RunError(f"sync_batchnorm expects true or false, got {self.sync_batchnorm!r}")
        if not isinstance(self.settings, dict):
            raise RunError(f"settings expects names with values, got {self.settings!r}")
        if not isinstance(self.data_options, dict):
            raise RunError(f"data_options expects names with values, got {self.data_options!r}")
        for name, value in self.data_options.items():
            if type(value) is not DATA_OPTIONS.get(name):
                raise RunError(f"data_options has an entry that it cannot have: {name}={value!r}")
        for place in (self.data, self.data_dir or "", self.data_options.get("labels", "")):
            if any("\ud800" <= character <= "\udfff" for character in place):
                raise RunError(
                    f"{place!a}: expected a path in UTF-8, so that it can be written down"
                )

    def write(self, folder: Path) -> None:
        """Save as ``config.json``, with the versions of now."""
        write_json(folder / "config.json", {**asdict(self), "versions": versions()})


def read_config(folder: Path) -> Config:
    """The configuration of the run in ``folder``.

    Raises:
        RunError: there is no folder, no run in it, or its config.json is damaged.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder")
    if not path.is_file():
        raise RunError(f"{folder}: is not a run folder (it has no config.json)")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is no object")
        needed = [
            f.name for f in fields(Config) if f.default is MISSING and f.default_factory is MISSING
        ]
        if missing := sorted(set(needed) - set(values)):
            raise ValueError(f"it lacks {', '.join(missing)}")
        if unknown := sorted(set(values) - {f.name for f in fields(Config)}):
            raise ValueError(f"it has unknown entries {', '.join(unknown)}")
        return Config(**values)
    except (ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({error})") from error


def versions() -> dict[str, str]:
    """The versions that a run's numbers depend on."""
    import scipy

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "minigan": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "platform": platform.platform(),
    }


def choose_device(device: str) -> str:
    """The device that ``device`` names: "auto" is the GPU where there is one, else the CPU."""
    if device == "auto":
        return "cuda" if cuda.is_available() else "cpu"
    if device == "cuda" and not cuda.is_available():
        raise RunError(
            f"--device cuda: no usable GPU, {cuda.missing()} (needs an NVIDIA GPU with its driver, "
            'and CuPy: pip install "minigan[cuda13x]" or "minigan[cuda12x]"); '
            "use --device cpu or auto"
        )
    return device
