"""load and names: one door to every data set, which refuses what it does not know."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import data
from minigan.data import DataError

POINTS = "ring, ring-2, grid, roll"
NAMES = f"glyphs, mnist, cifar10, folder:PATH, pairs:PATH, pairs:DIRA,DIRB, {POINTS}"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))


def test_names():
    assert data.names() == tuple(NAMES.split(", "))


@pytest.mark.parametrize(
    "name",
    [
        "cifar",
        "",
        "GLYPHS",
        None,
        "folder",
        "folder:",
        "pairs:,a",
        "pairs:a,b,c",
        "mnist:a",
        "ring:a",
    ],
)
def test_an_unknown_name_lists_the_known_ones(name):
    for call in (data.load, data.count):
        with pytest.raises(DataError) as caught:
            call(name)
        assert str(caught.value) == f"data set: expected one of {NAMES}; got {name!r}"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split": "valid"}, "split: expected one of train, test; got 'valid'"),
        ({"count": 0}, "count: expected a whole number of at least 1, got 0"),
        ({"count": -3}, "count: .* got -3"),
        ({"count": 2.5}, "count: .* got 2.5"),
        ({"count": 200_001}, "count: expected a whole number from 1 to 200000, got 200001"),
        ({"count": 20, "image_size": 7}, "image_size: .*from 8 to 512, got 7"),
        ({"count": 20, "image_size": 513}, "image_size: .* got 513"),
    ],
)
def test_wrong_options_are_refused(options, says):
    with pytest.raises(DataError, match=f"^{says}$"):
        data.load("glyphs", **options)


def test_splits_are_different_and_have_their_default_sizes():
    train, test = data.load("glyphs", count=2000), data.load("glyphs", split="test")
    assert len(test) == 2000
    assert not np.array_equal(train.images, test.images)
    assert len(data.load("glyphs")) == data.count("glyphs") == 20_000
    assert data.count("glyphs", split="test") == 2000


@pytest.mark.parametrize("name", POINTS.split(", "))
def test_points_are_always_the_same_and_those_of_a_test_others(name):
    train, again, test = (data.load(name, split=split) for split in ("train", "train", "test"))
    assert isinstance(train, data.PointData) and train.name == name
    assert len(train) == data.count(name) == 100_000
    assert len(test) == data.count(name, split="test") == 5000
    assert np.array_equal(train.points, again.points)
    assert not set(map(tuple, train.points.tolist())) & set(map(tuple, test.points.tolist()))
    few = data.load(name, count=7)
    assert np.array_equal(few.points, train.points[:7])
    if train.labels is not None:
        assert np.array_equal(few.labels, train.labels[:7])
        assert set(test.labels.tolist()) == set(range(train.classes))
    for points in (train.points, test.points):
        assert np.abs(points).max() < train.box
    assert data.is_points(name) and data.full_name(name) == data.short_name(name) == name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"image_size": 28}, "image_size: is for images, ring has points"),
        ({"data_dir": "."}, "data_dir: is for images, ring has points"),
        ({"labels": "a.csv"}, "labels: is for images, ring has points"),
        ({"channels": 1}, "channels: is for images, ring has points"),
        ({"strict": True}, "strict: is for images, ring has points"),
        ({"count": 100_001}, "count: expected at most the 100000 points of ring train, got 100001"),
        ({"count": 0}, "count: expected a whole number of at least 1, got 0"),
        ({"split": "val"}, "split: expected one of train, test; got 'val'"),
    ],
)
def test_points_take_no_option_of_images(options, says):
    with pytest.raises(DataError) as caught:
        data.load("ring", **options)
    assert str(caught.value) == says


@pytest.mark.parametrize("size", [16, 28, 32, 64])
def test_image_size_reaches_the_images(size):
    digits = data.load("glyphs", count=20, image_size=size)
    assert digits.images.shape == (20, 1, size, size) and digits.images.dtype == np.uint8
    np.testing.assert_array_equal(digits.labels, data.load("glyphs", count=20).labels)


def test_importing_the_package_brings_in_numpy_alone():
    code = (
        "import sys, minigan.data; "
        "print([m for m in ('matplotlib', 'scipy', 'PIL') if m in sys.modules])"
    )
    root = Path(data.__file__).resolve().parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
