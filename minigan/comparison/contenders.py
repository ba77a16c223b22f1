"""What is compared: a recipe with some of its settings, as one word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..gan import Recipe, SettingError, recipe_for


@dataclass(frozen=True)
class Contender:
    """One of the systems that are compared.

    Attributes:
        name: as it was written, ``RECIPE:setting=value:…``, without the spaces around.
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


def contender(text: str, data: str = "glyphs") -> Contender:
    """Read ``RECIPE``, or ``RECIPE:setting=value:setting=value`` (values may hold commas).

    Args:
        data: the name of the data set that it is to play on.

    Raises:
        SettingError: an unknown recipe or setting, a value that it cannot have.
        DataError: the recipe is not for such data.

    >>> one = contender("dcgan:activation=leaky:beta1=0.9")
    >>> one.recipe.name, one.settings.beta1
    ('dcgan', 0.9)
    """
    name, *pairs = (part.strip() for part in text.split(":"))
    chosen = recipe_for(name, data)
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise SettingError(f"{text}: expected RECIPE:setting=value:…, got {pair!r}")
        values[key.strip()] = value.strip()
    return Contender(":".join([name, *pairs]), chosen, chosen.configure(values))


def expect_apart(contenders: Sequence[Contender]) -> None:
    """Refuse two that are one system, and two whose runs would have one folder.

    Raises:
        SettingError: which two.

    >>> expect_apart([contender("dcgan"), contender("dcgan:beta1=0.5")])
    Traceback (most recent call last):
        ...
    minigan.gan.values.SettingError: contenders must differ: dcgan and dcgan:beta1=0.5 do not
    """
    for i, one in enumerate(contenders):
        for other in contenders[:i]:
            alike = (one.recipe.name, one.settings) == (other.recipe.name, other.settings)
            if alike or slug(one.name) == slug(other.name):
                raise SettingError(f"contenders must differ: {other.name} and {one.name} do not")
