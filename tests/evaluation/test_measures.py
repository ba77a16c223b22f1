"""Samples whose faults are known: each metric names the fault that it is for."""

import numpy as np
import pytest
from quadrants import quadrants

from minigan.config import RunError
from minigan.data import ImageData
from minigan.data.images import centred
from minigan.evaluation import feature_network, halves, measure, table
from minigan.evaluation.neighbours import picture, small

COUNT = 150


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """(train, halves, network)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        train = quadrants(600, 0)
        network = feature_network(train, steps=60)
    return train, halves(train, quadrants(400, 1), COUNT, 0), network


def measured(setting, samples, **options):
    train, real, network = setting
    metrics, _ = measure(samples, train, real, network, **options)
    return {name: values["value"] for name, values in metrics.items()}, metrics


def test_real_images_score_as_real_images_do(setting):
    """New images of the same kind: every value lies where the floor does."""
    new = quadrants(COUNT, 2)
    found, metrics = measured(setting, centred(new.images), labels=new.labels)
    floor = {name: values["real"] for name, values in metrics.items()}
    wrong = measured(setting, np.zeros((COUNT, 1, 8, 8), np.float32))[0]
    for name in ("frechet_classifier_distance", "sliced_wasserstein_distance"):
        assert found[name] < 5 * floor[name] and 5 * max(found[name], floor[name]) < wrong[name]
    std = metrics["kernel_classifier_distance"]["std"]
    assert abs(found["kernel_classifier_distance"]) < 5 * std
    for name in ("precision", "recall", "density", "coverage"):
        # Shares of 150: a standard deviation of at most 0.041, and of 2 of them 0.058.
        assert found[name] == pytest.approx(floor[name], abs=5 * 0.058)
        assert found[name] > 0.6
    assert found["class_total_variation"] < 0.2 > floor["class_total_variation"]
    assert found["conditional_accuracy"] > 0.97 < floor["conditional_accuracy"]
    assert found["neighbour_distance_ratio"] == pytest.approx(1, abs=0.1)
    # U / n m: standard deviation sqrt((n + m + 1) / 12 n m).
    assert abs(found["closer_than_real"] - 0.5) < 5 * np.sqrt(301 / (12 * COUNT**2))


def test_the_second_half_in_the_samples_place_scores_the_floor(setting):
    _, metrics = measured(setting, centred(setting[1].second), labels=setting[1].labels)
    for values in metrics.values():
        assert values["value"] == pytest.approx(values["real"], rel=1e-5, abs=1e-6)


def test_the_first_half_itself_is_perfect(setting):
    found, _ = measured(setting, centred(setting[1].first))
    assert found["frechet_classifier_distance"] == pytest.approx(0, abs=1e-3)
    for name in ("precision", "recall", "coverage"):
        assert found[name] == 1
    for name in ("class_total_variation", "class_kl_divergence"):
        assert found[name] == 0
    assert found["sliced_wasserstein_distance"] < 1e-6


def test_copies_of_training_images_are_named(setting):
    found, _ = measured(setting, centred(setting[0].images[:COUNT]))
    assert found["neighbour_distance_ratio"] == 0 and found["closer_than_real"] == 1
    assert found["copied_share"] == 1
    assert found["precision"] > 0.8  # nothing else gives them away


def test_a_single_class_is_named(setting):
    train = setting[0]
    one = quadrants(COUNT, 3, classes=1)
    found, _ = measured(setting, centred(one.images), labels=np.full(COUNT, 2))
    share = (setting[1].first[:, 0, :4, :4].mean((1, 2)) > 70).mean()
    assert found["class_total_variation"] == pytest.approx(1 - share, abs=0.02)
    assert found["class_kl_divergence"] == pytest.approx(-np.log(share), abs=0.1)
    assert found["recall"] < 0.5 and found["coverage"] < 0.5 and found["precision"] > 0.6
    assert found["conditional_accuracy"] == 0
    assert train.classes == 4


def test_a_class_that_is_not_among_the_real_ones_is_infinitely_far(setting):
    train, real, network = setting
    three = real.first[:, 0, 4:, 4:].mean((1, 2)) < 70
    part = halves(train, ImageData("three", real.first[three], None, 0), 40, 0)
    metrics, _ = measure(centred(quadrants(40, 4).images), train, part, network)
    assert metrics["class_kl_divergence"]["value"] == np.inf
    assert metrics["class_kl_divergence"]["real"] < 0.5


def test_images_that_were_trained_on_are_not_their_own_neighbours():
    """Without test images the halves are training images: at distance 0 from themselves."""
    train = quadrants(200, 0, labelled=False)
    real = halves(train, None, 50, 0)
    network = feature_network(train, steps=2)
    metrics, neighbours = measure(centred(train.images[:50]), train, real, network)
    assert "class_total_variation" not in metrics and "frechet_autoencoder_distance" in metrics
    assert neighbours.first.min() > 0 and neighbours.second.min() > 0
    assert metrics["neighbour_distance_ratio"]["value"] == 0
    assert metrics["neighbour_distance_ratio"]["real"] == pytest.approx(1, abs=0.2)


def test_halves_are_disjoint_equal_and_drawn_by_seed():
    test = ImageData("n", np.arange(64, dtype=np.uint8).repeat(64).reshape(64, 1, 8, 8), None, 0)
    half = halves(test, test, 20, 3)
    first, second = half.first[:, 0, 0, 0], half.second[:, 0, 0, 0]
    assert len(set(first) | set(second)) == 40 and len(half) == 20
    assert half.held_out and half.said == "20 of 64 test images"
    assert (halves(test, test, 20, 3).first == half.first).all()
    assert (halves(test, test, 20, 4).first != half.first).any()
    assert len(halves(test, test, None, 0)) == 32
    none = halves(test, None, None, 0)
    assert not none.held_out
    assert none.said == "32 of 64 training images, as there are no test images"
    few = ImageData("few", test.images[:15], None, 0)
    assert halves(test, few, 8, 0).said == "8 of 64 training images, as there are too few others"
    labelled = quadrants(64, 0)
    half = halves(labelled, None, 20, 0)
    for image, label in zip(half.second, half.labels, strict=True):
        assert (labelled.images[labelled.labels == label] == image).all((1, 2, 3)).any()


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (33, "got 33 samples, and n has 64 test images"),
        (7, "at least 8 samples and twice as many test images"),
    ],
)
def test_too_many_and_too_few_samples_are_refused(count, words):
    test = ImageData("n", np.zeros((64, 1, 8, 8), np.uint8), None, 0)
    with pytest.raises(RunError, match=words):
        halves(test, test, count, 0)


def test_small_images_are_averages():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 2, 128, 66)).astype(np.uint8)
    found = small(images)
    assert found.shape == (3, 2, 32, 16) and found.dtype == np.uint8
    truth = images[:, :, :, :64].reshape(3, 2, 32, 4, 16, 4).mean((3, 5))
    assert abs(found - truth).max() <= 1  # rounded twice, by at most a half each time
    assert (small(images[:, :, :32, :32]) == images[:, :, :32, :32]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_shows_samples_above_their_neighbours(channels):
    train = quadrants(40, 0, channels)
    real, network = halves(train, None, 8, 0), feature_network(train, steps=1)
    samples = centred(train.images[[5, 9, 3, 7, 1, 0, 2, 4]])
    _, neighbours = measure(samples, train, real, network)
    assert neighbours.indices[:, 0].tolist() == [5, 9, 3, 7, 1, 0, 2, 4]
    drawn = picture(samples, train, neighbours)
    assert drawn.dtype == np.uint8 and drawn.ndim == (2 if channels == 1 else 3)
    scale, column = 7, 3  # 56 / 8 pixels; the fourth sample
    left = column * (8 * scale + 2) + 2
    sample = drawn[28 : 28 + 8 * scale : scale, left : left + 8 * scale : scale]
    below = 26 + (8 * scale + 4) + 2
    neighbour = drawn[below : below + 8 * scale : scale, left : left + 8 * scale : scale]
    wanted = train.images[7].transpose(1, 2, 0).squeeze()
    assert (sample == wanted).all() and (neighbour == wanted).all()


def test_the_table_has_a_line_for_each_metric():
    values = {"value": 1.23456, "real": 0.000012346}
    result = {
        **{"recipe": "dcgan", "data": "digits", "step": 7, "count": 20, "seed": 1},
        "samples": "",
        "real": "20 of 64 test images",
        "network": {"kind": "classifier", "accuracy": 0.987},
        "metrics": {
            "frechet_classifier_distance": values,
            "kernel_classifier_distance": {**values, "std": 0.12, "real_std": 0.034},
            "class_kl_divergence": {"value": None, "real": 0.0},
        },
    }
    text = table(result)
    assert "dcgan on digits, step 7: 20 samples (seed 1)" in text
    assert "98.70% of these images right" in text and "only 20 samples" in text
    lines = text.splitlines()[-3:]
    assert lines[0].split()[-5:] == ["1.235", "1.235e-05", "lower", "is", "better"]
    assert "1.235 ± 0.12" in lines[1] and "1.235e-05 ± 0.034" in lines[1]
    assert "infinite" in lines[2]
    result["samples"] = "of a kind"
    assert "step 7: 20 samples of a kind (seed 1)" in table(result)
    result["network"] = {"kind": "autoencoder", "error": 0.1234}
    assert "an autoencoder's code, trained on digits" in table({**result, "count": 1000})
    assert "only" not in table({**result, "count": 1000})


def test_columns_of_the_table_stay_apart_however_long_a_number():
    wide = {"value": 1129.0, "std": 0.064, "real": -1.241e-12, "real_std": 7.4e-13}
    said = {"recipe": "gan", "data": "some", "step": 1, "samples": "", "seed": 0, "network": None}
    text = table({**said, "count": 500, "real": "it", "metrics": {"precision": wide}})
    line = text.splitlines()[-1]
    assert line.split() == [
        *("precision", "1129", "±", "0.064", "-1.241e-12", "±", "7.4e-13"),
        *("higher", "is", "better"),
    ]
