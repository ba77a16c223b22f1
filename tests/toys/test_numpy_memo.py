"""The memo's programs print what they print with NumPy, and that is what was known before."""

import pytest

import minigan
from minigan.toys import numpy_memo, toy
from minigan.toys.numpy_memo import NUMPY, PROGRAMS, printed, source

KNOWN = {
    "sum_of_rows": "[2. 2.]",
    "reshape": "[[0. 0. 0. 0.]]",
    "constants": "30.0",
    "counter": "0 1 2 3",
    "several_values": "[21.0, 7.0]",
    "feed": "[14.]",
    "sum_and_product": "5 6",
    "matrix_product": "[[12.]]",
}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_both_libraries_print_what_is_known(program):
    assert printed(program, minigan) == printed(program, NUMPY) == KNOWN[program.__name__]


def test_every_program_is_known():
    assert [program.__name__ for program in PROGRAMS] == list(KNOWN)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_the_source_that_is_shown_runs_as_it_stands(program, capsys):
    import numpy as np

    exec(source(program), {"minigan": minigan, "np": np})
    assert " ".join(capsys.readouterr().out.split("\n")).strip() == KNOWN[program.__name__]


def test_the_toy_shows_them_side_by_side(tmp_path):
    results = toy("numpy-memo").run(tmp_path, quick=True)
    assert [row["measured"] for row in results["rows"]] == list(KNOWN.values())
    assert [row["exact"] for row in results["rows"]] == list(KNOWN.values())
    assert (tmp_path / "programs.png").stat().st_size > 10_000
    assert numpy_memo.__doc__
