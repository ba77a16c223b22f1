"""What all toys share: their registry, their folder, and numbers that JSON can hold."""

import json
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import minigan
from minigan.toys import ToyError, toy, toy_names
from minigan.toys.distances import experiment
from minigan.toys.output import plain, progress


def test_every_toy_can_be_run_and_says_how_long_it_takes():
    assert len(set(toy_names())) == len(toy_names()) >= 5
    for name in toy_names():
        each = toy(name)
        assert each.name == name and each.summary and each.source and each.quick and each.full
        assert callable(import_module(f"minigan.toys.{each.module}").run)


def test_an_unknown_toy():
    with pytest.raises(ToyError, match="unknown toy 'lego'; there are: parallel-lines, distances"):
        toy("lego")


def test_listing_toys_imports_none_of_them():
    program = (
        "import sys; from minigan.toys import toy, toy_names\n"
        "[toy(name).summary for name in toy_names()]\n"
        "print([m for m in sys.modules if m.startswith('minigan.toys.')])\n"
        "print([m for m in ('matplotlib', 'scipy', 'PIL') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split("\n")[:2] == ["['minigan.toys.output']", "[]"]


def test_what_is_there_is_not_overwritten(tmp_path):
    memo = toy("numpy-memo")
    first = memo.run(tmp_path, seed=1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ToyError, match="is not empty; give another folder, or --force"):
        memo.run(tmp_path, seed=2)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}
    second = memo.run(tmp_path, seed=2, force=True)
    assert (first["seed"], second["seed"]) == (1, 2)
    assert json.loads((tmp_path / "results.json").read_text()) == second


def test_force_leaves_strangers_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ToyError, match="nothing like thesis"):
        toy("numpy-memo").run(tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_old_results_never_stand_beside_new_figures(tmp_path, monkeypatch):
    """A run that dies leaves no results.json, and --force takes over what it has left."""
    memo = toy("numpy-memo")
    memo.run(tmp_path)

    def dies(folder, seed, quick):
        (folder / "programs.png").write_bytes(b"half")
        raise MemoryError

    module = import_module("minigan.toys.numpy_memo")
    with monkeypatch.context() as patch:
        patch.setattr(module, "run", dies)
        with pytest.raises(MemoryError):
            memo.run(tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["programs.png"]
    memo.run(tmp_path, force=True)
    assert (tmp_path / "results.json").exists()


def test_a_file_is_no_folder_and_a_seed_is_a_whole_number(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ToyError, match="is a file, expected a folder"):
        toy("numpy-memo").run(tmp_path / "file")
    for seed in (-1, 1.5, True):
        with pytest.raises(ToyError, match="seed expects a whole number from 0 on"):
            toy("numpy-memo").run(tmp_path / "new", seed=seed)
    assert not (tmp_path / "new").exists()


def test_numbers_become_plain():
    value = {"a": np.float32(0.5), "b": [np.inf, -np.inf, 1], "c": (np.arange(2), None, True)}
    value["t"] = minigan.tensor([1.0, 2.0])
    expected = {"a": 0.5, "b": ["inf", "-inf", 1], "c": [[0, 1], None, True], "t": [1.0, 2.0]}
    assert plain(value) == expected
    with pytest.raises(ValueError, match="a number is NaN"):
        plain({"a": [float("nan")]})


def test_progress_gives_all_and_survives_a_closed_terminal(monkeypatch, capsys):
    assert list(progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert "counting" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress(range(3), "counting")) == [0, 1, 2]


def test_the_distances_toy_leaves_what_it_promises(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "QUICK", experiment.Size(20, 3, (30, 100), 2))
    results = toy("distances").run(tmp_path / "out", quick=True)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        *("distance-one.png", "sinkhorn.png", "critics.png", "gaussians.png"),
        *("training.png", "training.gif", "results.json"),
    }
    ones = [row["measured"] for row in results["rows"] if row["what"].startswith("EM, ")]
    assert ones == pytest.approx([1] * 6)
    between = [row for row in results["rows"] if "of two Gaussians" in row["what"]]
    assert [row["what"].split(", of")[0] for row in between] == list(experiment.BETWEEN_GAUSSIANS)
    assert all(0 < row["floor"] < row["measured"] for row in between)
    for row in results["rows"]:
        if row["what"].startswith("Sinkhorn"):
            assert (
                row["exact"] <= row["measured"] + 1e-5 <= row["exact"] + row["bias_at_most"] + 2e-5
            )
    assert set(results["training"]["floor"]) == {"em", "tv", "kl", "js"}
