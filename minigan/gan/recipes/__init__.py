"""The systems, one file each.  A new one is a file here and a line in ``_names``."""

from __future__ import annotations

from importlib import import_module

from ..schema import Recipe
from ..values import SettingError

_names = (
    "autoencoder",
    "conv-autoencoder",
    "vae",
    "gan",
    "dcgan",
    "cgan",
    "wgan",
    "wgan-gp",
    "unrolled",
    "lsgan",
    "hinge",
    "sngan",
    "dragan",
    "acgan",
    "infogan",
    "ebgan",
    "began",
    "pix2pix",
)


def recipe_names() -> tuple[str, ...]:
    """The names of all systems."""
    return _names


def recipe(name: str) -> Recipe:
    """The system called ``name``.

    >>> recipe("dcgan").source
    'Radford, Metz & Chintala 2015, arXiv 1511.06434'
    """
    if name not in _names:
        raise SettingError(f"unknown recipe {name!r}; there are: {', '.join(_names)}")
    return import_module(f"{__name__}.{name.replace('-', '_')}").RECIPE
