"""Runs on points from the command line: the folder, resuming, samples, measures, refusals."""

import contextlib
import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigan import cli, trained
from minigan import run as runs
from minigan.config import read_config
from minigan.data import load
from minigan.evaluation import evaluate
from minigan.gan.explore import label_grid, sweep, walk
from minigan.gan.latents import sampled_latents
from minigan.metrics import em, mode_score
from minigan.metrics.modes import nearest_modes
from minigan.serialize import read_npz

pytestmark = pytest.mark.usefixtures("undrawn", "loaded_once")

SMALL = ["--set", "widths=8", "--set", "critic_widths=8,8", "--device", "cpu"]
TINY = [*SMALL, "--steps", "8", "--sample-every", "8", "--checkpoint-every", "3", "--seed", "1"]
TINY += ["--batch-size", "16"]
CASES = {
    "gan": ["--set", "ema=0.9", "--set", "critic_norm=spectral"],
    "cgan": ["--set", "label_at=hidden", "--data", "grid"],
    "infogan": ["--data", "roll"],
    "unrolled": ["--set", "unroll=2", "--data", "ring-2"],
}


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Run a command in a folder of its own; gives what it says."""
    monkeypatch.chdir(tmp_path)

    def command(*words, code=0):
        assert cli.main([str(word) for word in words]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return command


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != "config.json"}


def train(call, name, out, *options):
    return call("train", name, "--data", "ring", *TINY, *options, "--out", out)


@pytest.mark.parametrize("name", CASES)
def test_a_stopped_run_goes_on_to_the_same_bytes(call, tmp_path, name):
    said = train(call, name, "whole", *CASES[name])
    assert "  figures   whole/figures\n" in said and "minigan sample whole -n 5000" in said
    whole = contents(tmp_path / "whole")
    assert set(whole) == {
        *("animation.gif", "checkpoint.npz", "losses.png", "metrics.csv", "reading.txt"),
        *(f"samples/step-{n:06d}.png" for n in (0, 8)),
        "figures/coverage.png",
    }
    sizes = set()
    for step in (0, 8):
        with Image.open(tmp_path / "whole" / "samples" / f"step-{step:06d}.png") as picture:
            sizes.add(picture.size)
    assert len(sizes) == 1
    with Image.open(tmp_path / "whole" / "animation.gif") as film:
        assert film.n_frames == 2
    config = read_config(tmp_path / "whole")
    with contextlib.closing(runs.Run.create(tmp_path / "stopped", config)) as run:
        assert not run.train(stopped=lambda: run.trainer.step == 5)
    call("train", "--resume", "stopped")
    assert contents(tmp_path / "stopped") == whole


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A conditional run."""
    folder = tmp_path_factory.mktemp("conditional") / "run"
    assert cli.main(["train", "cgan", "--data", "ring", *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def conditional(call, begun):
    """Its copy in the folder "run", and its networks."""
    shutil.copytree(begun, "run")
    return trained.load_networks(Path("run"))


def test_the_configuration_says_all(call, tmp_path):
    train(call, "wgan-gp", "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data"] == "ring" and config["image_size"] is None and config["augment"] is None
    chosen = ("network", "output", "latent", "gp", "widths")
    assert [config["settings"][name] for name in chosen] == ["mlp", "linear", 2, 0.1, [8]]
    assert call("train", "--resume", "run").startswith("run: already trained to step 8")


def test_without_settings_batches_and_steps_are_those_of_points(call, monkeypatch):
    seen = []
    monkeypatch.setattr("minigan.training._watch", lambda run: seen.append(run) or 0)
    call("train", "dcgan", "--data", "grid")
    call("train", "dcgan", "--data", "grid", "--epochs", 2)
    (run, epochs) = seen
    assert (run.config.steps, run.config.batch_size) == (3000, 256)
    assert run.folder.name == "dcgan-grid-1"
    assert epochs.config.steps == 2 * (100_000 // 256)
    for one in seen:
        one.close()


def test_samples_are_points(call, conditional):
    view = conditional.recipe.view
    assert call("sample", "run", "-n", 30, "--out", "a.npz") == "30 points: a.npz\n"
    points = read_npz("a.npz")["points"]
    assert points.shape == (30, 2) and points.dtype == np.float32
    np.testing.assert_array_equal(points, trained.sample(Path("run"), 30, 0))
    call("sample", "run", "-n", 1, "--seed", 3, "--label", 5, "--out", "b.npz")
    space = view.space(conditional.networks)
    rows = sampled_latents(space, 1, 3, np.eye(8, dtype=np.float32)[[5]])
    np.testing.assert_array_equal(read_npz("b.npz")["points"], conditional.decode(rows))
    assert call("sample", "run", "--grid", "labels", "-n", 24, "--out", "c.npz").startswith("24 ")
    np.testing.assert_array_equal(
        read_npz("c.npz")["points"], conditional.decode(label_grid(space, 3, 0))
    )
    call("sample", "run", "--sweep", 2, "--out", "d.npz")
    rows, columns = sweep(space, 2, 81, 0)
    assert columns == 8
    np.testing.assert_array_equal(read_npz("d.npz")["points"], conditional.decode(rows))


def test_pictures_of_samples(call, conditional, monkeypatch):
    assert call("sample", "run") == "1000 points: run/sample-0.png\n"
    drawn = []
    monkeypatch.setattr("minigan.plane.Plane.save", lambda plane, path: drawn.append(plane))
    call("sample", "run", "-n", 40, "--label", 3, "--out", "a.png")
    call("sample", "run", "-n", 40, "--label", "3:0.5,4:0.5", "--out", "b.png")
    call("sample", "run", "-n", 40, "--grid", "labels", "--out", "c.png")
    assert drawn[0].labels.tolist() == [3] * 40 and drawn[1].labels is None
    assert np.bincount(drawn[2].labels).tolist() == [5] * 8
    assert {plane.scene.name for plane in drawn} == {"ring"}
    paths = []
    monkeypatch.setattr("minigan.commands.points.save_paths", lambda *a, **k: paths.append(a))
    call("sample", "run", "--sweep", 1, "--out", "d.png")
    call("sample", "run", "--sweep", 1, "--label", 2, "--out", "e.png")
    (_, _, classes, title, names), (_, _, noise, _, unnamed) = paths
    assert classes.shape == noise.shape == (8, 81, 2)
    assert title == "number 1 of cgan from −2 to 2, all else the same"
    assert names == list("01234567") and unnamed == []
    rows, _ = sweep(conditional.recipe.view.space(conditional.networks), 1, 81, 0)
    np.testing.assert_array_equal(classes[5], conditional.decode(rows)[5::8])


def test_a_walk_ends_where_it_began(call, conditional, monkeypatch):
    said = call("interpolate", "run", "--count", 2, "--out", "w.png")
    assert said == "160 points\n  picture  w.png\n  film     w.gif\n"
    with Image.open("w.gif") as film:
        assert 30 <= film.n_frames <= 60
    drawn = []
    monkeypatch.setattr("minigan.commands.points.save_paths", lambda *a, **k: drawn.append(a[2]))
    monkeypatch.setattr("minigan.commands.points.walk_frames", lambda scene, path, n: [SQUARE])
    call("interpolate", "run", "--count", 1, "--label", 1, "--label", 6, "--label", 3, "--force")
    (legs,) = drawn
    assert legs.shape == (3, 81, 2)
    np.testing.assert_array_equal(legs[:, -1], np.roll(legs[:, 0], -1, 0))
    weights = np.eye(8, dtype=np.float32)[[1, 6, 3]]
    rows = walk(conditional.recipe.view.space(conditional.networks), 1, 80, 0, weights)
    np.testing.assert_array_equal(legs[:, :-1].reshape(-1, 2), conditional.decode(rows))


SQUARE = np.zeros((8, 8, 3), np.uint8)


def test_a_run_is_evaluated_by_the_distances_of_the_plane(call, conditional, tmp_path):
    said = call("evaluate", "run", "-n", 200)
    assert "200 samples asked for classes as often as real ones have them (seed 0)" in said
    assert "picture" not in said and not (tmp_path / "run" / "nearest.png").exists()
    result = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert result["real"] == "200 of 5000 test points" and result["network"] is None
    data = load("ring", split="test")
    order = np.random.default_rng([0, 0]).permutation(len(data))
    first, second = data.points[order[:200]], data.points[order[200:400]]
    asked = data.labels[order[200:400]]
    samples = trained.sample(tmp_path / "run", 200, 0, np.eye(8, dtype=np.float32)[asked])
    score, real = (mode_score(x, data.modes, data.std) for x in (samples, second))
    metrics = result["metrics"]
    assert metrics["modes_captured"] == {"value": score.modes, "real": 8}
    assert metrics["high_quality_share"] == {"value": score.quality, "real": real.quality}
    named = (nearest_modes(samples, data.modes)[0] == asked).mean()
    assert metrics["conditional_accuracy"] == {"value": named, "real": 1.0}
    assert metrics["earth_movers_distance"] == {
        "value": em(first, samples),
        "real": em(first, second),
    }
    sliced = metrics["sliced_wasserstein_distance"]
    for key in ("value", "real"):  # projections bring points nearer to one another
        assert 0 < sliced[key] <= metrics["earth_movers_distance"][key]
    assert len(said.splitlines()) == 2 + 2 + 1 + len(metrics) + 1 + 1


def test_what_has_no_modes_is_measured_without(call):
    train(call, "gan", "run", "--data", "roll")
    found = evaluate("run", 50)
    assert list(found.result["metrics"]) == ["earth_movers_distance", "sliced_wasserstein_distance"]
    assert "modes" not in str(found) and found.nearest is None
    found = evaluate("run")
    assert found.result["count"] == 2500  # half of the test points, and what the papers count
    assert "earth mover's distance of 1000 of them" in str(found)


def test_measuring_while_training(call, tmp_path, monkeypatch):
    monkeypatch.setattr("minigan.evaluation.measuring.MOST", 50)
    said = train(call, "gan", "run", "--evaluate-every", 3)
    assert "  measured  em " in said and "(real points " in said and "at step 8\n" in said
    with open("run/measures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("em", "swd", "modes", "quality")
    assert list(rows[0]) == ["step", *(c for n in names for c in (n, f"{n}_real"))]
    assert [row["step"] for row in rows] == ["3", "6", "8"]
    test = load("ring", split="test")
    order = np.random.default_rng([0, 0]).permutation(len(test))
    samples = trained.sample(tmp_path / "run", 50, 0)
    exact = em(test.points[order[:50]], samples)
    assert float(rows[-1]["em"]) == pytest.approx(exact, rel=1e-6)
    whole = (tmp_path / "run" / "measures.csv").read_bytes()
    with contextlib.closing(runs.Run.create(tmp_path / "b", read_config(tmp_path / "run"))) as run:
        shutil.copy("run/yardstick.json", "b/yardstick.json")
        assert not run.train(stopped=lambda: run.trainer.step == 5)
    call("train", "--resume", "b")
    assert (tmp_path / "b" / "measures.csv").read_bytes().splitlines()[1:] == (
        [whole.splitlines()[2], whole.splitlines()[3]]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vae"], "--data: vae needs images, not points"),
        (["pix2pix"], "--data: pix2pix needs images, not points"),
        (["ebgan"], "--data: ebgan needs images, not points"),
        (["dcgan", "--set", "network=dcgan"], "dcgan: network=dcgan makes images; points have no"),
        (["gan", "--set", "output=tanh"], "gan: output=tanh keeps what is made within bounds"),
        (["gan", "--set", "augment=color"], "gan: augment=color changes images"),
        (["gan", "--augment", "flip"], "--augment: ring holds points, expected images"),
        (["gan", "--image-size", "28"], "--image-size: is for images, ring has points"),
        (["gan", "--channels", "3"], "--channels: is for images, ring has points"),
        (["gan", "--labels", "a.csv"], "--labels: is for images, ring has points"),
        (["gan", "--direction", "AtoB"], "--direction: is for images, ring has points"),
        (["gan", "--strict"], "--strict: is for images, ring has points"),
        (["gan", "--data-dir", "."], "--data-dir is for mnist and cifar10"),
        (["cgan", "--data", "roll"], "label_at=input needs data with labels, and these have none"),
        (["gan", "--batch-size", "100001"], "--batch-size: expected at most the 100000 points of"),
        (["gan", "--epochs", "1", "--batch-size", "100001"], "ring has only 100000 points"),
        (["gan", "--data", "rink"], "pairs:DIRA,DIRB, ring, ring-2, grid, roll; got 'rink'"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(call, words, said):
    err = call("train", words[0], "--data", "ring", *words[1:], code=2)
    assert err.startswith("minigan: error: ") and err.count("\n") == 1 and said in err
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--label", "8"], "--label: expected a class from 0 to 7, got 8"),
        (["--label", "north"], "--label: expected a class from 0 to 7; got 'north'"),
        (["--sweep", "3"], "has 2 numbers of noise to sweep, there is no number 3"),
        (["--input", "a.png"], "--input a.png: cgan on ring makes points from noise"),
        (["--out", "run/metrics.csv"], "ending in .png or .npz"),
    ],
)
def test_samples_that_there_are_not(call, conditional, words, said):
    err = call("sample", "run", *words, code=2)
    assert err.startswith("minigan: error: ") and err.count("\n") == 1 and said in err


def test_show_tells_how_a_recipe_plays_on_points(call):
    said = call("show", "wgan-gp", "--data", "ring")
    assert "Linear        N × 2 " in said and "Tanh" not in said
    assert "defaults: 3000 steps, batch size 256" in said
    assert "\n  gp              0.1\n" in said
    grid = call("show", "cgan", "--data", "grid")
    assert "input         N × 27\n" in grid and "3,584" in grid  # of 2 + 25 numbers, in both
    assert call("show", "wgan-gp").endswith("play: minigan show wgan-gp --data ring\n")
    assert "--data ring" not in call("show", "ebgan")
    for words, expected in (
        (["--data", "mnist"], "--data expects one of ring, ring-2, grid, roll here, got 'mnist'"),
        (["--data", "ring", "--channels", 3], "are for images, ring has points"),
    ):
        assert expected in call("show", "gan", *words, code=2)
