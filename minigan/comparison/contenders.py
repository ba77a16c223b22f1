"""What is compared: a recipe with some of its settings, as one word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..gan import Recipe, SettingError, recipe


@dataclass(frozen=True)
class Contender:
    """One of the systems that are compared.

    Attributes:
        name: as it was written, ``RECIPE:setting=value:…``.
        recipe: the system.
        settings: from ``recipe.configure``.
    """

    name: str
    recipe: Recipe
    settings: Any


def slug(name: str) -> str:
    """A contender's name as a file's name.

    >>> slug("dcgan:widths=64,64")
    'dcgan_widths=64_64'
    """
    return re.sub(r"[^\w.=-]+", "_", name)


def contender(text: str) -> Contender:
    """Read ``RECIPE``, or ``RECIPE:setting=value:setting=value`` (values may hold commas).

    Raises:
        SettingError: an unknown recipe or setting, a value that it cannot have.

    >>> one = contender("dcgan:activation=leaky:beta1=0.9")
    >>> one.recipe.name, one.settings.beta1
    ('dcgan', 0.9)
    """
    name, *pairs = text.split(":")
    chosen = recipe(name.strip())
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise SettingError(f"{text}: expected RECIPE:setting=value:…, got {pair!r}")
        values[key.strip()] = value.strip()
    return Contender(text, chosen, chosen.configure(values))
