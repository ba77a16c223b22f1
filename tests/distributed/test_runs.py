"""Runs of several processes: one folder, resumed on any number of them, ended together."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ranks
from PIL import Image

from minigan import cli, together, training
from minigan.config import RunError, read_config
from minigan.data import DataError
from minigan.record import read_rows
from minigan.serialize import read_npz

pytestmark = ranks.needs_mpi

TINY = [
    *("gan", "--image-size", "8", "--batch-size", "4", "--sample-every", "20", "--seed", "3"),
    *("--set", "widths=16", "--set", "critic_widths=16", "--checkpoint-every", "5"),
]
STEPS = 60
LONG = ["--steps", STEPS, "--sync-batchnorm"]
COMMAND = ["-m", "minigan", "train", "--distributed"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One cache of drawn glyphs for all processes of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def train(n, *arguments, code=0):
    return ranks.run(n, *COMMAND, *arguments, code=code)


def plainly(*arguments):
    """In this process, alone."""
    assert cli.main(["train", *map(str, arguments)]) == 0


def contents(folder):
    """Every file of a run by name; config.json without what may differ."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "config.json"
    }


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    out, err = train(2, *TINY, *LONG, "--out", folder)
    assert out.count("trained 60 steps") == 1 and err.count("2 processes") == 1
    return folder


def test_the_folder_says_how_it_came_about(finished):
    config = read_config(finished)
    assert (config.ranks, config.sync_batchnorm, config.batch_size) == (2, True, 4)
    assert {"checkpoint.npz", "animation.gif", "samples/step-000060.png"} <= {*contents(finished)}
    assert len(read_rows(finished / "metrics.csv", STEPS)) == STEPS


