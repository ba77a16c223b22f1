"""Pooling, and patches as columns: ``windows.py`` does the work, here are the options."""

from __future__ import annotations

from operator import index
from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..conv import Geometry
from ._common import as_float, as_tensor
from .windows import Fold, Unfold, WindowMax, WindowSum

IntPair = int | tuple[int, int]


def _pair(name: str, option: str, value: Any, least: int, one: bool = False) -> tuple[int, int]:
    """An int or two as two; ``one``: also a list or tuple of one, as PyTorch's pooling has it."""
    try:
        pair = tuple(map(index, value)) if hasattr(value, "__len__") else (index(value),) * 2
        pair = pair * 2 if one and len(pair) == 1 else pair
    except TypeError:
        raise TypeError(f"{name}: {option} expects an int or two ints, got {value!r}") from None
    if len(pair) != 2 or min(pair) < least:
        raise RuntimeError(
            f"{name}: {option} expects an int or two ints of at least {least}, got {value!r}"
        )
    return pair


def _images(name: str, input: Tensor) -> Tensor:
    """``input`` if it is (N, C, H, W) or (C, H, W) with at least one pixel."""
    x = as_tensor(name, input)
    if x.ndim not in (3, 4) or 0 in x.shape[-2:]:
        raise RuntimeError(
            f"{name}: expected (N, C, H, W) or (C, H, W) with at least one pixel, got shape "
            f"{x.shape}"
        )
    return x


def _geometry(name, size, kernel, stride, pad, dilation, ceil_mode=False):
    """The geometry of windows over images of ``size``."""
    sides = []
    for n, k, s, p, d in zip(size, kernel, stride, pad, dilation, strict=True):
        # ceil_mode: one more window, cut off at the end, if it starts inside or in the padding.
        left_over = (n + 2 * p - d * (k - 1) - 1) % s
        starts_inside = (n + 2 * p - d * (k - 1) - 1) // s * s + s < n + p
        sides += [p, p + (s - left_over if ceil_mode and left_over and starts_inside else 0)]
    reach = [n + a + b for n, a, b in zip(size, sides[::2], sides[1::2], strict=True)]
    if any(d * (k - 1) >= n for n, k, d in zip(reach, kernel, dilation, strict=True)):
        raise RuntimeError(
            f"{name}: a window of {kernel} with dilation {dilation} does not fit images of {size} "
            f"padded by {pad}"
        )
    return Geometry(*size, *kernel, stride, tuple(sides), dilation)


