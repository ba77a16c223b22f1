"""Differentiable augmentation: the critic sees real and generated images changed alike at random.

The generator's gradient goes through the change, so what is learned is the unchanged distribution;
the critic cannot learn a small data set by heart.  Every image draws its own change.

Source: Zhao et al. 2020, arXiv 2006.10738 (DiffAugment), strengths included.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._tensor import Tensor
from ..array import array_module
from ..generators import Generator
from ..ops.creation import rand, randint


def augmented(x: Tensor, kinds: Sequence[str], rng: Generator) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] through ``kinds`` of change, in that order.

    >>> import minigan
    >>> x = minigan.ones(2, 1, 8, 8)
    >>> cut = augmented(x, ["cutout"], Generator().manual_seed(0))
    >>> cut.shape, sorted(set(cut.numpy().ravel().tolist()))
    ((2, 1, 8, 8), [0.0, 1.0])
    """
    for kind in kinds:
        x = AUGMENTATIONS[kind](x, rng)
    return x


def color(x: Tensor, rng: Generator) -> Tensor:
    """Brightness ± ½, saturation by U(0, 2) around the grey image, contrast by U(½, 3/2)."""
    brightness, saturation, contrast = (
        rand((len(x), 1, 1, 1), generator=rng, dtype=x.dtype, device=x.device) for _ in range(3)
    )
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (saturation * 2) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    return (x - level) * (contrast + 0.5) + level


def translation(x: Tensor, rng: Generator) -> Tensor:
    """Moved by up to an eighth of the size either way; 0 comes in at the edge.

    A shift of rows is a product with a matrix of ones beside its diagonal.
    """
    height, width = x.shape[2:]
    rows = _shifts(x, height, rng)
    columns = _shifts(x, width, rng).transpose(2, 3)
    return rows @ x @ columns


def _shifts(x: Tensor, size: int, rng: Generator) -> Tensor:
    """For every image a matrix (1, size, size) whose product takes row i from row i + its shift."""
    most = int(size / 8 + 0.5)
    xp = array_module(x.array)
    shift = randint(-most, most + 1, (len(x), 1, 1, 1), generator=rng, device=x.device).array
    i = xp.arange(size)
    return Tensor((i[None, :] == i[:, None] + shift).astype(x.dtype))


def cutout(x: Tensor, rng: Generator) -> Tensor:
    """A rectangle of half the height and width set to 0, anywhere, also half outside."""
    inside = None
    xp = array_module(x.array)
    for dim in (2, 3):
        size = x.shape[dim]
        half = int(size * 0.5 + 0.5)
        centre = randint(
            0, size + 1 - half % 2, (len(x), 1, 1, 1), generator=rng, device=x.device
        ).array
        at = xp.arange(size)[:, None] if dim == 2 else xp.arange(size)
        within = (at >= centre - half // 2) & (at < centre - half // 2 + half)
        inside = within if inside is None else inside & within
    return x * Tensor((~inside).astype(x.dtype))


AUGMENTATIONS = {"color": color, "translation": translation, "cutout": cutout}
