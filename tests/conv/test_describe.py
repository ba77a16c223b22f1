"""``minigan info --conv``: what it reads, what it says."""

import os
import subprocess
import sys

import pytest

from minigan.cli import main
from minigan.conv import Geometry
from minigan.conv.describe import describe, parsed


def test_a_text_is_read_as_a_geometry():
    expected = Geometry(32, 30, 4, 4, (2, 2), (1, 1, 1, 1), (1, 1), 3)
    assert parsed("64x6x32x30,9,k4,s2,p1,g3") == (expected, 64, 6, 9)
    assert parsed(" 1x1x8x8,2,p1,k5 ") == (Geometry(8, 8, 5, 5, (1, 1), (1,) * 4), 1, 1, 2)
    assert parsed("1x1x8x8,2")[0] == Geometry(8, 8, 3, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("64x3", "expected NxCxHxW"),
        ("64x3x32x32,64,q4", "expected NxCxHxW"),
        ("0x3x32x32,64", "expected positive sizes"),
        ("1x3x2x2,64,k4", "does not fit an image of 2×2"),
        ("1x3x8x8,64,s0", "must be positive"),
        ("1x3x8x8,64,g2", "cannot be split into 2 groups"),
        ("1x3x8x8,64,g0", "cannot be split into 0 groups"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(text, said, capsys):
    assert main(["info", "--conv", text]) == 2
    message = capsys.readouterr().err
    assert message.startswith("minigan: error: --conv: ") and said in message
    assert message.count("\n") == 1


def test_the_arithmetic_is_that_of_seven_loops():
    """2·N·P·Q·R·S·C/groups·K = 2·2·3·3·2·2·4/2·6 = 1728 operations."""
    assert "(1.73e-06 GFLOP" in describe("2x4x4x4,6,k2,g2")


def test_every_routine_has_a_line_and_names_an_algorithm(capsys):
    assert main(["info", "--conv", "64x256x16x16,256,k1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["fprop", "dgrad", "wgrad"]
    assert all(line.split()[1] == "pointwise" for line in lines[1:])


def test_where_nothing_else_fits_the_line_ends_with_the_name():
    lines = describe("2x6x8x8,6,g3").splitlines()
    assert [lines[1], lines[3]] == ["fprop  im2col", "wgrad  im2col"]


def test_a_number_of_threads_that_is_none_is_one_sentence():
    environment = {**os.environ, "MINIGAN_NUM_THREADS": "many"}
    command = [sys.executable, "-m", "minigan", "info"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == (
        'minigan: error: MINIGAN_NUM_THREADS: expected a positive integer, got "many"\n'
    )