def _pool(name, x, kernel_size, stride, padding, dilation, ceil_mode):
    kernel = _pair(name, "kernel_size", kernel_size, 1, one=True)
    if isinstance(stride, (tuple, list)) and not stride:
        stride = None
    stride = kernel if stride is None else _pair(name, "stride", stride, 1, one=True)
    pad = _pair(name, "padding", padding, 0, one=True)
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        raise RuntimeError(
            f"{name}: padding must be at most half of kernel_size, got {pad} and {kernel}"
        )
    dilation = _pair(name, "dilation", dilation, 1, one=True)
    return _geometry(name, x.shape[-2:], kernel, stride, pad, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest value in each window of (N, C, H, W) or (C, H, W).

    The first of tied ones gets the gradient; a NaN counts as larger than any number, the last one
    as the largest.  ``return_indices``: also where they are, as row·W + column of the image
    (int64; -1 for a window that lies beside the image).

    >>> import minigan
    >>> values, indices = max_pool2d(
    ...     minigan.arange(16.0).reshape(1, 1, 4, 4), 2, return_indices=True
    ... )
    >>> values
    tensor([[[[ 5.,  7.],
              [13., 15.]]]], dtype=float32)
    >>> indices
    tensor([[[[ 5,  7],
              [13, 15]]]])
    """
    x = _images("max_pool2d", input)
    if x.dtype.kind == "b":
        raise NotImplementedError("max_pool2d: expected numbers, got bool")
    g = _pool("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)
    y = WindowMax(g)(x)
    return (y, Tensor(WindowMax(g).indices(x.array.real, y.array.real))) if return_indices else y


def avg_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, H, W) or (C, H, W).

    ``count_include_pad``: zeros of the padding count as values; ``divisor_override`` replaces the
    number the sum is divided by.

    >>> import minigan
    >>> avg_pool2d(minigan.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]], dtype=float32)
    """
    x = as_float("avg_pool2d", _images("avg_pool2d", input))
    g = _pool("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    total = WindowSum(g)(x)
    if divisor_override is not None:
        if divisor_override == 0:
            raise RuntimeError("avg_pool2d: divisor_override must not be 0")
        return total / index(divisor_override)
    xp = array_module(x.array)
    rows, columns = (
        _counts(xp, *each, count_include_pad)
        for each in (
            (g.H, g.R, g.stride[0], g.pad[0], g.P),
            (g.W, g.S, g.stride[1], g.pad[2], g.Q),
        )
    )
    return total / Tensor((rows[:, None] * columns).astype(x.dtype))


def _counts(xp, size: int, taps: int, stride: int, pad: int, outputs: int, padding_too: bool):
    """How many places of a window count along one direction; what ceil_mode added never does."""
    start = xp.arange(outputs) * stride - pad
    edge = pad if padding_too else 0
    return xp.minimum(start + taps, size + edge) - xp.maximum(start, -edge)


def unfold(
    input: Tensor,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: IntPair = 0,
    stride: IntPair = 1,
) -> Tensor:
    """Every patch of (N, C, H, W) as a column: (N, C·R·S, P·Q).

    >>> import minigan
    >>> unfold(minigan.ones(1, 3, 4, 4), 2).shape
    (1, 12, 9)
    """
    x = _images("unfold", input)
    g = _patches("unfold", x.shape[-2:], kernel_size, dilation, padding, stride)
    return Unfold(g)(x).reshape(*x.shape[:-3], x.shape[-3] * g.R * g.S, g.P * g.Q)


def fold(
    input: Tensor,
    output_size: IntPair,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: IntPair = 0,
    stride: IntPair = 1,
) -> Tensor:
    """The adjoint of ``unfold``: columns (N, C·R·S, P·Q) added into (N, C, H, W).

    >>> import minigan
    >>> fold(minigan.ones(1, 4, 4), (3, 3), 2)
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]], dtype=float32)
    """
    x, size = as_tensor("fold", input), _pair("fold", "output_size", output_size, 1)
    g = _patches("fold", size, kernel_size, dilation, padding, stride)
    if x.ndim not in (2, 3) or x.shape[-2] % (g.R * g.S) or x.shape[-1] != g.P * g.Q:
        raise RuntimeError(
            f"fold: expected (N, C·{g.R * g.S}, {g.P * g.Q}) or without N for output_size {size}, "
            f"got shape {x.shape}"
        )
    return Fold(g)(x.reshape(*x.shape[:-2], x.shape[-2] // (g.R * g.S), g.R, g.S, g.P, g.Q))


def _patches(name, size, kernel_size, dilation, padding, stride):
    kernel, stride = _pair(name, "kernel_size", kernel_size, 1), _pair(name, "stride", stride, 1)
    pad, dilation = _pair(name, "padding", padding, 0), _pair(name, "dilation", dilation, 1)
    return _geometry(name, size, kernel, stride, pad, dilation)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(…, C·r², H, W) to (…, C, H·r, W·r): channels become pixels.

    Source: Shi et al. 2016, arXiv 1609.05158.

    >>> import minigan
    >>> pixel_shuffle(minigan.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    x, r = as_tensor("pixel_shuffle", input), index(upscale_factor)
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise RuntimeError(f"pixel_shuffle: expected (…, C·{r}², H, W), got shape {x.shape}")
    *lead, c, h, w = x.shape
    n = len(lead)
    y = x.reshape(*lead, c // (r * r), r, r, h, w)
    y = y.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return y.reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(…, C, H·r, W·r) to (…, C·r², H, W): the inverse of ``pixel_shuffle``."""
    x, r = as_tensor("pixel_unshuffle", input), index(downscale_factor)
    if x.ndim < 3 or r < 1 or x.shape[-2] % r or x.shape[-1] % r:
        raise RuntimeError(f"pixel_unshuffle: expected (…, C, H·{r}, W·{r}), got shape {x.shape}")
    *lead, c, h, w = x.shape
    n = len(lead)
    y = x.reshape(*lead, c, h // r, r, w // r, r)
    y = y.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return y.reshape(*lead, c * r * r, h // r, w // r)
