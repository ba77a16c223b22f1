"""Layers under spectral_norm, and their weights as matrices, for its tests."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.nn.utils import spectral_norm

LAYERS = {
    "linear": lambda: nn.Linear(5, 4, dtype="float64"),
    "conv": lambda: nn.Conv2d(3, 4, 4, 2, 1, dtype="float64"),
    "transposed": lambda: nn.ConvTranspose2d(3, 4, 4, 2, 1, dtype="float64"),
}
every_layer = pytest.mark.parametrize("kind", LAYERS)


def normalized(kind, seed=0, **options):
    minigan.manual_seed(seed)
    return spectral_norm(LAYERS[kind](), **options)


def batch(kind, seed=1):
    minigan.manual_seed(seed)
    return minigan.randn(*((6, 5) if kind == "linear" else (2, 3, 6, 6)), dtype="float64")


def matrix(kind, weight):
    """One row for each output channel, written out for the layers above."""
    array = weight.detach().numpy() if isinstance(weight, minigan.Tensor) else weight
    if kind == "transposed":  # (in, out, R, S)
        return np.stack([array[:, k].ravel() for k in range(array.shape[1])])
    return np.stack([row.ravel() for row in array])


def vectors(layer):
    return layer.weight_u.numpy().copy(), layer.weight_v.numpy().copy()
