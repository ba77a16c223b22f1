"""Run folders: complete, repeatable, resumable bit for bit after any death, never overwritten."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigan import run as runs
from minigan.config import RunError, read_config
from minigan.record import read_rows
from minigan.serialize import read_npz

pytestmark = pytest.mark.usefixtures("loaded_once")
TINY = [
    *("--image-size", "8", "--batch-size", "4"),
    *("--steps", "60", "--sample-every", "8", "--checkpoint-every", "5"),
]


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


@pytest.fixture(scope="module")
def stopped(finished, tmp_path_factory):
    """A run that was stopped after its fifth step."""
    run = runs.Run.create(tmp_path_factory.mktemp("runs") / "stopped", read_config(finished))
    run.train(stopped=lambda: run.trainer.step == 5)
    run.close()
    return run.folder


@pytest.fixture
def begun(stopped, tmp_path):
    """Such a run, for a test to damage."""
    return Path(shutil.copytree(stopped, tmp_path / "begun"))


def test_the_run_folder_is_complete(finished):
    assert set(contents(finished)) == {
        "animation.gif",
        "checkpoint.npz",
        "losses.png",
        "reading.txt",
        "metrics.csv",
        *(f"samples/step-{n:06d}.png" for n in (*range(0, 57, 8), 60)),
    }
    config = json.loads((finished / "config.json").read_text())
    assert config["recipe"] == "dcgan" and config["seed"] == 3 and config["batch_size"] == 4
    assert config["settings"]["lr"] == 2e-4
    assert {"minigan", "python", "numpy"} <= set(config["versions"])
    with open(finished / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows] == list(range(1, 61))
    assert {"d_loss", "g_loss", "d_real", "d_fake"} <= set(rows[0])
    assert all(0 < float(r["d_real"]) < 1 for r in rows)
    with Image.open(finished / "animation.gif") as film:
        assert film.n_frames == 9


def test_a_repetition_gives_the_same_bytes(finished, tmp_path):
    """config.json holds all that is needed: the run made from it equals the first."""
    config = read_config(finished)
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
    config = read_config(finished)
    folder = tmp_path / "cut"
    run = runs.Run.create(folder, config)
    run.train(stopped=lambda: run.trainer.step == 10)
    if cut != "nothing":
        with open(folder / "metrics.csv", "a") as file:
            file.write("11,0.5,0.5,0.5,0.5\r\n12,0.5" if "half" in cut else "11,9,9,9,9\r\n")
        (folder / "samples" / "step-000016.png").write_bytes(b"half a picture")
    run.close()
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
    steps = len((folder / "metrics.csv").read_text().splitlines()) - 1
    assert 8 <= steps < 60
    state = json.loads(read_npz(folder / "checkpoint.npz")["state.json"].tobytes())
    assert state["step"] == steps
    minigan_command("train", "dcgan", "--resume", folder)
    assert contents(folder) == contents(finished)


def test_more_steps_go_on_from_the_end(finished, tmp_path):
    config = read_config(finished)
    folder = tmp_path / "longer"
    first = runs.Run.create(folder, config)
    first.train(stopped=lambda: first.trainer.step == 16)
    first.close()
    longer = runs.Run.open(folder, steps=70)
    longer.train()
    rows = read_rows(folder / "metrics.csv", 70)
    assert [r["step"] for r in rows] == list(range(1, 71))
    assert read_config(folder).steps == 70
    assert rows[:60] == read_rows(finished / "metrics.csv", 60)
    longer.close()
    with pytest.raises(RunError, match="already at step 70"):
        runs.Run.open(folder, steps=20)


def test_a_resumed_run_computes_as_exactly_as_before(finished, tmp_path):
    config = replace(read_config(finished), precision="bf16", steps=2, checkpoint_every=1)
    whole = runs.Run.create(tmp_path / "whole", replace(config, steps=4))
    parts = runs.Run.create(tmp_path / "parts", config)
    full = runs.Run.create(tmp_path / "full", replace(config, steps=4, precision="fp32"))
    for run in (whole, parts, full):
        run.train()
        run.close()
    again = runs.Run.open(parts.folder, steps=4)
    again.train()
    again.close()
    assert again.config.precision == "bf16"
    metrics = [(run.folder / "metrics.csv").read_bytes() for run in (whole, again, full)]
    assert metrics[0] == metrics[1] != metrics[2]


def test_nothing_existing_is_overwritten_unless_asked(finished, tmp_path):
    config = read_config(finished)
    before = contents(finished)
    with pytest.raises(RunError, match="is not empty"):
        runs.Run.create(finished, config)
    assert contents(finished) == before
    diary = tmp_path / "mine"
    diary.mkdir()
    (diary / "diary.txt").write_text("dear diary")
    with pytest.raises(RunError, match="is not empty"):
        runs.Run.create(diary, config)
    with pytest.raises(RunError, match="replaces runs only"):
        runs.Run.create(diary, config, force=True)
    with pytest.raises(RunError, match="is a file"):
        runs.Run.create(diary / "diary.txt", config, force=True)
    assert (diary / "diary.txt").read_text() == "dear diary"
    old = tmp_path / "old"
    first = runs.Run.create(old, config)
    first.train(stopped=lambda: True)
    first.close()
    (old / "notes.txt").write_text("kept")
    runs.Run.create(old, config, force=True)
    assert (old / "notes.txt").read_text() == "kept"
    assert read_rows(old / "metrics.csv", 0) == []


def test_a_wrong_option_leaves_the_old_run_alone_even_with_force(finished, tmp_path):
    before = contents(finished)
    for wrong in (["--set", "lr=x"], ["--batch-size", "999999"], ["--data", "nope"]):
        _, err = minigan_command("train", "dcgan", "--out", finished, "--force", *wrong, code=2)
        assert err.startswith("minigan: error: ") and err.count("\n") == 1
    assert contents(finished) == before


def test_a_non_finite_loss_keeps_the_last_good_checkpoint_and_the_curves(tmp_path):
    folder = tmp_path / "nan"
    _, err = minigan_command("train", "dcgan", *TINY, "--set", "lr=1e30", "--out", folder, code=2)
    line = err.strip().splitlines()[-1]
    assert line.startswith("minigan: error: ") and "became nan at step" in line
    assert "Traceback" not in err
    state = read_npz(folder / "checkpoint.npz")
    assert all(np.isfinite(a).all() for a in state.values() if a.dtype.kind == "f")
    assert (folder / "losses.png").exists()


def test_damaged_runs_are_named(begun, tmp_path):
    with pytest.raises(RunError, match="no such run folder"):
        runs.Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="it has no config"):
        runs.Run.open(tmp_path)
    checkpoint = (begun / "checkpoint.npz").read_bytes()
    (begun / "checkpoint.npz").write_bytes(checkpoint[: len(checkpoint) // 2])
    for command in (["train", "--resume", begun], ["sample", begun]):
        _, err = minigan_command(*command, code=2)
        assert err.startswith("minigan: error: ") and "checkpoint.npz" in err
    (begun / "config.json").write_text('{"recipe": "dcgan"}')
    with pytest.raises(RunError, match="is damaged"):
        runs.Run.open(begun)


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (30, 1), (31, 2), (1500, 50), (3000, 100)])
def test_pictures_come_at_round_steps(steps, every):
    assert runs.default_every(steps) == every


def test_the_next_free_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs.free_folder("a") == Path("runs/a-1")
    assert runs.free_folder("a") == Path("runs/a-2")


def test_force_spares_folders_that_hold_no_run_and_files_that_are_not_ours(finished, tmp_path):
    config = read_config(finished)
    foreign = tmp_path / "foreign"
    (foreign / "samples").mkdir(parents=True)
    (foreign / "samples" / "thesis.txt").write_text("years of work")
    (foreign / "config.json").write_text('{"a": 1}')
    with pytest.raises(RunError, match="replaces runs only"):
        runs.Run.create(foreign, config, force=True)
    assert (foreign / "config.json").read_text() == '{"a": 1}'
    old = runs.Run.create(tmp_path / "old", config)
    old.close()
    (old.folder / "samples" / "thesis.txt").write_text("years of work")
    (old.folder / ".mine.tmp").write_text("mine")
    runs.Run.create(old.folder, config, force=True).close()
    runs.Run.open(old.folder).close()
    assert (old.folder / "samples" / "thesis.txt").read_text() == "years of work"
    assert (old.folder / ".mine.tmp").exists()


def test_two_trainings_in_one_folder_are_refused(finished, tmp_path):
    config = read_config(finished)
    first = runs.Run.create(tmp_path / "busy", config)
    with pytest.raises(RunError, match="another process is training in it"):
        runs.Run.open(first.folder)
    with pytest.raises(RunError, match="another process is training in it"):
        runs.Run.create(first.folder, config)
    first.close()
    runs.Run.open(first.folder).close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "checkpoint.npz").unlink(), "checkpoint.npz: is missing"),
        (lambda f: (f / "metrics.csv").unlink(), "are not all there .complete up to step 0"),
        (lambda f: (f / "metrics.csv").write_bytes(b"\xff\xfe\x00"), "up to step 0"),
        (lambda f: (f / "metrics.csv").write_text("a,b\n1,2\n"), "up to step 0"),
    ],
)
def test_a_run_with_a_gap_does_not_go_on_silently(begun, damage, said):
    damage(begun)
    with pytest.raises(RunError, match=said):
        runs.Run.open(begun)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("settings", None),
        ("settings", [1]),
        ("steps", "x"),
        ("steps", 7.5),
        ("steps", True),
        ("seed", -1),
        ("device", "tpu"),
        ("precision", "fp16"),
        ("sample_every", 0),
        ("data_dir", 3),
        ("data_options", None),
        ("data_options", {"channels": True}),
        ("data_options", {"split": "test"}),
        ("augment", ["flip"]),
        ("surprise", 1),
    ],
)
def test_a_config_with_a_wrong_entry_is_named(finished, tmp_path, name, value):
    values = json.loads((finished / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, name: value}))
    with pytest.raises(RunError, match=f"config.json: is damaged .*{name}"):
        read_config(tmp_path)


def test_a_run_from_before_the_options_of_data_still_opens(finished, tmp_path):
    config = read_config(finished)
    first = runs.Run.create(tmp_path / "old", config)
    first.close()
    values = json.loads((first.folder / "config.json").read_text())
    for name in ("data_options", "augment", "precision", "versions"):
        del values[name]
    (first.folder / "config.json").write_text(json.dumps(values))
    again = runs.Run.open(first.folder)
    assert again.config == config
    again.close()
    del values["seed"], values["steps"]
    (first.folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(RunError, match="it lacks seed, steps"):
        read_config(first.folder)


def test_a_damaged_or_foreign_picture_does_not_spoil_the_film(finished, tmp_path):
    run = runs.Run.create(tmp_path / "film", read_config(finished))
    run.train(stopped=lambda: run.trainer.step == 16)
    (run.folder / "samples" / "step-best.png").write_text("mine")
    (run.folder / "samples" / "step-000008.png").write_bytes(b"\x89PNG, cut")
    run.save_pictures()
    with Image.open(run.folder / "animation.gif") as film:
        assert film.n_frames == 2
