"""What a GAN is, as data: networks, objective, optimizers and the settings they have.

A recipe is one small file under ``recipes/`` that can be read beside its paper.  Everything that
can be chosen about it stands in its settings, a frozen dataclass with defaults; ``--set
name=value`` on the command line replaces them.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from .._tensor import Tensor
from ..array import Generator
from ..nn import Module
from ..optim import Optimizer


class SettingError(ValueError):
    """A setting is unknown, cannot be read or does not fit the others; one clear line."""


class ImageShape(NamedTuple):
    """Channels, height and width of the images a system is made for."""

    channels: int
    height: int
    width: int


class Networks(NamedTuple):
    """The two players, and how many numbers the generator starts from."""

    generator: Module
    critic: Module
    latent: int


class Losses(NamedTuple):
    """A loss to descend, and numbers for the record by their column's name (0-d, no history)."""

    loss: Tensor
    record: dict[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """One system.

    Attributes:
        name: as the command line spells it.
        summary: one line for ``minigan list``.
        source: the paper.
        settings: the dataclass of its settings, see ``gan/settings.py``; it has a method
            ``warnings()`` that gives a list of sentences.
        networks: (settings, image shape, generator of random numbers) → Networks.
        critic_loss: (settings, critic, real, fake, rng) → Losses.
        generator_loss: (settings, critic, fake, rng) → Losses.
        optimizers: (settings, networks) → (the critic's, the generator's).
        play: trainer → record; one step of the algorithm, out of the trainer's parts.
        lines: settings → equilibrium values {series: (value, how it is written)}.
        steps, batch_size: what the command line takes where nothing else is asked for.
    """

    name: str
    summary: str
    source: str
    settings: type
    networks: Callable[[Any, ImageShape, Generator], Networks]
    critic_loss: Callable[[Any, Module, Tensor, Tensor, Generator], Losses]
    generator_loss: Callable[[Any, Module, Tensor, Generator], Losses]
    optimizers: Callable[[Any, Networks], tuple[Optimizer, Optimizer]]
    play: Callable[[Any], dict[str, Tensor]]
    lines: Callable[[Any], dict[str, tuple[float, str]]]
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
            given[name] = _read(self.name, name, types[name], value)
        try:
            return self.settings(**given)
        except SettingError as error:
            raise SettingError(f"{self.name}: {error}") from None


def _read(recipe: str, name: str, kind: Any, value: Any) -> Any:
    """``value`` as the setting's type, from text or from JSON."""
    try:
        return _converted(kind, value)
    except (ValueError, KeyError, TypeError):
        raise SettingError(
            f"{recipe}: setting {name} expects {_describe(kind)}, got {value!r}"
        ) from None


def _converted(kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        parts = value.split(",") if isinstance(value, str) else list(value)
        if inner[-1] is ...:
            parts = [] if parts == [""] else parts
            inner = inner[:1] * len(parts)
        return tuple(_converted(k, part) for k, part in zip(inner, parts, strict=True))
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError
        return value
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
    if kind is int and isinstance(value, float):
        raise ValueError
    return kind(value)


def _describe(kind: Any) -> str:
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        if inner[-1] is not ...:
            return f"{len(inner)} numbers separated by a comma"
        each = "whole numbers" if inner[0] is int else f"any of {_choices(inner[0])}"
        return f"{each}, separated by commas"
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {_choices(kind)}"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a text")


def _choices(kind: Any) -> str:
    return ", ".join(map(str, typing.get_args(kind)))
