"""Pictures of images: grids of samples, and animations of their progress.

Grids are plain uint8 arrays; files are PNG and GIF, written whole or not at all. Pillow
is imported only when something is saved.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING, Any

import numpy as np

from .serialize import atomic_write

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["image_grid", "save_animation", "save_grid", "to_uint8"]

BACKGROUND = 48  # dark grey: black digits' backgrounds still show their edges
MAX_FRAMES = 60
LAST_FRAME_S = 2.0


def to_uint8(images: Any) -> np.ndarray:
    """Pixels for a screen: ``round(127.5 * (x + 1))``, clipped to 0..255, channels last.

    -1 becomes 0 and 1 becomes 255; halves round to even (0.0, at 127.5, becomes 128). Values beyond
    [-1, 1], infinities included, are clipped.

    Args:
        images: float, shape (N, C, H, W), C = 1 (grey) or 3 (RGB), nominally in [-1, 1].

    Returns:
        uint8, shape (N, H, W, C), C-contiguous.

    Raises:
        TypeError: `images` is not floating point.
        ValueError: another shape, or NaN values.

    >>> to_uint8(np.array([-1.0, 0.0, 0.5, 2.0]).reshape(1, 1, 2, 2))[0, :, :, 0]
    array([[  0, 128],
           [191, 255]], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise TypeError(f"to_uint8: expects floats in [-1, 1], got dtype {images.dtype}")
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"to_uint8: expects shape (N, 1 or 3, H, W), got {images.shape}")
    if np.isnan(images).any():
        raise ValueError(f"to_uint8: {np.isnan(images).sum()} of {images.size} values are NaN")
    # float16 cannot hold the products exactly enough to round.
    pixels = np.clip(images, -1, 1).astype(np.result_type(images, np.float32), copy=False)
    pixels = np.rint((pixels + 1) * 127.5).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def image_grid(images: Any, columns: int = 8, padding: int = 2, scale: int = 1) -> np.ndarray:
    """One picture of many, row by row, on a dark grey ground.

    As torchvision's ``make_grid``, whose ``nrow`` is `columns` here: padding goes around every
    image, the border included, and fewer images than columns make a narrower grid. Unlike there, a
    single image is padded too, and grey stays one channel. The last row may be short.

    Args:
        images: float (N, C, H, W) in [-1, 1] (see `to_uint8`), or uint8 (N, H, W, C); N >= 1.
        columns: images per row, >= 1.
        padding: pixels between images and around them, >= 0, not enlarged by `scale`.
        scale: every pixel becomes a square of scale * scale pixels, >= 1.

    Returns:
        uint8, shape (height, width) for C = 1, (height, width, 3) for C = 3, where
        ``height = rows * (scale * H + padding) + padding``, and width alike.

    Raises:
        TypeError, ValueError: as `to_uint8`; no images; columns, padding or scale out of range.

    >>> image_grid(np.ones((3, 1, 1, 1)), columns=2, padding=1)
    array([[ 48,  48,  48,  48,  48],
           [ 48, 255,  48, 255,  48],
           [ 48,  48,  48,  48,  48],
           [ 48, 255,  48,  48,  48],
           [ 48,  48,  48,  48,  48]], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        images = to_uint8(images)
    elif images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f"image_grid: uint8 expects (N, H, W, 1 or 3), got {images.shape}")
    if len(images) == 0 or columns < 1 or padding < 0 or scale < 1:
        raise ValueError(
            "image_grid: expects at least one image, columns >= 1, padding >= 0, scale >= 1; "
            f"got {len(images)}, {columns}, {padding}, {scale}"
        )
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    n, height, width, channels = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    cell = (height + padding, width + padding)
    shape = (rows * cell[0] + padding, columns * cell[1] + padding, channels)
    grid = np.full(shape, BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top = index // columns * cell[0] + padding
        left = index % columns * cell[1] + padding
        grid[top : top + height, left : left + width] = image
    return grid[:, :, 0] if channels == 1 else grid


def save_grid(
    path: str | os.PathLike[str], images: Any, columns: int = 8, scale: int | None = None
) -> None:
    """Save `image_grid` of `images` as a PNG, atomically.

    Args:
        path: the destination; PNG whatever its suffix.
        images, columns: as for `image_grid`.
        scale: integer enlargement; None picks the largest that keeps the images, padding aside,
            within 680 pixels across and 980 down (8 columns of 28 x 28: 3, 690 pixels in all).

    Raises:
        TypeError, ValueError: as `image_grid`. FileNotFoundError: the folder does not exist.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_grid(f"{folder}/samples.png", np.zeros((64, 1, 28, 28)))
    ...     with Image.open(f"{folder}/samples.png") as picture:
    ...         print(picture.size, picture.mode)
    (690, 690) L
    """
    from PIL import Image

    if scale is None:
        height, width = image_grid(images, columns, padding=0).shape[:2]
        scale = max(1, min(680 // width, 980 // height))
    grid = image_grid(images, columns, scale=scale)
    with atomic_write(path) as file:
        Image.fromarray(grid).save(file, format="PNG", optimize=True)


def save_animation(
    path: str | os.PathLike[str],
    frames: Iterable[Any],
    labels: Iterable[int | str] | None = None,
    seconds: float = 7.0,
) -> None:
    """Save pictures as an endlessly looping GIF, atomically.

    At most 60 frames are shown: of more, every second, fourth, eighth ... is kept, and always the
    first and the last. The last stands for 2 s. Frames are taken one at a time and files are read
    only when their turn comes, so a long run's pictures never fill the memory.

    Args:
        path: the destination; GIF whatever its suffix.
        frames: uint8 arrays of one shape, (H, W) or (H, W, 3), or paths of pictures of one size.
        labels: one per frame, written in a strip below it: a number n as "step n", text as it is.
            None: no strip.
        seconds: playing time of one round, the last frame's 2 s included. A frame stands for at
            least 0.02 s and at most 1 s, which bounds how far few or many frames can be stretched.

    Raises:
        TypeError: a frame is neither uint8 nor a path.
        ValueError: no frames, unequal sizes, not as many labels as frames, seconds <= 0.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     grids = [np.full((90, 120), 50 * i, np.uint8) for i in range(4)]
    ...     save_animation(f"{folder}/run.gif", grids, labels=[0, 500, 1000, 1500])
    ...     with Image.open(f"{folder}/run.gif") as gif:
    ...         print(gif.n_frames, gif.size)
    4 (120, 114)
    """
    if not seconds > 0:
        raise ValueError(f"save_animation: seconds expects a number > 0, got {seconds}")
    if isinstance(frames, Sized) and isinstance(labels, Sized) and len(frames) != len(labels):
        raise ValueError(
            f"save_animation: expects a label per frame, got {len(frames)} frames and "
            f"{len(labels)} labels"
        )
    pairs = _thin(
        ((f, None) for f in frames) if labels is None else zip(frames, labels, strict=True)
    )
    if not pairs:
        raise ValueError("save_animation: expects at least one frame, got none")
    pictures = [_frame(*pair) for pair in pairs]
    if len(sizes := {picture.size for picture in pictures}) > 1:
        raise ValueError(f"save_animation: expects frames of one size, got {sorted(sizes)}")
    each = (seconds - LAST_FRAME_S) / max(1, len(pictures) - 1)
    each = 10 * round(100 * min(max(each, 0.02), 1.0))  # ms; GIF counts in hundredths of a second
    durations = [each] * (len(pictures) - 1) + [int(1000 * LAST_FRAME_S)]
    with atomic_write(path) as file:
        pictures[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
        )


def _thin(items: Iterable[Any]) -> list[Any]:
    """Every 2^k-th of the items, the smallest k that leaves at most MAX_FRAMES, and the last."""
    kept: list[Any] = []
    stride, item, index = 1, None, -1
    for index, item in enumerate(items):
        if index % stride == 0 and len(kept) == MAX_FRAMES:
            kept, stride = kept[::2], 2 * stride
        if index % stride == 0:
            kept.append(item)
    if index % stride:
        kept[MAX_FRAMES - 1 :] = []
        kept.append(item)
    return kept


def _frame(frame: Any, label: int | str | None) -> Image:
    """A palette picture with its caption below."""
    from PIL import Image, ImageDraw, ImageFont

    if isinstance(frame, str | os.PathLike):
        with Image.open(frame) as opened:
            picture = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
    else:
        array = np.asarray(frame)
        if array.dtype != np.uint8:
            raise TypeError(f"save_animation: a frame expects uint8, got dtype {array.dtype}")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
            raise ValueError(
                f"save_animation: a frame expects shape (H, W) or (H, W, 3), got {array.shape}"
            )
        picture = Image.fromarray(array)
    if label is not None:
        text = label if isinstance(label, str) else f"step {label}"
        canvas = Image.new(picture.mode, (picture.width, picture.height + 24), "white")
        canvas.paste(picture)
        size = 16
        while size > 6 and ImageFont.load_default(size).getlength(text) > picture.width - 4:
            size -= 1
        ImageDraw.Draw(canvas).text(
            (picture.width / 2, picture.height + 12),
            text,
            fill="black",
            font=ImageFont.load_default(size),
            anchor="mm",
        )
        picture = canvas
    # Few colours and no dithering: LZW then finds runs, and the file shrinks to about a half. Grey
    # levels are fixed ones, since a palette chosen for each frame would make greys flicker.
    if picture.mode == "L":
        return picture.point([round(v / 17) * 17 for v in range(256)])
    return picture.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
