"""Data sets on the command line: every source, its options, broken files, changes, resuming."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from minigan import cli, training
from minigan import run as runs
from minigan.config import read_config

TINY = ["--batch-size", "4", "--steps", "2", "--sample-every", "2", "--checkpoint-every", "1"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Relative paths are meant from here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photos(place):
    """Twelve colour pictures of 8x8 in two folders."""
    rng = np.random.default_rng(0)
    for i in range(12):
        folder = place / "photos" / ("newt" if i % 2 else "toad")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{i}.png")
    return place / "photos"


@pytest.fixture
def begun(monkeypatch):
    """The runs that commands begin, instead of their training."""
    seen = []
    monkeypatch.setattr(training, "_watch", lambda run: seen.append(run) or 0)
    yield seen
    for run in seen:
        run.close()


def call(capsys, *arguments, code=0):
    """stderr of a command that ends with ``code``."""
    assert cli.main([str(a) for a in arguments]) == code
    return capsys.readouterr().err


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != "config.json"}


def test_a_folder_trains_and_its_run_is_named_after_it(capsys, photos):
    call(capsys, "train", "dcgan", "--data", "folder:photos", *TINY)
    config = read_config(photos.parent / "runs" / "dcgan-photos-1")
    assert config.data == f"folder:{photos}"
    assert config.data_options == {} and config.augment is None
    call(capsys, "train", "--resume", "runs/dcgan-photos-1", "--steps", 3)


def test_options_reach_the_images_and_the_configuration(capsys, photos, begun):
    table = "name,kind\n" + "".join(f"{i}.png,{i % 3}\n" for i in range(12))
    (photos.parent / "table.csv").write_text(table)
    options = ["--labels", "table.csv", "--attributes", "kind", "--channels", "1", "--strict"]
    augment = ["--augment", "flip,crop=2"]
    call(capsys, "train", "dcgan", "--data", "folder:photos", *TINY, *options, *augment)
    (run,) = begun
    assert run.data.images.shape == (12, 1, 8, 8)
    assert run.data.class_names == ("kind=0", "kind=1", "kind=2")
    config = json.loads((run.folder / "config.json").read_text())
    assert config["data_options"] == {
        "labels": str(photos.parent / "table.csv"),
        "attributes": "kind",
        "channels": 1,
        "strict": True,
    }
    assert config["augment"] == "flip,crop=2"
    run.close()
    call(capsys, "train", "--resume", run.folder)
    assert begun[1].config.data_options == config["data_options"]
    assert np.array_equal(begun[1].data.labels, run.data.labels)


def test_cifar10_trains(capsys, place, begun):
    records = np.zeros((6, 3073), np.uint8)
    records[:, 0] = range(6)
    records[:, 1:1025] = 255  # red
    (place / "data_batch_1.bin").write_bytes(records.tobytes())
    call(capsys, "train", "dcgan", "--data", "cifar10", "--data-dir", ".", *TINY)
    (run,) = begun
    assert run.folder.name == "dcgan-cifar10-1" and run.data.images.shape == (6, 3, 32, 32)
    assert run.trainer.real().numpy()[:, :, 3, 5].tolist() == [[1, -1, -1]] * 4


def test_files_left_out_are_said_once_and_the_first_are_named(capsys, photos, begun):
    for name in "abcde":
        (photos / "toad" / f"{name}.png").write_bytes(b"broken")
    err = call(capsys, "train", "dcgan", "--data", "folder:photos", *TINY)
    warned = [line for line in err.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert warned[0].startswith("minigan: warning: 5 images cannot be used, left out: ")
    for name in "abc":
        assert f"{photos}/toad/{name}.png: no image" in warned[0]
    assert warned[0].endswith("; and 2 more")
    err = call(capsys, "train", "dcgan", "--data", "folder:photos", *TINY, "--strict", code=2)
    assert err == f"minigan: error: {photos}/toad/a.png: no image of a known format\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--labels", "x.csv"], "--labels: is for folder, not for glyphs"),
        (["--attributes", "Smiling"], "--attributes: is for folder, not for glyphs"),
        (["--channels", "3"], "--channels: is for folder and pairs, not for glyphs"),
        (["--channels", "2"], "--channels: invalid choice: 2"),
        (["--direction", "AtoB"], "--direction: is for pairs, not for glyphs"),
        (["--direction", "AtoC"], "--direction: invalid choice: 'AtoC'"),
        (["--strict"], "--strict: is for folder and pairs, not for glyphs"),
        (["--augment", "flop"], "--augment: expected steps out of flip, crop=N"),
        (["--augment", ""], "--augment: expected steps out of flip, crop=N"),
        (["--augment", "crop=28"], "--augment: crop reflects 28 pixels, more than images of 28"),
        (["--data", "folder:photos", "--data-dir", "."], "--data-dir is for mnist and cifar10"),
        (["--data", "folder:photos", "--attributes", "Bald"], "--attributes: expected a file"),
        (["--data", "folder:photos", "--out", "photos/run"], "photos/run: lies in the folder of"),
        (["--data", "folder:.", "--image-size", "8"], "--out runs: lies in the folder of"),
        (["--data", "folder:photos", "--epochs", "1"], "64: photos has only 12 images"),
        (["--data", "folder:nowhere"], "nowhere: expected a folder with images"),
        (["--data", "folder:photos\udcff"], "photos\\udcff': expected a path in UTF-8"),
        (["--data", ""], "--data: expected one of glyphs, mnist"),
        (["--data", "pairs:photos"], "--image-size: expected one"),
        (["--data", "pairs:photos", "--image-size", "8"], "dcgan needs single images, photos has"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(capsys, photos, arguments, said):
    err = call(capsys, "train", "dcgan", *arguments, code=2)
    assert err.startswith("minigan: error: ") and err.count("\n") == 1
    assert said in err
    assert os.listdir(photos.parent) == ["photos"]  # nothing is left behind
    assert sorted(os.listdir(photos)) == ["newt", "toad"]


def test_a_run_in_a_folder_with_a_comma_in_its_name_is_refused(capsys, photos):
    photos.rename(photos.with_name("a,b"))
    arguments = ["--data", "folder:a,b", "--out", "a,b/run", *TINY]
    assert "lies in the folder of" in call(capsys, "train", "dcgan", *arguments, code=2)
    assert not os.path.exists("a,b/run")


def test_a_run_beside_the_training_split_is_no_mistake(capsys, photos, begun):
    (photos / "newt").rename(photos / "train")
    (photos / "toad").rename(photos / "test")
    call(capsys, "train", "dcgan", "--data", "folder:photos", *TINY, "--out", "photos/run")
    assert len(begun[0].data) == 6


@pytest.mark.parametrize(
    "option",
    [
        ["--labels", "x"],
        ["--attributes", "x"],
        ["--channels", "1"],
        ["--direction", "AtoB"],
        ["--strict"],
        ["--augment", "flip"],
    ],
)
def test_a_resumed_run_keeps_its_images(capsys, place, option):
    err = call(capsys, "train", "--resume", place, *option, code=2)
    assert f"{option[0]} cannot be changed when resuming" in err


def test_the_thread_that_makes_batches_ends_with_the_run(photos, begun):
    arguments = ["train", "dcgan", "--data", "folder:photos", *TINY, "--augment", "flip"]
    assert cli.main(arguments) == 0
    with contextlib.closing(runs.Run.open(begun[0].folder)) as run:
        assert run.train()
        assert "minigan-batches" in [thread.name for thread in threading.enumerate()]
    assert "minigan-batches" not in [thread.name for thread in threading.enumerate()]


def test_killed_with_augmented_images_it_resumes_to_the_same_bytes(photos):
    """SIGKILL between two checkpoints; batches that the thread had ready are made again."""
    command = [
        *(sys.executable, "-m", "minigan", "train", "dcgan", "--data", "folder:photos"),
        *("--augment", "flip,crop=2,jitter=10,rotate=20,color=0.5"),
        *("--batch-size", "4", "--steps", "30", "--checkpoint-every", "7", "--sample-every", "5"),
    ]
    subprocess.run([*command, "--out", "whole"], check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, "--steps", "99999", "--out", "killed"], stderr=subprocess.DEVNULL
    )
    killed = photos.parent / "killed"
    while not (killed / "samples" / "step-000010.png").exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    config = json.loads((killed / "config.json").read_text())
    (killed / "config.json").write_text(json.dumps({**config, "steps": 30}))
    with contextlib.closing(runs.Run.open(killed)) as run:
        assert 0 < run.trainer.step < 30
        assert run.train()
    assert contents(killed) == contents(photos.parent / "whole")


def test_left_out_images_by_number():
    assert training.left_out(()) == []
    one = training.left_out(("a.png: cut",))
    assert one == ["1 image cannot be used, left out: a.png: cut"]
