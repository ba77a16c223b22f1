"""What a comparison leaves, and what it makes of a folder that is not as it left it."""

import json
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

import minigan.comparison
from minigan import cli
from minigan.comparison import Budget, contender, race, save, summary
from minigan.comparison.folder import claim, expect_own, plan
from minigan.comparison.measures import read_measures
from minigan.comparison.race import place
from minigan.config import RunError
from minigan.data import load
from minigan.data.images import centred
from minigan.evaluation.yardstick import Yardstick
from minigan.gan import NonFiniteLoss, Trainer

pytestmark = pytest.mark.usefixtures("undrawn")

ONE = contender("gan:network=mlp:widths=8:critic_widths=8:latent=3")
TWO = contender("gan:network=mlp:widths=4:critic_widths=8:latent=3")
BUDGET = Budget("glyphs", None, 8, {}, steps=6, batch_size=4, every=2)


class Pixels:
    """In a network's place: four pixels of an image are its features."""

    kind = "classifier"

    def __call__(self, images):
        flat = images.reshape(len(images), -1)[:, 20:36:4]
        return centred(flat) if flat.dtype == np.uint8 else flat, None


@pytest.fixture(scope="module")
def splits():
    return [load("glyphs", split=split, count=80, image_size=8) for split in ("train", "test")]


@pytest.fixture(scope="module")
def yardstick(splits):
    return Yardstick(*splits, 16, 0, Pixels())


@pytest.fixture(scope="module")
def complete(tmp_path_factory, yardstick):
    folder = tmp_path_factory.mktemp("complete")
    assert race([ONE], BUDGET, yardstick, 1, folder)
    return folder


@pytest.fixture
def finished(complete, tmp_path):
    shutil.copytree(complete, tmp_path / "raced")
    return tmp_path / "raced"


@pytest.fixture
def breaking(monkeypatch):
    """The loss becomes infinite in the fourth step of systems with widths of 4."""
    whole = Trainer.advance

    def step(self):
        if self.settings.widths == (4,) and self.step == 3:
            raise NonFiniteLoss("g_loss became inf at step 4")
        return whole(self)

    monkeypatch.setattr(Trainer, "advance", step)


# ------------------------------------------------------------------------ measures.json


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 32}, "was measured with -n 16, now -n 32; give another --out"),
        ({"seed": 1}, "was measured with seed 0, now seed 1; give"),
        ({"kind": "autoencoder"}, "with network classifier, now network autoencoder; give"),
    ],
)
def test_one_yardstick_measures_all(finished, splits, changed, said):
    network = Pixels()
    network.kind = changed.get("kind", "classifier")
    other = Yardstick(*splits, changed.get("count", 16), changed.get("seed", 0), network)
    before = (place(finished, ONE, 0) / "measures.json").read_bytes()
    with pytest.raises(RunError, match=said):
        race([ONE], BUDGET, other, 1, finished)
    assert (place(finished, ONE, 0) / "measures.json").read_bytes() == before


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("{", "is damaged"),
        ("[]", "holds no measurements of a comparison"),
        ('[{"step": 2.0, "fcd": 1.0}]', "holds no measurements"),
        ('{"rows": []}', "holds no measurements"),
        ('{"yardstick": {}, "rows": [{"a": 1}], "seconds": 1, "broke": null}', "holds no meas"),
        ('{"yardstick": {}, "rows": [], "seconds": "1", "broke": null}', "holds no meas"),
        ('{"yardstick": {}, "rows": [], "seconds": 1, "broke": null}', "does not say how it was"),
    ],
)
def test_measures_of_something_else_are_named(finished, yardstick, contents, said):
    path = place(finished, ONE, 0) / "measures.json"
    path.write_text(contents)
    with pytest.raises(RunError, match=said) as error:
        race([ONE], BUDGET, yardstick, 1, finished)
    assert str(place(finished, ONE, 0)) in str(error.value)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_measurement_that_was_not_written_is_made_up_for(finished, complete, yardstick, lost):
    """Killed after the last checkpoint and before it was measured: nothing is left to train."""
    path = place(finished, ONE, 0) / "measures.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "rows": kept["rows"][:-lost]}))
    outcome = summary([ONE], BUDGET, yardstick, 1, finished)
    assert np.isnan(outcome.numbers["fcd"][0, 0])  # step 4 is not the end
    assert race([ONE], BUDGET, yardstick, 1, finished)
    rows = read_measures(place(finished, ONE, 0)).rows
    assert rows[-1] == read_measures(place(complete, ONE, 0)).rows[-1]


