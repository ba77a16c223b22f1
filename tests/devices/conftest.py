"""The devices that tests run on: the CPU, a GPU that is not there, and a real one if there is one.

Without a GPU the cases "gpu" skip with a reason; with MINIGAN_REQUIRE_GPU=1 in the environment they
fail instead.
"""

import os

import fakegpu
import pytest

from minigan import cuda, generators

GPUS = ["fake", pytest.param("gpu", marks=pytest.mark.gpu)]


def _present(kind, monkeypatch):
    if kind == "cpu":
        return "cpu"
    if kind == "fake":
        fakegpu.install(monkeypatch)
    elif not cuda.is_available():
        reason = "no CUDA GPU is present"
        if os.environ.get("MINIGAN_REQUIRE_GPU") == "1":
            pytest.fail(f"{reason}, and MINIGAN_REQUIRE_GPU=1 asks for one")
        pytest.skip(reason)
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
