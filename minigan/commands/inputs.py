"""What images and classes a run was trained on, for commands that show what became of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config import Config, RunError
from ..data import DataError, DataWarning, ImageData
from ..data.images import centred
from ..data.pairs import MASK_COLOURS
from ..data.pictures import find_pictures, open_picture, planes, read_all, squared
from ..data.registry import parsed
from ..gan.schema import Space
from ..trained import Trained, data_of
from .labels import label_weights

if TYPE_CHECKING:
    from PIL import Image


def space_of(trained: Trained) -> Space:
    """What the images of the run are made from.

    Raises:
        RunError: from images.
    """
    view = trained.recipe.view
    if view.space is None or view.decode is None:
        raise RunError(
            f"{trained.recipe.name} makes images from images, not from numbers or classes that "
            "could be chosen"
        )
    return view.space(trained.networks)


def labels_of(trained: Trained, text: str) -> np.ndarray:
    """The classes in ``text``, by number or by the data's names, as weights (classes,)."""
    space = space_of(trained)
    if not space.classes:
        raise RunError(
            f"--label {text}: this {trained.recipe.name} was trained without classes, so none can "
            "be asked for"
        )

    def names() -> tuple[str, ...]:
        data = None if space.discovered else data_of(trained.config)
        return data.class_names if isinstance(data, ImageData) else ()

    return label_weights(text, space.classes, names)


def read_inputs(
    trained: Trained, place: Path, count: int | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The picture at ``place``, or those in that folder, read as the run's own inputs were.

    The central square is brought to the run's size, grey or in colour as the run's are.  Where the
    run learnt from pairs side by side, of a picture twice as wide as high its input half is taken.

    Args:
        count: of a folder, only the first so many.

    Returns:
        float32 (N, C, H, W) in [-1, 1], and of each picture in a folder that cannot be read, and is
        left out, its path and the reason.

    Raises:
        DataError: nothing is there, or no picture can be read.
    """
    if not place.exists():
        raise DataError(f"--input {place}: does not exist")
    folder = place.is_dir()
    paths = [place / name for name in find_pictures(place)][:count] if folder else [place]
    shape = trained.shape
    images = np.empty(
        (len(paths), shape.inputs or shape.channels, shape.height, shape.width), np.uint8
    )

    def read(index: int) -> None:
        picture = _input_half(open_picture(paths[index]), trained.config)
        mask = shape.inputs and picture.getcolors(MASK_COLOURS) is not None
        images[index] = planes(squared(picture, shape.height, nearest=bool(mask)), images.shape[1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the caller says it
        kept, broken = read_all(str(place), [str(path) for path in paths], read, strict=not folder)
    return centred(images[kept]), broken


def _input_half(picture: Image.Image, config: Config) -> Image.Image:
    kind, folders = parsed(config.data)
    width, height = picture.size
    if kind != "pairs" or len(folders) != 1 or width != 2 * height:
        return picture
    left = height if config.data_options.get("direction") == "BtoA" else 0
    return picture.crop((left, 0, left + height, height))
