"""The devices that tests run on: the CPU, a GPU that is not there, and a real one if there is one.

Without a GPU the cases "gpu" skip with a reason, or fail (``machine.need_gpu``).
"""

import fakegpu
import pytest
from machine import need_gpu

from minigan import generators

GPUS = ["fake", pytest.param("gpu", marks=pytest.mark.gpu)]


def _present(kind, monkeypatch):
    if kind == "cpu":
        return "cpu"
    if kind == "fake":
        fakegpu.install(monkeypatch)
    else:
        need_gpu()
    return "cuda"


@pytest.fixture(params=GPUS)
def cuda_device(request, monkeypatch):
    """ "cuda": what runs there is set beside the CPU, with the CPU's random numbers."""
    name = _present(request.param, monkeypatch)
    with generators.same_numbers():
        yield name


@pytest.fixture
def fake(monkeypatch):
    """The fake CuPy, for tests that ask it what happened."""
    return fakegpu.install(monkeypatch)
