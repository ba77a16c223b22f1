"""Functions of networks, named and called as in ``torch.nn.functional``."""

from __future__ import annotations

from .._tensor import Tensor
from ..losses import binary_cross_entropy_with_logits, mse_loss
from ..ops._common import operands
from ..ops.conv import conv2d, conv_transpose2d
from ..ops.elementwise import leaky_relu, relu, sigmoid, softplus, tanh
from ..ops.norm import batch_norm, dropout


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input · weightᵀ + bias.

    Shapes: input (…, in_features), weight (out_features, in_features), bias (out_features,).

    >>> import minigan
    >>> linear(minigan.ones(2, 3), minigan.ones(4, 3)).shape
    (2, 4)
    """
    if weight.ndim != 2 or not input.ndim or input.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"linear: weight of shape {weight.shape} expects inputs (…, {weight.shape[-1]}), "
            f"got shape {input.shape}"
        )
    x, w = operands("linear", input, weight)
    y = x @ w.t()
    return y if bias is None else y + bias


def interpolate(
    input: Tensor,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
) -> Tensor:
    """Images (N, C, H, W) at another size; output pixel i takes input pixel ⌊i·H/size⌋.

    Give ``size`` or ``scale_factor`` (one number or one for each direction).

    >>> import minigan
    >>> interpolate(minigan.ones(1, 1, 2, 2), scale_factor=2).shape
    (1, 1, 4, 4)
    """
    if mode != "nearest":
        raise NotImplementedError(f'interpolate: mode must be "nearest", got "{mode}"')
    if input.ndim != 4:
        raise ValueError(f"interpolate: expected input (N, C, H, W), got shape {input.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    n, c, *old = input.shape
    if size is not None:
        new = [size, size] if isinstance(size, int) else list(size)
        scales = [b / a for a, b in zip(old, new, strict=True)]
    else:
        pair = isinstance(scale_factor, (tuple, list))
        scales = list(scale_factor) if pair else [scale_factor] * 2
        new = [int(a * s) for a, s in zip(old, scales, strict=True)]
    if min(new) < 1:
        raise ValueError(f"interpolate: output size {tuple(new)} is too small")
    (h, w), (p, q) = old, new
    if p % h == 0 and q % w == 0:  # whole factors: repeat by broadcasting
        repeated = input.reshape(n, c, h, 1, w, 1).expand(n, c, h, p // h, w, q // w)
        return repeated.reshape(n, c, p, q)
    rows, columns = (
        [min(int(i / s), a - 1) for i in range(b)] for a, b, s in zip(old, new, scales, strict=True)
    )
    return input[:, :, rows][:, :, :, columns]


__all__ = [
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "conv2d",
    "conv_transpose2d",
    "dropout",
    "interpolate",
    "leaky_relu",
    "linear",
    "mse_loss",
    "relu",
    "sigmoid",
    "softplus",
    "tanh",
]
