"""What a program can ask about a GPU's memory, with a GPU and without."""

import fakegpu
import pytest

import minigan
from minigan import cli


def test_with_a_gpu(monkeypatch):
    cupy = fakegpu.install(monkeypatch, devices=2)
    monkeypatch.setattr(cupy.cuda.pool, "used_bytes", lambda: 300 + cupy.gpu.current)
    monkeypatch.setattr(cupy.cuda.pool, "total_bytes", lambda: 400 + cupy.gpu.current)
    assert minigan.cuda.memory_allocated() == 300
    assert minigan.cuda.memory_allocated(1) == minigan.cuda.memory_allocated("cuda:1") == 301
    assert minigan.cuda.memory_reserved(minigan.device("cuda", 1)) == 401
    assert minigan.cuda.mem_get_info() == cupy.cuda.runtime.memGetInfo()
    assert cupy.gpu.current == 0


def test_without_a_gpu(monkeypatch):
    fakegpu.install(monkeypatch, devices=0)
    assert minigan.cuda.memory_allocated() == minigan.cuda.memory_reserved() == 0
    with pytest.raises(RuntimeError, match="no CUDA GPU is present"):
        minigan.cuda.mem_get_info()


def test_info_says_what_is_free(monkeypatch, capsys):
    fakegpu.install(monkeypatch, devices=2)
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "device    cuda" in lines
    assert lines[-1] == "cuda:1    8.0 of 16.0 GiB of memory are free"
