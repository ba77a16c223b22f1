"""Run folders: complete, repeatable, resumable bit for bit after any death, never overwritten."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigan import run as runs
from minigan.serialize import read_npz

TINY = ["--steps", "24", "--batch-size", "4", "--sample-every", "8", "--checkpoint-every", "5"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One cache of drawn glyphs for all processes of this file."""
    before = os.environ.get("MINIGAN_CACHE")
    os.environ["MINIGAN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["MINIGAN_CACHE"]
    if before is not None:
        os.environ["MINIGAN_CACHE"] = before


def start(*arguments, cwd=None):
    command = [sys.executable, "-m", "minigan", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def minigan_command(*arguments, cwd=None, code=0):
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out, err


def contents(folder):
    """Every file of a run by name; config.json without what may differ."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "config.json":
            files[str(path.relative_to(folder))] = path.read_bytes()
    return files


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    out, _ = minigan_command("train", "dcgan", *TINY, "--seed", 3, "--out", folder)
    assert str(folder) in out
    return folder


def test_the_run_folder_is_complete(finished):
    assert set(contents(finished)) == {
        "animation.gif",
        "checkpoint.npz",
        "losses.png",
        "metrics.csv",
        *(f"samples/step-{n:06d}.png" for n in (0, 8, 16, 24)),
    }
    config = json.loads((finished / "config.json").read_text())
    assert config["recipe"] == "dcgan" and config["seed"] == 3 and config["batch_size"] == 4
    assert config["settings"]["lr"] == 2e-4
    assert {"minigan", "python", "numpy"} <= set(config["versions"])
    with open(finished / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows] == list(range(1, 25))
    assert {"d_loss", "g_loss", "d_real", "d_fake"} <= set(rows[0])
    assert all(0 < float(r["d_real"]) < 1 for r in rows)
    with Image.open(finished / "animation.gif") as film:
        assert film.n_frames == 4


def test_a_repetition_gives_the_same_bytes(finished, tmp_path):
    """config.json holds all that is needed: the run made from it equals the first."""
    config = runs.read_config(finished)
    again = runs.Run.create(tmp_path / "again", config)
    assert again.train()
    assert contents(tmp_path / "again") == contents(finished)


def test_killed_anywhere_it_resumes_to_the_same_bytes(finished, tmp_path):
    """SIGKILL at random moments, again and again, until it gets through."""
    chance = random.Random(11)
    folder = tmp_path / "killed"
    process = start("train", "dcgan", *TINY, "--seed", 3, "--out", folder)
    deaths = 0
    for attempt in range(40):
        rows = folder / "metrics.csv"
        begin = time.monotonic()
        # Wait until it really trains, so that deaths fall between start and end.
        while not rows.exists() and process.poll() is None and time.monotonic() - begin < 60:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.4 + 0.3 * attempt))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        deaths += 1
        if not (folder / "config.json").exists():
            process = start("train", "dcgan", *TINY, "--seed", 3, "--out", folder)
        else:
            process = start("train", "--resume", folder)
        time.sleep(0.5)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert deaths >= 2
    assert contents(folder) == contents(finished)


@pytest.mark.parametrize("cut", ["nothing", "rows after the checkpoint", "half a row"])
def test_resuming_drops_what_the_checkpoint_does_not_count(finished, tmp_path, cut):
    config = runs.read_config(finished)
    folder = tmp_path / "cut"
    run = runs.Run.create(folder, config)
    run.train(stopped=lambda: run.trainer.step == 10)
    if cut != "nothing":
        with open(folder / "metrics.csv", "a") as file:
            file.write("11,0.5,0.5,0.5,0.5\r\n12,0.5" if "half" in cut else "11,9,9,9,9\r\n")
        (folder / "samples" / "step-000016.png").write_bytes(b"half a picture")
    run = runs.Run.open(folder)
    assert run.trainer.step == 10
    assert run.train()
    assert contents(folder) == contents(finished)


def test_ctrl_c_saves_says_how_to_go_on_and_exits_130(finished, tmp_path):
    folder = tmp_path / "stopped"
    process = start("train", "dcgan", *TINY, "--seed", 3, "--out", folder)
    while not (folder / "samples" / "step-000008.png").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"minigan train --resume {folder}" in out
    assert "Traceback" not in err
    steps = len(runs.read_metrics(folder))
    assert 8 <= steps < 24
    state = json.loads(read_npz(folder / "checkpoint.npz")["state.json"].tobytes())
    assert state["step"] == steps
    minigan_command("train", "dcgan", "--resume", folder)
    assert contents(folder) == contents(finished)


def test_more_steps_go_on_from_the_end(finished, tmp_path):
    config = runs.read_config(finished)
    folder = tmp_path / "longer"
    first = runs.Run.create(folder, config)
    first.train(stopped=lambda: first.trainer.step == 16)
    longer = runs.Run.open(folder, steps=32)
    longer.train()
    assert [int(r["step"]) for r in runs.read_metrics(folder)] == list(range(1, 33))
    assert runs.read_config(folder).steps == 32
    assert runs.read_metrics(folder)[:24] == runs.read_metrics(finished)
    with pytest.raises(runs.RunError, match="already at step 32"):
        runs.Run.open(folder, steps=20)


def test_nothing_existing_is_overwritten_unless_asked(finished, tmp_path):
    config = runs.read_config(finished)
    before = contents(finished)
    with pytest.raises(runs.RunError, match="is not empty"):
        runs.Run.create(finished, config)
    assert contents(finished) == before
    diary = tmp_path / "mine"
    diary.mkdir()
    (diary / "diary.txt").write_text("dear diary")
    with pytest.raises(runs.RunError, match="is not empty"):
        runs.Run.create(diary, config)
    with pytest.raises(runs.RunError, match="holds no run"):
        runs.Run.create(diary, config, force=True)
    with pytest.raises(runs.RunError, match="is a file"):
        runs.Run.create(diary / "diary.txt", config, force=True)
    assert (diary / "diary.txt").read_text() == "dear diary"
    old = tmp_path / "old"
    runs.Run.create(old, config).train(stopped=lambda: True)
    (old / "notes.txt").write_text("kept")
    runs.Run.create(old, config, force=True)
    assert (old / "notes.txt").read_text() == "kept"
    assert runs.read_metrics(old) == []


def test_a_wrong_option_leaves_the_old_run_alone_even_with_force(finished, tmp_path):
    before = contents(finished)
    for wrong in (["--set", "lr=x"], ["--batch-size", "999999"], ["--data", "nope"]):
        _, err = minigan_command("train", "dcgan", "--out", finished, "--force", *wrong, code=2)
        assert err.startswith("minigan: error: ") and err.count("\n") == 1
    assert contents(finished) == before


def test_a_non_finite_loss_keeps_the_last_good_checkpoint(tmp_path):
    folder = tmp_path / "nan"
    _, err = minigan_command("train", "dcgan", *TINY, "--set", "lr=1e30", "--out", folder, code=2)
    line = err.strip().splitlines()[-1]
    assert line.startswith("minigan: error: ") and "became nan at step" in line
    assert "Traceback" not in err
    state = read_npz(folder / "checkpoint.npz")
    assert all(np.isfinite(a).all() for a in state.values() if a.dtype.kind == "f")


def test_damaged_runs_are_named(finished, tmp_path):
    config = runs.read_config(finished)
    with pytest.raises(runs.RunError, match="no such run folder"):
        runs.Run.open(tmp_path / "nowhere")
    with pytest.raises(runs.RunError, match="it has no config"):
        runs.Run.open(tmp_path)
    folder = tmp_path / "broken"
    run = runs.Run.create(folder, config)
    run.train(stopped=lambda: run.trainer.step == 5)
    checkpoint = (folder / "checkpoint.npz").read_bytes()
    (folder / "checkpoint.npz").write_bytes(checkpoint[: len(checkpoint) // 2])
    for command in (["train", "--resume", folder], ["sample", folder]):
        _, err = minigan_command(*command, code=2)
        assert err.startswith("minigan: error: ") and "checkpoint.npz" in err
    (folder / "config.json").write_text('{"recipe": "dcgan"}')
    with pytest.raises(runs.RunError, match="is damaged"):
        runs.Run.open(folder)


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (30, 1), (31, 2), (1500, 50), (3000, 100)])
def test_pictures_come_at_round_steps(steps, every):
    assert runs.default_every(steps) == every


def test_the_next_free_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs.free_folder("a") == Path("runs/a-1")
    Path("runs/a-1").mkdir(parents=True)
    assert runs.free_folder("a") == Path("runs/a-2")
