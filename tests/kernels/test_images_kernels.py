"""Batches of images out of bytes: bit for bit what NumPy makes of them."""

import numpy as np
import pytest
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run
from numpy.testing import assert_array_equal

from minigan.cuda import images
from minigan.cuda.launch import LaunchError
from minigan.data.images import centred


def draw(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(7, 1, 3, 3), (5, 3, 8, 8), (4, 3, 37, 41), (2, 6000)])
def test_the_same_bits_as_on_the_cpu(shape, backend):
    data, chosen = draw(*shape), np.array([1, 0, shape[0] - 1, 1])
    y = np.full((4, *shape[1:]), np.nan, np.float32)
    run(poisoned(images.centred(data, chosen, y), data, chosen), backend)
    assert_array_equal(y.view(np.uint32), centred(data[chosen]).view(np.uint32))
    y = np.full(shape, np.nan, np.float32)
    run(poisoned(images.centred(data, None, y), data), backend)
    assert_array_equal(y, centred(data))


def test_every_byte():
    data, y = np.arange(256, dtype=np.uint8).reshape(1, 256), np.empty((1, 256), np.float32)
    run(images.centred(data, None, y))
    assert_array_equal(y, centred(data))
    assert y.min() == -1 and y.max() == 1


def test_the_compile_gate_knows_every_configuration():
    chosen = []
    for shape in ((2, 4), (2, 5)):
        chosen += images.centred(draw(*shape), None, np.empty(shape, np.float32))
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(images.configurations())


@pytest.mark.parametrize(
    ("data", "chosen", "message"),
    [
        (draw(3, 4), np.array([0]), r"y expects shape \(1, 4\), got \(2, 4\)"),
        (draw(3, 4).astype(np.int16), np.array([0, 1]), "images of uint8"),
        (draw(3, 4), np.array([0, 1], np.int32), "indices of int64"),
    ],
)
def test_what_does_not_fit_is_refused(data, chosen, message):
    with pytest.raises(LaunchError, match=message):
        images.centred(data, chosen, np.empty((2, 4), np.float32))
