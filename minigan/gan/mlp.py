"""Fully connected networks on images of any shape, as in the first GAN, or on points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from .. import nn
from ..generators import Generator
from ..nn import init
from .networks import Layers, activation_layer, norm_layers
from .schema import ImageShape


def mlp_generator(
    shape: ImageShape,
    latent: int,
    widths: Sequence[int] = (128, 256, 512),
    activation: str = "leaky",
    norm: str = "none",
) -> nn.Sequential:
    """latent → widths → C·H·W → tanh → (C, H, W); points end at → 2, as they lie anywhere."""
    layers: Layers = []
    for before, after in pairwise([latent, *widths]):
        layers += [
            nn.Linear(before, after),
            *norm_layers(norm, after, flat=True),
            activation_layer(activation),
        ]
    last = nn.Linear(widths[-1] if widths else latent, prod(shape.size))
    if shape.points:
        return nn.Sequential(*layers, last)
    return nn.Sequential(*layers, last, nn.Tanh(), nn.Unflatten(1, shape.size))


def mlp_critic(
    shape: ImageShape, widths: Sequence[int] = (512, 256), norm: str = "none"
) -> nn.Sequential:
    """C·H·W → widths → 1, LeakyReLU between; no norm after the first layer, as in DCGAN."""
    layers: Layers = [] if shape.points else [nn.Flatten()]
    for i, (before, after) in enumerate(pairwise([prod(shape.size), *widths])):
        layers.append(nn.Linear(before, after))
        layers += norm_layers(norm, after, flat=True) if i else []
        layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers, nn.Linear(widths[-1] if widths else prod(shape.size), 1))


def mlp_init(module: nn.Module, generator: Generator) -> None:
    """Weights and biases U(-1/√inputs, 1/√inputs), as linear layers start everywhere here."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            init.default_(layer.weight, layer.in_features, generator)
            init.default_(layer.bias, layer.in_features, generator)
