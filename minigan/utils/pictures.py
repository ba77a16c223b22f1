"""Images as one picture, with torchvision's names and meanings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from .._tensor import Tensor
from ..array import to_device
from ..serialize import atomic_write


def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Images side by side, row by row: (N, C, H, W) to one (C, H', W'), C = 1 becoming 3.

    With c = min(nrow, N) columns and r = ⌈N/c⌉ rows, H' = r·(H + padding) + padding and
    W' = c·(W + padding) + padding; a single image is given back without a border.

    Args:
        tensor: (N, C, H, W), (C, H, W), (H, W), or a list of images of one shape.
        nrow: images in a row.
        padding: pixels between images and around them.
        normalize: clip to ``value_range`` = (low, high), then (x - low)/max(high - low, 1e-5).
        value_range: what becomes 0 and 1 (default: the smallest and largest value).
        scale_each: take that range from each image for itself.
        pad_value: of the pixels between images.

    Returns:
        A Tensor on the CPU of the images' dtype (float32 where integers are normalized).

    Raises:
        TypeError: neither a Tensor nor a list of Tensors.
        ValueError: no images, or not of these shapes.

    >>> import minigan
    >>> make_grid(minigan.zeros(5, 1, 4, 4), nrow=3).shape
    (3, 14, 20)
    """
    images = _batch(tensor)
    if normalize:
        images = images.astype(images.dtype if images.dtype.kind == "f" else np.float32)
        for part in images if scale_each else [images]:
            low, high = value_range or (float(part.min()), float(part.max()))
            np.clip(part, low, high, out=part)
            part -= low
            part /= max(high - low, 1e-5)
    count, c, h, w = images.shape
    if count == 1:
        return Tensor(images[0].copy())
    if nrow < 1 or padding < 0:
        raise ValueError(
            f"make_grid: nrow must be positive and padding not negative, got {nrow} and {padding}"
        )
    columns = min(nrow, count)
    rows = -(-count // columns)
    shape = (c, rows * (h + padding) + padding, columns * (w + padding) + padding)
    grid = np.full(shape, pad_value, images.dtype)
    for i, image in enumerate(images):
        top, left = i // columns * (h + padding) + padding, i % columns * (w + padding) + padding
        grid[:, top : top + h, left : left + w] = image
    return Tensor(grid)


def _batch(tensor: Any) -> np.ndarray:
    """The images as an array (N, C, H, W)."""
    if isinstance(tensor, Tensor):
        images = to_device(tensor.array, "cpu")
    elif isinstance(tensor, (list, tuple)) and all(isinstance(t, Tensor) for t in tensor):
        if not tensor or len({t.shape for t in tensor}) > 1:
            raise ValueError(
                "make_grid: expected images of one shape, at least one, got "
                f"{[t.shape for t in tensor]}"
            )
        images = np.stack([to_device(t.array, "cpu") for t in tensor])
        if images.ndim != 4:
            raise ValueError(f"make_grid: expected images (C, H, W), got {tensor[0].shape}")
    else:
        raise TypeError(
            f"make_grid: expected a Tensor or a list of Tensors, got {type(tensor).__name__}"
        )
    if images.ndim not in (2, 3, 4) or not images.size:
        raise ValueError(f"make_grid: expected images (N, C, H, W), got {images.shape}")
    images = images.reshape((1,) * (4 - images.ndim) + images.shape)
    return np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images


def save_image(
    tensor: Tensor | Sequence[Tensor],
    fp: str | os.PathLike[str] | BinaryIO,
    format: str | None = None,
    **options: Any,
) -> None:
    """Write ``make_grid(tensor, **options)`` as a picture: pixel = ⌊min(max(255·x + ½, 0), 255)⌋.

    Args:
        tensor: images with values in [0, 1] (3 channels, or 1, or 4 with opacity).
        fp: a path, written atomically, or a file open for writing.
        format: Pillow's name of the format (default: by the path's ending).

    Raises:
        ValueError: no format follows from the name, or the picture has other channels.

    >>> import io, minigan
    >>> file = io.BytesIO()
    >>> save_image(minigan.ones(2, 1, 4, 4), file, format="png")
    >>> file.getvalue()[1:4]
    b'PNG'
    """
    from PIL import Image

    grid = make_grid(tensor, **options).numpy()
    if grid.shape[0] not in (3, 4):
        raise ValueError(f"save_image: expected 1, 3 or 4 channels, got {grid.shape[0]}")
    if grid.dtype.kind != "f":
        grid = grid.astype(np.float32)
    pixels = np.nan_to_num(np.clip(grid * 255 + 0.5, 0, 255)).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    if hasattr(fp, "write"):
        picture.save(fp, format=format)
        return
    ending = os.path.splitext(os.fspath(fp))[1].lower()
    kind = format or Image.registered_extensions().get(ending)
    if kind is None:
        raise ValueError(f"save_image: no picture format ends in {ending!r} ({os.fspath(fp)})")
    with atomic_write(fp) as file:
        picture.save(file, format=kind)
