"""The two pairs of networks that conditional GANs are known by; both do without classes too."""

from __future__ import annotations

from itertools import pairwise

from .. import nn
from .networks import Layers, activation_layer, flat_front, norm_layers
from .schema import ImageShape
from .values import SettingError


def _side(name: str, shape: ImageShape, least: int) -> int:
    """The side of a square image of ``least`` and more pixels that 4 divides."""
    if shape.height != shape.width or shape.height % 4 or shape.height < least:
        raise SettingError(
            f"{name} makes square images of {least} and more pixels divisible by 4; got "
            f"{shape.height}×{shape.width}"
        )
    return shape.height


# --------------------------------------------------------------------------- cgan: upsampling


def cgan_generator(
    shape: ImageShape, latent: int, activation: str = "relu", norm: str = "batch"
) -> nn.Sequential:
    """latent → 1024 → 128 × size/4, then twice: every pixel doubled and a 5×5 convolution, 64 → C.

    The norm after all but the last layer, which ends in tanh.
    """
    side = _side("cgan", shape, 12) // 4
    bias = norm != "batch"
    layers = flat_front(latent, side, activation, norm)
    layers += [
        nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 64, 5, padding=2, bias=bias),
        *norm_layers(norm, 64),
        activation_layer(activation),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(64, shape.channels, 5, padding=2),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


def cgan_critic(shape: ImageShape, norm: str = "none") -> nn.Sequential:
    """C → 64 → 128 by 5×5 convolutions of stride 2 → Linear 256 → half of it dropped → Linear 1.

    The first convolution's border is zeros ("same"), the second has none ("valid"): 28 pixels
    become 14, then 5.
    """
    side = (_side("cgan", shape, 12) // 2 - 5) // 2 + 1
    bias = norm != "batch"
    return nn.Sequential(
        nn.Conv2d(shape.channels, 64, 5, 2, "same"),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 5, 2, "valid", bias=bias),
        *norm_layers(norm, 128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * side * side, 256, bias=bias),
        *norm_layers(norm, 256, flat=True),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.5),
        nn.Linear(256, 1),
    )


# --------------------------------------------------------------------------- cgan-dcgan


def _doublings(shape: ImageShape) -> int:
    """4 from 32 pixels on where 16 divides them, else 2."""
    side = _side("cgan-dcgan", shape, 8)
    return 4 if side >= 32 and side % 16 == 0 else 2


def cgan_dcgan_generator(
    shape: ImageShape, latent: int, activation: str = "relu", norm: str = "batch"
) -> nn.Sequential:
    """The latent as an image of one pixel, and transposed convolutions throughout.

    28 pixels: latent → 256 × 7 (k7) → 128 → C (k4 s2 p1).  32 and more, where 16 divides them:
    latent → 1024 × size/16 → 512 → 256 → 128 → C.
    """
    doublings = _doublings(shape)
    widths = [256, 128] if doublings == 2 else [1024, 512, 256, 128]
    bias = norm != "batch"
    layers: Layers = [nn.Unflatten(1, (latent, 1, 1))]
    for i, (before, after) in enumerate(pairwise([latent, *widths])):
        places = (4, 2, 1) if i else (shape.height >> doublings,)
        layers += [
            nn.ConvTranspose2d(before, after, *places, bias=bias),
            *norm_layers(norm, after),
            activation_layer(activation),
        ]
    return nn.Sequential(
        *layers, nn.ConvTranspose2d(widths[-1], shape.channels, 4, 2, 1), nn.Tanh()
    )


def cgan_dcgan_critic(shape: ImageShape, norm: str = "none") -> nn.Sequential:
    """C → 64 → 128 (→ 256 → 512) by 5×5 convolutions of stride 2, each with LeakyReLU → Linear."""
    doublings = _doublings(shape)
    widths = [64, 128, 256, 512][:doublings]
    layers: Layers = []
    for i, (before, after) in enumerate(pairwise([shape.channels, *widths])):
        layers.append(nn.Conv2d(before, after, 5, 2, 2, bias=i == 0 or norm != "batch"))
        layers += norm_layers(norm, after) if i else []
        layers.append(nn.LeakyReLU(0.2))
    features = widths[-1] * (shape.height >> doublings) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 1))
