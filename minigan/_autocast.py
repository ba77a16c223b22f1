"""Mixed precision: what multiplies rounds its float32 factors to BF16, where a program asks for it.

    with minigan.autocast("cuda"):
        loss = criterion(network(x), target)
    loss.backward()

Inside, convolutions and matrix products of float32 round both operands to BF16 (8 significant bits,
float32's range).  Products of two such numbers are exact in float32, and sums are float32.  What is
computed outside for a gradient follows the operation that it belongs to, to any order.

Only that is done.  Arrays stay float32, so no memory is saved; results, biases, sums, normalisation
and the optimizer are as always, so weights keep their digits ("FP32 master weights").  With the
range of float32 no loss has to be scaled.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

import numpy as np

from ._mode import thread
from .array import Array, array_module, float32

DEVICES = ("cpu", "cuda")


class _BFloat16:
    """A name for what arrays cannot hold: NumPy has no such dtype."""

    def __repr__(self) -> str:
        return "bfloat16"

    @property
    def dtype(self) -> Any:
        raise TypeError("bfloat16 is what autocast rounds factors to; arrays hold float32")


bfloat16 = _BFloat16()


class autocast(ContextDecorator):
    """A ``with`` block (or decorated function) whose products have factors rounded to BF16.

    Blocks nest, ``enabled=False`` is one of full precision, and each thread has its own.  On a GPU
    of compute capability 8.0 convolutions are done by its tensor cores; elsewhere, and in matrix
    products, operands are rounded first, which takes time and changes no result.

    Args:
        device_type: "cpu" or "cuda": operations on arrays there.
        dtype: ``minigan.bfloat16``, which is the default on both ("bfloat16" will do).
        enabled: whether the block rounds.
        cache_enabled: of PyTorch's signature; nothing is cached.

    Raises:
        RuntimeError: another device.
        ValueError: another dtype.

    Source: the rules are those of ``torch.autocast``, but that results are not rounded.

    >>> import minigan
    >>> x = minigan.tensor([[1.01]])
    >>> with minigan.autocast("cpu"):
    ...     (x @ minigan.tensor([[1.0]])).item()
    1.0078125
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        _expect_device("autocast", device_type)
        if dtype is not None and str(dtype) != "bfloat16":
            raise ValueError(f"autocast: dtype expects bfloat16, got {dtype}")
        self.device_type, self.enabled = device_type, bool(enabled)
        self._before: list[frozenset[str]] = []  # a stack: one object may be entered again

    def __enter__(self) -> autocast:
        before = thread.state.rounding
        self._before.append(before)
        here = {self.device_type}
        thread.state.rounding = before | here if self.enabled else before - here
        return self

    def __exit__(self, *exc: object) -> None:
        thread.state.rounding = self._before.pop()

    def _recreate_cm(self) -> autocast:
        return autocast(self.device_type, enabled=self.enabled)


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether ``autocast`` is at work in this thread for arrays on that kind of device.

    >>> with autocast("cpu"):
    ...     is_autocast_enabled("cpu"), is_autocast_enabled("cuda")
    (True, False)
    """
    _expect_device("is_autocast_enabled", device_type)
    return device_type in thread.state.rounding


def get_autocast_dtype(device_type: str) -> Any:
    """What ``autocast`` rounds to: always ``bfloat16``."""
    _expect_device("get_autocast_dtype", device_type)
    return bfloat16


def _expect_device(function: str, device_type: Any) -> None:
    if device_type not in DEVICES:
        raise RuntimeError(f'{function}: device_type expects "cpu" or "cuda", got {device_type!r}')


def rounds(array: Array) -> bool:
    """Whether an operation on ``array`` is to round its factors now."""
    kinds = thread.state.rounding
    if not kinds or array.dtype != float32:
        return False
    return ("cpu" if isinstance(array, np.ndarray) else "cuda") in kinds


def rounded(array: Array) -> Array:
    """float32 numbers rounded to BF16, to the nearest, ties to even; others as they are.

    What is beyond the largest by half a step or more becomes infinite, as float32 rounds itself.

    >>> rounded(np.float32([1 + 1 / 256, 1 + 3 / 256, 3.4e38]))
    array([1.      , 1.015625,      inf], dtype=float32)
    """
    if array.dtype != float32:
        return array
    xp = array_module(array)
    bits = array.view(np.uint32)
    changed = xp.asarray(bits >> 16)  # the last bit that stays decides ties
    changed &= 1
    changed += 0x7FFF
    changed += bits
    changed &= 0xFFFF0000
    result = changed.view(float32)
    xp.copyto(result, array, where=xp.isnan(array))  # whose bits may have overflowed
    return result
