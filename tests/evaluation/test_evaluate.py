"""``minigan evaluate``: a run in, a table, a JSON file and a picture out; mistakes in one line."""

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from quadrants import quadrants

from minigan import cli
from minigan.config import RunError
from minigan.data.images import centred
from minigan.evaluation import Drawn, draws, evaluate, feature_network, halves
from minigan.gan.schema import Space
from minigan.trained import sample


def write_images(folder, data, by_class):
    for i, image in enumerate(data.images):
        place = folder / (f"class{data.labels[i]}" if by_class else ".")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(place / f"{i:03d}.png")


def train(data, out, *options):
    words = ("train", "dcgan", "--data", f"folder:{data}", "--out", out, "--batch-size", 8)
    assert cli.main([str(word) for word in (*words, "--steps", 2, *options)]) == 0
    return out


@pytest.fixture(scope="module", autouse=True)
def short(tmp_path_factory):
    """Feature networks in a cache of this file's own, and of a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("minigan.evaluation.run.feature_network", partial(feature_network, steps=40))
        yield


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A run on a folder with classes and a test split."""
    folder = tmp_path_factory.mktemp("labelled")
    write_images(folder / "data" / "train", quadrants(120, 0), True)
    write_images(folder / "data" / "test", quadrants(80, 1), True)
    return train(folder / "data", folder / "run")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run on a folder of images without classes and without a test split."""
    folder = tmp_path_factory.mktemp("plain")
    write_images(folder / "data", quadrants(60, 2), False)
    return train(folder / "data", folder / "run")


def test_a_run_is_measured_against_its_test_images(labelled):
    found = evaluate(labelled, seed=3)
    result = found.result
    assert (result["recipe"], result["data"], result["step"]) == ("dcgan", "data", 2)
    assert (result["count"], result["seed"]) == (40, 3)
    assert result["real"] == "40 of 80 test images"
    assert result["network"]["kind"] == "classifier" and result["network"]["accuracy"] > 0.9
    metrics = result["metrics"]
    # Two steps make noise; real images beat it everywhere.
    for name in ("frechet_classifier_distance", "sliced_wasserstein_distance"):
        assert metrics[name]["value"] > 2 * metrics[name]["real"]
    assert metrics["coverage"]["real"] > 0.7 > metrics["coverage"]["value"]
    assert found.nearest.dtype == np.uint8 and found.nearest.ndim == 2
    assert len(str(found).splitlines()) == 6 + len(metrics)
    json.dumps(result, allow_nan=False)


def test_the_same_seed_gives_the_same_result(labelled):
    first, again, other = (evaluate(labelled, 20, seed) for seed in (0, 0, 1))
    assert first.result == again.result and (first.nearest == again.nearest).all()
    assert first.result["metrics"] != other.result["metrics"]


def test_without_test_images_the_training_images_are_halved(plain):
    result = evaluate(plain).result
    assert result["real"] == "30 of 60 training images, as there are no test images"
    assert result["network"]["kind"] == "autoencoder" and result["network"]["error"] > 0
    assert "frechet_autoencoder_distance" in result["metrics"]
    assert not any("class" in name for name in result["metrics"])
    assert result["metrics"]["neighbour_distance_ratio"]["real"] == pytest.approx(1, abs=0.3)


def test_samples_with_labels_are_held_to_them(labelled):
    """Real images stand in for samples: of the classes asked for, then of others."""

    def sampler(shift, folder, real, seed):
        data = quadrants(len(real), seed + 50)
        return Drawn(centred(data.images), (data.labels + shift) % 4)

    right, wrong = (
        evaluate(labelled, sampler=partial(sampler, shift)).result["metrics"] for shift in (0, 1)
    )
    right, wrong = right["conditional_accuracy"], wrong["conditional_accuracy"]
    assert right["value"] > 0.9 and right["real"] > 0.9 and wrong["value"] < 0.1
    assert "conditional_accuracy" not in evaluate(labelled).result["metrics"]


def system(**view):
    """A run's networks, as far as drawing from it looks at them."""
    return SimpleNamespace(networks=None, recipe=SimpleNamespace(view=SimpleNamespace(**view)))


@pytest.mark.parametrize(
    ("view", "asked"),
    [
        ({"from_images": False, "space": None}, set()),
        ({"from_images": False, "space": lambda networks: Space(8)}, set()),
        ({"from_images": False, "space": lambda networks: Space(8, 4, discovered=True)}, set()),
        ({"from_images": False, "space": lambda networks: Space(8, 4)}, {"labels"}),
        ({"from_images": True, "space": None}, {"inputs"}),
    ],
)
def test_every_kind_of_system_is_asked_in_its_way(view, asked, monkeypatch):
    def sample(folder, count, seed, **given):
        assert (folder, count, seed) == ("run", 20, 7) and given.keys() == asked
        if "labels" in given:
            weights = given["labels"]
            assert weights.dtype == np.float32 and weights.shape == (20, 4)
            assert (weights.sum(1) == 1).all() and (weights.argmax(1) == real.labels).all()
        if "inputs" in given:
            assert (given["inputs"] == centred(real.second)).all()
        return images

    real, images = halves(quadrants(40, 0), None, 20, 0), np.zeros((20, 1, 8, 8), np.float32)
    monkeypatch.setattr(draws, "load_networks", lambda folder: system(**view))
    monkeypatch.setattr(draws, "sample", sample)
    drawn = draws.draw("run", real, 7)
    assert drawn.images is images and bool(drawn.said) == bool(asked)
    assert (drawn.labels is None) == ("labels" not in asked)


