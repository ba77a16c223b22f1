"""Run the launches of a plan: on the CPU by the emulator, or on a GPU by the project's launcher.

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_something(backend):
        run(plan(x, y), backend)        # NumPy arrays, changed in place

Without a GPU the cases of the backend "gpu" skip with a reason, or fail (``machine.need_gpu``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulator import driver
from machine import need_gpu

from minigan import array as arrays
from minigan.cuda import launcher
from minigan.cuda.launch import Launch, Table, kernel_folder

BACKENDS = ["emulator", pytest.param("gpu", marks=pytest.mark.gpu)]


def run(
    launches: Iterable[Launch],
    backend: str = "emulator",
    *,
    seed: int = 0,
    sanitize: tuple[str, ...] = (),
    folder: Path | None = None,
) -> None:
    """Run the launches one after the other; their NumPy arrays hold the results.

    ``seed`` orders the emulator's blocks, warps and lanes (odd seeds: cp.async lands at once).
    ``folder`` holds other kernels than the project's.
    """
    launches = list(launches)
    if backend == "gpu":
        _on_gpu(launches)
        return
    if backend != "emulator":
        raise ValueError(f'run: backend expects "emulator" or "gpu", got {backend!r}')
    reason = driver.unavailable()
    if reason:
        pytest.skip(reason)
    for launch in launches:
        path = (folder or kernel_folder()) / launch.file
        module = _module(path, launch.macros, launch.architecture, sanitize)
        module.launch(launch.name, launch.grid, launch.block, launch.arguments, launch.shared, seed)


@functools.cache
def _module(path, macros, architecture, sanitize):
    return driver.Module(path, macros, architecture, sanitize)


def _on_gpu(launches: list[Launch]) -> None:
    need_gpu()
    cupy = arrays.cupy()
    moved: dict[tuple, tuple[np.ndarray, object]] = {}

    def to_gpu(value):
        if isinstance(value, Table):
            return value.mapped(to_gpu)
        if not isinstance(value, np.ndarray):
            return value
        key = value.ctypes.data, value.nbytes
        if key not in moved:
            moved[key] = value, cupy.asarray(value)
        return moved[key][1]

    launcher.run([replace(a, arguments=tuple(map(to_gpu, a.arguments))) for a in launches])
    for original, copy in moved.values():
        if original.flags.writeable:
            original[...] = copy.get()
