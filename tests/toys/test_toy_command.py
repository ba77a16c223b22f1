"""The command ``minigan toy``."""

import json
import sys

import pytest

from minigan import cli, cuda
from minigan.toys import ToyError, toy, toy_names


def call(capsys, *arguments, code=0):
    """stdout and stderr of a command that ends with ``code``."""
    assert cli.main(["toy", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("arguments", [[], ["--list"], ["dirac-gan", "--list"]])
def test_without_a_name_it_lists_the_toys(capsys, arguments):
    out, _ = call(capsys, *arguments)
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(toy_names())
    assert all("with --quick" in line for line in lines[1::2])


def test_a_toy_leaves_a_folder_and_prints_what_it_found(capsys, tmp_path):
    folder = tmp_path / "deep" / "memo"
    out, err = call(capsys, "numpy-memo", "--out", folder, "--seed", 7)
    assert "numpy-memo: takes about" in err
    lines = out.splitlines()
    assert lines[0].split() == ["measured", "exact"]
    assert lines[3].split() == ["two", "constants", "30.0", "30.0"]
    assert lines[-1].strip() == str(folder / "results.json")
    assert json.loads((folder / "results.json").read_text())["seed"] == 7


def test_quick_says_how_long_the_full_one_takes(capsys, tmp_path):
    _, err = call(capsys, "numpy-memo", "--quick", "--out", tmp_path / "memo")
    (line,) = (line for line in err.splitlines() if line.startswith("numpy-memo"))
    assert line == f"numpy-memo: quick; in full about {toy('numpy-memo').full}"


def test_the_folder_is_named_after_the_toy(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call(capsys, "numpy-memo")
    assert (tmp_path / "toys" / "numpy-memo" / "programs.png").exists()


def test_nothing_is_overwritten_without_force(capsys, tmp_path):
    call(capsys, "numpy-memo", "--out", tmp_path)
    _, err = call(capsys, "numpy-memo", "--out", tmp_path, "--quick", code=2)
    assert err.splitlines()[-1] == (
        f"minigan: error: --out {tmp_path}: is not empty; give another folder, or --force"
    )
    call(capsys, "numpy-memo", "--out", tmp_path, "--force")


def test_without_a_gpu_one_line_says_so_or_the_cpu_does_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    folder = tmp_path / "deep" / "memo"
    out, err = call(capsys, "numpy-memo", "--device", "cuda", "--out", folder, code=2)
    assert not out and err.startswith("minigan: error: --device cuda: no usable GPU")
    assert err.count("\n") == 1 and not list(tmp_path.iterdir())
    _, err = call(capsys, "numpy-memo", "--device", "auto", "--out", folder)
    assert err.splitlines()[0] == "computing on the CPU (no usable GPU)"
    assert "device" not in json.loads((folder / "results.json").read_text())


def test_from_python_a_missing_device_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import cupy raises ImportError
    with pytest.raises(RuntimeError, match="needs CuPy"):
        toy("numpy-memo").run(tmp_path / "memo", device="cuda")
    with pytest.raises(ToyError, match='device expects "cpu" or "cuda", got \'cuda:1\''):
        toy("numpy-memo").run(tmp_path / "memo", device="cuda:1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lego"], "unknown toy 'lego'; there are: parallel-lines"),
        (["numpy-memo", "--seed", "-1"], "--seed"),
        (["numpy-memo", "--out", ""], "--out: expected a path"),
        (["numpy-memo", "twice"], "unrecognized arguments: twice"),
        (["numpy-memo", "--device", "tpu"], "--device"),
    ],
)
def test_mistakes_are_one_line(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    out, err = call(capsys, *arguments, code=2)
    assert not out and err.startswith("minigan: error: ") and err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.iterdir())
