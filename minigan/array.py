"""The ground floor: array modules, devices and dtypes.

Everything above works on arrays without asking where they live.  This file is where a NumPy
array is told from a CuPy one, where data cross from one device to the other, and where PyTorch's
rules for result dtypes are spelled out.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np

from .cpu import memory

Array = Any  # numpy.ndarray or cupy.ndarray

bool_ = np.dtype("bool")
uint8 = np.dtype("uint8")
int8 = np.dtype("int8")
int16 = np.dtype("int16")
int32 = np.dtype("int32")
int64 = np.dtype("int64")
float16 = np.dtype("float16")
float32 = np.dtype("float32")
float64 = np.dtype("float64")
complex64 = np.dtype("complex64")
complex128 = np.dtype("complex128")

_default_dtype = float32


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats and new parameters get (float32 unless changed)."""
    return _default_dtype


def set_default_dtype(dtype: Any) -> None:
    """Make ``dtype`` (a float dtype) the one that Python floats and new parameters get.

    >>> import minigan
    >>> minigan.set_default_dtype("float64")
    >>> minigan.tensor(0.5).dtype
    dtype('float64')
    >>> minigan.set_default_dtype(minigan.float32)
    """
    global _default_dtype
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: expected a float dtype, got {dtype}")
    _default_dtype = dtype


# ------------------------------------------------------------------------------------ devices


class Device:
    """Where an array lives: ``device("cpu")``, ``device("cuda")``, ``device("cuda", 1)``.

    In a block ``with device("cuda"):`` it is the default device, see ``set_default_device``.

    >>> import minigan
    >>> minigan.device("cuda:1").index
    1
    >>> minigan.device("cpu") == "cpu"
    True
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | int | Device, index: int | None = None):
        name = f"cuda:{type}" if isinstance(type, int) else str(type)
        name = name if index is None else f"{name}:{index}"
        kind, _, index = name.partition(":")
        if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
            raise RuntimeError(f'device: expected "cpu", "cuda" or "cuda:N", got "{name}"')
        self.type = kind
        self.index = int(index or 0) if kind == "cuda" else None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device('{self}')"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Device, str)):
            return False
        return str(other) == str(self) or (str(other) == self.type and not self.index)

    def __hash__(self) -> int:
        return hash(str(self))

    def __enter__(self) -> Device:
        _defaults.blocks.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _defaults.blocks.pop()


class _Defaults(threading.local):
    """The default devices of this thread: the one that was set, and those of its blocks."""

    def __init__(self) -> None:
        self.set: Device | None = None
        self.blocks: list[Device] = []  # the innermost last


_defaults = _Defaults()


def set_default_device(device: Device | str | None) -> None:
    """Make ``device`` the one on which this thread's new tensors are made; None: unset it.

    It counts where a new tensor's device is not said: for ``zeros``, ``randn``, ``arange``,
    ``tensor``, ``as_tensor`` and their kin, and with them for the parameters of new layers.  What
    shares memory (``from_numpy``), takes after a tensor (``zeros_like``, ``new_zeros``) or is older
    (``Tensor(2, 3)``, ``FloatTensor``) is not touched, nor is a ``Generator``.

    A block ``with device(name):`` comes before it, the innermost one before all.  Whether there is
    such a device is seen when a tensor is made.

    >>> import minigan
    >>> minigan.set_default_device("cpu")
    >>> with minigan.device("cuda"):
    ...     minigan.get_default_device(), minigan.tensor([1.0], device="cpu").device
    (device('cuda:0'), device('cpu'))
    >>> minigan.set_default_device(None)
    """
    _defaults.set = None if device is None else Device(device)


def get_default_device() -> Device:
    """The device on which this thread's new tensors are made (the CPU unless changed)."""
    return or_default(None) or Device("cpu")


def or_default(device: Device | str | None) -> Device | str | None:
    """``device``, and for None the default device; None where nobody has chosen one."""
    if device is not None:
        return device
    return _defaults.blocks[-1] if _defaults.blocks else _defaults.set


def cupy() -> ModuleType:
    """The CuPy module, or one clear error where it is not installed."""
    try:
        import cupy as module
    except ImportError as error:
        raise RuntimeError(
            'device "cuda" needs CuPy, which is not installed: '
            'pip install "minigan[cuda13x]" (or cuda12x)'
        ) from error
    return module


def array_module(array: Array) -> ModuleType:
    """NumPy or CuPy, whichever ``array`` belongs to."""
    return np if isinstance(array, (np.ndarray, np.generic)) else cupy()


