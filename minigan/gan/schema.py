"""What a system is, as data: networks, algorithm, optimizers and the settings they have.

A recipe is one small file under ``recipes/`` that can be read beside its paper.  Everything that
can be chosen about it stands in its settings, a frozen dataclass with defaults; ``--set
name=value`` on the command line replaces them.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor
from ..data import ImageData, PairData, PointData
from ..generators import Generator
from ..nn import Module
from ..optim import Optimizer
from ..plane import Plane
from ..report import save_grid
from .values import SettingError, read

Data = ImageData | PairData | PointData


class ImageShape(NamedTuple):
    """The images a system is made for, and what is known of them.

    Points in the plane count as images of 2 channels and no pixels: their size is (2,).

    Attributes:
        channels, height, width: of an image.
        classes: how many there are; 0 where there are no labels.
        inputs: channels of the images that these are made from, in pairs; else 0.
    """

    channels: int
    height: int
    width: int
    classes: int = 0
    inputs: int = 0

    @property
    def size(self) -> tuple[int, ...]:
        """Of one sample: (C, H, W), or (2,)."""
        return self[:1] if self.points else self[:3]

    @property
    def points(self) -> bool:
        """Whether these are points."""
        return not self.height


class Networks(NamedTuple):
    """The two players, and what the generator starts from.

    Its input is ``latent`` numbers from N(0, 1), then a one-hot vector of ``classes``, then
    ``codes`` numbers from U(-1, 1); see gan/latents.py.
    """

    generator: Module
    critic: Module
    latent: int
    classes: int = 0
    codes: int = 0


class Space(NamedTuple):
    """What the rows are that images are made from: see gan/latents.py.

    Attributes:
        latent, classes, codes: how many numbers of each kind, in this order.
        discovered: whether the classes are the system's own finding, not those of the data.
    """

    latent: int
    classes: int = 0
    codes: int = 0
    discovered: bool = False


class Optimizers(NamedTuple):
    """Of the two players.  Other systems have other names; a run's checkpoint uses them."""

    critic: Optimizer
    generator: Optimizer


class Known(NamedTuple):
    """What is known of a batch beside its images, None where there is nothing.

    Attributes:
        real: classes of the real images, one-hot (B, classes).
        fake: what the generated ones were asked to be: weights of the classes (B, classes).
        codes: the codes they were made from (B, codes).
    """

    real: Tensor | None = None
    fake: Tensor | None = None
    codes: Tensor | None = None


NOTHING = Known()


class Losses(NamedTuple):
    """A loss to descend, and numbers for the record by their column's name (0-d, no history)."""

    loss: Tensor
    record: dict[str, Tensor]


class Grid(NamedTuple):
    """Images (N, C, H, W) in [-1, 1], to be laid out in so many columns."""

    images: np.ndarray
    columns: int

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a PNG, atomically."""
        save_grid(path, np.nan_to_num(self.images), self.columns)


class Request(NamedTuple):
    """What someone wants to see from a trained system.

    Attributes:
        count: how many images.
        seed: of everything random; the first images are the same for every count.
        labels: weights of the classes (count, classes) that a conditional system is given.
        inputs: images (count, C, H, W) in [-1, 1], for a system that makes images from images.
    """

    count: int
    seed: int
    labels: np.ndarray | None = None
    inputs: np.ndarray | None = None


class View(NamedTuple):
    """How a system shows what it has learnt.

    ``networks`` is everywhere what the recipe's ``networks`` gave, after some training and with the
    moving average in the generator's place, where there is one.

    Attributes:
        examples: (networks, data, rng) → what all pictures of a run are drawn from.
        pictures: (networks, examples, device) → Grid; Plane where the data are points.
        sample: (networks, request, device) → images (N, C, H, W) in [-1, 1], or points (N, 2).
        shapes: (networks, shape) → input shapes of each network by its name, batch included.
        from_images: whether ``sample`` needs the request's inputs.
        figures: pictures for the end of a run, by file name: (networks, data, path, device) writes
            the file.
        space: of a system that makes images from numbers: networks → Space.
        decode: and what it makes of them: (networks, rows (N, width), device) → images as above.
    """

    examples: Callable[[Any, Data, np.random.Generator], tuple[Any, ...]]
    pictures: Callable[[Any, tuple[Any, ...], str], Grid | Plane]
    sample: Callable[[Any, Request, str], np.ndarray]
    shapes: Callable[[Any, ImageShape], dict[str, tuple[tuple[int, ...], ...]]]
    from_images: bool = False
    figures: Mapping[str, Callable[..., None]] = {}
    space: Callable[[Any], Space] | None = None
    decode: Callable[[Any, np.ndarray, str], np.ndarray] | None = None


@dataclass(frozen=True)
class Recipe:
    """One system.

    Attributes:
        name: as the command line spells it.
        summary: one line for ``minigan list``.
        source: the paper.
        settings: the dataclass of its settings, see ``gan/settings.py``; it has a method
            ``warnings()`` that gives a list of sentences.
        networks: (settings, image shape, generator of random numbers) → Networks, or another named
            tuple whose modules are the system's networks.
        optimizers: (settings, networks) → Optimizers, or another named tuple of optimizers.
        play: trainer → record; one step of the algorithm, out of the trainer's parts.
        lines: settings → equilibrium values {series: (value, how it is written)}.
        view: how it shows what it has learnt.
        critic_loss: of a GAN: (settings, critic, real, fake, rng, known) → Losses.
        generator_loss: of a GAN: (settings, critic, fake, rng, known) → Losses.
        data: what it learns from: single images, pairs, or points (see gan/points.py).
        augment: random changes of the data where nothing else is asked for, see data/augment.py.
        side: pixels of the images that its networks are usually shown for.
        kind: (settings, step) → what tells that step from steps that do other things: those of one
            kind can be recorded once and replayed, see gan/graphed.py.
        steps, batch_size: what the command line takes where nothing else is asked for.
    """

    name: str
    summary: str
    source: str
    settings: type
    networks: Callable[[Any, ImageShape, Generator], Any]
    optimizers: Callable[[Any, Any], Any]
    play: Callable[[Any], dict[str, Tensor]]
    lines: Callable[[Any], dict[str, tuple[float, str]]]
    view: View
    critic_loss: Callable[..., Losses] | None = None
    generator_loss: Callable[..., Losses] | None = None
    data: type = ImageData
    augment: str | None = None
    side: int = 28
    kind: Callable[[Any, int], Any] = lambda settings, step: None
    steps: int = 1500
    batch_size: int = 64

    def configure(self, values: Mapping[str, Any]) -> Any:
        """The settings with some of them replaced; text is read as the setting's own type.

        >>> from minigan.gan import recipe
        >>> recipe("dcgan").configure({"lr": "1e-4"}).lr
        0.0001
        """
        types = typing.get_type_hints(self.settings)
        known = [f.name for f in fields(self.settings)]
        given = {}
        for name, value in values.items():
            if name not in known:
                raise SettingError(
                    f"{self.name} has no setting {name!r}; it has: {', '.join(known)}"
                )
            given[name] = read(self.name, name, types[name], value)
        try:
            return self.settings(**given)
        except SettingError as error:
            raise SettingError(f"{self.name}: {error}") from None
