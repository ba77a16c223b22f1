"""Images at another size or with a border: each direction is a small linear map.

Nearest neighbour and mirrored or repeated borders *select* rows and columns; bilinear interpolation
and adaptive averages *mix* them: y = A_h · x · A_wᵀ, two matrix products with small fixed matrices,
whose gradients are matrix products again (and in which a NaN reaches its whole row and column).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from numbers import Real
from operator import index
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module
from ._common import as_float, as_tensor
from .indexing import pad_constant
from .linalg import matmul


def mix(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """A_h · x · A_wᵀ over the last two dimensions, in x's dtype and on its device."""
    xp = array_module(x.array)
    left, right = (Tensor(xp.asarray(a, dtype=x.dtype)) for a in (rows, columns.T))
    return matmul(matmul(left, x), right)


def bilinear_matrix(old: int, new: int, scale: float, align_corners: bool) -> np.ndarray:
    """(new, old): how much of each old pixel goes into each new one.

    New pixel i lies at s = (i + ½)·scale - ½ (``align_corners``: i·scale), never before pixel 0.
    Where the length stays the same, nothing is mixed, whatever the scale (as in PyTorch).
    """
    if old == new:
        return np.eye(old)
    i = np.arange(new)
    s = i * scale if align_corners else np.maximum((i + 0.5) * scale - 0.5, 0.0)
    low = np.minimum(np.floor(s).astype(int), old - 1)
    high = np.minimum(low + 1, old - 1)
    weight = np.minimum(s - low, 1.0)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (i, low), 1 - weight)
    np.add.at(matrix, (i, high), weight)
    return matrix


def average_matrix(old: int, new: int) -> np.ndarray:
    """(new, old): new pixel i is the mean of old pixels ⌊i·old/new⌋ … ⌈(i + 1)·old/new⌉ - 1."""
    matrix = np.zeros((new, old))
    for i in range(new):
        a, b = i * old // new, -(-(i + 1) * old // new)
        matrix[i, a:b] = 1 / (b - a)
    return matrix


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Images (…, H, W) averaged to ``output_size`` (an int or a pair; None keeps a length).

    >>> import minigan
    >>> adaptive_avg_pool2d(minigan.arange(4.0).reshape(1, 1, 2, 2), 1)
    tensor([[[[1.5]]]], dtype=float32)
    """
    name = "adaptive_avg_pool2d"
    x = as_float(name, input)
    pair = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    try:
        new = [n if m is None else index(m) for m, n in zip(pair, x.shape[-2:], strict=False)]
    except TypeError:
        raise TypeError(f"{name}: output_size expects ints or None, got {output_size!r}") from None
    if x.ndim not in (3, 4) or len(pair) != 2 or min(new) < 0:
        raise RuntimeError(
            f"{name}: expected (N, C, H, W) or (C, H, W) and two lengths of at least 0, got shape "
            f"{x.shape} and {output_size}"
        )
    if 0 in x.shape[-2:]:
        raise RuntimeError(f"{name}: expected at least one pixel, got shape {x.shape}")
    return mix(x, *[average_matrix(a, b) for a, b in zip(x.shape[-2:], new, strict=True)])


def _border(mode: str, n: int, before: int, after: int) -> np.ndarray:
    """Which entry of a dimension of length n stands at each place of the padded one."""
    first, last = max(-before, 0), n - max(-after, 0)  # what is cut off does not come back
    most = {"reflect": n - 1, "circular": n if first < last else 0}.get(mode, inf)
    if not n or n + before + after < 0 or max(before, after) > most:
        raise RuntimeError(f"pad: {mode} padding {before, after} does not fit the length {n}")
    i = np.arange(-before, n + after)
    if mode == "replicate":
        return np.clip(i, 0, n - 1)
    if mode == "circular":
        return first + (i - first) % max(last - first, 1)
    return np.minimum(np.abs(i), 2 * (n - 1) - np.abs(i))


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """``input`` with a border; ``pad`` is (left, right, top, bottom, …) from the last dimension.

    Args:
        input: any shape; the padded dimensions come last.
        pad: two numbers for every padded dimension, last dimension first; negative ones cut off.
        mode: "constant", "reflect" (mirrored, without the edge), "replicate" (the edge) or
            "circular" (the opposite side).
        value: what "constant" fills in (default 0).

    Raises:
        RuntimeError: more cut off, mirrored or wrapped than there is.
        NotImplementedError: another mode.

    >>> import minigan
    >>> pad(minigan.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]], dtype=float32)
    """
    x = as_tensor("pad", input)
    try:
        sides = tuple(index(n) for n in pad)
    except TypeError:
        raise TypeError(f"pad: expected a sequence of ints, got {pad!r}") from None
    if len(sides) % 2 or len(sides) > 2 * x.ndim:
        raise RuntimeError(
            f"pad: expected two numbers for each of at most {x.ndim} dimensions, got {sides}"
        )
    widths = [(0, 0)] * (x.ndim - len(sides) // 2) + list(
        zip(sides[-2::-2], sides[::-2], strict=True)
    )
    if mode == "constant":
        if any(n + min(a, 0) + min(b, 0) < 0 for n, (a, b) in zip(x.shape, widths, strict=True)):
            raise RuntimeError(f"pad: {sides} cuts off more than input of shape {x.shape} has")
        if not isinstance(value, Real | None):
            raise TypeError(f"pad: value expects a number, got {value!r}")
        lengths = zip(x.shape, widths, strict=True)
        inside = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in lengths)
        x = x[inside] if min(sides, default=0) < 0 else x
        return pad_constant(x, tuple((max(a, 0), max(b, 0)) for a, b in widths), value or 0)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(
            f'pad: mode must be "constant", "reflect", "replicate" or "circular", got "{mode}"'
        )
    if value:
        raise RuntimeError(f'pad: value belongs to mode "constant", got {value} with "{mode}"')
    for d, (before, after) in enumerate(widths):
        if before or after:
            chosen = _border(mode, x.shape[d], before, after)
            x = x[(slice(None),) * d + (array_module(x.array).asarray(chosen),)]
    return x