def test_a_run_that_broke_off_is_said_and_not_trained_again(tmp_path, yardstick, breaking):
    given = ([ONE, TWO], BUDGET, yardstick, 1, tmp_path)
    assert race(*given)
    outcome = summary(*given)
    assert outcome.broke == ((TWO.name, 0, 3),)
    table, below = str(outcome).rsplit("\n\n", 1)
    assert below == (
        f"Broke off, as a loss or the images became infinite: `{TWO.name}` (seed 0) at step 3."
    )
    assert f"| `{TWO.name}` | – |" in table
    assert np.isfinite(outcome.numbers["best"][1, 0])  # of step 2
    assert np.isnan(outcome.numbers["seconds"][1, 0])
    seen = []
    assert race(*given, lambda *told: seen.append(told)) and seen == []


def test_where_all_broke_off_there_is_still_a_table(tmp_path, yardstick, breaking):
    given = ([TWO], BUDGET, yardstick, 1, tmp_path)
    assert race(*given)
    path = place(tmp_path, TWO, 0) / "measures.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows": []}))
    outcome = summary(*given)
    assert "| contender | fcd |" in str(outcome) and "at step 3" in str(outcome)
    assert len(save(outcome, tmp_path)) == 4


def test_seconds_are_those_of_training_and_add_up(tmp_path, yardstick, monkeypatch):
    """By a clock that moves 1 s in a step and 100 s in a measurement."""
    now = 0.0

    class Clock:
        perf_counter = staticmethod(lambda: now)

    def slow(kind, name, seconds):
        whole = getattr(kind, name)

        def wrapped(*arguments):
            nonlocal now
            now += seconds
            return whole(*arguments)

        monkeypatch.setattr(kind, name, wrapped)

    monkeypatch.setattr(sys.modules["minigan.comparison.race"], "time", Clock)
    slow(Trainer, "advance", 1)
    slow(Yardstick, "measure", 100)
    stops = iter([False, False, False, True])
    given = ([ONE], BUDGET, yardstick, 1, tmp_path)
    assert not race(*given, stopped=lambda: next(stops))
    assert read_measures(place(tmp_path, ONE, 0)).seconds == 3
    assert race(*given)
    assert summary(*given).numbers["seconds"].tolist() == [[6]]


def test_images_of_an_odd_size_have_no_checkerboard(tmp_path):
    train, test = (load("glyphs", split=s, count=40, image_size=9) for s in ("train", "test"))
    odd = Budget("glyphs", None, 9, {}, steps=2, batch_size=4, every=1)
    given = ([ONE], odd, Yardstick(train, test, 16, 0, Pixels()), 1, tmp_path)
    assert race(*given)
    outcome = summary(*given)
    save(outcome, tmp_path)
    assert "checkerboard" not in str(outcome) and "sharpness" in str(outcome)
    assert json.loads((tmp_path / "comparison.json").read_text())["floor"]["checkerboard"] is None


# ------------------------------------------------------------------------ comparison.json


def test_a_folder_is_taken_if_it_is_empty_or_this_comparison(tmp_path):
    wanted = plan([ONE, TWO], BUDGET, 2)
    for folder in (tmp_path, tmp_path / "new"):
        expect_own(folder, wanted, False)
        claim(folder, wanted)
        expect_own(folder, wanted, False)
        claim(folder, wanted)
        assert json.loads((folder / "comparison.json").read_text()) == {"plan": wanted}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (plan([ONE], BUDGET, 2), "other contenders"),
        (plan([ONE, TWO], BUDGET, 3), "other seeds"),
        (plan([TWO], Budget("glyphs", None, 8, {}, 6, 4, every=3), 2), "contenders and budget"),
    ],
)
def test_another_comparison_is_replaced_by_force_only(tmp_path, other, said):
    claim(tmp_path, other)
    for name in ("comparison.md", "notes.md", "comparison.txt"):
        (tmp_path / name).write_text("old")
    wanted = plan([ONE, TWO], BUDGET, 2)
    with pytest.raises(RunError, match=said):
        expect_own(tmp_path, wanted, False)
    expect_own(tmp_path, wanted, True)
    claim(tmp_path, wanted)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("comparison.json", "comparison.txt", "notes.md")
    }


