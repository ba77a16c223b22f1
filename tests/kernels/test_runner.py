"""The runner of the kernels' tests: both backends give results, and a missing GPU is said."""

import numpy as np
import pytest
from fakegpu import GPU, Cupy
from kernels.runner import run
from machine import needs_emulator
from numpy.testing import assert_array_equal

from minigan import array as arrays
from minigan import cuda
from minigan.cuda import launcher, pointwise


def plan():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4), np.float32)
    y, bias = np.full_like(x, np.nan), np.arange(3, dtype=np.float32)
    expected = np.maximum(x + bias[:, None, None], 0)
    twice = pointwise.bias_act(x, bias, y, "relu") + pointwise.bias_act(y, None, y, "relu")
    return twice, y, expected


@needs_emulator
@pytest.mark.parametrize("seed", range(3))
def test_the_emulator_runs_launches_one_after_the_other(seed):
    launches, y, expected = plan()
    run(launches, "emulator", seed=seed)
    assert_array_equal(y, expected)


@needs_emulator
def test_the_gpu_runs_the_same_launches_on_copies(monkeypatch):
    module = Cupy(GPU("80"))
    monkeypatch.setattr(arrays, "cupy", lambda: module)
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    for kept in (launcher._kernel, launcher._module):
        kept.cache_clear()
    launches, y, expected = plan()
    run(launches, "gpu")
    assert_array_equal(y, expected)
    assert len(module.gpu.launched) == 2
    for kept in (launcher._kernel, launcher._module):
        kept.cache_clear()


def test_without_a_gpu_a_case_skips_or_fails_with_the_reason(monkeypatch):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    monkeypatch.delenv("MINIGAN_REQUIRE_GPU", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no CUDA GPU is present"):
        run([], "gpu")
    monkeypatch.setenv("MINIGAN_REQUIRE_GPU", "1")
    with pytest.raises(pytest.fail.Exception, match=r"no CUDA GPU .* MINIGAN_REQUIRE_GPU=1 asks"):
        run([], "gpu")


def test_another_backend_is_refused():
    with pytest.raises(ValueError, match='backend expects "emulator" or "gpu", got \'cpu\''):
        run([], "cpu")
