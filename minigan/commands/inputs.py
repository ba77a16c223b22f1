"""What images and classes a run was trained on, for commands that show what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config import Config, RunError
from ..data import DataError, ImageData
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


def read_inputs(trained: Trained, place: Path) -> np.ndarray:
    """The picture at ``place``, or all in that folder, read as the run's own inputs were.

    The central square is brought to the run's size, grey or in colour as the run's are.  Where the
    run learnt from pairs side by side, of a picture twice as wide as high its input half is taken.

    Returns:
        float32 (N, C, H, W) in [-1, 1].

    Raises:
        DataError: nothing is there, or a picture cannot be read.
    """
    if not place.exists():
        raise DataError(f"--input {place}: does not exist")
    paths = [place / name for name in find_pictures(place)] if place.is_dir() else [place]
    shape = trained.shape
    images = np.empty(
        (len(paths), shape.inputs or shape.channels, shape.height, shape.width), np.uint8
    )

    def read(index: int) -> None:
        picture = _input_half(open_picture(paths[index]), trained.config)
        mask = shape.inputs and picture.getcolors(MASK_COLOURS) is not None
        images[index] = planes(squared(picture, shape.height, nearest=bool(mask)), images.shape[1])

    read_all(str(place), [str(path) for path in paths], read, strict=True)
    return centred(images)


def _input_half(picture: Image.Image, config: Config) -> Image.Image:
    kind, folders = parsed(config.data)
    width, height = picture.size
    if kind != "pairs" or len(folders) != 1 or width != 2 * height:
        return picture
    left = height if config.data_options.get("direction") == "BtoA" else 0
    return picture.crop((left, 0, left + height, height))
