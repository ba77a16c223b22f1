"""The feature networks fit images of every size, learn, and are kept whole or not at all."""

import numpy as np
import pytest
from quadrants import quadrants

import minigan
from minigan.data import ImageData
from minigan.data.images import centred
from minigan.evaluation import feature_network, features
from minigan.evaluation.networks import FEATURES, Autoencoder, Classifier, Shape, reduced

STEPS = 60


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "shape",
    [(1, 8, 8), (3, 9, 9), (1, 28, 28), (3, 33, 33), (2, 20, 13), (3, 64, 64), (1, 131, 90)],
)
def test_every_size_has_its_networks(shape):
    images = minigan.randn(2, *shape)
    classifier, autoencoder = Classifier(Shape(*shape), 5), Autoencoder(Shape(*shape))
    assert classifier.features(images).shape == autoencoder.features(images).shape == (2, FEATURES)
    assert classifier.outer(classifier.features(images)).shape == (2, 5)
    decoded = autoencoder.outer(autoencoder.features(images))
    assert decoded.shape == reduced(images).shape
    assert max(decoded.shape[2:]) <= 64 and abs(decoded.detach().numpy()).max() <= 1


def test_large_images_are_averaged():
    images = np.random.default_rng(0).normal(size=(1, 1, 256, 128)).astype(np.float32)
    found = reduced(minigan.from_numpy(images)).numpy()
    assert found.shape == (1, 1, 64, 32)
    truth = images.reshape(1, 1, 64, 4, 32, 4).mean((3, 5))
    np.testing.assert_allclose(found, truth, atol=1e-6)


def test_a_classifier_learns_the_classes():
    network = feature_network(quadrants(500, 0), steps=STEPS)
    test = quadrants(300, 1)
    found, classes = network(test.images)
    assert network.kind == "classifier" and classes.dtype == np.int64
    assert (classes == test.labels).mean() > 0.98
    assert found.shape == (300, FEATURES) and found.dtype == np.float32
    again, _ = network(centred(test.images)[150:])  # floats, and in other batches
    np.testing.assert_allclose(again, found[150:], rtol=1e-4, atol=1e-4)


def test_an_autoencoder_learns_the_images():
    data, test = quadrants(500, 0, labelled=False), quadrants(300, 1, labelled=False)
    network = feature_network(data, steps=STEPS)
    found, classes = network(test.images)
    assert network.kind == "autoencoder" and classes is None and found.shape == (300, FEATURES)
    real = centred(test.images)
    assert network.error(test.images) < 0.5 * np.sqrt(((real - real.mean(0)) ** 2).mean())
    with minigan.no_grad():
        inside = network.network
        decoded = inside.outer(inside.features(minigan.from_numpy(real))).numpy()
    assert network.error(test.images) == pytest.approx(np.sqrt(((decoded - real) ** 2).mean()))


def test_one_class_tells_nothing_so_there_is_an_autoencoder():
    data = quadrants(20, 0)
    one = ImageData("one", data.images, np.zeros(20, np.int64), 1)
    assert feature_network(one, steps=1).kind == "autoencoder"


def test_it_is_trained_once_and_the_same_again(cache):
    data, told = quadrants(100, 0), []
    first = feature_network(data, steps=5, progress=lambda *words: told.append(words))
    assert told == [("training the classifier", i, 5) for i in range(1, 6)]
    (file,) = cache.iterdir()
    stored = feature_network(data, steps=5, progress=lambda *words: pytest.fail("trained"))
    file.unlink()
    anew = feature_network(data, steps=5)
    wanted = first(data.images)
    for network in (stored, anew):
        assert all((a == b).all() for a, b in zip(network(data.images), wanted, strict=True))


def test_every_difference_that_matters_has_a_file_of_its_own(cache):
    data = quadrants(40, 0)
    other = data.images.copy()
    other[3, 0, 2, 2] += 1
    unlabelled = quadrants(40, 0, labelled=False)
    swapped = data.labels.copy()
    swapped[:2] = (swapped[:2] + 1) % 4
    for case in (
        data,
        ImageData("same", data.images, data.labels, 4),  # the name does not matter
        ImageData("pixel", other, data.labels, 4),
        ImageData("labels", data.images, swapped, 4),
        ImageData("classes", data.images, data.labels, 5),
        unlabelled,
        quadrants(40, 0, channels=3),
    ):
        feature_network(case, steps=1)
    feature_network(data, steps=2)
    feature_network(data, steps=1, seed=1)
    assert len(list(cache.iterdir())) == 8


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "nan"])
def test_a_damaged_file_is_made_anew(cache, damage):
    data = quadrants(40, 0)
    wanted, _ = feature_network(data, steps=2)(data.images)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    arrays = dict(np.load(file))
    if damage == "cut":
        file.write_bytes(whole[:-100])
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        name = "outer.weight"
        arrays[name] = arrays[name][:2] if damage == "other" else arrays[name] * np.float32("nan")
        with open(file, "wb") as opened:
            np.savez(opened, **arrays)
    found, _ = feature_network(data, steps=2)(data.images)
    assert (found == wanted).all() and file.read_bytes() == whole


def test_an_interrupt_leaves_nothing_behind(cache):
    def interrupt(what, done, total):
        if done == 2:
            raise KeyboardInterrupt

    minigan.manual_seed(5)
    before = minigan.randn(3).numpy()
    minigan.manual_seed(5)
    with pytest.raises(KeyboardInterrupt):
        feature_network(quadrants(40, 0), steps=3, progress=interrupt)
    assert not cache.exists() or not list(cache.iterdir())
    assert (minigan.randn(3).numpy() == before).all()  # the random numbers go on as if nothing was


def test_networks_of_earlier_versions_are_removed(cache, monkeypatch):
    data = quadrants(40, 0)
    feature_network(data, steps=1)
    (old,) = cache.iterdir()
    other = cache / "glyphs.npz"
    other.write_bytes(b"not ours")
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    feature_network(data, steps=1)
    assert not old.exists() and other.exists() and len(list(cache.iterdir())) == 2


def test_where_nothing_can_be_kept_it_works_all_the_same(cache):
    cache.write_text("a file, where the folder should be")
    assert feature_network(quadrants(40, 0), steps=1).kind == "classifier"
    assert cache.is_file()