@pytest.mark.parametrize("contents", [None, "mine", "[]", '{"plan": 3}', '{"names": []}'])
@pytest.mark.parametrize("force", [False, True])
def test_other_folders_are_refused_even_by_force(tmp_path, contents, force):
    name = "comparison.json" if contents else "letter.txt"
    (tmp_path / name).write_text(contents or "mine")
    with pytest.raises(RunError, match="is not empty and holds no comparison"):
        expect_own(tmp_path, plan([ONE], BUDGET, 1), force)


# ------------------------------------------------------------------------ the command


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """``minigan compare`` on a folder of a few images, one of them broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("minigan.evaluation.yardstick.feature_network", lambda *a, **k: Pixels())
    rng = np.random.default_rng(0)
    (tmp_path / "newts").mkdir()
    for i in range(20):
        picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        picture.save(tmp_path / "newts" / f"{i}.png")
    (tmp_path / "newts" / "z.png").write_bytes(b"broken")

    def call(*words, code=0, contenders=(ONE.name,)):
        budget = ["--data", "folder:newts", "--steps", "4", "--batch-size", "4", "-n", "8"]
        whole = ["compare", *contenders, *budget, "--seeds", "1", *words]
        assert cli.main(whole) == code
        return capsys.readouterr()

    return call


def test_the_command_begins_a_new_folder_each_time(command, tmp_path):
    for i in (1, 2):
        out = command().out
        assert f"runs/compare-newts-{i}/comparison.json" in out
    assert {path.name for path in (tmp_path / "runs/compare-newts-1").glob("comparison.*")} == {
        *("comparison.json", "comparison.md", "comparison.png", "comparison.gif")
    }
    err = command("--out", "runs/compare-newts-1", "--seeds", "2", code=2).err
    assert "holds a comparison with other seeds" in err
    command("--out", "runs/compare-newts-1", "--seeds", "2", "--force")
    assert "is not empty and holds no comparison" in command("--out", "runs", code=2).err
    assert "lies in the folder of the training images" in command("--out", "newts", code=2).err


def test_the_command_takes_the_options_of_train_and_says_what_train_says(command, tmp_path):
    contenders = (ONE.name, f"wgan:clip_weights=0:{ONE.name[4:]}")
    options = ("--channels", "1", "--augment", "flip", "--out", "o")
    err = command(*options, contenders=contenders).err
    config = json.loads((place(tmp_path / "o", ONE, 0) / "config.json").read_text())
    assert config["augment"] == "flip" and config["data_options"] == {"channels": 1}
    lines = err.splitlines()
    assert lines[0] == "computing on the CPU (no usable GPU)"  # as nobody has asked for it
    assert len([line for line in lines if "1 image cannot be used" in line]) == 1
    bounds = [line for line in lines if "nothing bounds the critic's slope" in line]
    assert len(bounds) == 1 and bounds[0].startswith("minigan: warning: wgan:clip_weights=0:")
    assert "DataWarning" not in err
    assert "no image of a known format" in command("--strict", code=2).err


def test_ctrl_c_is_heard_before_the_race(command, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr("minigan.evaluation.yardstick.feature_network", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may be deaf to it
    try:
        assert "minigan: interrupted" in command(code=130).err
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_says_how_to_go_on_and_the_second_ends_at_once(command, monkeypatch):
    def first(*given):
        signal.raise_signal(signal.SIGINT)
        return race(*given)

    def second(*given):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr(minigan.comparison, "race", first)
    assert "goes on from here with --out runs/compare-newts-1\n" in command(code=130).out
    monkeypatch.setattr(minigan.comparison, "race", second)
    assert "minigan: interrupted" in command("--out", "runs/compare-newts-1", code=130).err
    monkeypatch.setattr(minigan.comparison, "race", race)
    assert "| `gan:" in command("--out", "runs/compare-newts-1").out
