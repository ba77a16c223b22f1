"""Networks: modules, layers and their functions, named as in ``torch.nn``."""

from . import functional, init
from .conv import Conv2d, ConvTranspose2d
from .layers import (
    BCEWithLogitsLoss,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    MSELoss,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    Unflatten,
    Upsample,
)
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d
from .parameter import Parameter

__all__ = [
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "Unflatten",
    "Upsample",
    "functional",
    "init",
]
