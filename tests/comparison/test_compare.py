"""Comparisons: equal budgets, resumable races, numbers that follow from what was measured."""

import json

import numpy as np
import pytest
from PIL import Image

from minigan import cli
from minigan.comparison import Budget, Outcome, contender, race, save, summary
from minigan.comparison.measures import Measures, read_measures
from minigan.comparison.outcome import COLUMNS, _numbers
from minigan.comparison.race import place
from minigan.config import RunError
from minigan.data import load
from minigan.data.images import centred
from minigan.evaluation.yardstick import Yardstick
from minigan.gan import SettingError

pytestmark = pytest.mark.usefixtures("undrawn", "loaded_once")

SMALL = "network=mlp:widths=8:critic_widths=8:latent=3"
PAIR = [contender(f"dcgan:{SMALL}"), contender(f"wgan-gp:n_critic=1:{SMALL}")]
BUDGET = Budget("glyphs", None, 8, {}, steps=8, batch_size=4, every=2)


class Pixels:
    """In a network's place: four pixels of an image are its features."""

    kind = "classifier"

    def __call__(self, images):
        flat = images.reshape(len(images), -1)[:, 20:36:4]
        return centred(flat) if flat.dtype == np.uint8 else flat, None


def glyphs(count):
    train = load("glyphs", count=100, image_size=8)
    return Yardstick(
        train, load("glyphs", split="test", count=80, image_size=8), count, 0, Pixels()
    )


def rows_of(folder):
    return read_measures(folder).rows


@pytest.fixture(scope="module")
def yardstick():
    return glyphs(40)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, yardstick):
    folder = tmp_path_factory.mktemp("race")
    assert race(PAIR, BUDGET, yardstick, 2, folder)
    return folder


def test_every_contender_runs_with_every_seed_under_the_same_budget(finished):
    runs = sorted(path.name for path in finished.iterdir())
    assert len(runs) == 4 and len({name.rpartition("-seed")[0] for name in runs}) == 2
    configs = [json.loads((finished / name / "config.json").read_text()) for name in runs]
    for key in ("steps", "batch_size", "data", "image_size", "sample_every"):
        assert len({str(config[key]) for config in configs}) == 1
    assert sorted(config["seed"] for config in configs) == [0, 0, 1, 1]
    for name in runs:
        assert [row["step"] for row in rows_of(finished / name)] == [2, 4, 6, 8]


def test_measuring_does_not_change_the_training(finished, tmp_path):
    """The checkpoint is that of ``minigan train`` with the same settings."""
    from minigan.run import Run
    from minigan.serialize import read_npz

    run = Run.create(tmp_path / "alone", BUDGET.config(PAIR[0], 1))
    run.train()
    run.close()
    alone = read_npz(tmp_path / "alone" / "checkpoint.npz")
    raced = read_npz(place(finished, PAIR[0], 1) / "checkpoint.npz")
    assert alone.keys() == raced.keys()
    assert all(np.array_equal(alone[key], raced[key]) for key in alone)


def test_interrupted_anywhere_it_goes_on_to_the_same_numbers(finished, yardstick, tmp_path):
    calls = 0

    def stopped():
        nonlocal calls
        calls += 1
        return calls % 11 == 0

    times = 0
    while not race(PAIR, BUDGET, yardstick, 2, tmp_path, stopped=stopped):
        times += 1
    assert times >= 2
    for one in PAIR:
        for seed in (0, 1):
            there, here = place(finished, one, seed), place(tmp_path, one, seed)
            assert rows_of(there) == rows_of(here)
            assert (there / "metrics.csv").read_bytes() == (here / "metrics.csv").read_bytes()


def test_what_is_complete_is_not_trained_again(finished, yardstick):
    seen = []
    assert race(PAIR, BUDGET, yardstick, 2, finished, lambda *told: seen.append(told))
    assert seen == []


