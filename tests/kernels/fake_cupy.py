"""As much of CuPy as the launcher uses, without a GPU: its launches run in the emulator.

What it cannot show is CuPy itself: that a source compiles to a module and that values arrive.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from emulator import driver

from minigan.cuda.launch import kernel_folder


@dataclass
class Device:
    """A GPU; also the context manager that makes it the one in use."""

    id: int
    compute_capability: str = "80"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Array:
    """Memory of a GPU: a NumPy array that is none for those who ask for a NumPy array."""

    def __init__(self, values: Any, device: Device):
        self.values, self.device = values, device
        self.__cuda_array_interface__ = values.__array_interface__
        self.data = SimpleNamespace(ptr=values.ctypes.data)

    def get(self) -> np.ndarray:
        """A copy on the CPU."""
        return self.values.copy()

    def __getattr__(self, name: str) -> Any:  # shape, dtype, flags, …
        if name.startswith("__"):  # NumPy must not find an array of its own in it
            raise AttributeError(name)
        return getattr(self.values, name)


@dataclass
class FakeCupy:
    """The module: what was compiled and launched is written down."""

    capability: str = "80"
    compiled: list[dict] = field(default_factory=list)
    launched: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.cuda = SimpleNamespace(Device=self.device)

    def device(self, number: int) -> Device:
        return Device(number, self.capability)

    def array(self, values: Any, device: int = 0) -> Array:
        """``values`` on a GPU."""
        return Array(values, self.device(device))

    def asarray(self, values: Any) -> Array:
        """A copy of ``values`` on the first GPU."""
        return self.array(np.array(values))

    def RawModule(self, *, code: str, options: tuple[str, ...]) -> SimpleNamespace:
        self.compiled.append({"code": code, "options": options})
        return SimpleNamespace(get_function=lambda name: Kernel(self, code, options, name))


class Kernel:
    """One kernel of a module."""

    num_regs, shared_size_bytes = 40, 16

    def __init__(self, cupy: FakeCupy, code: str, options: tuple[str, ...], name: str):
        self.cupy, self.code, self.options, self.name = cupy, code, options, name
        self.max_dynamic_shared_size_bytes = 48 * 1024

    def __call__(self, grid, block, args, *, shared_mem=0):
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        self.cupy.launched.append({"name": self.name, "grid": grid, "block": block, "args": args})
        (path,) = [p for p in kernel_folder().glob("*.cu") if p.read_text("utf-8") == self.code]
        macros = tuple(o for o in self.options if o.startswith("-D"))
        module = driver.Module(path, macros, int(self.cupy.capability))
        module.launch(self.name, grid, block, [_plain(a) for a in args], shared_mem)


def _plain(argument):
    """An argument as the emulator takes it."""
    if isinstance(argument, Array):
        return argument.values
    if isinstance(argument, np.ndarray):  # a struct's bytes
        (argument,) = argument
        return argument
    with contextlib.suppress(AttributeError):
        if argument.dtype == np.intp and not argument:
            return None
    return argument
