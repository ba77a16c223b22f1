"""The networks of pix2pix: a U-Net that redraws an image, a critic that judges it in patches.

Source: Isola, Zhu, Zhou & Efros 2017, arXiv 1611.07004, appendix 6.1.
"""

from __future__ import annotations

from .. import nn
from .._tensor import Tensor
from ..ops.shape import cat
from .schema import ImageShape
from .values import SettingError

WIDTHS = (64, 128, 256, 512, 512, 512, 512, 512)


def depth_of(shape: ImageShape) -> int:
    """How often the U-Net halves an image: 8 times at 256 pixels, 6 at 64.

    >>> depth_of(ImageShape(3, 64, 64)), depth_of(ImageShape(3, 96, 160))
    (6, 5)
    """
    height, width = shape.height, shape.width
    depth = 0
    while depth < len(WIDTHS) and height % 2 == 0 and width % 2 == 0:
        depth, height, width = depth + 1, height // 2, width // 2
    if depth < 3:
        raise SettingError(
            f"pix2pix takes images of sides divisible by 8; got {shape.height}×{shape.width}; "
            "--image-size 64 resizes them"
        )
    return depth


class Level(nn.Module):
    """One halving and its doubling, with the deeper levels between and a skip around them."""

    def __init__(self, down: nn.Module, deeper: nn.Module | None, up: nn.Module):
        super().__init__()
        self.down, self.up = down, up
        if deeper is not None:
            self.deeper = deeper

    def forward(self, x: Tensor) -> Tensor:
        h = self.down(x)
        if hasattr(self, "deeper"):
            h = self.deeper(h)
        return cat([x, self.up(h)], 1)


def unet(shape: ImageShape, dropout: float = 0.5) -> nn.Module:
    """Images of ``shape.inputs`` channels to images of ``shape.channels``, same size, in [-1, 1].

    Down: LeakyReLU(0.2), Conv k4 s2 p1, BatchNorm; the first has the convolution alone, and the
    innermost no BatchNorm.  Up: ReLU, ConvT k4 s2 p1, BatchNorm, and Dropout in the first three;
    the last ends in tanh.
    """
    widths = WIDTHS[: depth_of(shape)]
    innermost = len(widths) - 1
    inner = None
    for i in range(innermost, 0, -1):  # from the inside out
        down = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(widths[i - 1], widths[i], 4, 2, 1, bias=i == innermost),
        ]
        down += [nn.BatchNorm2d(widths[i])] if i < innermost else []
        arriving = widths[i] * (1 if i == innermost else 2)
        up = [
            nn.ReLU(),
            nn.ConvTranspose2d(arriving, widths[i - 1], 4, 2, 1, bias=False),
            nn.BatchNorm2d(widths[i - 1]),
        ]
        up += [nn.Dropout(dropout)] if innermost - i < 3 else []
        inner = Level(nn.Sequential(*down), inner, nn.Sequential(*up))
    return nn.Sequential(
        nn.Conv2d(shape.inputs, widths[0], 4, 2, 1),
        inner,
        nn.ReLU(),
        nn.ConvTranspose2d(2 * widths[0], shape.channels, 4, 2, 1),
        nn.Tanh(),
    )


def patch_critic(shape: ImageShape, layers: int = 3) -> nn.Sequential:
    """Input and output side by side (N, inputs + channels, H, W) to a map of logits, one a patch.

    C64 – C128 – C256 – … by Conv k4 s2 p1, then two of stride 1; LeakyReLU(0.2), BatchNorm but in
    the first and the last.  ``layers`` = 3 is the paper's 70×70 PatchGAN.
    """
    widths = [min(64 * 2**i, 512) for i in range(layers + 1)]
    if layers and min(shape.height, shape.width) >> layers < 3:
        raise SettingError(
            f"a critic of {layers} strided layers needs images of at least {3 << layers} pixels, "
            f"got {shape.height}×{shape.width}; give a smaller patch_layers"
        )
    modules: list[nn.Module] = [
        nn.Conv2d(shape.inputs + shape.channels, widths[0], 4, 2, 1),
        nn.LeakyReLU(0.2),
    ]
    for i in range(1, layers + 1):
        stride = 2 if i < layers else 1
        modules += [
            nn.Conv2d(widths[i - 1], widths[i], 4, stride, 1, bias=False),
            nn.BatchNorm2d(widths[i]),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*modules, nn.Conv2d(widths[-1], 1, 4, 1, 1))


def receptive_field(critic: nn.Module) -> int:
    """How many pixels across one output of a stack of convolutions sees.

    >>> [receptive_field(patch_critic(ImageShape(3, 256, 256, inputs=3), n)) for n in (1, 2, 3, 4)]
    [16, 34, 70, 142]
    """
    field, jump = 1, 1
    for layer in critic.modules():
        if isinstance(layer, nn.Conv2d):
            field += (layer.kernel_size[0] - 1) * jump
            jump *= layer.stride[0]
    return field
