"""load and names: one door to every data set, which refuses what it does not know."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import data
from minigan.data import DataError

NAMES = "glyphs, mnist, cifar10, folder:PATH, pairs:PATH, pairs:DIRA,DIRB"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))


def test_names():
    assert data.names() == tuple(NAMES.split(", "))


@pytest.mark.parametrize(
    "name", ["cifar", "", "GLYPHS", None, "folder", "folder:", "pairs:,a", "pairs:a,b,c", "mnist:a"]
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
