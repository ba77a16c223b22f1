"""Convolutional networks that several systems share, and how they start."""

from __future__ import annotations

from itertools import pairwise

from .. import nn
from ..generators import Generator
from ..nn import init
from .schema import ImageShape
from .values import SettingError

Layers = list[nn.Module]


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


def activation_layer(name: str) -> nn.Module:
    """ReLU, or LeakyReLU with the slope 0.2 that GANs use."""
    return nn.ReLU() if name == "relu" else nn.LeakyReLU(0.2)


def norm_layers(kind: str, size: int, flat: bool = False) -> Layers:
    """What comes after a layer of ``size`` channels (``flat``: features); "none" gives nothing.

    "layer" is LayerNorm over all channels and pixels of an image, with a scale for each channel.
    """
    if kind == "batch":
        return [nn.BatchNorm1d(size) if flat else nn.BatchNorm2d(size)]
    if kind == "layer":
        return [nn.LayerNorm(size) if flat else nn.GroupNorm(1, size)]
    return []


def _square(name: str, shape: ImageShape, divisor: int, said: str = "") -> int:
    """The side of a square image that ``divisor`` divides; errors call such images ``said``."""
    _, height, width = shape.size
    if height != width or height % divisor or height < 8:
        said = said or f"{max(8, divisor)} and more pixels divisible by {divisor}"
        raise SettingError(f"{name} makes square images of {said}; got {height}×{width}")
    return height


# --------------------------------------------------------------------------- dcgan: k4 s2 p1


def dcgan_depth(shape: ImageShape) -> int:
    """How often the generator doubles the image: 4 times from 64 pixels on, else twice."""
    doublings = 4 if min(shape.height, shape.width) >= 64 else 2
    said = "8 to 63 pixels divisible by 4, or of 64 and more divisible by 16"
    _square("dcgan", shape, 2**doublings, said)
    return doublings


