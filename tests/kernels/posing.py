"""NumPy arrays that pose as a GPU's: the fused operations take them to the kernels, emulated."""

from __future__ import annotations

import pytest
from kernels.runner import run

from minigan import fused
from minigan.cuda import launcher


def pose(monkeypatch: pytest.MonkeyPatch, capability: int = 80) -> list[str]:
    """From now on; gives the names of the kernels that are launched, in their order."""
    names: list[str] = []

    def launched(launches):
        launches = list(launches)
        names.extend(launch.name for launch in launches)
        run(launches, "emulator")

    monkeypatch.setattr(fused, "_on_cpu", lambda array: False)
    monkeypatch.setattr(launcher, "capability", lambda array: capability)
    monkeypatch.setattr(launcher, "run", launched)
    return names
