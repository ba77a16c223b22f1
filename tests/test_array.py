"""Devices, and moving between them: what does not need a GPU."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import minigan
from minigan import array as arrays
from minigan.array import Device
from minigan.config import RunError, choose_device


def test_devices_are_named_and_compared():
    assert str(Device("cpu")) == "cpu" and Device("cpu").index is None
    assert str(Device("cuda")) == "cuda:0" and Device("cuda:1").index == 1
    assert Device("cuda") == Device("cuda:0") == "cuda" != Device("cuda:1")
    assert Device(Device("cuda:1")) == "cuda:1" and len({Device("cuda"), Device("cuda:0")}) == 1
    assert repr(minigan.device("cuda")) == "device('cuda:0')"
    assert Device("cpu") != 3 and Device("cpu") != "gpu" and Device("cuda:1") != "cuda"
    for name in ("gpu", "cuda:x", "cuda:-1", "", "tpu:0"):
        with pytest.raises(RuntimeError, match='expected "cpu", "cuda" or "cuda:N"'):
            Device(name)


def test_without_cupy_a_gpu_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import cupy raises ImportError
    with pytest.raises(RuntimeError, match="needs CuPy, which is not installed: pip install"):
        arrays.cupy()
    with pytest.raises(RuntimeError, match="needs CuPy"):
        minigan.ones(2).to("cuda")
    with pytest.raises(RuntimeError, match="needs CuPy"):
        minigan.zeros(2, device="cuda")
    assert minigan.cuda.is_available() is False and minigan.cuda.device_count() == 0
    assert minigan.cuda.missing() == "CuPy is not installed"


@pytest.mark.parametrize(
    ("driver", "count", "said"),
    [
        (0, None, "there is no NVIDIA driver"),
        (11080, "driver version is insufficient", "CUDA says driver version is insufficient"),
        (13000, 0, "the driver knows no GPU"),
    ],
)
def test_what_a_gpu_lacks_is_said(monkeypatch, driver, count, said):
    def devices():
        if isinstance(count, str):
            raise OSError(count)
        return count

    runtime = SimpleNamespace(driverGetVersion=lambda: driver, getDeviceCount=devices)
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime, is_available=lambda: False))
    monkeypatch.setattr(arrays, "cupy", lambda: cupy)
    assert minigan.cuda.missing() == said
    with pytest.raises(RunError, match=f"--device cuda: no usable GPU, {said} .*pip install"):
        choose_device("cuda")


def test_on_the_cpu_nothing_is_copied():
    x = np.zeros(2)
    assert arrays.to_device(x, "cpu") is x and arrays.device_of(x) == "cpu"
    assert arrays.array_module(x) is arrays.module_for(None) is arrays.module_for("cpu") is np
