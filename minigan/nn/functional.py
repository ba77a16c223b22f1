"""Functions of networks, named and called as in ``torch.nn.functional``."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    """Images (N, C, H, W) at another size, each pixel taken from the nearest one.

    Output row i is input row ⌊i·H/size⌋ or ⌊i/scale_factor⌋, worked out in float32 as PyTorch
    does; a height that stays as it is or doubles is exact for any factor.  Columns likewise.

    Args:
        size: (height, width) of the result, or one number for both.
        scale_factor: the factors instead; the result has ⌊H·factor⌋ rows.

    Raises:
        ValueError: the input's rank, both or none of size and scale_factor, an empty result.
        NotImplementedError: another mode.

    >>> import minigan
    >>> interpolate(minigan.arange(4.0).reshape(1, 1, 2, 2), scale_factor=1.5)
    tensor([[[[0., 0., 1.],
              [0., 0., 1.],
              [2., 2., 3.]]]], dtype=float32)
    """
    if mode != "nearest":
        raise NotImplementedError(f'interpolate: mode must be "nearest", got "{mode}"')
    if input.ndim != 4:
        raise ValueError(f"interpolate: expected input (N, C, H, W), got shape {input.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    n, c, h, w = input.shape
    sizes, factors = _two("size", size), _two("scale_factor", scale_factor)
    rows, columns = (_sources(*each) for each in zip((h, w), sizes, factors, strict=True))
    if _repeats(rows, h) and _repeats(columns, w):
        p, q = len(rows), len(columns)
        repeated = input.reshape(n, c, h, 1, w, 1).expand(n, c, h, p // h, w, q // w)
        return repeated.reshape(n, c, p, q)
    return input[:, :, rows][:, :, :, columns]


def _two(name: str, value: Any) -> tuple:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"interpolate: {name} expects one number or two, got {value}")
    return pair


def _sources(old: int, size: int | None, factor: float | None) -> list[int]:
    """For every output pixel of one direction, which of ``old`` pixels it is."""
    new = int(old * factor) if size is None else size
    if old < 1 or new < 1:
        raise ValueError(
            f"interpolate: expected at least one pixel before and after, got {old} and {new}"
        )
    if new in (old, 2 * old):
        return [i * old // new for i in range(new)]
    step = 1 / factor if size is None else old / new
    at = np.floor(np.arange(new, dtype=np.float32) * np.float32(step))
    return np.minimum(at, old - 1).astype(int).tolist()


def _repeats(sources: list[int], old: int) -> bool:
    """Whether each of ``old`` pixels appears equally often, which broadcasting can do."""
    times, rest = divmod(len(sources), old)
    return not rest and sources == [i // times for i in range(len(sources))]


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
