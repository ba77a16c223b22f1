"""Random changes of images that leave their meaning: mirrored, shifted, turned, other colours.

A step takes a random generator, parallel uint8 arrays (B, C, H, W) and whether each is a mask, and
gives such arrays of the same shapes. Every sample draws its own numbers, and all arrays of a
sample share them, so that the two images of a pair stay aligned. Masks are moved without mixing
their values and keep their colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minigan.data.images import MAX_SIZE, DataError, whole_number

Arrays = tuple[np.ndarray, ...]
Masks = tuple[bool, ...]
Augment = Callable[["np.random.Generator", Arrays, Masks], Arrays]  # quoted: imported when used


def augmentation(text: str) -> Augment:
    """The steps that ``text`` names, one after the other: ``"flip,crop=4,color=0.2"``.

    - ``flip``: mirrored left to right, every second image.
    - ``crop=N``: moved by up to N pixels either way; what comes in is the reflection of the edge.
    - ``jitter=N``: enlarged to N pixels, then a random piece of the old size; ``jitter`` alone
      takes 286/256 of the size (pix2pix, Isola et al. 2017, arXiv 1611.07004).
    - ``rotate=D``: turned by up to D degrees either way, D at most 45; edges as for crop.
    - ``color=S``: brightness, contrast and, in colour images, saturation times U(1 - S, 1 + S).

    Raises:
        DataError: an unknown step, or a value that it cannot have.

    >>> augmentation("flip,crop=4")
    Steps(steps=(Flip(), Crop(padding=4)))
    >>> augmentation("flop")
    Traceback (most recent call last):
        ...
    minigan.data.DataError: augmentation: expected steps out of flip, crop=N, jitter=N, rotate=D,
    color=S; got 'flop'
    """
    return Steps(tuple(_step(part.strip()) for part in text.split(",")))


def _step(text: str) -> Augment:
    name, equals, value = text.partition("=")
    kind = _KINDS.get(name)
    if kind in (Flip, Jitter) and not equals:
        return kind()
    if kind is None or kind is Flip or not value:
        expected = "flip, crop=N, jitter=N, rotate=D, color=S"
        raise DataError(f"augmentation: expected steps out of {expected}; got {text!r}")
    try:
        number = float(value) if kind in (Rotate, Color) else int(value)
    except ValueError:
        raise DataError(f"augmentation: {name} expects a number, got {value!r}") from None
    return kind(number)


@dataclass(frozen=True)
class Steps:
    """One step after the other, all with one generator."""

    steps: tuple[Augment, ...]

    def __call__(self, rng: np.random.Generator, arrays: Arrays, masks: Masks) -> Arrays:
        for step in self.steps:
            arrays = step(rng, arrays, masks)
        return arrays


@dataclass(frozen=True)
class Flip:
    """Mirror left to right, with probability ½."""

    def __call__(self, rng: np.random.Generator, arrays: Arrays, masks: Masks) -> Arrays:
        mirrored = rng.random(len(arrays[0])) < 0.5
        results = tuple(array.copy() for array in arrays)
        for array in results:
            array[mirrored] = array[mirrored][..., ::-1]
        return results


@dataclass(frozen=True)
class Crop:
    """A random window of the image, padded by its reflection (no black edge to be learned)."""

    padding: int

    def __post_init__(self) -> None:
        whole_number("augmentation: crop", self.padding, 1, MAX_SIZE)

    def __call__(self, rng: np.random.Generator, arrays: Arrays, masks: Masks) -> Arrays:
        padded = tuple(_reflected("crop", array, self.padding) for array in arrays)
        return _windows(rng, padded, arrays[0].shape[2:])


@dataclass(frozen=True)
class Jitter:
    """Enlarge so that the shorter side has ``size`` pixels, then take a random window."""

    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            whole_number("augmentation: jitter", self.size, 1, 2 * MAX_SIZE)

    def __call__(self, rng: np.random.Generator, arrays: Arrays, masks: Masks) -> Arrays:
        height, width = arrays[0].shape[2:]
        short = min(height, width)
        size = round(short * 286 / 256) if self.size is None else self.size
        if size < short:
            raise DataError(
                f"augmentation: jitter expects at least the images' {short} pixels, got {size}"
            )
        large = (round(width * size / short), round(height * size / short))
        enlarged = []
        for array, mask in zip(arrays, masks, strict=True):
            kind = _filter(mask)
            enlarged.append(
                _imagewise(array, large, lambda _, picture, kind=kind: picture.resize(large, kind))
            )
        return _windows(rng, tuple(enlarged), (height, width))


@dataclass(frozen=True)
class Rotate:
    """Turn about the centre by U(-degrees, degrees); the corners show the reflected edge."""

    degrees: float

    def __post_init__(self) -> None:
        if not 0 < self.degrees <= 45:
            raise DataError(
                f"augmentation: rotate expects above 0 to 45 degrees, got {self.degrees}"
            )

    def __call__(self, rng: np.random.Generator, arrays: Arrays, masks: Masks) -> Arrays:
        height, width = arrays[0].shape[2:]
        angles = rng.uniform(-self.degrees, self.degrees, len(arrays[0]))
        # A corner moves outwards by at most sin(angle) times half the other side.
        border = math.ceil(math.sin(math.radians(self.degrees)) * max(height, width) / 2 + 1)
        results = []
        for array, mask in zip(arrays, masks, strict=True):
            kind = _filter(mask)
            padded = _reflected("rotate", array, border)
            turned = _imagewise(
                padded,
                (width + 2 * border, height + 2 * border),
                lambda sample, picture, kind=kind: picture.rotate(angles[sample], kind),
            )
            turned = turned[..., border : border + height, border : border + width]
            results.append(np.ascontiguousarray(turned))
        return tuple(results)


@dataclass(frozen=True)
class Color:
    """Scale brightness, contrast about the mean, and saturation about the grey image."""

    strength: float

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise DataError(f"augmentation: color expects above 0 to 1, got {self.strength}")

    def __call__(self, rng: np.random.Generator, arrays: Arrays, masks: Masks) -> Arrays:
        shape = (3, len(arrays[0]), 1, 1, 1)
        factors = rng.uniform(1 - self.strength, 1 + self.strength, shape).astype(np.float32)
        return tuple(
            array if mask else self._scaled(array, *factors)
            for array, mask in zip(arrays, masks, strict=True)
        )

    @staticmethod
    def _scaled(array: np.ndarray, *factors: np.ndarray) -> np.ndarray:
        brightness, contrast, saturation = factors
        x = array * brightness
        level = x.mean((1, 2, 3), keepdims=True)
        x = (x - level) * contrast + level
        if array.shape[1] == 3:
            weights = np.array([0.299, 0.587, 0.114], np.float32).reshape(3, 1, 1)
            grey = (x * weights).sum(1, keepdims=True)
            x = (x - grey) * saturation + grey
        return np.rint(x).clip(0, 255).astype(np.uint8)


_KINDS: dict[str, type] = {
    "flip": Flip,
    "crop": Crop,
    "jitter": Jitter,
    "rotate": Rotate,
    "color": Color,
}


def _reflected(step: str, array: np.ndarray, border: int) -> np.ndarray:
    short = min(array.shape[2:])
    if border >= short:
        raise DataError(
            f"augmentation: {step} reflects {border} pixels, more than images of {short} have"
        )
    return np.pad(array, ((0, 0), (0, 0), (border, border), (border, border)), "reflect")


def _windows(rng: np.random.Generator, arrays: Arrays, size: tuple[int, int]) -> Arrays:
    """A random window of ``size`` (height, width) of every sample, the same in all arrays."""
    count, (height, width) = len(arrays[0]), size
    rows = rng.integers(0, arrays[0].shape[2] - height + 1, count)
    columns = rng.integers(0, arrays[0].shape[3] - width + 1, count)
    return tuple(
        np.stack(
            [
                image[:, top : top + height, left : left + width]
                for image, top, left in zip(array, rows, columns, strict=True)
            ]
        )
        for array in arrays
    )


def _imagewise(array: np.ndarray, size: tuple[int, int], change: Callable) -> np.ndarray:
    """``change(sample, picture)`` of every image; the results have ``size`` (width, height)."""
    from PIL import Image

    count, channels = array.shape[:2]
    together = channels == 3  # as one picture in colour; else each channel is a grey one
    pictures = array.transpose(0, 2, 3, 1) if together else array.reshape(-1, *array.shape[2:])
    pictures = np.ascontiguousarray(pictures)
    result = np.empty((len(pictures), size[1], size[0], *pictures.shape[3:]), np.uint8)
    for i, picture in enumerate(pictures):
        result[i] = change(i if together else i // channels, Image.fromarray(picture))
    if together:
        return np.ascontiguousarray(result.transpose(0, 3, 1, 2))
    return result.reshape(count, channels, size[1], size[0])


def _filter(mask: bool) -> int:
    from PIL import Image

    return Image.Resampling.NEAREST if mask else Image.Resampling.BILINEAR
