"""Labelled images held in memory: the one type that every data set of this package returns."""

from __future__ import annotations

import operator
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from minigan import fused
from minigan.array import Array, Device, to_device

MIN_SIZE, MAX_SIZE = 8, 512

# What alters a batch: parallel uint8 arrays (B, C, H, W), each sample's arrays in the same way;
# beside them whether each array is a mask, whose values must not be mixed.
Change = Callable[[tuple[np.ndarray, ...], tuple[bool, ...]], tuple[np.ndarray, ...]]


class DataError(ValueError):
    """A data set or data option that cannot be used.

    The message is one line: the file or option, what was expected, what came.

    >>> raise DataError("count: expected at least 1, got 0")
    Traceback (most recent call last):
        ...
    minigan.data.DataError: count: expected at least 1, got 0
    """

    __module__ = "minigan.data"  # the public place, which tracebacks then show


class DataWarning(UserWarning):
    """Data that can be used, but not all of it; the message is one line."""

    __module__ = "minigan.data"


@dataclass(frozen=True, eq=False)
class ImageData:
    """A named set of images with, where known, one class label for each.

    Attributes:
        name: the data set's name, e.g. ``"mnist"``.
        images: uint8 array (N, C, H, W), 0 (black) to 255 (full intensity).
        labels: int64 array (N,), each in [0, classes), or None.
        classes: the number of classes; 0 where there are no labels.
        class_names: what the classes are called, where that is known; else empty.
        skipped: for each image file that could not be read, its path and the reason.
        unit: what one sample is called.

    Raises:
        DataError: the arrays do not have these dtypes and shapes, a label is out of range, or
            there are class names but not one for each class.

    >>> data = ImageData("two", np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]), 2)
    >>> len(data), data.images.shape
    (2, (2, 1, 8, 8))
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None
    classes: int
    class_names: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    unit: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4:
            raise DataError(
                f"{self.name}: images must be uint8 of shape (N, C, H, W), "
                f"got {images.dtype} of shape {images.shape}"
            )
        if len(self.class_names) not in (0, self.classes):
            raise DataError(
                f"{self.name}: expected a name for each of the {self.classes} classes, "
                f"got {len(self.class_names)}"
            )
        if labels is None:
            if self.classes != 0:
                raise DataError(
                    f"{self.name}: classes must be 0 without labels, got {self.classes}"
                )
            return
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise DataError(
                f"{self.name}: labels must be int64 of shape {images.shape[:1]}, "
                f"got {labels.dtype} of shape {labels.shape}"
            )
        if labels.size and not (labels.min() >= 0 and labels.max() < self.classes):
            raise DataError(
                f"{self.name}: labels must be in 0..{self.classes - 1}, "
                f"got {labels.min()}..{labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def nbytes(self) -> int:
        """How much memory the arrays take."""
        return self.images.nbytes + (0 if self.labels is None else self.labels.nbytes)

    def to(self, device: Device | str) -> Self:
        """The same data on ``device``."""
        return moved(self, device, "images", "labels")

    def take(
        self, chosen: Array, change: Change | None = None, raw: bool = False
    ) -> tuple[Array, Array | None]:
        """The chosen images, float32 in [-1, 1], and their labels; both are fresh arrays.

        Args:
            chosen: indices (B,), where the data lie.
            change: applied to the images while they are uint8 still.
            raw: leave them uint8.

        >>> data = ImageData("two", np.full((2, 1, 8, 8), 255, np.uint8), None, 0)
        >>> images, labels = data.take(np.array([1]))
        >>> images.shape, images.dtype, images.max().item(), labels
        ((1, 1, 8, 8), dtype('float32'), 1.0, None)
        """
        labels = None if self.labels is None else self.labels[chosen]
        if change is None and not raw:
            return fused.centred(self.images, chosen), labels
        images = self.images[chosen]
        if change is not None:
            (images,) = change((images,), (False,))
        return images if raw else centred(images), labels


def centred(images: Array) -> Array:
    """uint8 images as float32 ``x / 127.5 - 1``, in [-1, 1].

    >>> centred(np.array([0, 255], np.uint8))
    array([-1.,  1.], dtype=float32)
    """
    return fused.centred(images)


def moved(data: Any, device: Device | str, *names: str) -> Any:
    """``data`` with the arrays of these names on ``device``; they are not checked again."""
    found = copy(data)
    for name in names:
        array = getattr(data, name)
        if array is not None:
            object.__setattr__(found, name, to_device(array, device))
    return found


def whole_number(option: str, value: object, low: int, high: int | None = None) -> int:
    """Return ``value`` as an int in [low, high]; anything else is a DataError naming ``option``.

    >>> whole_number("count", np.int64(3), 1)
    3
    >>> whole_number("image_size", 4, 8, 512)
    Traceback (most recent call last):
        ...
    minigan.data.DataError: image_size: expected a whole number from 8 to 512, got 4
    """
    expected = f"of at least {low}" if high is None else f"from {low} to {high}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    # True and False are ints to Python, never a size or a count to a reader.
    if number is None or isinstance(value, bool) or number < low or (high and number > high):
        raise DataError(f"{option}: expected a whole number {expected}, got {value!r}")
    return number


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Bring uint8 images (N, C, H, W) to (N, C, size, size).

    Images that have the size already are returned as they are. Grey 28x28 images asked for at
    32x32 get a black border of 2 pixels: scaling by 8/7 would blur every stroke, and a network
    with five halvings wants 32 only for its divisibility. Everything else is resized with PIL's
    bilinear filter, which widens with the reduction and so does not alias when it shrinks.

    Args:
        images: uint8 array (N, C, H, W).
        size: height and width wanted in pixels, 8 to 512.

    Raises:
        DataError: ``size`` is not a whole number from 8 to 512.

    >>> resized(np.full((3, 1, 28, 28), 255, np.uint8), 32)[0, 0, 1:4, 1:4]
    array([[  0,   0,   0],
           [  0, 255, 255],
           [  0, 255, 255]], dtype=uint8)
    """
    size = whole_number("image_size", size, MIN_SIZE, MAX_SIZE)
    count, channels, height, width = images.shape
    if (height, width) == (size, size):
        return images
    if (channels, height, width, size) == (1, 28, 28, 32):
        return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))

    from PIL import Image

    result = np.empty((count, channels, size, size), np.uint8)
    # Plane by plane: PIL's filters treat channels independently, so any C works alike.
    planes = images.reshape(-1, height, width)
    for plane, target in zip(planes, result.reshape(-1, size, size), strict=True):
        target[:] = Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR)
    return result
