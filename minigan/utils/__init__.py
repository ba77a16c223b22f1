"""What scripts use around networks: data loading, pictures of tensors."""

from . import data
from .pictures import make_grid, save_image

__all__ = ["data", "make_grid", "save_image"]
