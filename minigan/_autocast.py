"""Mixed precision: BF16 factors and activations, where a program asks for it.

    with minigan.autocast("cuda"):
        loss = criterion(network(x), target)
    loss.backward()

Two things are done inside, to float32 (BF16 has its range, and 8 significant bits of its 24):

* convolutions and matrix products round both operands to BF16.  Products of two such numbers are
  exact in float32, and sums are float32.  What is computed outside for a gradient follows the
  operation that it belongs to, to any order;
* activations wait for their gradients in BF16: half the memory.  What convolutions and products
  read is rounded there anyway, and rectifiers read a sign, so those lose nothing by it;
  normalisation, tanh and sigmoid read eight digits.

Arrays that a program sees stay float32; results, biases, sums, normalisation, losses and the
optimizer are as always, so weights keep their digits ("FP32 master weights").  With the range of
float32 no loss has to be scaled.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from . import fused
from ._mode import thread
from ._saved import Packed
from ._tensor import Tensor
from .array import Array, float32

DEVICES = ("cpu", "cuda")


class _BFloat16:
    """A name for what arrays cannot hold: NumPy has no such dtype."""

    def __repr__(self) -> str:
        return "bfloat16"

    @property
    def dtype(self) -> Any:
        raise TypeError("bfloat16 is what autocast rounds to; arrays hold float32")


bfloat16 = _BFloat16()


class autocast(ContextDecorator):
    """A ``with`` block (or decorated function) with BF16 factors in products, and BF16 activations.

    Blocks nest, ``enabled=False`` is one of full precision, and each thread has its own.  On a GPU
    of compute capability 8.0 convolutions are done by its tensor cores; elsewhere, and in matrix
    products, operands are rounded first, which takes time and changes no result.  What the
    gradients of convolutions, products, batch normalisation, rectifiers, tanh and sigmoid will
    read of other operations' results is kept in BF16 (see ``autograd.graph.saved_tensors_hooks``,
    which goes before).

    Args:
        device_type: "cpu" or "cuda": operations on arrays there.
        dtype: ``minigan.bfloat16``, which is the default on both ("bfloat16" will do).
        enabled: whether the block rounds.
        cache_enabled: of PyTorch's signature; nothing is cached.

    Raises:
        RuntimeError: another device.
        ValueError: another dtype.

    Source: ``torch.autocast``, in which results become BF16 tensors too.

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
        self._before: list[tuple] = []  # a stack: one object may be entered again

    def __enter__(self) -> autocast:
        state = thread.state
        self._before.append((state.rounding, state.packing))
        here = {self.device_type}
        state.rounding = state.rounding | here if self.enabled else state.rounding - here
        if state.packing is None:
            state.packing = keep_in_bf16
        return self

    def __exit__(self, *exc: object) -> None:
        thread.state.rounding, thread.state.packing = self._before.pop()

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


# ------------------------------------------------------------------------------ activations

LEAST = 4096  # numbers, below which a value is kept as it is
_kept: WeakValueDictionary[tuple[int, int], Packed] = WeakValueDictionary()


def keep_in_bf16(function: Any, x: Tensor) -> Packed | None:
    """How a result of an operation waits for the gradient of ``function`` (a ``_saved.Packer``).

    Several functions that read one value share what is kept of it.
    """
    node = x.node
    if not function.coarse or node is None or x.array.size < LEAST or not rounds(x.array):
        return None
    made = node
    while made is not None and made.function is not None and made.function.is_view:
        made = made.edges[0]
    if made is None or made.function is None:  # a parameter's memory is kept anyway
        return None
    key = node.number, x.version[0]
    packed = _kept.get(key)
    if packed is None or packed.version is not x.version:  # its data may be other memory by now
        packed = _kept[key] = Packed(x, fused.packed(x.array), fused.unpacked)
    return packed
