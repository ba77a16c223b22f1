"""One-dimensional convolutions: two-dimensional ones over images of one row."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._common import as_tensor
from .conv import conv2d, conv_transpose2d


def _one(name: str, option: str, value: Any) -> int:
    value = value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value
    if not isinstance(value, int):
        raise ValueError(f"{name}: {option} expects an int, got {value!r}")
    return value


def _check(name: str, input: Tensor, weight: Tensor) -> None:
    if as_tensor(name, input).ndim not in (2, 3) or as_tensor(name, weight).ndim != 3:
        raise RuntimeError(
            f"{name}: expected input (N, C, L) or (C, L) and weight of 3 dimensions, got shapes "
            f"{input.shape} and {weight.shape}"
        )


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """1-D convolution: (N, C, L) with (K, C/groups, S) to (N, K, Q); options as ``conv2d``.

    >>> import minigan
    >>> conv1d(minigan.ones(1, 1, 4), minigan.ones(1, 1, 3))
    tensor([[[3., 3.]]], dtype=float32)
    """
    _check("conv1d", input, weight)
    if not isinstance(padding, str):
        padding = (0, _one("conv1d", "padding", padding))
    y = conv2d(
        input.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, _one("conv1d", "stride", stride)),
        padding,
        (1, _one("conv1d", "dilation", dilation)),
        groups,
    )
    return y.squeeze(-2)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The adjoint of ``conv1d``: (N, C, L) with (C, K/groups, S); options as ``conv_transpose2d``.

    >>> import minigan
    >>> conv_transpose1d(minigan.ones(1, 1, 2), minigan.ones(1, 1, 2), stride=2).shape
    (1, 1, 4)
    """
    name = "conv_transpose1d"
    _check(name, input, weight)
    y = conv_transpose2d(
        input.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, _one(name, "stride", stride)),
        (0, _one(name, "padding", padding)),
        (0, _one(name, "output_padding", output_padding)),
        groups,
        (1, _one(name, "dilation", dilation)),
    )
    return y.squeeze(-2)
