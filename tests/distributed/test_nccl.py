"""NCCL without a GPU: what CuPy's wrapper and the library below it are told, and in which order."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import ranks

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    find_spec("cupy") is None or shutil.which("g++") is None or sys.platform != "linux",
    reason="needs CuPy and g++ on Linux",
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    library = tmp_path_factory.mktemp("nccl") / "libnccl.so.2"
    build = ["g++", "-shared", "-fPIC", "-Wl,-soname,libnccl.so.2", "-o", library]
    subprocess.run([*build, HERE / "nccl_stub.cpp"], check=True)
    done = subprocess.run(
        [sys.executable, HERE / "nccl_program.py", library],
        env=ranks.environment(PYTHONUNBUFFERED="1"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_all_ranks_join_under_the_name_that_rank_0_got(lines):
    assert "init ranks=2 rank=0 id=rank 0's" in lines and "init ranks=2 rank=1 id=rank 0's" in lines


def test_a_collective_waits_for_what_was_asked_before_and_is_waited_for(lines):
    begin = lines.index("f sum")
    assert lines[begin : begin + 8] == [
        "f sum",
        "event on current stream",
        "own stream waits for current stream",
        "all_reduce count=3 dtype=7 op=0 in_place=1 stream=77",
        "event on own stream",
        "asked",  # the CPU has not waited
        "current stream waits for own stream",
        "[2.0, 4.0, 6.0]",
    ]


def test_dtypes_counts_and_operations_are_nccl_s(lines):
    """float64 is 8, int64 4, float32 7; complex numbers count twice; 0 sums."""
    calls = [line.split(" in_place")[0] for line in lines if line.startswith("all_reduce")]
    assert calls[1:4] == [
        "all_reduce count=3 dtype=8 op=0",
        "all_reduce count=3 dtype=4 op=0",
        "all_reduce count=6 dtype=7 op=0",
    ]
    assert lines[lines.index("d avg") + 7] == "[1.0, 2.0, 3.0]"
    assert "broadcast count=2 dtype=1 root=1 in_place=1 stream=77" in lines
    assert lines[-1] == "destroy"


def test_an_array_in_another_memory_order_is_brought_back(lines):
    assert "[[0.0, 6.0], [2.0, 8.0], [4.0, 10.0]]" in lines
