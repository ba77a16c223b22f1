"""Operations whose arrays are worth computing in one go, for every kind of array.

``plain`` says in array-module calls what each of them is, for any dtype, memory order and device.
``blocked`` and ``channels`` compute the same for large float arrays on the CPU, a cache-sized block
at a time and in reused memory; they decline (give None) whatever they are not made for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..array import Array, array_module
from ..cpu.threads import scratch
from . import blocked, channels, plain


def _blocked(x: Array) -> bool:
    return type(x) is np.ndarray and x.size >= blocked.LEAST and x.dtype.char in "fd"


def leaky_relu(x: Array, slope: float) -> Array:
    """max(x, slope·x) for 0 ≤ slope ≤ 1; else x where it is positive and slope·x elsewhere."""
    y = blocked.leaky_relu(x, slope) if _blocked(x) else None
    return plain.leaky_relu(x, slope) if y is None else y


def leaky_relu_grad(g: Array, s: Array, slope: float) -> Array:
    """g where s > 0, slope·g elsewhere."""
    y = blocked.leaky_relu_grad(g, s, slope) if _blocked(g) else None
    return plain.leaky_relu_grad(g, s, slope) if y is None else y


def total(x: Array, dims: tuple[int, ...], keepdims: bool, dtype: Any) -> Array:
    """Σ x over dims."""
    if x.size >= blocked.LEAST and _blocked(x) and x.dtype == dtype:
        y = channels.total(x, dims, keepdims)
        if y is not None:
            return y
    return x.sum(axis=dims, keepdims=keepdims, dtype=dtype)


def normalise(x: Array, w: Array, b: Array, dims: tuple, eps: float, slope: float = 1.0) -> tuple:
    """(y, μ, σ²) with y = f((x - μ)/√(σ² + ε)·w + b), mean μ and biased variance σ² over dims.

    f is the LeakyReLU of that slope: 1 is no activation at all.
    """
    given = channels.normalise(x, w, b, dims, eps, slope) if _blocked(x) else None
    return plain.normalise(x, w, b, dims, eps, slope) if given is None else given


def normalise_sums(g: Array, x: Array, mean: Array, dims: tuple) -> tuple:
    """(Σ g, Σ g·(x - mean)) over dims."""
    given = channels.normalise_sums(g, x, mean, dims) if _blocked(x) else None
    return plain.normalise_sums(g, x, mean, dims) if given is None else given


def scaled_sum(g: Array, x: Array, mean: Array, a: Array, b: Array, c: Array, dims: tuple) -> Array:
    """a·g + b·(x - mean) + c, where mean, a, b and c are constant over dims."""
    out = channels.scaled_sum(g, x, mean, a, b, c, dims) if _blocked(x) else None
    return plain.scaled_sum(g, x, mean, a, b, c) if out is None else out


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` in another shape: a view where that can be, else a copy in row-major order."""
    if x.size < blocked.LEAST or not isinstance(x, np.ndarray) or x.flags.c_contiguous:
        return x.reshape(shape)
    return blocked.reshape(x, shape)


def channels_last(x: Array) -> Array:
    """``x``, or where functions by channel would copy it anyway a copy that they need not."""
    return channels.last_copy(x) if _blocked(x) and x.ndim > 2 else x


def matmul(a: Array, b: Array) -> Array:
    """The matrix product over the last two dimensions."""
    made = isinstance(a, np.ndarray) and a.dtype.char in "fd"
    y = blocked.matmul(a, b) if made else None
    return a @ b if y is None else y


def in_blocks(task: Callable[[slice], None], flat: Array) -> None:
    """task(part) for parts that make up a 1-D array; they must not depend on each other."""
    if isinstance(flat, np.ndarray):
        blocked.in_blocks(task, flat.size)
    elif flat.size:
        task(slice(None))


def working_memory(purpose: str, like: Array) -> Array:
    """An uninitialised array, on the CPU of memory that this thread uses again and again."""
    if isinstance(like, np.ndarray):
        return scratch(purpose, like.shape, like.dtype)
    return array_module(like).empty_like(like)


__all__ = [
    "channels_last",
    "in_blocks",
    "leaky_relu",
    "leaky_relu_grad",
    "matmul",
    "normalise",
    "normalise_sums",
    "reshape",
    "scaled_sum",
    "total",
    "working_memory",
]
