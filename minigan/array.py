"""The ground floor: array modules, devices, dtypes and random generators.

Everything above works on arrays without asking where they live.  This file is where a NumPy
array is told from a CuPy one, where data cross from one device to the other, and where PyTorch's
rules for result dtypes are spelled out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """The array module that makes arrays on ``device`` (None: the CPU)."""
    if device is None or Device(device).type == "cpu":
        return np
    module = cupy()
    if not module.cuda.is_available():
        raise RuntimeError('device "cuda" was asked for, but no CUDA GPU is present')
    return module


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


# ------------------------------------------------------------------------------------- random


# What draws a seed's numbers on a kind of device, where they are not NumPy's; None: it cannot.
random_sources: dict[str, Callable[[int, Device], Any]] = {}


class Generator:
    """A seeded source of random numbers for one device, as ``torch.Generator``.

    On the CPU numbers are drawn by NumPy's PCG64; a GPU draws its own, by Philox4x32 (see
    ``same_numbers`` for the CPU's numbers there).  The state is a few plain integers.

    >>> g = Generator().manual_seed(3)
    >>> state = g.get_state()
    >>> a = g.rng.standard_normal(2); g.set_state(state)
    >>> bool((a == g.rng.standard_normal(2)).all())
    True
    """

    def __init__(self, device: Device | str = "cpu"):
        self.device = Device(device)
        module_for(self.device)  # is there such a device?
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence of ``seed`` (a non-negative integer); returns the generator."""
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ValueError(f"manual_seed: expected a non-negative integer, got {seed!r}")
        self.seed = int(seed)
        source = None if _same_numbers else random_sources.get(self.device.type)
        self.rng = (source and source(self.seed, self.device)) or self._numpy(self.seed)
        return self

    def _numpy(self, seed: Any) -> Any:
        """NumPy's numbers, on the device."""
        rng = np.random.default_rng(seed)
        return rng if self.device.type == "cpu" else Moved(rng, self.device)

    def initial_seed(self) -> int:
        """The seed that the sequence was started from."""
        return self.seed

    def get_state(self) -> dict[str, Any]:
        """The state as plain numbers (it can be written as JSON)."""
        return {"seed": self.seed, "bit_generator": self.rng.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that ``get_state`` gave.

        The CPU's sequence goes on unchanged on a GPU; a GPU's goes on with other numbers on the
        CPU, which follow from the state.
        """
        self.seed, saved = int(state["seed"]), state["bit_generator"]
        if self.rng.bit_generator.state["bit_generator"] != saved["bit_generator"]:
            source = random_sources.get(self.device.type)
            if saved["bit_generator"] != "Philox4x32":
                self.rng = self._numpy(self.seed)
            else:
                self.rng = source and source(self.seed, self.device)
                if not self.rng:
                    self.rng = self._numpy([saved["key"], saved["counter"]])
                    return
        self.rng.bit_generator.state = saved


class Moved:
    """A generator of numbers whose draws are moved to a device."""

    def __init__(self, rng: Any, device: Device):
        self._rng, self._device = rng, device
        self.bit_generator = rng.bit_generator

    def __getattr__(self, name: str) -> Any:
        draw = getattr(self._rng, name)

        def moved(*args: Any, **kwargs: Any) -> Array:
            drawn = draw(*args, **kwargs)
            array = drawn if hasattr(drawn, "device") else np.asarray(drawn)
            return to_device(array, self._device)

        return moved


def kept(rng: Any, p: float, shape: tuple[int, ...], dtype: Any) -> Array:
    """0 with probability ``p``, else 1, drawn by a generator's ``rng``: what dropout multiplies by.

    >>> kept(np.random.default_rng(0), 0.5, (4,), float32)
    array([1., 1., 1., 0.], dtype=float32)
    """
    if isinstance(rng, (np.random.Generator, Moved)):
        return (rng.random(shape, dtype="float32") >= p).astype(dtype)
    return rng.kept(p, shape).astype(dtype, copy=False)


_same_numbers = False


@contextmanager
def same_numbers() -> Iterator[None]:
    """A block in which generators that are made or seeded draw the CPU's numbers on every device.

    Drawn by NumPy and moved, they are slower, and a program can be replayed on another device.
    """
    global _same_numbers
    before, _same_numbers = _same_numbers, True
    try:
        yield
    finally:
        _same_numbers = before


_generators: dict[str, Generator] = {}
_default_seed = 0  # of the default generators that are not there yet


def default_generator(device: Device | str | None = None) -> Generator:
    """The generator used on ``device`` where none is given."""
    key = str(Device(device or "cpu"))
    if key not in _generators:
        _generators[key] = Generator(key).manual_seed(_default_seed)
    return _generators[key]


def rng_on(device: Device | str | None, generator: Generator | None) -> Any:
    """What draws the numbers of ``generator``, or of the device's own, as arrays on ``device``.

    None stands for the device of the generator, and without one for the CPU.
    """
    if generator is None:
        return default_generator(device).rng
    if device is None or Device(device) == generator.device:
        return generator.rng
    return Moved(generator.rng, Device(device))


def manual_seed(seed: int) -> Generator:
    """Seed the default generators of every device, also those not used yet; returns the CPU's.

    >>> import minigan
    >>> a = minigan.manual_seed(1) and minigan.randn(2)
    >>> b = minigan.manual_seed(1) and minigan.randn(2)
    >>> bool((a == b).all())
    True
    """
    global _default_seed
    default = default_generator().manual_seed(seed)
    _default_seed = default.seed
    for generator in _generators.values():
        generator.manual_seed(seed)
    return default


def initial_seed() -> int:
    """The seed that the CPU's default generator was started from."""
    return default_generator().initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the CPU's default generator, for ``set_rng_state``."""
    return default_generator().get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the CPU's default generator from a state that ``get_rng_state`` gave.

    >>> import minigan
    >>> state = minigan.get_rng_state()
    >>> a = minigan.randn(2); minigan.set_rng_state(state)
    >>> bool((a == minigan.randn(2)).all())
    True
    """
    default_generator().set_state(state)
