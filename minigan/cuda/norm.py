"""Plans of ``kernels/norm.cu``: batch normalisation in training, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .streams import (
    Configuration,
    channel_grid,
    channel_shape,
    check,
    check_images,
    launcher,
    partial_sums,
    vector,
)

FILE = "norm.cu"


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (("VECTOR", width),), 75) for width in (1, 4)]


def batch_norm(
    x: Any,
    y: Any,
    mean: Any,
    var: Any,
    weight: Any | None = None,
    bias: Any | None = None,
    running_mean: Any | None = None,
    running_var: Any | None = None,
    momentum: float = 0.1,
    eps: float = 1e-5,
    slope: float = 1.0,
) -> list[Launch]:
    """y = f((x - mean)/√(var + eps)·weight + bias), f the LeakyReLU of ``slope`` (1: none).

    Args:
        x: (N, C, …), with more than one number in each channel.
        y: written; may be x where no backward follows.
        mean, var: (C,), written: the batch's, var the biased one; ``batch_norm_backward`` reads
            them.
        weight, bias: (C,) or None.
        running_mean, running_var: (C,) or None; moved by ``momentum`` towards the batch's mean and
            unbiased variance.

    >>> x, c = np.ones((8, 3, 4, 4), np.float32), np.empty(3, np.float32)
    >>> [launch.name for launch in batch_norm(x, np.empty_like(x), c, np.empty_like(c))]
    ['norm_sum', 'norm_centred', 'norm_apply']
    """
    count = _count("batch_norm", x)
    check("batch_norm", x.shape, y=y)
    check("batch_norm", x.shape[1:2], mean=mean, var=var, weight=weight, bias=bias)
    check("batch_norm", x.shape[1:2], running_mean=running_mean, running_var=running_var)
    if count < 2:
        raise LaunchError(
            f"batch_norm: training needs more than 1 value per channel, got shape {x.shape}"
        )
    shape = channel_shape(x)
    width = vector(int(shape["inner"]), x, y)
    launch, grid = launcher(FILE, VECTOR=width), channel_grid(x, width)
    sums, rests, squares = (partial_sums(x, grid) for _ in range(3))
    results = weight, bias, y, mean, var, running_mean, running_var
    numbers = np.float32(eps), np.float32(momentum), np.float32(slope)
    return [
        launch("norm_sum", grid, x, sums, shape),
        launch("norm_centred", grid, x, sums, rests, squares, shape),
        launch("norm_apply", grid, x, sums, rests, squares, *results, shape, *numbers),
    ]


def batch_norm_backward(
    g: Any,
    x: Any,
    mean: Any,
    var: Any,
    dx: Any,
    weight: Any | None = None,
    bias: Any | None = None,
    dweight: Any | None = None,
    dbias: Any | None = None,
    eps: float = 1e-5,
    slope: float = 1.0,
) -> list[Launch]:
    """The gradients of ``batch_norm`` from g, that of y; weight, bias, eps, slope as there.

    ``mean`` and ``var`` are those that it wrote.  ``dx`` may be g; dweight and dbias (C,) or None.
    """
    _count("batch_norm_backward", x)
    check("batch_norm_backward", x.shape, g=g, dx=dx)
    check("batch_norm_backward", x.shape[1:2], mean=mean, var=var, weight=weight, bias=bias)
    check("batch_norm_backward", x.shape[1:2], dweight=dweight, dbias=dbias)
    shape = channel_shape(x)
    width = vector(int(shape["inner"]), g, x, dx)
    launch, grid = launcher(FILE, VECTOR=width), channel_grid(x, width)
    plain, products = partial_sums(x, grid), partial_sums(x, grid)
    known, sums = (g, x, mean, var, weight, bias), (plain, products)
    numbers = shape, np.float32(eps), np.float32(slope)
    return [
        launch("norm_backward_sums", grid, *known, *sums, *numbers),
        launch("norm_backward", grid, *known, *sums, dx, dweight, dbias, *numbers),
    ]


def _count(function: str, x: Any) -> int:
    """How many numbers a channel has; raises LaunchError where there are none."""
    check_images(function, x)
    if not x.size:
        raise LaunchError(f"{function}: got an empty array, shape {x.shape}")
    return x.size // x.shape[1]
