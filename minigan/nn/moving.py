"""A Module's dtype and device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from .._tensor import Tensor
from ..array import to_device


class Moving:
    """``to`` and its short forms; a module's parameters stay the same objects."""

    parameters: Callable[..., Iterator[Any]]
    buffers: Callable[..., Iterator[Any]]

    def to(
        self, *target: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False
    ) -> Self:
        """Float parameters and buffers with another dtype, everything on another device.

        Args:
            target: a dtype, a device (a number is that of a GPU), both, or a Tensor that has them.
            non_blocking: of PyTorch's signature; has no effect.

        >>> import minigan
        >>> minigan.nn.Linear(2, 1).to("cpu", minigan.float64).weight.dtype
        dtype('float64')
        """
        for value in target:
            if isinstance(value, Tensor):
                dtype, device = value.dtype, value.device
            elif isinstance(value, int) or str(value).partition(":")[0] in ("cpu", "cuda"):
                device = value
            else:
                dtype = value
        if isinstance(device, int):
            device = f"cuda:{device}"
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise TypeError(f"Module.to: expected a float dtype, got {np.dtype(dtype)}")
        tensors = [*self.parameters(), *self.buffers()]
        for tensor in tensors + [t.grad for t in tensors if t.grad is not None]:
            array = tensor.array if device is None else to_device(tensor.array, device)
            if dtype is not None and array.dtype.kind == "f":
                array = array.astype(dtype, copy=False)
            if array is not tensor.array:
                tensor.data = Tensor(array)
        return self

    def half(self) -> Self:
        """Parameters and float buffers as float16."""
        return self.to("float16")

    def float(self) -> Self:
        """Parameters and float buffers as float32."""
        return self.to("float32")

    def double(self) -> Self:
        """Parameters and float buffers as float64."""
        return self.to("float64")

    def cpu(self) -> Self:
        """Everything on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Everything on a GPU (a device or its number; None: the first)."""
        return self.to(device="cuda" if device is None else device)
