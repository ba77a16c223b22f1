"""GANs as data: a Recipe says what a system is, one Trainer runs them all."""

from .recipes import recipe, recipe_names
from .schema import ImageShape, Networks, Recipe, SettingError
from .trainer import NonFiniteLoss, Trainer

__all__ = [
    "ImageShape",
    "Networks",
    "NonFiniteLoss",
    "Recipe",
    "SettingError",
    "Trainer",
    "recipe",
    "recipe_names",
]
