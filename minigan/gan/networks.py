"""Networks that several systems share."""

from __future__ import annotations

from itertools import pairwise

from .. import nn
from ..array import Generator
from ..nn import init
from .schema import ImageShape, SettingError


def dcgan_init(module: nn.Module, generator: Generator) -> None:
    """DCGAN's start: weights N(0, 0.02²), BatchNorm's scale N(1, 0.02²), all biases 0.

    Source: Radford et al. 2015, arXiv 1511.06434, section 3.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            init.normal_(layer.weight, 0.0, 0.02, generator)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            init.normal_(layer.weight, 1.0, 0.02, generator)
        else:
            continue
        if layer.bias is not None:
            init.zeros_(layer.bias)


def _activation(name: str) -> nn.Module:
    return nn.ReLU() if name == "relu" else nn.LeakyReLU(0.2)


def dcgan_depth(shape: ImageShape) -> int:
    """How often the generator doubles the image: 4 times from 64 pixels on, else twice."""
    _, height, width = shape
    doublings = 4 if min(height, width) >= 64 else 2
    if height != width or height % 2**doublings or height < 8:
        raise SettingError(
            f"dcgan makes square images of 8 to 63 pixels divisible by 4, or of 64 and more "
            f"divisible by 16; got {height}×{width}"
        )
    return doublings


def dcgan_generator(shape: ImageShape, latent: int, activation: str = "relu") -> nn.Sequential:
    """Noise to images by transposed convolutions (k4 s2 p1), BatchNorm after all but the last.

    28 and 32 pixels: latent → 128 × size/4 → 64 → C.  From 64 pixels on:
    latent → 1024 × size/16 → 512 → 256 → 128 → C.  The last layer ends in tanh.
    """
    doublings = dcgan_depth(shape)
    widths = [128, 64] if doublings == 2 else [1024, 512, 256, 128]
    side = shape.height >> doublings
    layers: list[nn.Module] = [
        nn.Linear(latent, widths[0] * side * side, bias=False),
        nn.Unflatten(1, (widths[0], side, side)),
        nn.BatchNorm2d(widths[0]),
        _activation(activation),
    ]
    for before, after in pairwise(widths):
        layers += [
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
            nn.BatchNorm2d(after),
            _activation(activation),
        ]
    layers += [nn.ConvTranspose2d(widths[-1], shape.channels, 4, 2, 1), nn.Tanh()]
    return nn.Sequential(*layers)


def dcgan_critic(shape: ImageShape) -> nn.Sequential:
    """Images to one logit by convolutions (k4 s2 p1), BatchNorm after all but the first.

    28 and 32 pixels: C → 64 → 128 → Linear.  From 64 pixels on: C → 64 → 128 → 256 → 1 → Linear.
    """
    doublings = dcgan_depth(shape)
    widths = [64, 128] if doublings == 2 else [64, 128, 256]
    layers: list[nn.Module] = [nn.Conv2d(shape.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for before, after in pairwise(widths):
        layers += [
            nn.Conv2d(before, after, 4, 2, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2),
        ]
    side, features = shape.height >> doublings, widths[-1]
    if doublings == 4:
        layers.append(nn.Conv2d(features, 1, 4, 2, 1))
        features = 1
    layers += [nn.Flatten(), nn.Linear(features * side * side, 1)]
    return nn.Sequential(*layers)
