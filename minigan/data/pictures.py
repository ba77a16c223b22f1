"""Picture files of any kind, brought to one size: found, decoded, cropped, read in parallel."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minigan.data.images import MAX_SIZE, MIN_SIZE, DataError, DataWarning, whole_number

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = {
    *(".jpg", ".jpeg", ".png", ".webp", ".gif"),
    *(".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
}
_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"}
_TOGETHER = 256  # files handed to the threads at a time
_NAMED = 3  # skipped files that a warning names


def split_folder(root: Path, split: str) -> Path:
    """Where the pictures of ``split`` are.

    ``root/train`` and ``root/test`` (or ``val``) where there are both; else all of ``root`` is for
    training, and there are none to test with.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        state = "is a file" if root.exists() else "does not exist"
        raise DataError(f"{root}: expected a folder with images, it {state}")
    tests = [root / name for name in ("test", "val") if (root / name).is_dir()]
    if tests and (root / "train").is_dir():
        return root / "train" if split == "train" else tests[0]
    if split == "test":
        raise DataError(f"{root}: expected folders train and test (or val) in it for split test")
    return root


def find_pictures(root: Path) -> list[str]:
    """The paths of the image files below ``root``, relative to it, with "/", sorted.

    A file is taken for an image by the ending of its name. Names that begin with a dot are left
    out, folders too. Links to folders are not followed.

    Raises:
        DataError: there is none, or a folder cannot be listed.
    """

    def failed(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be listed ({error.strerror})") from error

    found = []
    for folder, below, files in os.walk(root, onerror=failed):
        below[:] = [name for name in below if not name.startswith((".", "__MACOSX"))]
        place = Path(folder).relative_to(root)
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS:
                found.append((place / name).as_posix())
    if not found:
        raise DataError(f"{root}: expected image files (.jpg, .png, …) in it, there are none")
    return sorted(found)


def open_picture(path: Path) -> Image.Image:
    """The picture in ``path``, upright as its EXIF orientation says, in mode "L" or "RGB".

    What is transparent lies on white; 16 bits become 8; of a film the first picture is taken.

    Raises:
        ValueError: more than 16 bits; besides, whatever Pillow raises of a damaged file.
    """
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
    grey = image.mode in _GREY
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("expected at most 16 bits a channel")
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("expected whole numbers of at most 16 bits, got floating point")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if grey else "RGB")


def squared(image: Image.Image, size: int, *, nearest: bool = False) -> Image.Image:
    """The central square of ``image``, brought to ``size`` by ``size`` pixels.

    Bilinear with antialiasing, as ``resized``; ``nearest`` mixes no values.

    >>> from PIL import Image
    >>> image = Image.fromarray(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8))
    >>> np.asarray(squared(image, 2))
    array([[2, 3],
           [6, 7]], dtype=uint8)
    """
    from PIL import Image

    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if side == size:
        return image
    kind = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    return image.resize((size, size), kind)


def planes(image: Image.Image, channels: int) -> np.ndarray:
    """The pixels of a picture as uint8 (channels, H, W), grey for one and R, G, B for three."""
    if channels == 1:
        return np.asarray(image.convert("L"))[np.newaxis]
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def decide(
    paths: Iterable[Path], image_size: int | None, channels: int | None, columns: int = 1
) -> tuple[int, int]:
    """The size and channels to bring the pictures to, where not given, from the files' headers.

    One channel if all are grey, else three. The size only if all are square and of one size.

    Args:
        paths: the pictures. Damaged ones are passed over.
        image_size: None: to be found out.
        channels: 1, 3 or None: to be found out.
        columns: how many pictures stand side by side in each.

    Raises:
        DataError: an option out of range; no size given, and there is no common one.
    """
    from PIL import Image

    if channels is not None and whole_number("channels", channels, 1, 3) == 2:
        raise DataError("channels: expected 1 (grey) or 3 (colour), got 2")
    if image_size is not None:
        image_size = whole_number("image_size", image_size, MIN_SIZE, MAX_SIZE)
    size, grey = image_size, True
    for path in paths:
        if image_size is not None and (channels is not None or not grey):
            break
        try:
            with Image.open(path) as image:
                mode, (width, height) = image.mode, image.size
        except Exception:  # Pillow's decoders raise nearly anything; reading says it later
            continue
        grey = grey and mode in _GREY
        if image_size is None:
            fits = width == columns * height and MIN_SIZE <= height <= MAX_SIZE
            if not fits or size not in (None, height):
                raise DataError(
                    f"image_size: expected one (--image-size N), as the images are not squares of "
                    f"one size; {path} has {width}x{height} pixels"
                )
            size = height
    if size is None:
        raise DataError("image_size: expected one (--image-size N), as no image could be read")
    return size, channels or (1 if grey else 3)


def read_all(
    source: str, names: Sequence[str], read: Callable[[int], None], strict: bool
) -> tuple[list[int], tuple[str, ...]]:
    """Call ``read(i)`` for every name, on a few threads, with a progress bar if it takes long.

    What ``read`` raises makes the image a broken one: it is left out and a DataWarning says so.

    Args:
        source: the data set, for the warning.
        names: the path of each image, for the messages.
        read: stores image i where it belongs. Pillow lets go of the interpreter's lock.
        strict: stop at the first broken image instead.

    Returns:
        The indices that could be read, and for each other a line with its path and the reason.

    Raises:
        DataError: no image could be read, or with ``strict`` one could not.
    """
    from tqdm import tqdm

    def attempt(index: int) -> str | None:
        try:
            read(index)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything of damaged bytes
            return _reason(error)
        return None

    kept, skipped = [], []
    silent = sys.stderr is None or not sys.stderr.isatty()
    with (
        ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool,
        tqdm(total=len(names), desc=source, disable=silent, delay=1, leave=False) as bar,
    ):
        for first in range(0, len(names), _TOGETHER):
            part = range(first, min(first + _TOGETHER, len(names)))
            for index, reason in zip(part, pool.map(attempt, part), strict=True):
                bar.update()
                if reason is None:
                    kept.append(index)
                    continue
                skipped.append(f"{names[index]}: {reason}")
                if strict:
                    raise DataError(skipped[0])
    if not kept:
        raise DataError(f"{source}: none of its {len(names)} images can be used; {skipped[0]}")
    if skipped:
        warnings.warn(
            f"{source}: {len(skipped)} of {len(names)} images cannot be used and are left out: "
            f"{listed(skipped)}",
            DataWarning,
            stacklevel=4,
        )
    return kept, tuple(skipped)


def listed(skipped: Sequence[str]) -> str:
    """The first few of the images left out, and how many more there are.

    >>> listed(["a.png: cut", "b.png: cut", "c.png: cut", "d.png: cut"])
    'a.png: cut; b.png: cut; c.png: cut; and 1 more'
    """
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    return "; ".join(skipped[:_NAMED]) + more


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no image of a known format"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    return " ".join(str(error).split()) or type(error).__name__
