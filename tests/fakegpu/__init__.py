"""A CuPy without a GPU, for tests: as strict as the real one, its arrays in NumPy's memory.

    cupy = fakegpu.install(monkeypatch)                # from here on there is one GPU
    x = minigan.randn(2, 3, device="cuda")
    with cupy.gpu.waiting() as places:                 # where a program waits for the GPU
        x.sum().item()

An array of the fake is no NumPy array and never becomes one unasked, meets none in an operation,
has no attribute, function or keyword that CuPy's (``cupy.json``) lacks, and is never a NumPy
scalar.  Where CuPy leaves open what happens, the fake does the unwelcome: memory that was not
written holds NaN, and of several values for one place any may stay.  ``compute capability`` "70"
sends convolutions the plain way; from "75" on the project's kernels run, in the emulator.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from .gpu import GPU, Device
from .module import Cupy, Cupyx


def install(monkeypatch: Any, capability: str = "70", devices: int = 1) -> Cupy:
    """Make CuPy the fake, and its GPUs those that minigan finds, until the test ends."""
    from minigan import array as arrays
    from minigan import generators
    from minigan.cuda import launcher

    cupy = Cupy(GPU(capability, devices))
    cupyx = Cupyx(cupy.gpu)
    for name, value in {
        "cupy": cupy,
        "cupy.cuda": cupy.cuda,
        "cupy.random": cupy.random,
        "cupyx": cupyx,
        "cupyx.scipy": cupyx.scipy,
        "cupyx.scipy.special": cupyx.scipy.special,
    }.items():
        monkeypatch.setitem(sys.modules, name, value)
    monkeypatch.setattr(arrays, "cupy", lambda: cupy)
    monkeypatch.setattr(generators, "_generators", dict(generators._generators))
    for kept in ("_kernel", "_module"):  # what was compiled for another GPU
        again = functools.cache(getattr(launcher, kept).__wrapped__)
        monkeypatch.setattr(launcher, kept, again)
    return cupy


def held(cupy: Cupy, values: Any, device: int = 0) -> Any:
    """An array of that GPU in the very memory of ``values``, a NumPy array."""
    return cupy.gpu.hold(values, Device(cupy.gpu, device))


__all__ = ["GPU", "Cupy", "held", "install"]
