"""Stacked digits: 1000 modes that can be counted, and what chance alone leaves of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from minigan.data import DataError, ImageData, load
from minigan.evaluation.features import feature_network
from minigan.toys import ToyError, stacked_mnist, toy
from minigan.toys.stacked_mnist import MODES, check, counted, kinds, perfect, stack

REAL = Path(os.environ.get("MINIGAN_DATA", "no-data")) / "mnist"
LABELS = np.repeat(np.arange(10), [40, 1, 5, 5, 5, 5, 5, 5, 5, 4])
DIGITS = ImageData(  # every pixel is 20 times the class
    "flat", np.broadcast_to(20 * LABELS[:, None, None, None], (80, 1, 8, 8)).astype(np.uint8),
    LABELS.astype(np.int64), 10,
)  # fmt: skip


def by_colour(images):
    """A classifier of ``DIGITS`` that is never wrong."""
    assert images.shape[1:] == (1, 8, 8)
    return images[:, 0, 0, 0].astype(np.int64) // 20


def test_a_stack_is_what_its_label_says():
    data = stack(DIGITS, 500, seed=0)
    assert data.images.shape == (500, 3, 8, 8) and data.images.dtype == np.uint8
    np.testing.assert_array_equal(kinds(data.images, by_colour), data.labels)
    colours = data.images[:, :, 0, 0].astype(int) // 20
    np.testing.assert_array_equal(colours @ [100, 10, 1], data.labels)


def test_classes_are_drawn_evenly_however_many_images_they_have():
    """Each of 3·20,000 digits is a class of 40 or of 1 image with chance 1/10: 5 binomial std."""
    labels = stack(DIGITS, 20_000, seed=1).labels
    digits = np.stack([labels // 100, labels // 10 % 10, labels % 10])
    shares = np.bincount(digits.ravel(), minlength=10) / digits.size
    assert abs(shares - 0.1).max() < 5 * np.sqrt(0.1 * 0.9 / digits.size)


def test_stacks_are_repeatable():
    first, same, other = (stack(DIGITS, 50, seed).images for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_a_perfect_samplers_floor():
    """2n·KL is about χ² of 999 degrees of freedom: KL = (999 ± 5·√1998)/2n, plus the next term of
    its expansion, Σ 1/p - 1 over 12n², which is 10⁶/12n² here.  All 1000 modes are missed with
    chance 1000·exp(-26)."""
    n = 26_000
    found = counted(stack(DIGITS, n, seed=2).labels)
    assert found.modes == MODES
    assert abs(found.kl - 999 / (2 * n)) < 5 * np.sqrt(1998) / (2 * n) + 1e6 / (12 * n**2)
    assert round(perfect(n)[1], 3) == 0.019


@pytest.mark.parametrize("count", [1000, 3000])
def test_how_many_modes_few_samples_meet(count):
    """Their number has the expectation that is said, and a variance of at most k·q·(1 - q), as the
    modes' absences are negatively correlated."""
    missed = (1 - 1 / MODES) ** count
    expected, _ = perfect(count)
    assert expected == pytest.approx(MODES * (1 - missed))
    found = counted(stack(DIGITS, count, seed=3).labels)
    assert abs(found.modes - expected) < 5 * np.sqrt(MODES * missed * (1 - missed))


def test_kl_of_known_histograms():
    assert counted(np.full(77, 5)) == (1, pytest.approx(np.log(1000)))
    assert counted(np.repeat([1, 2], 50)) == (2, pytest.approx(np.log(500)))
    assert counted(np.repeat([1, 2], [30, 10])).kl == pytest.approx(
        0.75 * np.log(0.75 * 1000) + 0.25 * np.log(0.25 * 1000)
    )


def test_channels_are_hundreds_tens_and_ones():
    images = np.zeros((1, 3, 8, 8), np.uint8)
    images[0, 0], images[0, 1], images[0, 2] = 3 * 20, 1 * 20, 4 * 20
    assert kinds(images, by_colour).tolist() == [314]


@pytest.mark.parametrize(
    ("digits", "said"),
    [
        (ImageData("none", DIGITS.images, None, 0), "10 classes, got 1 channels and 0 classes"),
        (ImageData("some", DIGITS.images[:40], DIGITS.labels[:40], 10), "images of all 10 classes"),
        (stack(DIGITS, 5, 0), "expects grey images of 10 classes, got 3 channels and 1000"),
    ],
)
def test_mistakes_in_the_digits(digits, said):
    with pytest.raises(DataError, match=said):
        stack(digits, 5, seed=0)