def pids(folder):
    """The ranks that train in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in words and b"minigan" in words and b"mpiexec" not in words[0]:
            found.append(int(entry.name))
    return [pid for pid in found if "hydra" not in Path(f"/proc/{pid}/comm").read_text()]


def step_of(folder):
    """Of its checkpoint, which must be a whole one."""
    return json.loads(read_npz(folder / "checkpoint.npz")["state.json"].tobytes())["step"]


def test_stopped_and_killed_it_goes_on_to_the_same_bytes(finished, tmp_path):
    """Ctrl-C, which mpiexec passes on, stops all after one step; kill -9 of a rank ends all."""
    chance, folder = random.Random(5), tmp_path / "stopped"
    process = ranks.start(2, *COMMAND, *TINY, *LONG, "--out", folder)
    wait_for_a_checkpoint(process, folder)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=ranks.HANGS)
    assert process.returncode == 130, err
    assert f"go on with: mpiexec -n 2 minigan train --distributed --resume {folder}" in out
    assert step_of(folder) < STEPS

    process = ranks.start(2, *COMMAND, "--resume", folder)
    wait_for_a_checkpoint(process, folder)
    time.sleep(chance.uniform(0.0, 0.3))  # while they train, or rank 0 draws what has come of it
    os.kill(chance.choice(pids(folder)), signal.SIGKILL)
    process.communicate(timeout=ranks.HANGS)
    assert process.returncode not in (0, 130)
    assert pids(folder) == [] and step_of(folder) <= STEPS

    train(2, "--resume", folder)
    assert contents(folder) == contents(finished)


def test_killed_at_any_point_it_goes_on_to_the_same_bytes(finished, tmp_path):
    """In a step, while a file is half written, at the end: what is there under its name is whole.

    In a run of 60 steps with a checkpoint every 5 and a picture every 20.
    """
    folder = tmp_path / "killed"
    options = [*TINY, *LONG, "--out", folder]
    for where, count, after in (
        ("gradient", 70, 5),
        ("checkpoint.npz", 3, 15),  # the step of the checkpoint that is left
        ("save", 4, 30),
        ("step-000040.png", 1, 35),
        ("losses.png", 1, 60),
    ):
        program = [ranks.HERE / "killed.py", where, count, "--distributed"]
        process = ranks.start(2, *program, *options)
        out, err = process.communicate(timeout=ranks.HANGS)
        assert process.returncode not in (0, 130) and "trained" not in out, (where, out, err)
        assert pids(folder) == [] and step_of(folder) == after, where
        for picture in folder.rglob("[!.]*.png"):
            with Image.open(picture) as image:
                image.load()
        options = ["--resume", folder]
    assert {path.name.split(".")[1] for path in folder.rglob(".*.tmp")} == {"losses"}
    out, _ = train(2, *options)
    assert "already trained to step 60" in out and contents(folder) == contents(finished)


def wait_for_a_checkpoint(process, folder):
    """One that is not there yet."""
    path = folder / "checkpoint.npz"
    before = path.stat().st_mtime_ns if path.exists() else None
    while not path.exists() or path.stat().st_mtime_ns == before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_another_number_of_processes_goes_on(tmp_path, capsys):
    """A DCGAN on four ranks, then on two, on one without mpiexec, and on three."""
    folder, small = tmp_path / "other", ["--image-size", "8", "--batch-size", "4"]
    out, err = train(4, "dcgan", *small, "--steps", 3, "--out", folder)
    assert out.count("trained 3 steps") == 1 and err.count("4 processes, 4 images each") == 1
    before, steps, rows = 4, 3, (folder / "metrics.csv").read_bytes()
    for now in (2, 1, 3):
        arguments = ["--resume", folder, "--steps", steps + 2]
        if now == 1:
            plainly(*arguments)
            err = capsys.readouterr().err
        else:
            _, err = train(now, *arguments)
        assert err.count(f"processes so far: {before}, now {now},") == 1
        assert step_of(folder) == steps + 2 and read_config(folder).ranks == now
        assert (folder / "metrics.csv").read_bytes().startswith(rows)
        before, steps, rows = now, steps + 2, (folder / "metrics.csv").read_bytes()
    assert len(read_rows(folder / "metrics.csv", steps)) == 9


def test_one_process_is_the_run_that_it_was_without(tmp_path):
    plainly(*TINY, "--steps", 10, "--out", tmp_path / "plain")
    alone = [sys.executable, *COMMAND, *TINY, "--steps", "10", "--out", tmp_path / "distributed"]
    subprocess.run(
        alone, env=ranks.environment(), capture_output=True, check=True, timeout=ranks.HANGS
    )
    assert contents(tmp_path / "plain") == contents(tmp_path / "distributed")


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("at the beginning", 2, "minigan: error: nothing to follow"),
        ("while it trains", 1, "KeyError: 'planted'"),
    ],
)
def test_a_rank_that_fails_ends_all_and_says_why_once(tmp_path, kind, code, said):
    program = ranks.HERE / "failing.py"
    options = [*TINY, "--steps", STEPS, "--out", tmp_path / "run", "--distributed"]
    out, err = ranks.run(2, program, kind, *options, code=code)
    assert err.count(said) == 1 and "trained" not in out
    assert pids(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (OSError(28, "full"), 2), (DataError("odd"), 2), (KeyError(1), 1)],
)
def test_mpiexec_exits_as_the_command_does(error, code):
    assert together._exit_code(error) == code


def test_ranks_with_other_data_end():
    follower = SimpleNamespace(
        data=range(3), trainer=SimpleNamespace(shape=(1, 8, 8)), config=SimpleNamespace(data="x")
    )
    together._expect_data(follower, [3, 1, 8, 8])
    with pytest.raises(RunError, match=r"other data in x .*: \[3, 1, 8, 8\] and \[4, 1, 8, 8\]"):
        together._expect_data(follower, [4, 1, 8, 8])


def test_statistics_of_all_processes_need_several(capsys):
    assert cli.main(["train", "gan", "--sync-batchnorm"]) == 2
    assert "--sync-batchnorm goes with --distributed" in capsys.readouterr().err


def test_what_all_ranks_find_wrong_is_said_once(tmp_path):
    diverging = ["--set", "optimizer=sgd", "--set", "lr=1e30", "--out", tmp_path / "run"]
    _, err = train(2, *TINY, *diverging, code=2)
    assert err.count("minigan: error:") == 1 and "became nan at step" in err
    assert (tmp_path / "run" / "losses.png").exists()


@pytest.mark.parametrize("arguments", [["--distributed", "--odd"], ["--distributed"]])
def test_a_mistake_on_the_command_line_is_said_once(arguments):
    _, err = ranks.run(3, "-m", "minigan", "train", *arguments, code=2)
    assert err.count("minigan: error:") == 1 == err.count("\n")


@pytest.mark.parametrize("place", [0, 1])
def test_processes_that_train_apart_are_told_so_once(monkeypatch, capsys, place):
    monkeypatch.setenv("PMI_SIZE", "3")
    monkeypatch.setenv("MPI_LOCALRANKID", str(place))
    training._expect_one_process()
    said = "mpiexec started 3 processes, and each trains a run of its own"
    assert capsys.readouterr().err.count(said) == (place == 0)


@pytest.mark.parametrize("place", [0, 1])
def test_without_mpi4py_it_says_once_what_to_install(tmp_path, place):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise ImportError('planted')")
    done = subprocess.run(
        [sys.executable, "-m", "minigan", "train", "gan", "--distributed"],
        env={
            **ranks.environment(MPI_LOCALRANKID=str(place)),
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ranks.ROOT}",
        },
        capture_output=True,
        text=True,
        timeout=ranks.HANGS,
    )
    said = "minigan: error: --distributed: needs mpi4py and an MPI library"
    assert done.returncode == 2 and done.stderr.count("\n") == done.stderr.count(said)
    assert done.stderr.count(said) == (place == 0)
