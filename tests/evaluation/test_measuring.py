"""A run that is measured while it trains: the same training, rows that survive any interruption."""

import csv
import json
import shutil

import numpy as np
import pytest

from minigan import cli
from minigan.data import load
from minigan.data.images import centred
from minigan.evaluation.yardstick import MEASURES, Yardstick
from minigan.gan import Trainer
from minigan.run import Run
from minigan.serialize import read_npz
from minigan.trained import sample

pytestmark = pytest.mark.usefixtures("undrawn", "loaded_once")

MLP = ("--set", "network=mlp", "--set", "widths=8", "--set", "critic_widths=8")
TINY = [
    *("gan", *MLP, "--image-size", "8", "--batch-size", "4"),
    *("--steps", "14", "--sample-every", "10", "--checkpoint-every", "5"),
]
EVERY = [*TINY, "--evaluate-every", "3"]


class Pixels:
    """In a network's place: four pixels of an image are its features."""

    kind = "classifier"

    def __call__(self, images):
        flat = images.reshape(len(images), -1)[:, 20:36:4]
        return centred(flat) if flat.dtype == np.uint8 else flat, None


@pytest.fixture(scope="module", autouse=True)
def pixels():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minigan.evaluation.yardstick.feature_network", lambda *a, **k: Pixels())
        patch.setattr("minigan.evaluation.measuring.MOST", 20)
        yield


@pytest.fixture
def train(capsys):
    def call(*words, code=0):
        assert cli.main(["train", *map(str, words)]) == code
        return capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "measured"
    assert cli.main(["train", *EVERY, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def measured(whole, tmp_path):
    """A run's folder, for a test to change."""
    shutil.copytree(whole, tmp_path / "measured")
    return tmp_path / "measured"


def rows_of(folder):
    with open(folder / "measures.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_measuring_changes_nothing_of_the_run(measured, tmp_path, train):
    train(*TINY, "--out", tmp_path / "plain")
    plain, other = (read_npz(f / "checkpoint.npz") for f in (tmp_path / "plain", measured))
    assert plain.keys() == other.keys()
    assert all(np.array_equal(plain[key], other[key]) for key in plain)
    assert not (tmp_path / "plain" / "measures.csv").exists()


def test_rows_are_what_the_yardstick_says_of_the_samples(measured):
    rows = rows_of(measured)
    assert [int(row["step"]) for row in rows] == [3, 6, 9, 12, 14]
    run = Run.open(measured)
    run.close()
    yardstick = Yardstick(run.data, load("glyphs", split="test", image_size=8), 20, 0, Pixels())
    values = yardstick.measure(sample(measured, 20, 0))
    for name in MEASURES:
        assert float(rows[-1][name]) == pytest.approx(values[name], rel=1e-6)
        assert float(rows[-1][f"{name}_real"]) == pytest.approx(yardstick.floor[name], rel=1e-6)


def test_the_end_says_the_last_row_beside_the_floor(tmp_path, train):
    said = train(*EVERY, "--out", tmp_path / "a").out
    row = rows_of(tmp_path / "a")[-1]
    fcd, floor = (f"{float(row[name]):.3g}" for name in ("fcd", "fcd_real"))
    assert f"  measured  fcd {fcd} (real images {floor}), swd " in said
    assert "at step 14\n" in said


@pytest.mark.parametrize("killed_at", [2, 6, 9, 10, 11, 14])
def test_killed_anywhere_it_has_the_same_rows(measured, tmp_path, train, monkeypatch, killed_at):
    """A run that dies in a step, or just before a measurement, leaves its files as they are."""

    class Killed(BaseException):
        pass

    folder = tmp_path / "killed"
    with monkeypatch.context() as patch:
        whole, measure = Trainer.advance, Yardstick.measure
        at = []

        def step(self):
            if self.step == killed_at:
                raise Killed
            at.append(self.step + 1)
            return whole(self)

        def measured_at(self, images):
            if at and at[-1] == killed_at:
                raise Killed
            return measure(self, images)

        patch.setattr(Trainer, "advance", step)
        patch.setattr(Yardstick, "measure", measured_at)
        with pytest.raises(Killed):
            train(*EVERY, "--out", folder)
    train("--resume", folder)
    assert (folder / "measures.csv").read_bytes() == (measured / "measures.csv").read_bytes()
    assert (folder / "metrics.csv").read_bytes() == (measured / "metrics.csv").read_bytes()


def test_rows_after_the_checkpoint_are_dropped_at_once(measured, train, monkeypatch):
    """Also where there is no row left, and nothing is trained."""
    (measured / "checkpoint.npz").unlink()
    (measured / "metrics.csv").unlink()
    monkeypatch.setattr(Run, "train", lambda self, *arguments: False)
    train("--resume", measured, code=130)
    assert rows_of(measured) == []


def test_more_steps_are_measured_too(measured, train):
    train("--resume", measured, "--steps", "16")
    assert [int(row["step"]) for row in rows_of(measured)] == [3, 6, 9, 12, 14, 15, 16]


def test_force_replaces_the_measurements(measured, train):
    train(*TINY, "--out", measured, "--force")
    assert not (measured / "measures.csv").exists()
    assert not (measured / "yardstick.json").exists()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("yardstick.json", lambda text: "{", "is damaged"),
        ("yardstick.json", lambda text: "[]", "does not say every how many steps"),
        ("yardstick.json", lambda text: '{"every": 3, "x": 1}', "does not say how it was measured"),
        ("yardstick.json", lambda text: text.replace("20", "30"), "with -n 30, now -n 20; it"),
        ("measures.csv", lambda text: text.replace("fcd", "fid"), "is damaged"),
        ("measures.csv", lambda text: text[:-30], "is damaged"),
    ],
)
def test_what_cannot_be_gone_on_with_is_named(measured, train, name, change, said):
    path = measured / name
    path.write_text(change(path.read_text()))
    err = train("--resume", measured, "--steps", "20", code=2).err
    assert err.splitlines()[-1].startswith(f"minigan: error: {path}: ") and said in err
    assert len(err.splitlines()) <= 2  # and where it computes


def test_the_yardstick_is_written_beside_the_rows(measured):
    assert json.loads((measured / "yardstick.json").read_text()) == {
        "every": 3,
        "yardstick": {"count": 20, "seed": 0, "network": "classifier", "version": 1},
    }


@pytest.mark.parametrize("recipe", ["autoencoder", "pix2pix"])
def test_systems_that_make_images_from_images_are_refused(tmp_path, train, recipe):
    err = train(recipe, "--evaluate-every", "3", "--out", tmp_path / "a", code=2).err
    assert err.startswith("minigan: error: --evaluate-every: expects a system that makes images")
    assert err.count("\n") == 1 and not (tmp_path / "a").exists()


def test_it_cannot_be_changed_when_resuming(measured, train):
    err = train("--resume", measured, "--evaluate-every", "5", code=2).err
    assert "--evaluate-every cannot be changed when resuming" in err
