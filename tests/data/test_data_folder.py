"""Folders of pictures: what is in them comes in order, with labels; broken ones are named."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigan import data as datasets
from minigan.data import DataError, DataWarning, load

REAL = Path(os.environ.get("MINIGAN_DATA", "no-data")) / "imori"

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 12, 3), np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)


def test_pixels_come_back_in_planes_and_in_the_order_of_the_paths(tmp_path):
    images = RNG.integers(0, 256, (4, 8, 8, 3), np.uint8)
    for name, image in zip(["b/1.png", "a/z.PNG", "a/10.bmp", "c.png"], images, strict=True):
        save(tmp_path / name, image)
    (tmp_path / "notes.txt").write_text("no image")
    save(tmp_path / ".hidden.png", images[0])
    save(tmp_path / ".git" / "x.png", images[0])
    data = load(f"folder:{tmp_path}")
    expected = images[[2, 1, 0, 3]].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(data.images, expected)
    assert data.name == tmp_path.name and data.labels is None and data.skipped == ()
    assert datasets.count(f"folder:{tmp_path}") == 4
    np.testing.assert_array_equal(load(f"folder:{tmp_path}", count=2).images, expected[:2])


def test_grey_where_all_are_grey_else_colour_or_as_asked(tmp_path):
    grey = RNG.integers(0, 256, (8, 8), np.uint8)
    save(tmp_path / "1.png", grey)
    save(tmp_path / "2.png", grey.T)
    data = load(f"folder:{tmp_path}")
    np.testing.assert_array_equal(data.images, np.stack([grey, grey.T])[:, None])
    three = load(f"folder:{tmp_path}", channels=3)
    np.testing.assert_array_equal(three.images, np.repeat(data.images, 3, 1))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    save(tmp_path / "3.png", red)
    assert load(f"folder:{tmp_path}").images.shape == (3, 3, 8, 8)
    one = load(f"folder:{tmp_path}", channels=1).images
    assert one.shape == (3, 1, 8, 8)
    assert set(one[2].ravel()) == {round(0.299 * 200)}  # the luma of ITU-R BT.601


def test_the_central_square_of_any_shape(tmp_path):
    wide = RNG.integers(0, 256, (8, 13, 3), np.uint8)
    save(tmp_path / "wide.png", wide)
    save(tmp_path / "tall.png", wide.transpose(1, 0, 2))
    data = load(f"folder:{tmp_path}", image_size=8)
    square = wide[:, 2:10]
    np.testing.assert_array_equal(data.images[1], square.transpose(2, 0, 1))
    np.testing.assert_array_equal(data.images[0], square.transpose(2, 1, 0))


def test_celeba_is_its_central_178_pixels_brought_to_size(tmp_path):
    """A ramp from top to bottom: only rows 20 to 197 of the 218 are left of it."""
    ramp = np.broadcast_to(np.arange(218, dtype=np.uint8)[:, None, None], (218, 178, 3))
    save(tmp_path / "000001.png", ramp)
    image = load(f"folder:{tmp_path}", image_size=89).images[0].astype(int)
    # Twice as large pixels: the mean of rows 20 + 2y and 21 + 2y, apart from the ends.
    expected = 20.5 + 2 * np.arange(89)
    assert np.abs(image[:, 1:-1].transpose(0, 2, 1) - expected[1:-1]).max() <= 1


# ---- sub-folders


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path):
    for name in ("newt/2.png", "axolotl/1.png", "newt/deep/1.png", "toad/1.png"):
        save(tmp_path / name, COLOUR)
    data = load(f"folder:{tmp_path}")
    assert data.class_names == ("axolotl", "newt", "toad") and data.classes == 3
    assert data.labels.tolist() == [0, 1, 1, 2] and data.labels.dtype == np.int64
    few = load(f"folder:{tmp_path}", count=1)
    assert few.labels.tolist() == [0] and few.classes == 3
    save(tmp_path / "loose.png", COLOUR)
    assert load(f"folder:{tmp_path}").labels is None


@pytest.mark.parametrize("test", ["test", "val"])
def test_train_and_test_folders_are_the_splits(tmp_path, test):
    save(tmp_path / "train" / "cat" / "1.png", COLOUR)
    save(tmp_path / "train" / "dog" / "1.png", COLOUR)
    assert load(f"folder:{tmp_path}").class_names == ()  # one folder: no classes, no split
    message = failure(tmp_path, split="test")
    assert message == f"{tmp_path}: expected folders train and test (or val) in it for split test"
    save(tmp_path / test / "dog" / "1.png", 255 - COLOUR)
    assert load(f"folder:{tmp_path}").class_names == ("cat", "dog")
    other = load(f"folder:{tmp_path}", split="test")
    np.testing.assert_array_equal(other.images[0], (255 - COLOUR).transpose(2, 0, 1))
    assert other.name == tmp_path.name
    assert datasets.count(f"folder:{tmp_path}") == 2
    assert datasets.count(f"folder:{tmp_path}", split="test") == 1


# ---- what goes wrong


def failure(folder, **options):
    with pytest.raises(DataError) as caught:
        load(f"folder:{folder}", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def damaged(tmp_path):
    """Nine images, three of them broken in different ways."""
    for i in range(9):
        save(tmp_path / f"{i}.png", np.full((8, 8, 3), i * 20))
    (tmp_path / "2.png").write_bytes(b"no image at all")
    (tmp_path / "5.png").write_bytes(b"")
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    save(tmp_path / "7.jpg", noise)
    (tmp_path / "7.png").write_bytes((tmp_path / "7.jpg").read_bytes()[:1500])
    (tmp_path / "7.jpg").unlink()
    return tmp_path


def test_broken_images_are_left_out_and_named(damaged):
    with pytest.warns(DataWarning) as caught:
        data = load(f"folder:{damaged}", image_size=8)
    (warning,) = caught
    message = str(warning.message)
    assert warning.filename == __file__ and "\n" not in message
    assert message.startswith(f"{damaged}: 3 of 9 images cannot be used and are left out: ")
    assert f"{damaged / '2.png'}: no image of a known format; " in message
    assert [line.partition(": ")[0] for line in data.skipped] == [
        str(damaged / f"{i}.png") for i in (2, 5, 7)
    ]
    assert "truncated" in data.skipped[2]
    assert data.images[:, 0, 0, 0].tolist() == [0, 20, 60, 80, 120, 160]


def test_labels_stay_with_their_images_when_others_are_left_out(damaged):
    table = damaged / "labels.csv"
    table.write_text("".join(f"{i}.png,{i}\n" for i in range(9)))
    with pytest.warns(DataWarning):
        data = load(f"folder:{damaged}", image_size=8, labels=table)
    assert (data.images[:, 0, 0, 0] == 20 * data.labels).all() and data.classes == 9


def test_strict_stops_at_the_first_broken_image(damaged):
    for _ in range(5):
        said = failure(damaged, image_size=8, strict=True)
        assert said == f"{damaged / '2.png'}: no image of a known format"


def test_a_long_list_of_broken_images_is_counted(tmp_path):
    save(tmp_path / "0.png", COLOUR)
    for i in range(1, 300):
        (tmp_path / f"{i}.png").write_bytes(b"x")
    with pytest.warns(DataWarning, match=r"299 of 300 .*; and 296 more$"):
        data = load(f"folder:{tmp_path}")
    assert len(data) == 1 and len(data.skipped) == 299
    (tmp_path / "0.png").unlink()
    said = failure(tmp_path, image_size=8)
    assert said.startswith(f"{tmp_path}: none of its 299 images can be used; {tmp_path / '1.png'}:")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, r"image_size: expected one \(--image-size N\), .*a\.png has 13x8 pixels"),
        ({"image_size": 7}, "image_size: .*from 8 to 512, got 7"),
        ({"image_size": 8, "channels": 2}, r"channels: expected 1 \(grey\) or 3 \(colour\), got 2"),
        ({"image_size": 8, "channels": 4}, "channels: .* got 4"),
        ({"image_size": 8, "count": 2}, "count: expected at most the 1 images in .*, got 2"),
        ({"image_size": 8, "data_dir": "x"}, "data_dir: is for mnist and cifar10, not for folder:"),
        ({"image_size": 8, "direction": "AtoB"}, "direction: is for pairs, not for folder:"),
        ({"image_size": 8, "attributes": ["Male"]}, r"attributes: expected a file with labels"),
    ],
)
def test_wrong_options_are_one_clear_line(tmp_path, options, says):
    save(tmp_path / "a.png", COLOUR[:8, :8].repeat(2, 1)[:, :13])
    with pytest.raises(DataError, match=f"^{says}"):
        load(f"folder:{tmp_path}", **options)


def test_wrong_folders_are_one_clear_line(tmp_path):
    assert "does not exist" in failure(tmp_path / "none")
    assert "there are none" in failure(tmp_path)
    (tmp_path / "file").write_text("")
    assert "it is a file" in failure(tmp_path / "file")
    with pytest.raises(DataError, match=r"^labels: is for folder, not for glyphs$"):
        load("glyphs", labels="x")


def test_names_for_titles_and_for_other_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert datasets.full_name("folder:x/../newts") == f"folder:{tmp_path}/newts"
    assert datasets.full_name("pairs:a,b") == f"pairs:{tmp_path}/a,{tmp_path}/b"
    assert datasets.short_name("folder:.") == tmp_path.name
    assert datasets.short_name("pairs:x/a,x/b") == "a"
    assert datasets.short_name("cifar10") == datasets.full_name("cifar10") == "cifar10"


@pytest.mark.skipif(not REAL.is_dir(), reason="no newts in MINIGAN_DATA")
def test_the_real_newts():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load(f"folder:{REAL / 'train' / 'images'}", image_size=64)
    assert data.images.shape == (16, 3, 64, 64)
    assert data.class_names == ("akahara", "madara") and np.bincount(data.labels).tolist() == [8, 8]
