"""One-dimensional convolutions: two-dimensional ones over images of one row."""

from __future__ import annotations

from operator import index
from typing import Any

from .._tensor import Tensor
from .conv import conv2d, conv_transpose2d
from .conv_arguments import check


def _one(name: str, option: str, value: Any, least: int = 0) -> int:
    """One int, given alone or as a sequence of one."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    try:
        numbers = [index(n) for n in given]
    except TypeError:
        raise TypeError(f"{name}: {option} expects an int, got {value!r}") from None
    if len(numbers) != 1 or numbers[0] < least:
        raise RuntimeError(f"{name}: {option} expects an int of at least {least}, got {value!r}")
    return numbers[0]


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
    name = "conv1d"
    check(name, input, weight, bias, groups, transposed=False, sizes="L")
    stride, dilation = _one(name, "stride", stride, 1), _one(name, "dilation", dilation, 1)
    reach = dilation * (weight.shape[-1] - 1) + 1
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(
                f'{name}: padding expects an int, "valid" or "same", got "{padding}"'
            )
        border = 0 if padding == "valid" else reach
    else:
        border = 2 * _one(name, "padding", padding)
        padding = (0, border // 2)
    if input.shape[-1] + border < reach:
        raise RuntimeError(
            f"{name}: a kernel that reaches over {reach} does not fit a length of "
            f"{input.shape[-1]} padded by {border}"
        )
    y = conv2d(
        input.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, stride),
        padding,
        (1, dilation),
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
    output_size: int | None = None,
) -> Tensor:
    """The adjoint of ``conv1d``: (N, C, L) with (C, K/groups, S); options as ``conv_transpose2d``.

    >>> import minigan
    >>> conv_transpose1d(minigan.ones(1, 1, 2), minigan.ones(1, 1, 2), stride=2).shape
    (1, 1, 4)
    """
    name = "conv_transpose1d"
    check(name, input, weight, bias, groups, transposed=True, sizes="L")
    y = conv_transpose2d(
        input.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, _one(name, "stride", stride, 1)),
        (0, _one(name, "padding", padding)),
        (0, _one(name, "output_padding", output_padding)),
        groups,
        (1, _one(name, "dilation", dilation, 1)),
        None if output_size is None else (1, _one(name, "output_size", output_size)),
    )
    return y.squeeze(-2)
