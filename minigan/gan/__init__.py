"""GANs as data: a Recipe says what a system is, one Trainer runs them all."""

from .points import on_points, recipe_for
from .readings import NonFiniteLoss
from .recipes import recipe, recipe_names
from .schema import ImageShape, Networks, Recipe, Request
from .trainer import Trainer
from .values import SettingError

__all__ = [
    "ImageShape",
    "Networks",
    "NonFiniteLoss",
    "Recipe",
    "Request",
    "SettingError",
    "Trainer",
    "on_points",
    "recipe",
    "recipe_for",
    "recipe_names",
]
