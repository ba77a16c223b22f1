"""Any GAN whose networks can be chosen, on points in the plane instead of images.

Points have no pixels, so both networks are fully connected; they lie anywhere, so no tanh bounds
what the generator makes; they are small, so that layers are narrower and batches larger, and two
numbers are enough to start from.  All else is the recipe's own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Literal

from ..data import DataError, PointData, is_points
from . import settings as common
from .recipes import recipe
from .schema import Recipe
from .values import SettingError

# Weight of a penalty that holds slopes at 1: on such data WGAN-GP's authors took it for the 10 that
# they took for images (Gulrajani et al. 2017).  With 10 the ring's generators stay in its middle.
SLOPE = 0.1
IMAGES_ONLY = {
    "network": "makes images; points have no pixels and are made by network=mlp",
    "output": "keeps what is made within bounds, and points lie anywhere; give output=linear",
    "augment": "changes images, and the data are points",
}


def recipe_for(name: str, data: str) -> Recipe:
    """The system called ``name``, as it plays on the data set called ``data``.

    Raises:
        SettingError: there is no such system.
        DataError: there is no such data, or they are points and the system is made for images.

    >>> [recipe_for("dcgan", data).configure({}).network for data in ("glyphs", "ring")]
    ['dcgan', 'mlp']
    """
    return on_points(recipe(name)) if is_points(data) else recipe(name)


def on_points(chosen: Recipe) -> Recipe:
    """The recipe for points.

    Raises:
        DataError: its networks are its own, and made for images.
    """
    if not has_choice(chosen):
        raise DataError(f"data set: {chosen.name} needs images, not points")
    from .points_view import on_plane

    return replace(
        chosen,
        settings=_settings(chosen.settings),
        data=PointData,
        view=on_plane(chosen.view),
        steps=3000,
        batch_size=256,
    )


def has_choice(chosen: Recipe) -> bool:
    """Whether the recipe leaves its networks to the settings, so that they can be others.

    >>> has_choice(recipe("wgan")), has_choice(recipe("vae")), has_choice(recipe("pix2pix"))
    (True, False, False)
    """
    base = chosen.settings
    return issubclass(base, common.Settings) and "network" not in base.fixed


@cache
def _settings(base: type) -> type:
    """A recipe's settings with other defaults."""
    default = {field.name: field.default for field in fields(base)}

    @dataclass(frozen=True)
    class Settings(base):
        latent: int = 2
        network: common.Network = "mlp"
        widths: tuple[int, ...] = (128, 128, 128)
        critic_widths: tuple[int, ...] = (128, 128, 128)
        output: Literal["linear", "tanh", "sigmoid"] = "linear"
        gp: float = SLOPE if default["gp"] else 0.0
        dragan: float = SLOPE if default["dragan"] else 0.0

        def __post_init__(self):
            for field in fields(self):
                value = getattr(self, field.name)
                if field.name in IMAGES_ONLY and value != field.default:
                    text = ",".join(value) if isinstance(value, tuple) else value
                    raise SettingError(f"{field.name}={text} {IMAGES_ONLY[field.name]}")
            super().__post_init__()

    return Settings
