"""The kernels under AddressSanitizer with UBSan, and under ThreadSanitizer.

ThreadSanitizer sees the order of barriers and nothing else, so it finds a race whether or not it
shows in the numbers: one that hides in the order in which the emulator happens to run, too.
"""

from pathlib import Path

import pytest
from emulator import sanitizers
from kernels.cases import patched
from machine import needs_emulator

from minigan.cuda.launch import kernel_folder

pytestmark = needs_emulator

PROGRAM = Path(__file__).with_name("sanitized.py")
MEMORY, THREADS = ("address", "undefined"), ("thread",)
RUN = ["fprop 2", "dgrad 3", "wgrad 4", "thin_wgrad", "batch_norm", "adam"]


def run(names, folder, *cases):
    return sanitizers.run(names, PROGRAM, ",".join(names), folder, *cases)


@pytest.mark.parametrize("names", [MEMORY, THREADS], ids="+".join)
def test_the_kernels_pass(names):
    status, output = run(names, kernel_folder(), *RUN)
    assert status == 0, output
    assert [line for line in output.splitlines() if line.startswith("passed")] == [
        f"passed {name}" for name in RUN
    ]


@pytest.mark.parametrize(
    ("names", "file", "before", "after", "case", "message"),
    [
        (
            THREADS,
            "streams.cuh",
            "  __syncthreads();  // the scratch may be used again\n",
            "",
            "batch_norm",
            "data race",
        ),
        (
            THREADS,
            "tile_gemm.cuh",
            "__syncthreads();  // nobody reads it any more",
            "",
            "fprop 2",
            "data race",
        ),
        (
            MEMORY,
            "output.cuh",
            "if (row < conv.K) to[row",
            "if (row <= conv.K) to[row",
            "fprop 2",
            "heap-buffer-overflow",
        ),
    ],
)
def test_a_planted_bug_is_found(tmp_path, names, file, before, after, case, message):
    folder = patched(kernel_folder(), tmp_path / "kernels", file, before, after)
    status, output = run(names, folder, case)
    assert status != 0
    assert message in output