def test_mistakes_in_images():
    with pytest.raises(DataError, match=r"expects shape \(N, 3, H, W\), got \(2, 1, 8, 8\)"):
        kinds(np.zeros((2, 1, 8, 8)), by_colour)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": "cifar10"}, "--data expects glyphs or mnist, got 'cifar10'"),
        ({"data": "mnist"}, "mnist: needs the folder with its IDX files"),
        ({"data_dir": "nowhere"}, "nowhere"),
        ({"data": "glyphs", "data_dir": "x"}, "--data-dir is of --data mnist"),
        ({"steps": "0"}, "--steps expects a number from 1 on, got '0'"),
        ({"steps": "many"}, "--steps expects a number from 1 on, got 'many'"),
    ],
)
def test_mistakes_leave_nothing(tmp_path, monkeypatch, options, said):
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    with pytest.raises(ToyError, match=said):
        toy("stacked-mnist").run(tmp_path / "new", options=options)
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not REAL.is_dir(), reason="no real MNIST in MINIGAN_DATA")
def test_mnist_is_found():
    assert check(data="mnist").data_dir == str(REAL)
    assert check(data_dir=REAL).data == "mnist"
    assert (check().data, check(quick=True).data) == ("mnist", "mnist")


@pytest.mark.parametrize("quick", [True, False])
def test_mnist_is_taken_where_its_files_are(tmp_path, monkeypatch, quick):
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    assert check(quick=quick)[:2] == ("glyphs", None)
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path))
    assert check(quick=quick)[:2] == ("glyphs", None)
    (tmp_path / "mnist").mkdir()
    with pytest.raises(ToyError, match=r"stacked-mnist: .*mnist"):  # a folder without its files
        check(quick=quick)
    for stem, dims in (("images-idx3", (60_000, 28, 28)), ("labels-idx1", (60_000,))):
        magic = np.array([0x0800 + len(dims), *dims], ">u4").tobytes()
        (tmp_path / "mnist" / f"train-{stem}-ubyte").write_bytes(magic)
    assert check(quick=quick)[:2] == ("mnist", str(tmp_path / "mnist"))
    assert check(quick=quick, data="glyphs")[:2] == ("glyphs", None)


def test_real_stacks_by_a_trained_classifier_are_near_the_floor():
    """A digit of a class is named rightly with the share a_c of that class's images that are, and
    classes and images are drawn evenly, so a stack is named wrongly with 1 - (mean of a_c)³: 5
    binomial std.  Each wrong one changes the number of modes by 1 at most and, as entropies are
    continuous (Fannes 1973, Audenaert 2007), all of them KL by T·ln 999 + h(T), T their share.
    What remains is the floor of chance, as above."""
    train, test = (load("glyphs", count=1000, split=split) for split in ("train", "test"))
    network = feature_network(train, steps=60)
    n = 5000
    real = stack(test, n, seed=4)
    found = kinds(real.images, lambda images: network(images)[1])

    named = network(test.images)[1] == test.labels
    right = np.mean([named[test.labels == c].mean() for c in range(10)]) ** 3
    share = float((found != real.labels).mean())
    assert 0.5 < right < 1  # neither blind nor too good to say anything
    assert abs(share - (1 - right)) < 5 * np.sqrt(right * (1 - right) / n)

    count, (modes, kl) = counted(found), perfect(n)
    missed = (1 - 1 / MODES) ** n
    assert abs(count.modes - modes) < n * share + 5 * np.sqrt(MODES * missed * (1 - missed))
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    chance = 5 * np.sqrt(1998) / (2 * n) + 1e6 / (12 * n**2)
    assert abs(count.kl - kl) < share * np.log(MODES - 1) + entropy + chance


def test_the_toy_leaves_what_it_promises(tmp_path, monkeypatch):
    """The classifier is a short one here: what it says has to be what stands in the rows."""
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
    small = stacked_mnist.Plan("glyphs", None, 200, 2, 300, 5)
    monkeypatch.setattr(stacked_mnist, "check", lambda *_, **__: small)
    monkeypatch.setattr(
        stacked_mnist.datasets,
        "load",
        lambda *_, split, **__: load("glyphs", count=200, split=split),
    )
    taken = []

    def spied(images, classify):
        found = kinds(images, classify)
        taken.append((images.shape, np.unique(found, return_counts=True)[1] / len(found)))
        return found

    monkeypatch.setattr(stacked_mnist, "kinds", spied)
    results = toy("stacked-mnist").run(tmp_path / "out", quick=True)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        *("stacks.png", "training.gif", "modes.png", "results.json")
    }
    rows = {row["what"]: row for row in results["rows"]}
    own = rows["perfect sampler, its own labels: modes"]
    assert abs(own["measured"] - own["exact"]) < 5 * np.sqrt(own["exact"])
    for whose, (shape, shares) in zip(
        ("real stacks of glyphs, by the classifier", "dcgan on glyphs, 2 steps"), taken, strict=True
    ):
        assert shape == (300, 3, 28, 28)
        assert rows[f"{whose}: modes"]["measured"] == len(shares)
        assert rows[f"{whose}: KL to uniform (nats)"]["measured"] == pytest.approx(
            np.log(1000) + (shares * np.log(shares)).sum()
        )
    assert results["published"]["PacDCGAN2"] == {"modes": 1000, "kl": 0.06}
    assert toy("stacked-mnist").run(tmp_path / "again", quick=True) == results
