"""Runs of several processes: one folder, resumed on any number of them, ended together."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ranks

from minigan import cli, together
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
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"go on with: mpiexec -n 2 minigan train --distributed --resume {folder}" in out
    assert step_of(folder) < STEPS

    process = ranks.start(2, *COMMAND, "--resume", folder)
    wait_for_a_checkpoint(process, folder)
    time.sleep(chance.uniform(0.0, 0.3))  # while they train, or rank 0 draws what has come of it
    os.kill(chance.choice(pids(folder)), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode not in (0, 130)
    assert pids(folder) == [] and step_of(folder) <= STEPS

    train(2, "--resume", folder)
    assert contents(folder) == contents(finished)


def wait_for_a_checkpoint(process, folder):
    """One that is not there yet."""
    path = folder / "checkpoint.npz"
    before = path.stat().st_mtime_ns if path.exists() else None
    while not path.exists() or path.stat().st_mtime_ns == before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_another_number_of_processes_goes_on(finished, tmp_path, capsys):
    """From two ranks to three, and to one process without mpiexec."""
    folder = tmp_path / "other"
    shutil.copytree(finished, folder)
    _, err = train(3, "--resume", folder, "--steps", STEPS + 10)
    assert err.count("processes so far: 2, now 3") == 1
    assert contents(folder)["metrics.csv"].startswith((finished / "metrics.csv").read_bytes())
    plainly("--resume", folder, "--steps", STEPS + 15)
    assert "processes so far: 3, now 1" in capsys.readouterr().err
    assert read_config(folder).ranks == 1 and step_of(folder) == STEPS + 15


def test_one_process_is_the_run_that_it_was_without(tmp_path):
    plainly(*TINY, "--steps", 10, "--out", tmp_path / "plain")
    alone = [sys.executable, *COMMAND, *TINY, "--steps", "10", "--out", tmp_path / "distributed"]
    subprocess.run(alone, env=ranks.environment(), capture_output=True, check=True, timeout=120)
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


def test_without_mpi4py_it_says_what_to_install(tmp_path):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise ImportError('planted')")
    done = subprocess.run(
        [sys.executable, "-m", "minigan", "train", "gan", "--distributed"],
        env={**ranks.environment(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ranks.ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "minigan: error: --distributed: needs mpi4py and an MPI library" in done.stderr
