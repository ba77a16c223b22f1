"""One door to every data set: its name and options in, arrays out.

What reads a kind of files is imported when such files are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigan.data.idx import count_mnist, load_mnist
from minigan.data.images import DataError, ImageData, resized, whole_number
from minigan.data.mixtures import COUNTS as POINTS
from minigan.data.mixtures import MIXTURES, PointData, load_mixture
from minigan.data.pairs import PairData, count_pairs, load_pairs

_NAMES = ("glyphs", "mnist", "cifar10", "folder:PATH", "pairs:PATH", "pairs:DIRA,DIRB", *MIXTURES)
_SPLITS = ("train", "test")
# Which options each kind takes beside split and count; points take no others.
_OPTIONS = {
    "glyphs": ("image_size",),
    "mnist": ("image_size", "data_dir"),
    "cifar10": ("image_size", "data_dir"),
    "folder": ("image_size", "labels", "attributes", "channels", "strict"),
    "pairs": ("image_size", "direction", "channels", "strict"),
    **dict.fromkeys(MIXTURES, ()),
}


def names() -> tuple[str, ...]:
    """The names that ``load`` knows; capitals stand for what the caller puts there.

    >>> names()[:4]
    ('glyphs', 'mnist', 'cifar10', 'folder:PATH')
    """
    return _NAMES


def full_name(name: str) -> str:
    """``name`` with absolute paths, so that it means the same from any folder.

    >>> full_name("mnist"), full_name("pairs:/data/a/../photos,/data/maps")
    ('mnist', 'pairs:/data/photos,/data/maps')
    """
    kind, folders = parsed(name)
    return f"{kind}:{','.join(str(f.resolve()) for f in folders)}" if folders else kind


def short_name(name: str) -> str:
    """What the data set is called in titles and file names: for folders, the (first) folder.

    >>> short_name("mnist"), short_name("folder:/data/newts")
    ('mnist', 'newts')
    """
    kind, folders = parsed(name)
    return folders[0].resolve().name if folders else kind


def is_points(name: str) -> bool:
    """Whether the data set has points in the plane, not images.

    >>> is_points("ring"), is_points("folder:ring")
    (True, False)
    """
    return parsed(name)[0] in MIXTURES


def count(
    name: str, *, data_dir: str | os.PathLike[str] | None = None, split: str = "train"
) -> int:
    """How many samples ``load`` gives, as far as can be told without decoding images.

    Broken images in folders are counted. Arguments and errors are ``load``'s.

    >>> count("glyphs", split="test")
    2000
    """
    kind, folders = parsed(name)
    _expect_split(split)
    if kind == "glyphs":
        from minigan.data.glyph_cache import COUNTS

        return COUNTS[split]
    if kind == "mnist":
        return count_mnist(split, data_dir)
    if kind == "cifar10":
        from minigan.data.cifar10 import load_cifar10

        return len(load_cifar10(split, data_dir))
    if kind in MIXTURES:
        return POINTS[split]
    if kind == "pairs":
        return count_pairs(folders, split)
    from minigan.data.folder import count_folder

    return count_folder(folders[0], split)


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    split: str = "train",
    count: int | None = None,
    labels: str | os.PathLike[str] | None = None,
    attributes: str | Sequence[str] = (),
    channels: int | None = None,
    direction: str | None = None,
    strict: bool = False,
) -> ImageData | PairData | PointData:
    """Load a data set by name.

    ``"glyphs"``: digits drawn from bundled fonts on first use, then kept in ``$MINIGAN_CACHE``
    (else ``$XDG_CACHE_HOME/minigan``, else ``~/.cache/minigan``); needs no download and no
    ``data_dir``. 20,000 train and 2,000 test images; ``count`` may ask for up to 200,000.
    ``"mnist"``: the four IDX files, plain or gzip, in ``data_dir``.
    ``"cifar10"``: the binary or the Python batches in ``data_dir``, or in an archive there.
    ``"folder:PATH"``: the images below a folder, with sub-folders or a table as labels.
    ``"pairs:PATH"``: images with A and B side by side; ``"pairs:DIRA,DIRB"``: two folders with
    images of the same names.
    ``"ring"``, ``"ring-2"``, ``"grid"``, ``"roll"``: 100,000 train and 5,000 test points in the
    plane, always the same, see ``mixture``.

    Args:
        name: one of ``names()``.
        data_dir: the folder with the data set's files, for mnist and cifar10.
        image_size: side in pixels to bring images to, 8 to 512; None leaves them as they are.
            Grey 28x28 images get a black border to become 32x32, which keeps their strokes; other
            sizes are resized with an antialiasing bilinear filter, folders' images after their
            central square was cut out.
        split: "train" or "test". A folder is split by its sub-folders train and test (or val).
        count: take only the first ``count`` images or points.
        labels: for folders, a text file with a label for each image, e.g. CelebA's.
        attributes: for folders, which columns of that file to use, as a list or as one text with
            commas between them.
        channels: for folders and pairs, 1 (grey) or 3 (colour); None: grey if all images are.
        direction: for pairs, "AtoB" (also None) or "BtoA".
        strict: for folders and pairs, stop at an image that cannot be used, instead of leaving it
            out with a DataWarning.

    Returns:
        ImageData with uint8 images (N, C, H, W), int64 labels (N,) or None; for pairs, PairData;
        for points, PointData.

    Raises:
        DataError: an unknown name or split, an option out of range or not for this data set, more
            images asked for than there are, or files that are missing or damaged.

    >>> load("glyphs", count=20, image_size=32).images.shape
    (20, 1, 32, 32)
    >>> load("imagenet")
    Traceback (most recent call last):
        ...
    minigan.data.DataError: data set: expected one of glyphs, mnist, cifar10, folder:PATH,
    pairs:PATH, pairs:DIRA,DIRB, ring, ring-2, grid, roll; got 'imagenet'
    """
    kind, folders = parsed(name)
    _expect_split(split)
    if count is not None:
        count = whole_number("count", count, 1)
    if isinstance(attributes, str):
        attributes = [name.strip() for name in attributes.split(",")]
    given: dict[str, Any] = {
        "image_size": image_size,
        "data_dir": data_dir,
        "labels": labels,
        "attributes": attributes or None,
        "channels": channels,
        "direction": direction,
        "strict": strict or None,
    }
    options = {key: value for key, value in given.items() if value is not None}
    for key in options:
        if key not in _OPTIONS[kind]:
            raise DataError(f"{key}: {_refusal(key, name)}")
    if kind in MIXTURES:
        return load_mixture(name, split, count)
    if kind == "folder":
        from minigan.data.folder import load_folder

        if labels is not None:
            options["labels"] = Path(labels).expanduser()
        return load_folder(folders[0], split, count=count, **options)
    if kind == "pairs":
        return load_pairs(folders, split, count=count, **options)
    if kind == "glyphs":
        from minigan.data.glyph_cache import load_glyphs

        data = load_glyphs(split, count)
    else:
        if kind == "mnist":
            data = load_mnist(split, data_dir)
        else:
            from minigan.data.cifar10 import load_cifar10

            data = load_cifar10(split, data_dir)
        if count is not None and count > len(data):
            raise DataError(
                f"count: expected at most the {len(data)} images of {name} {split}, got {count}"
            )
    images = data.images[:count]
    if image_size is not None:
        images = resized(images, image_size)
    kept_labels = None if data.labels is None else data.labels[:count]
    return ImageData(data.name, images, kept_labels, data.classes, data.class_names)


def parsed(name: str) -> tuple[str, list[Path]]:
    """The kind of a data set, and the folders in its name."""
    if isinstance(name, str):
        kind, _, place = name.partition(":")
        if name in ("glyphs", "mnist", "cifar10", *MIXTURES):
            return name, []
        if kind == "folder" and place:
            return kind, [Path(place).expanduser()]
        if kind == "pairs" and place:
            # A comma may also be a part of one folder's name.
            parts = [place] if Path(place).expanduser().is_dir() else place.split(",")
            if len(parts) <= 2 and all(parts):
                return kind, [Path(part).expanduser() for part in parts]
    raise DataError(f"data set: expected one of {', '.join(_NAMES)}; got {name!r}")


def _refusal(option: str, name: str) -> str:
    """Why the data set of that name does not take the option."""
    if is_points(name):
        return f"is for images, {name} has points"
    takers = [kind for kind, options in _OPTIONS.items() if option in options]
    return f"is for {' and '.join(takers)}, not for {name}"


def _expect_split(split: str) -> None:
    if split not in _SPLITS:
        raise DataError(f"split: expected one of {', '.join(_SPLITS)}; got {split!r}")
