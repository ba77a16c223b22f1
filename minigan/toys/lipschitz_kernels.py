"""The norms of some convolutions as operators, beside the norms of their kernels as matrices."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Any

from .. import nn
from ..gan.networks import dcgan_critic, dcgan_init
from ..gan.pair import normalise_spectrally
from ..gan.schema import ImageShape
from ..generators import Generator
from .lipschitz_bounds import evaluated, layer_bounds, layers
from .lipschitz_conv import fourier_bound, im2col_bound, reshaped_norm
from .lipschitz_operator import Operator, PowerIteration, power_iteration, spectral_norm


@dataclass(frozen=True)
class ConvolutionNorms:
    """One kernel on an image of ``side`` × ``side``, zero-padded.

    Attributes:
        reshaped: the norm of the kernel as a matrix: no bound.
        iterated: by power iteration, from below.
        exact: by the singular values of the written-out operator; None where it is too large.
        fourier, im2col: bounds that hold.
    """

    side: int
    reshaped: float
    iterated: PowerIteration
    exact: float | None
    fourier: float
    im2col: float


def convolution_norms(layer: nn.Conv2d, side: int) -> ConvolutionNorms:
    """All that is known of ``layer`` on square images.

    >>> found = convolution_norms(ones_kernel(), 2)
    >>> [round(norm, 9) for norm in (found.reshaped, found.exact, found.fourier, found.im2col)]
    [3.0, 4.0, 9.0, 6.0]
    """
    layer = evaluated(layer)
    operator = Operator(layer, (layer.in_channels, side, side))
    shapes = operator.shape, operator.out_shape
    return ConvolutionNorms(
        side,
        reshaped_norm(layer),
        power_iteration(operator),
        spectral_norm(operator.matrix()) if operator.is_small() else None,
        fourier_bound(layer, *shapes),
        im2col_bound(layer, *shapes),
    )


def random_kernel(seed: int) -> nn.Conv2d:
    """3 → 8 channels, 3×3, padded by 1, its weights N(0, 1/27)."""
    layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    nn.init.normal_(layer.weight, 0.0, 27**-0.5, Generator().manual_seed(seed))
    return layer


def ones_kernel() -> nn.Conv2d:
    """1 → 1 channel, 3×3, padded by 1, all weights 1."""
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def ones_norm(side: int) -> float:
    """The exact norm of ``ones_kernel``: (1 + 2 cos(π/(n + 1)))².

    The operator is the Kronecker square of the tridiagonal matrix of ones, whose eigenvalues are
    1 + 2 cos(kπ/(n + 1)).

    >>> round(ones_norm(2), 9)
    4.0
    """
    return (1 + 2 * cos(pi / (side + 1))) ** 2


def normalised_critic(seed: int) -> nn.Sequential:
    """DCGAN's critic for 28×28 images without batch norm, under spectral norm, as it starts."""
    rng = Generator().manual_seed(seed)
    critic = dcgan_critic(ImageShape(1, 28, 28), norm="none")
    dcgan_init(critic, rng)
    normalise_spectrally(critic, rng)
    return critic


def weighted_layers(net: nn.Module, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Of every layer with a weight: its kernel's norm, and its own from below and above."""
    rows = []
    copy = evaluated(net)
    for bound, (_, layer, inner, _) in zip(
        layer_bounds(net, shape), layers(copy, shape), strict=True
    ):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            found = power_iteration(Operator(layer, inner), tolerance=1e-4, steps=300)
            rows.append(
                {
                    "layer": f"{bound.layer} {bound.name}",
                    "reshaped": bound.upper if bound.reshaped is None else bound.reshaped,
                    "found": found.value,
                    "bound": bound.upper,
                    "how": bound.how,
                }
            )
    return rows