def test_systems_that_need_images_are_refused(yardstick, tmp_path):
    with pytest.raises(RunError, match="autoencoder: compare expects systems that make images"):
        race([contender("autoencoder")], BUDGET, yardstick, 1, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_floor_is_what_other_real_images_score(yardstick):
    assert 0 <= yardstick.floor["fcd"] < 1
    # Ratios of two halves of one set scatter about 1.
    assert 0.5 < yardstick.floor["sharpness"] < 2
    grey = np.zeros((40, 1, 8, 8), np.float32)
    assert yardstick.measure(grey)["fcd"] > 3 * yardstick.floor["fcd"]
    assert yardstick.measure(grey)["checkerboard"] == 0


def write_run(folder, fcd, estimate, shades):
    """A run folder with only what is read: measures, metrics, pictures of one shade each."""
    (folder / "samples").mkdir(parents=True)
    rest = {"swd": 0.1, "checkerboard": 2.0, "sharpness": 0.5}
    rows = [{"step": 10 * (i + 1), "fcd": v, **rest} for i, v in enumerate(fcd)]
    lines = [f"{i + 1},{v}" for i, v in enumerate(np.repeat(estimate, 10))]
    (folder / "metrics.csv").write_text("\n".join(["step,estimate", *lines]) + "\n")
    for i, shade in enumerate(shades):
        Image.new("L", (4, 4), shade).save(folder / "samples" / f"step-{10 * i:06d}.png")
    return Measures({}, rows, 12.5)


def test_the_numbers_are_what_the_table_says(tmp_path):
    found = write_run(tmp_path, [80, 40, 20, 30, 10, 20], [8, 4, 2, 3, 1, 2], [0, 0, 0, 51, 0, 102])
    found = _numbers(found, tmp_path, 60)
    assert found["fcd"] == 20 and found["best"] == 10 and found["seconds"] == 12.5
    # of 30, 10, 20: the changes -20 and +10, of which 10 stays
    assert found["swing"] == pytest.approx((20 + 10 - 10) / (2 * 20))
    assert found["motion"] == pytest.approx((51 + 102) / 2 / 127.5)
    assert found["follows"] == pytest.approx(1)
    against = write_run(tmp_path / "b", [1, 2, 3, 4], [4, 3, 2, 1], [9, 9])
    assert _numbers(against, tmp_path / "b", 40)["follows"] == pytest.approx(-1)


@pytest.mark.parametrize("fcd", [[64, 50, 32, 16, 8, 7], [1, 2, 3, 4, 9, 10.5]])
def test_steady_change_is_no_swing(fcd, tmp_path):
    assert _numbers(write_run(tmp_path, fcd, fcd, [0]), tmp_path, 60)["swing"] == 0


def test_a_run_that_broke_off_has_no_end(tmp_path):
    found = _numbers(write_run(tmp_path, [80, 40, 20], [8, 4, 2], [0]), tmp_path, 60)
    assert found["best"] == 20
    assert not {"fcd", "swd", "checkerboard", "sharpness", "seconds"} & found.keys()


def test_the_outcome_is_written_drawn_and_readable(finished, yardstick, tmp_path):
    outcome = summary(PAIR, BUDGET, yardstick, 2, finished)
    text = str(outcome)
    for one in PAIR:
        assert f"| `{one.name}` |" in text
    assert "| real images |" in text and "±" in text
    assert np.isnan(outcome.numbers["follows"][0]).all()  # dcgan has no estimate
    paths = save(outcome, finished)
    assert [path.suffix for path in paths] == [".json", ".md", ".png", ".gif"]
    with Image.open(paths[3]) as film:
        assert film.n_frames == 5 and film.width > film.height  # steps 0 to 8, two side by side
    numbers = json.loads(paths[0].read_text())
    assert numbers["names"] == [one.name for one in PAIR]
    assert numbers["numbers"]["follows"][0] == [None, None]


def test_spread_is_over_the_seeds_that_are_there():
    numbers = {"fcd": np.array([[1.0, 3.0, np.nan]])}
    full = {c: numbers.get(c, np.full((1, 3), np.nan)) for c in COLUMNS}
    outcome = Outcome(("gan",), full, {}, {"fcd": 0.5}, "said")
    assert "| `gan` | 2 ± 1.41 |" in str(outcome)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pix3pix", "unknown recipe"),
        ("dcgan:lr", "expected RECIPE:setting=value"),
        ("dcgan:shape=3", "has no setting 'shape'"),
        ("wgan-gp:critic_norm=batch", "BatchNorm"),
    ],
)
def test_contenders_that_cannot_be_read_are_named(text, said):
    with pytest.raises(SettingError, match=said):
        contender(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dcgan", "dcgan"], "contenders must differ: dcgan and dcgan do not"),
        (["dcgan", " dcgan: beta1=0.5"], "dcgan and dcgan:beta1=0.5 do not"),
        (["dcgan", "pix2pix"], "pix2pix: compare expects systems that make images from noise"),
        (["dcgan", "--data-dir", "."], "--data-dir is for mnist and cifar10"),
        (["dcgan", "--data", "pairs:PAIRS"], "measuring expects a run on single images"),
        (["dcgan", "--augment", "twirl"], "--augment"),
        (["dcgan", "--channels", "1"], "--channels"),
        (["dcgan", "--batch-size", "30000"], "--batch-size"),
        ([f"gan:{SMALL}", "dcgan", "--image-size", "10"], "dcgan: dcgan makes square images"),
        (["dcgan", "--seeds", "0"], "whole number of 1"),
        (["nogan"], "unknown recipe 'nogan'"),
        (["dcgan", "--data", "glyphs", "-n", "5000"], "twice as many test images"),
        (["dcgan", "--data", "pairs:nowhere"], "nowhere"),
    ],
)
def test_mistakes_end_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "PAIRS").mkdir()
    Image.new("RGB", (16, 8)).save(tmp_path / "PAIRS" / "a.png")
    monkeypatch.setattr("minigan.evaluation.yardstick.feature_network", None)  # comes too late
    assert cli.main(["compare", "--device", "cpu", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and said in err and "evaluate:" not in err
    assert not (tmp_path / "runs").exists()