def dcgan_generator(
    shape: ImageShape,
    latent: int,
    activation: str = "relu",
    norm: str = "batch",
    kernel: int = 4,
) -> nn.Sequential:
    """Noise to images by transposed convolutions (k4 s2 p1), BatchNorm after all but the last.

    28 and 32 pixels: latent → 128 × size/4 → 64 → C.  From 64 pixels on:
    latent → 1024 × size/16 → 512 → 256 → 128 → C.  The last layer ends in tanh.  Other kernels
    double the size too; those that the stride does not divide add up unevenly.
    """
    doublings = dcgan_depth(shape)
    widths = [128, 64] if doublings == 2 else [1024, 512, 256, 128]
    side, bias = shape.height >> doublings, norm != "batch"
    doubling = {"kernel_size": kernel, "stride": 2, "padding": (kernel - 1) // 2}
    doubling["output_padding"] = kernel % 2
    layers: Layers = [
        nn.Linear(latent, widths[0] * side * side, bias=bias),
        nn.Unflatten(1, (widths[0], side, side)),
        *norm_layers(norm, widths[0]),
        activation_layer(activation),
    ]
    for before, after in pairwise(widths):
        layers += [
            nn.ConvTranspose2d(before, after, **doubling, bias=bias),
            *norm_layers(norm, after),
            activation_layer(activation),
        ]
    layers += [nn.ConvTranspose2d(widths[-1], shape.channels, **doubling), nn.Tanh()]
    return nn.Sequential(*layers)


def dcgan_critic(shape: ImageShape, norm: str = "batch") -> nn.Sequential:
    """Images to one logit by convolutions (k4 s2 p1), the norm after all but the first.

    28 and 32 pixels: C → 64 → 128 → Linear.  From 64 pixels on: C → 64 → 128 → 256 → 1 → Linear.
    """
    doublings = dcgan_depth(shape)
    widths = [64, 128] if doublings == 2 else [64, 128, 256]
    layers: Layers = [nn.Conv2d(shape.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for before, after in pairwise(widths):
        layers += [
            nn.Conv2d(before, after, 4, 2, 1, bias=norm != "batch"),
            *norm_layers(norm, after),
            nn.LeakyReLU(0.2),
        ]
    side, features = shape.height >> doublings, widths[-1]
    if doublings == 4:
        layers.append(nn.Conv2d(features, 1, 4, 2, 1))
        features = 1
    layers += [nn.Flatten(), nn.Linear(features * side * side, 1)]
    return nn.Sequential(*layers)


# --------------------------------------------------------------------------- the 5×5 variant


def five_generator(
    shape: ImageShape,
    latent: int,
    activation: str = "relu",
    norm: str = "batch",
    norm_after: bool = False,
) -> nn.Sequential:
    """latent → 256 × size/16 → 512 → 256 → 128 → C by transposed 5×5 convolutions of stride 2.

    BatchNorm stands after the activation in the first layer, and before it in the others (with
    ``norm_after`` after it there too).
    """
    side = _square("5x5", shape, 16) // 16
    layers: Layers = [
        nn.Linear(latent, 256 * side * side),
        nn.Unflatten(1, (256, side, side)),
        activation_layer(activation),
        *norm_layers(norm, 256),
    ]
    five = {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": 1}
    for before, after in pairwise([256, 512, 256, 128]):
        rest = [*norm_layers(norm, after), activation_layer(activation)]
        layers += [nn.ConvTranspose2d(before, after, **five), *(rest[::-1] if norm_after else rest)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(128, shape.channels, **five), nn.Tanh())


def five_critic(shape: ImageShape, norm: str = "none") -> nn.Sequential:
    """C → 32 → 64 → 128 → 256 by 5×5 convolutions of stride 2, each with LeakyReLU → Linear."""
    side = _square("5x5", shape, 16) // 16
    layers: Layers = []
    for before, after in pairwise([shape.channels, 32, 64, 128, 256]):
        layers.append(nn.Conv2d(before, after, 5, 2, 2))
        layers += norm_layers(norm, after) if before != shape.channels else []
        layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * side * side, 1))


# --------------------------------------------------------------------------- InfoGAN's pair


def flat_front(latent: int, side: int, activation: str, norm: str) -> Layers:
    """latent → 1024 → 128 × side × side: two fully connected layers, both normalised."""
    layers: Layers = []
    for before, after in pairwise([latent, 1024, 128 * side * side]):
        layers += [
            nn.Linear(before, after, bias=norm != "batch"),
            *norm_layers(norm, after, flat=True),
            activation_layer(activation),
        ]
    return [*layers, nn.Unflatten(1, (128, side, side))]


def infogan_generator(
    shape: ImageShape, latent: int, activation: str = "relu", norm: str = "batch"
) -> nn.Sequential:
    """latent → 1024 → 128 × size/4 → 64 → C; the two fully connected layers are normalised too.

    Source: Chen et al. 2016, arXiv 1606.03657, appendix C.1.
    """
    side = _square("infogan", shape, 4) // 4
    bias = norm != "batch"
    layers = flat_front(latent, side, activation, norm)
    layers += [
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=bias),
        *norm_layers(norm, 64),
        activation_layer(activation),
        nn.ConvTranspose2d(64, shape.channels, 4, 2, 1),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


def infogan_critic(shape: ImageShape, norm: str = "batch") -> nn.Sequential:
    """C → 64 → 128 by convolutions (k4 s2 p1) → Linear 1024 → Linear 1, LeakyReLU throughout."""
    side = _square("infogan", shape, 4) // 4
    bias = norm != "batch"
    return nn.Sequential(
        nn.Conv2d(shape.channels, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=bias),
        *norm_layers(norm, 128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * side * side, 1024, bias=bias),
        *norm_layers(norm, 1024, flat=True),
        nn.LeakyReLU(0.2),
        nn.Linear(1024, 1),
    )