def test_reconstructions_are_measured_as_such(plain, tmp_path):
    folder = tmp_path / "run"
    data = json.loads((plain / "config.json").read_text())["data"]
    words = ("train", "autoencoder", "--data", data, "--steps", "3", "--batch-size", "8")
    assert cli.main([*words, "--out", str(folder)]) == 0
    result = evaluate(folder).result
    assert result["samples"] == "made from other real images" and result["count"] == 30


def test_samples_that_cannot_be_measured_are_refused(labelled):
    def sampler(change, folder, real, seed):
        return Drawn(change(sample(folder, len(real), seed)))

    with pytest.raises(RunError, match=r"samples have the shape \(1, 8, 4\), the images of data"):
        evaluate(labelled, sampler=partial(sampler, lambda images: images[..., :4]))
    with pytest.raises(RunError, match="its samples are not finite"):
        evaluate(labelled, sampler=partial(sampler, lambda images: images * np.float32("nan")))


def command(*words):
    return cli.main([str(word) for word in ("evaluate", *words)])


def test_the_command_leaves_numbers_and_a_picture(labelled, capsys):
    assert command(labelled, "-n", 20) == 0
    out = capsys.readouterr().out
    result = json.loads((labelled / "evaluation.json").read_text())
    assert result == evaluate(labelled, 20).result
    assert "Fréchet classifier distance (FCD)" in out and str(labelled / "nearest.png") in out
    with Image.open(labelled / "nearest.png") as picture:
        assert (np.asarray(picture) == evaluate(labelled, 20).nearest).all()
    # A second time nothing is replaced, unless it is asked for.
    before = (labelled / "evaluation.json").read_bytes()
    assert command(labelled, "-n", 25) == 2
    assert "evaluation.json: is there already" in capsys.readouterr().err
    assert (labelled / "evaluation.json").read_bytes() == before
    assert command(labelled, "-n", 25, "--force") == 0
    assert json.loads((labelled / "evaluation.json").read_text())["count"] == 25


def test_the_command_writes_elsewhere(labelled, tmp_path):
    out = tmp_path / "new" / "first.json"
    assert command(labelled, "-n", 20, "--seed", 4, "--out", out) == 0
    assert json.loads(out.read_text())["seed"] == 4
    assert sorted(path.name for path in out.parent.iterdir()) == ["first.json", "first.png"]


def test_an_interrupt_leaves_nothing(labelled, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigan.evaluation.run.measure", interrupted)
    assert command(labelled, "--out", tmp_path / "a.json") == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("RUN", "--force", "-n", 41), "got 41 samples, and data has 80 test images"),
        (("RUN", "-n", 0), "argument -n: expected a whole number of 1 to"),
        (("RUN", "--out", "a.txt"), "--out expects a name ending in .json, got a.txt"),
        (("RUN", "--out", "RUN/config.json"), "is a part of the run itself"),
        (("RUN", "--out", "RUN/losses.json"), "losses.png is a part of the run itself"),
        (("nowhere",), "nowhere: there is no such run folder"),
        (("EMPTY",), "is not a run folder"),
        (("RUN", "--force", "--data-dir", "EMPTY"), "--data-dir: is for mnist and cifar10"),
    ],
)
def test_mistakes_are_one_line(labelled, tmp_path, capsys, words, said):
    capsys.readouterr()
    places = {"RUN": labelled, "EMPTY": tmp_path}
    words = [
        str(places.get(word, word)).replace("RUN/", f"{labelled}/")
        for word in map(str, words)
    ]  # fmt: skip
    assert command(*words) == 2
    found = capsys.readouterr().err.strip().splitlines()[-1]
    assert found.startswith("minigan: error: ") and said in found


def test_a_run_without_a_checkpoint_or_with_another_file_in_its_place(plain, tmp_path):
    (tmp_path / "config.json").write_bytes((plain / "config.json").read_bytes())
    with pytest.raises(RunError, match="has no checkpoint yet"):
        evaluate(tmp_path)
    np.savez(tmp_path / "checkpoint.npz", a=np.zeros(3))
    with pytest.raises(RunError, match=r"checkpoint.npz: is not the checkpoint of a training"):
        evaluate(tmp_path)


def test_runs_on_pairs_have_no_images_to_compare_with(plain, tmp_path):
    config = json.loads((plain / "config.json").read_text())
    Image.new("RGB", (16, 8)).save(tmp_path / "a.png")
    config["data"] = f"pairs:{tmp_path}"
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "checkpoint.npz").write_bytes((plain / "checkpoint.npz").read_bytes())
    with pytest.raises(RunError, match=r"expects a run on single images, .* has pairs"):
        evaluate(tmp_path)
