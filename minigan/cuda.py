"""Whether a GPU can be used, and why not."""

from __future__ import annotations

from . import array as arrays


def is_available() -> bool:
    """Whether CuPy is installed and a CUDA GPU is present; never raises."""
    try:
        return bool(arrays.cupy().cuda.is_available())
    except RuntimeError:
        return False


def device_count() -> int:
    """How many CUDA GPUs can be used."""
    return arrays.cupy().cuda.runtime.getDeviceCount() if is_available() else 0
