"""Pairs of images, for systems that translate one kind of image into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from minigan import fused
from minigan.array import Array, Device
from minigan.data.images import Change, DataError, centred, moved
from minigan.data.pictures import (
    decide,
    find_pictures,
    open_picture,
    planes,
    read_all,
    split_folder,
    squared,
)

if TYPE_CHECKING:
    from PIL import Image

DIRECTIONS = ("AtoB", "BtoA")
MASK_COLOURS = 64  # a picture of at most so many colours is a mask: photographs have thousands
_SAME_SHAPE = 0.02  # by how much the aspect ratios of a pair may differ (rounded sizes)


@dataclass(frozen=True, eq=False)
class PairData:
    """A named set of pairs of images of one size.

    Attributes:
        name: the data set's name, e.g. ``"facades"``.
        inputs: uint8 array (N, C, H, W), 0 to 255: what is to be translated.
        targets: uint8 array (N, C', H, W): what is to come out.
        masks: whether all inputs, and all targets, are masks: few flat colours not to be mixed.
        skipped: for each file that could not be used, its path and the reason.
        unit: what one sample is called.

    Raises:
        DataError: the arrays do not have these dtypes and shapes.

    >>> photos = np.zeros((2, 3, 8, 8), np.uint8)
    >>> len(PairData("two", photos, photos[:, :1]))
    2
    """

    name: str
    inputs: np.ndarray
    targets: np.ndarray
    masks: tuple[bool, bool] = (False, False)
    skipped: tuple[str, ...] = ()
    unit: ClassVar[str] = "pairs"

    def __post_init__(self) -> None:
        inputs, targets = self.inputs, self.targets
        for kind, array in (("inputs", inputs), ("targets", targets)):
            if array.dtype != np.uint8 or array.ndim != 4:
                raise DataError(
                    f"{self.name}: {kind} must be uint8 of shape (N, C, H, W), "
                    f"got {array.dtype} of shape {array.shape}"
                )
        if len(inputs) != len(targets) or inputs.shape[2:] != targets.shape[2:]:
            raise DataError(
                f"{self.name}: inputs and targets must agree but for the channels, "
                f"got shapes {inputs.shape} and {targets.shape}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def nbytes(self) -> int:
        """How much memory the arrays take."""
        return self.inputs.nbytes + self.targets.nbytes

    def to(self, device: Device | str) -> Self:
        """The same data on ``device``."""
        return moved(self, device, "inputs", "targets")

    def take(
        self, chosen: Array, change: Change | None = None, raw: bool = False
    ) -> tuple[Array, Array]:
        """The chosen inputs and targets, float32 in [-1, 1], fresh arrays.

        Args:
            chosen: indices (B,), where the data lie.
            change: applied to both, alike, while they are uint8 still.
            raw: leave them uint8.

        >>> photos = np.zeros((2, 3, 8, 8), np.uint8)
        >>> [array.shape for array in PairData("two", photos, photos).take(np.array([1]))]
        [(1, 3, 8, 8), (1, 3, 8, 8)]
        """
        if change is None and not raw:
            return fused.centred(self.inputs, chosen), fused.centred(self.targets, chosen)
        pair = self.inputs[chosen], self.targets[chosen]
        if change is not None:
            pair = change(pair, self.masks)
        return pair if raw else (centred(pair[0]), centred(pair[1]))


def load_pairs(
    folders: Sequence[Path],
    split: str = "train",
    *,
    image_size: int | None = None,
    count: int | None = None,
    direction: str = "AtoB",
    channels: int | None = None,
    strict: bool = False,
) -> PairData:
    """Read pairs, in the order of their paths.

    From one folder: each picture is A and B side by side, of equal width. From two folders: A is
    in the first and B in the second, under the same path but for its ending. Of each the central
    square is brought to ``image_size``: masks, i.e. pictures of at most 64 colours, by the nearest
    neighbour, others bilinearly.

    Args:
        folders: one or two; ``folder/train`` and ``folder/test`` (or ``val``) are its splits if it
            has them.
        split: "train" or "test".
        image_size: side in pixels, 8 to 512; None where all are squares of one size.
        count: only the first ``count`` pairs.
        direction: "AtoB": A is the input, B the target; "BtoA": the other way.
        channels: 1 for grey, 3 for colour; None: grey if all pictures are.
        strict: stop at a pair that is broken or lacks its partner, instead of leaving it out with
            a DataWarning.

    Raises:
        DataError: no such folder, no pair in it, an option that does not fit.
    """
    if direction not in DIRECTIONS:
        raise DataError(f"direction: expected one of {', '.join(DIRECTIONS)}; got {direction!r}")
    roots = [split_folder(folder, split) for folder in folders]
    files = _files(roots)
    if count is not None and count > len(files):
        raise DataError(
            f"count: expected at most the {len(files)} pairs in {roots[0]}, got {count}"
        )
    files = files[:count]
    # Side by side the two are one file, which is looked at once.
    everything = dict.fromkeys(path for pair in files for path in pair if path is not None)
    size, channels = decide(everything, image_size, channels, columns=3 - len(roots))
    images = np.empty((2, len(files), channels, size, size), np.uint8)
    masks = np.zeros((2, len(files)), bool)

    def read(index: int) -> None:
        for side, picture in enumerate(_pair(files[index])):
            masks[side, index] = picture.getcolors(MASK_COLOURS) is not None
            square = squared(picture, size, nearest=masks[side, index])
            images[side, index] = planes(square, channels)

    names = [str(first or second) for first, second in files]
    kept, skipped = read_all(",".join(map(str, roots)), names, read, strict)
    if skipped:
        images, masks = images[:, kept], masks[:, kept]
    sides = (0, 1) if direction == "AtoB" else (1, 0)
    inputs, targets = (images[side] for side in sides)
    all_masks = tuple(bool(masks[side].all()) for side in sides)
    return PairData(folders[0].resolve().name, inputs, targets, all_masks, skipped)


def count_pairs(folders: Sequence[Path], split: str = "train") -> int:
    """How many pairs ``load_pairs`` finds; whether they are whole, only reading tells."""
    return sum(None not in pair for pair in _files([split_folder(f, split) for f in folders]))


def _files(roots: Sequence[Path]) -> list[tuple[Path | None, Path | None]]:
    """The two files of each pair; None for one that is not there."""
    if len(roots) == 1:
        return [(roots[0] / name, roots[0] / name) for name in find_pictures(roots[0])]
    stems = []
    for root in roots:
        by_stem: dict[str, Path] = {}
        for name in find_pictures(root):
            stem = str(PurePosixPath(name).with_suffix(""))
            if stem in by_stem:
                raise DataError(
                    f"{root}: expected one image of the name {stem}, there are "
                    f"{by_stem[stem].name} and {PurePosixPath(name).name}"
                )
            by_stem[stem] = root / name
        stems.append(by_stem)
    pairs = [(stems[0].get(stem), stems[1].get(stem)) for stem in sorted(stems[0] | stems[1])]
    if not any(None not in pair for pair in pairs):
        raise DataError(
            f"{roots[0]},{roots[1]}: expected images of the same names (but for the endings) in "
            "both folders, no name is in both"
        )
    return pairs


def _pair(files: tuple[Path | None, Path | None]) -> tuple[Image.Image, Image.Image]:
    first, second = files
    if first is None or second is None:
        raise ValueError("has no partner in the other folder")
    if first == second:
        both = open_picture(first)
        width, height = both.size
        if width % 2:
            raise ValueError(f"expected two images side by side, {width} pixels cannot be halved")
        half = width // 2
        return both.crop((0, 0, half, height)), both.crop((half, 0, width, height))
    pair = open_picture(first), open_picture(second)
    ratio = (pair[0].width * pair[1].height) / (pair[0].height * pair[1].width)
    if abs(ratio - 1) > _SAME_SHAPE:
        sizes = " and ".join(f"{p.width}x{p.height}" for p in pair)
        raise ValueError(f"expected a pair of one shape, the two have {sizes} pixels")
    return pair
