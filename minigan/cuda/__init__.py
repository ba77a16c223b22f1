"""Whether a GPU can be used, how exactly it computes, and what else scripts ask of ``torch.cuda``.

Convolutions of float32 arrays compute in float32 unless a program allows them the tensor cores:

    minigan.cuda.allow_tf32 = True    inputs are rounded to TF32: 10 bits after the point, not 23
    minigan.cuda.allow_bf16 = True    inputs are rounded to BF16: 7 bits after the point

Products are exact and sums are float32 in both; arrays stay float32.  Where both are allowed, BF16
is used.  The GPU needs compute capability 8.0; others go on in float32.
"""

from __future__ import annotations

from .. import array as arrays
from .. import generators
from .graphs import CaptureError, CUDAGraph, graph, is_current_stream_capturing

__all__ = [
    "CUDAGraph",
    "CaptureError",
    "allow_bf16",
    "allow_tf32",
    "current_device",
    "device_count",
    "empty_cache",
    "graph",
    "is_available",
    "is_current_stream_capturing",
    "manual_seed",
    "manual_seed_all",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "missing",
    "synchronize",
]

allow_tf32 = False
allow_bf16 = False


def is_available() -> bool:
    """Whether CuPy is installed and a CUDA GPU is present; never raises."""
    try:
        return bool(arrays.cupy().cuda.is_available())
    except RuntimeError:
        return False


def missing() -> str:
    """Where no GPU can be used, what is missing, in a few words."""
    try:
        runtime = arrays.cupy().cuda.runtime
    except RuntimeError:
        return "CuPy is not installed"
    try:
        if not runtime.driverGetVersion():
            return "there is no NVIDIA driver"
        runtime.getDeviceCount()
    except Exception as error:  # CuPy's CUDARuntimeError, which is there with CuPy only
        return f"CUDA says {error}"
    return "the driver knows no GPU"


def device_count() -> int:
    """How many CUDA GPUs can be used."""
    return arrays.cupy().cuda.runtime.getDeviceCount() if is_available() else 0


def current_device() -> int:
    """The number of the GPU in use."""
    return arrays.cupy().cuda.runtime.getDevice()


def synchronize(device: object = None) -> None:
    """Wait until the GPU in use has finished; without a GPU, nothing."""
    if is_available():
        arrays.cupy().cuda.runtime.deviceSynchronize()


def empty_cache() -> None:
    """Give the memory that is kept for reuse back to the GPU; without a GPU, nothing."""
    if is_available():
        arrays.cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device: object = None) -> int:
    """Bytes of a GPU's memory (None: of the one in use) that arrays take; without a GPU, 0.

    Those of recorded graphs have memory of their own, which is not counted.
    """
    return _pool("used_bytes", device)


def memory_reserved(device: object = None) -> int:
    """Bytes of a GPU's memory that are kept for arrays, in use or not; without a GPU, 0."""
    return _pool("total_bytes", device)


def _pool(what: str, device: object) -> int:
    if not is_available():
        return 0
    cupy = arrays.cupy()
    with cupy.cuda.Device(_number(device)):
        return int(getattr(cupy.get_default_memory_pool(), what)())


def mem_get_info(device: object = None) -> tuple[int, int]:
    """(free, total) bytes of a GPU's memory, whoever uses it.

    Raises:
        RuntimeError: there is no usable GPU.
    """
    cupy = arrays.module_for("cuda")
    with cupy.cuda.Device(_number(device)):
        free, total = cupy.cuda.runtime.memGetInfo()
    return int(free), int(total)


def _number(device: object) -> int:
    """The GPU's number, of a device, its name or its number; None: the one in use."""
    return current_device() if device is None else arrays.Device(device).index or 0


def manual_seed(seed: int) -> None:
    """Seed the default generator of the first GPU; without a GPU, nothing."""
    if is_available():
        generators.default_generator("cuda").manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the default generators of all GPUs; without a GPU, nothing."""
    for number in range(device_count()):
        generators.default_generator(f"cuda:{number}").manual_seed(seed)
