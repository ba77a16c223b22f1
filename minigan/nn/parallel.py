"""``DataParallel``, for scripts that wrap their networks in it."""

from __future__ import annotations

from typing import Any

from .module import Module


class DataParallel(Module):
    """``module``, as it is: one device does all the work, as PyTorch's does where it finds none.

    Keys of the state dict begin with "module." here too.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None):
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)
