"""The one run for a GPU: every task has its time, and what fails costs the others nothing."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from benchmarks import all_gpu, conv_cuda, gpu, step_cuda
from benchmarks.all_gpu import TASKS, Task
from minigan import cuda

H100 = gpu.Machine("H100", 90, 132, 1.98e9, 2.619e9, 5120, 50 << 20, "none")


@pytest.fixture
def tasks(monkeypatch):
    """Put other tasks in the place of those that need a GPU."""
    monkeypatch.setattr(all_gpu, "machine", lambda: H100)
    monkeypatch.setattr(all_gpu, "LEAST", 0.0)

    def put(*made):
        monkeypatch.setattr(all_gpu, "TASKS", made)

    return put


def ended(folder):
    kept = json.loads((folder / "gpu-tasks.json").read_text())
    assert kept["machine"]["name"] == "H100"
    return {task["name"]: task["ended"] for task in kept["tasks"]}


def test_what_fails_or_hangs_costs_the_others_nothing(tasks, tmp_path, capsys):
    asleep = "-c 'import time; print(1, flush=True); time.sleep(60)'"
    tasks(
        Task("first", 1.0, "-c 'print(3)'"),
        Task("fails", 1.0, "-c 'raise SystemExit(5)'"),
        Task("hangs", 0.05, asleep),
        Task("writes", 1.0, '-c \'import sys; open(sys.argv[1], "w").write("1")\' {json}'),
    )
    out = tmp_path / "new" / "folder"
    assert all_gpu.main(["--out", str(out), "--minutes", "0.5"]) == 1
    found = ended(out)
    assert found == {
        "first": "well",
        "fails": "with status 5",
        "hangs": "stopped, its time was up",
        "writes": "well",
    }
    assert (out / "first.log").read_text() == "3\n" and (out / "hangs.log").read_text() == "1\n"
    assert (out / "gpu-writes.json").read_text() == "1"
    assert "fails: with status 5" in capsys.readouterr().out


def test_with_no_time_left_nothing_is_begun(tasks, monkeypatch, tmp_path):
    monkeypatch.setattr(all_gpu, "LEAST", 1e9)
    tasks(Task("late", 1.0, "-c 'open(\"x\")'"))
    assert all_gpu.main(["--out", str(tmp_path)]) == 0
    assert ended(tmp_path) == {"late": "not begun, the time was up"}
    assert not (tmp_path / "late.log").exists()


def test_tasks_are_told_where_to_write_and_how_long_they_have(tmp_path):
    command = all_gpu.filled(
        Task("a", 1.0, "-m x --json {json} {torch} {minutes}"), tmp_path, "t", 60
    )
    path = str(tmp_path / "gpu-a.json")
    assert command == [sys.executable, "-m", "x", "--json", path, "t", "0.80"]


@pytest.mark.parametrize(
    "task", [t for t in TASKS if "benchmarks" in t.command], ids=lambda t: t.name
)
def test_every_command_is_one_that_its_program_takes(monkeypatch, task):
    """Up to the point at which the GPU is missed."""
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    _, module, *rest = all_gpu.filled(task, Path("out"), sys.executable, 60.0)[1:]
    assert callable(importlib.import_module(module).main) and rest[:2] == ["--device", "cuda"]
    main = {"benchmarks.conv": conv_cuda, "benchmarks.step": step_cuda}[module].main
    with pytest.raises(SystemExit, match="this benchmark needs a CUDA GPU and CuPy"):
        main(rest[2:])


def test_the_folders_of_tests_are_there():
    (command,) = [task.command for task in TASKS if "pytest" in task.command]
    folders = [word for word in command.split() if word.startswith("tests/")]
    assert folders and all((all_gpu.ROOT / folder).is_dir() for folder in folders)


def test_without_a_gpu_or_with_unknown_options_it_ends_with_a_sentence(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="this benchmark needs a CUDA GPU and CuPy: none is"):
        all_gpu.main(["--out", str(tmp_path / "a")])
    assert not (tmp_path / "a").exists()
    (tmp_path / "gpu-tasks.json").write_text("{}")
    for given, message in (
        ([], "--out is needed"),
        (["--out", str(tmp_path)], "holds a run already; give another folder"),
        (["--out", "x", "--tasks", "conv,cook"], "--tasks: expected some of tests, conv, step"),
        (["--out", "x", "--minutes", "0"], "--minutes: expected a number above 0, got 0.0"),
    ):
        with pytest.raises(SystemExit) as refused:
            all_gpu.main(given)
        assert refused.value.code == 2 and message in capsys.readouterr().err
    assert all_gpu.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TASKS)
