"""Under the sanitizers right kernels pass, and what the bare emulator cannot see is found."""

from pathlib import Path

import pytest
from emulator import sanitizers
from machine import needs_emulator

pytestmark = needs_emulator

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from emulator import driver

samples = driver.Module(driver.INCLUDE.parent / "samples.cu", (), 80, {names!r})
x, y, one = np.ones((4, 128), np.float32), np.zeros(128, np.float32), (1, 1, 1)
for name, block, arguments, shared in {launches}:
    samples.launch(name, one, (block, 1, 1), arguments, shared)
    print("passed", name)
"""

RIGHT = """[
    ("backwards", 64, (x, y), 256),
    ("sums", 96, (x, y), 0),
    ("pipeline", 32, (x, y, np.int32(4)), 0),
    ("votes", 64, (np.ones(64, np.int32), np.zeros(5, np.uint32)), 0),
]"""
MEMORY = ("address", "undefined")
THREADS = ("thread",)


def launched(names, launches, folder):
    program = folder / "program.py"
    tests = str(Path(__file__).resolve().parents[1])
    program.write_text(PROGRAM.format(tests=tests, names=names, launches=launches))
    return sanitizers.run(names, program)


@pytest.mark.parametrize("names", [MEMORY, THREADS], ids="+".join)
def test_right_kernels_pass(tmp_path, names):
    status, output = launched(names, RIGHT, tmp_path)
    assert status == 0, output
    assert output.count("passed") == 4


@pytest.mark.parametrize(
    ("names", "launch", "message"),
    [
        (MEMORY, '("reads_beyond", 1, (x, y, np.int32(512)), 0)', "heap-buffer-overflow"),
        (MEMORY, '("static_shared_beyond", 32, (y, np.int32(1)), 0)', "out of bounds"),
        (MEMORY, '("misaligned", 1, (x, y, np.int32(1)), 0)', "misaligned address"),
        (MEMORY, '("barrier_for_some", 64, (y,), 0)', "some threads do not reach"),
        (THREADS, '("no_barrier", 64, (x, y), 0)', "data race"),
        (THREADS, '("no_second_barrier", 64, (x, y), 0)', "data race"),
    ],
)
def test_wrong_kernels_are_found(tmp_path, names, launch, message):
    status, output = launched(names, f"[{launch}]", tmp_path)
    assert status != 0
    assert message in output
