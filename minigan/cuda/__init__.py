"""Whether a GPU can be used, how exactly it computes, and what else scripts ask of ``torch.cuda``.

``allow_tf32`` lets convolutions of float32 arrays use the tensor cores: operands are rounded to
TF32 (10 bits after the point instead of 23), sums stay float32.  It is False unless a program sets

    minigan.cuda.allow_tf32 = True
"""

from __future__ import annotations

from .. import array as arrays

allow_tf32 = False


def is_available() -> bool:
    """Whether CuPy is installed and a CUDA GPU is present; never raises."""
    try:
        return bool(arrays.cupy().cuda.is_available())
    except RuntimeError:
        return False


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


def manual_seed(seed: int) -> None:
    """Seed the default generator of the first GPU; without a GPU, nothing."""
    if is_available():
        arrays.default_generator("cuda").manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the default generators of all GPUs; without a GPU, nothing."""
    for number in range(device_count()):
        arrays.default_generator(f"cuda:{number}").manual_seed(seed)