def module_for(device: Device | str | None) -> ModuleType:
    """The array module that makes arrays on ``device`` (None: the default device)."""
    device = or_default(device)
    if device is None or Device(device).type == "cpu":
        return np
    module = cupy()
    if not module.cuda.is_available():
        raise RuntimeError('device "cuda" was asked for, but no CUDA GPU is present')
    return module


def made(name: str, device: Device | str | None, *arguments: Any, **options: Any) -> Array:
    """What the array modules' function of that name makes, on ``device`` (None: the default)."""
    module, device = module_for(device), or_default(device)
    if module is np:
        return getattr(np, name)(*arguments, **options)
    with module.cuda.Device(Device(device).index):
        return getattr(module, name)(*arguments, **options)


def device_of(array: Array) -> Device:
    """The device on which ``array`` lives."""
    return Device("cpu") if isinstance(array, np.ndarray) else Device(f"cuda:{array.device.id}")


def to_device(array: Array, device: Device | str) -> Array:
    """``array`` on ``device``: itself if it is there already, else a copy."""
    target = Device(device)
    if target == device_of(array):
        return array
    module = module_for(target)
    if module is np:
        return array.get()
    with module.cuda.Device(target.index):
        return module.asarray(array)


def is_view_of(result: Array, x: Array) -> bool:
    """Whether ``result``, made from ``x`` as a view or a copy, is the view.

    A view refers to x, or to the array that x is a view of itself.
    """
    base = result.base
    return base is not None and (base is x or base is x.base)


def exclusive(array: Array) -> bool:
    """Whether nothing else is known to see the memory of ``array``, itself held once or more.

    An array without base owns its memory.  A view does in effect if it shows all of its base and
    is the only one to hold it, as a transposed result is; where references cannot be counted, the
    answer is no.
    """
    base = array.base
    if base is None:
        return True
    if not isinstance(base, np.ndarray):  # memory of the pool, or somebody's buffer
        return memory.owns(array)
    count = getattr(sys, "getrefcount", None)
    whole = array.flags.writeable and base.size == array.size  # a repetition is read-only
    whole = whole and (base.base is None or memory.owns(base))
    return whole and count is not None and count(base) == 3  # the view's, ours and the call's


def special_functions(array: Array) -> ModuleType:
    """SciPy's special functions, or CuPy's, for ``array``."""
    if isinstance(array, (np.ndarray, np.generic)):
        from scipy import special
    else:
        from cupyx.scipy import special
    return special


# ------------------------------------------------------------------------------------- dtypes

_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def result_dtype(*operands: Any) -> np.dtype:
    """The dtype of an elementwise result by PyTorch's rules.

    Operands are arrays or Python numbers.  Categories rank bool < integer < float < complex;
    arrays with dimensions decide, and a 0-d array, and after it a Python number, matter only
    when their category is higher.

    >>> result_dtype(np.ones(2, np.float32), np.float64(1.0).reshape(()), 2.5)
    dtype('float32')
    >>> result_dtype(np.ones(2, np.int64), 0.5)
    dtype('float32')
    """
    ranks: list[list[np.dtype]] = [[], [], []]  # with dimensions, 0-d, Python numbers
    for x in operands:
        if hasattr(x, "dtype"):
            ranks[0 if x.ndim else 1].append(x.dtype)
        elif isinstance(x, bool):
            ranks[2].append(bool_)
        elif isinstance(x, int):
            ranks[2].append(int64)
        else:
            default = _default_dtype
            ranks[2].append(_complex_like(default) if isinstance(x, complex) else default)
    result = None
    for dtypes in ranks:
        if not dtypes:
            continue
        here = dtypes[0]
        for dtype in dtypes[1:]:
            here = promote_dtypes(here, dtype)
        if result is None:
            result = here
        elif _CATEGORY[here.kind] > _CATEGORY[result.kind]:
            # A complex number among real floats keeps their precision.
            result = _complex_like(result) if result.kind == "f" else here
    return result


def _complex_like(dtype: np.dtype) -> np.dtype:
    """The complex dtype with the precision of a float dtype."""
    return complex128 if dtype == float64 else complex64


def promote_dtypes(a: np.dtype, b: np.dtype) -> np.dtype:
    """The dtype that holds both, where an integer never widens a float (int64, float32: float32).

    >>> promote_dtypes(int64, float32)
    dtype('float32')
    """
    low, high = sorted((a, b), key=lambda dtype: _CATEGORY[dtype.kind])
    if _CATEGORY[low.kind] < 2 <= _CATEGORY[high.kind]:
        return high
    return np.promote_types(a, b)
