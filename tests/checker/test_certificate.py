"""The certificate misses no operation, all of them pass, and the README shows those there are."""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import minigan
from minigan import Function, certificate, cli, tensor
from minigan.certificate import functions, public
from minigan.nn import functional as F

README = Path(__file__).resolve().parents[2] / "README.md"


def all_functions():
    """Every Function that the package defines and that computes something."""
    for module in pkgutil.walk_packages(minigan.__path__, "minigan."):
        if "__main__" not in module.name and "cuda" not in module.name:
            importlib.import_module(module.name)
    found, stack = set(), [Function]
    while stack:
        for kind in stack.pop().__subclasses__():
            stack.append(kind)
            if kind.__module__.startswith("minigan.") and kind.forward is not Function.forward:
                found.add(kind)
    names = {kind.__name__ for kind in found}
    assert len(names) == len(found), "two Functions of one name: the certificate cannot tell them"
    return names


def public_functions():
    """Public names that are functions: neither classes nor modules."""
    names = [n for n in dir(minigan) if not n.startswith("_")]
    found = {n for n in names if inspect.isfunction(getattr(minigan, n))}
    return found | {n for n in F.__all__ if inspect.isfunction(getattr(F, n))}


def test_every_function_of_the_engine_is_in_the_certificate():
    assert set(functions.FUNCTIONS) | functions.UNRECORDED == all_functions()
    assert not set(functions.FUNCTIONS) & functions.UNRECORDED


def test_every_public_function_is_in_it_or_listed_as_without_gradient():
    without = {name for names in public.WITHOUT_GRADIENT.values() for name in names.split()}
    assert not without & set(public.PUBLIC)
    assert public_functions() == without | set(public.PUBLIC)


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_a_program_runs_the_function_that_it_names(name):
    """Its Node is in the graph, with every operand a way to it."""
    shapes, program = functions.FUNCTIONS[name]
    operands = [minigan.ones(*shape, requires_grad=True) for shape in shapes]
    seen, stack = set(), [program(*operands).node]
    while stack:
        node = stack.pop()
        seen.add(type(node.function).__name__)
        stack += [edge for edge in node.edges if edge is not None]
    assert name in seen


def test_all_of_it_passes_to_the_third_order():
    """Errors of the complex step are rounding; float32 is right to a few of its own roundings."""
    entries = list(certificate.certify(3))
    short = [entry.report for entry in entries if entry.verdict != "pass"]
    assert not short, "\n".join(short)
    assert [entry.name for entry in entries] == certificate.names()
    assert max(e for entry in entries for e in entry.errors) < 1e-9
    assert {entry.name for entry in entries if entry.method != "complex"} == {"Cast"}
    assert {entry.name for entry in entries if entry.float32 is None} == set()


def test_the_readme_shows_the_operations_that_there_are():
    """Not the digits: they depend on the machine."""
    text = README.read_text(encoding="utf-8")
    table = text.partition("<!-- certificate -->")[2].partition("<!-- /certificate -->")[0]
    shown = re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", table, re.MULTILINE)
    assert shown == [(name, "pass") for name in certificate.names()], (
        "run `minigan gradcheck --markdown` and put what it prints between the README's markers"
    )


# ------------------------------------------------------------------------------ the command


def call(capsys, *arguments):
    code = cli.main(["gradcheck", *arguments])
    return code, *capsys.readouterr()


def test_the_command_prints_a_table_and_writes_json(capsys, tmp_path):
    file = tmp_path / "certificate.json"
    code, out, err = call(capsys, "--op", "Tanh", "--order", "2", "--json", str(file))
    assert code == 0 and err == ""
    header, row, _, summary = out.splitlines()
    assert header.split()[0] == "operation" and row.split()[0] == "Tanh"
    assert row.endswith("pass") and summary.startswith("1 of 1 pass")
    data = json.loads(file.read_text())
    assert data["order"] == 2 and len(data["entries"][0]["errors"]) == 2
    assert data["entries"][0]["name"] == "Tanh"


def test_markdown_is_a_table(capsys):
    code, out, _ = call(capsys, "--op", "softmax", "--markdown", "--seed", "5")
    assert code == 0
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 3 and rows[2].startswith("| `softmax` |")
    assert len({row.count("|") for row in rows}) == 1


def test_it_ends_with_1_where_something_falls_short(capsys, monkeypatch):
    wrong = ([(3,)], lambda x: x * x.detach())
    monkeypatch.setitem(functions.FUNCTIONS, "Tanh", wrong)
    code, out, err = call(capsys, "--op", "Tanh")
    assert code == 1
    assert "FAIL" in out and "0 of 1 pass" in out
    assert "gradcheck: FAIL" in err and "entries wrong" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--op", "tan"], "--op: unknown operation 'tan'; there are: tanh"),
        (["--order", "0"], "expected a whole number"),
        (["--json", "/nowhere/there.json"], "/nowhere/there.json: No such file"),
        (["--speed"], "unrecognized arguments"),
    ],
)
def test_a_wrong_option_is_one_line_and_2(capsys, arguments, said):
    code, out, err = call(capsys, *arguments)
    assert code == 2 and out == ""
    assert err.startswith("minigan: error: ") and err.count("\n") == 1 and said in err


def test_the_same_seed_gives_the_same_certificate():
    def numbers(seed):
        return [(e.errors, e.float32) for e in certificate.certify(3, "BatchNorm", seed)]

    assert numbers(1) == numbers(1) != numbers(2)


def test_integer_outputs_are_passed_over():
    """max gives values and indices; only the values are differentiated."""
    assert minigan.max(tensor([[1.0, 2.0]]), 1).indices.dtype.kind == "i"
    assert next(certificate.certify(only="max")).verdict == "pass"


@pytest.mark.parametrize("module", [functions, public], ids=["functions", "public"])
def test_shapes_are_drawn_for_all_but_those_whose_options_fit_one(module):
    """Every other program takes any lengths; those in FIXED really refuse some."""
    table = functions.FUNCTIONS if module is functions else public.PUBLIC
    assert set(table) >= module.FIXED
    refused = set()
    for name, (shapes, program) in table.items():
        for seed in range(30):
            rng = np.random.default_rng(seed)
            other = certificate.drawn(shapes, rng)
            assert [len(s) for s in other] == [len(s) for s in shapes]
            try:
                program(*[minigan.tensor(rng.uniform(0.3, 1.7, s)) for s in other])
            except (RuntimeError, ValueError, IndexError):
                refused.add(name)
    assert refused == module.FIXED


def test_drawn_lengths_keep_what_belongs_together():
    draws = [
        certificate.drawn([(2, 3, 4), (3, 4), (4, 1, 0)], np.random.default_rng(i))
        for i in range(40)
    ]
    for (a, b, c), pair, (d, *rest) in draws:
        assert (pair, d, rest) == ((b, c), c, [1, 0])
        assert {a, b, c} <= {2, 3, 4}
    assert len({tuple(map(tuple, d)) for d in draws}) > 15
