"""Pairs: A and B stay together, in either direction; masks keep their colours."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigan import data as datasets
from minigan.data import DataError, DataWarning, PairData, load

REAL = Path(os.environ.get("MINIGAN_DATA", "no-data"))

RNG = np.random.default_rng(2)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def planes(images):
    return np.moveaxis(np.stack(images), -1, 1)


@pytest.fixture
def facades(tmp_path):
    """Three pictures with A (left) and B (right), whose pixels are returned too."""
    a, b = noise(3, 16, 16, 3), noise(3, 16, 16, 3)
    for i in range(3):
        save(tmp_path / "facades" / f"{i}.png", np.concatenate([a[i], b[i]], 1))
    return tmp_path / "facades", planes(a), planes(b)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA", None])
def test_side_by_side_in_either_direction(facades, direction):
    folder, a, b = facades
    pairs = load(f"pairs:{folder}", direction=direction)
    inputs, targets = (b, a) if direction == "BtoA" else (a, b)
    np.testing.assert_array_equal(pairs.inputs, inputs)
    np.testing.assert_array_equal(pairs.targets, targets)
    assert (pairs.name, len(pairs), pairs.masks) == ("facades", 3, (False, False))
    assert datasets.count(f"pairs:{folder}") == 3
    assert len(load(f"pairs:{folder}", count=2)) == 2


def test_each_half_is_cropped_for_itself(tmp_path):
    a, b = noise(16, 20, 3), noise(16, 20, 3)
    save(tmp_path / "x.png", np.concatenate([a, b], 1))
    pairs = load(f"pairs:{tmp_path}", image_size=16)
    np.testing.assert_array_equal(pairs.inputs, planes([a[:, 2:18]]))
    np.testing.assert_array_equal(pairs.targets, planes([b[:, 2:18]]))


def test_two_folders_are_matched_by_name(tmp_path):
    a, b = noise(3, 8, 8, 3), noise(3, 8, 8, 3)
    for i, name in enumerate(("10", "9", "sub/1")):
        save(tmp_path / "a" / f"{name}.png", a[i])
        save(tmp_path / "b" / f"{name}.bmp", b[i])
    pairs = load(f"pairs:{tmp_path}/a,{tmp_path}/b")
    np.testing.assert_array_equal(pairs.inputs, planes(a))
    np.testing.assert_array_equal(pairs.targets, planes(b))
    assert datasets.count(f"pairs:{tmp_path}/a,{tmp_path}/b") == 3
    assert pairs.name == "a"


def test_a_comma_may_be_a_part_of_one_folders_name(facades):
    folder, a, _ = facades
    other = folder.rename(folder.with_name("a,b"))
    np.testing.assert_array_equal(load(f"pairs:{other}").inputs, a)


def test_masks_keep_their_colours_and_photographs_do_not(tmp_path):
    """A palette of three colours and the same mask in RGB: no fourth colour comes up."""
    index = RNG.integers(0, 3, (30, 42))
    colours = np.array([(0, 0, 0), (128, 0, 0), (0, 200, 77)], np.uint8)
    (tmp_path / "b").mkdir()
    mask = Image.new("P", (42, 30))
    mask.putdata(index.ravel().tolist())
    mask.putpalette(colours.ravel().tolist())
    mask.save(tmp_path / "b" / "1.png")
    save(tmp_path / "b" / "2.png", colours[index])
    for i in (1, 2):
        save(tmp_path / "a" / f"{i}.png", noise(30, 42, 3))
    pairs = load(f"pairs:{tmp_path}/a,{tmp_path}/b", image_size=20)
    assert pairs.masks == (False, True)
    np.testing.assert_array_equal(pairs.targets[0], pairs.targets[1])
    seen = {tuple(colour) for colour in pairs.targets.transpose(0, 2, 3, 1).reshape(-1, 3).tolist()}
    assert seen <= set(map(tuple, colours.tolist())) and len(seen) == 3
    # Of the 30 rows and the 30 middle columns: the centre of pixel i is at 1.5 i + 0.75.
    nearest = np.floor(1.5 * np.arange(20) + 0.75).astype(int)
    expected = colours[index[:, 6:36][nearest][:, nearest]]
    np.testing.assert_array_equal(pairs.targets[0], planes([expected])[0])
    back = load(f"pairs:{tmp_path}/a,{tmp_path}/b", image_size=20, direction="BtoA")
    assert back.masks == (True, False)
    np.testing.assert_array_equal(back.inputs, pairs.targets)


def test_train_and_test_folders_are_the_splits(tmp_path):
    a = noise(2, 8, 8, 3)
    for side in "ab":
        save(tmp_path / side / "train" / "1.png", a[0])
        save(tmp_path / side / "val" / "1.png", a[1])
    name = f"pairs:{tmp_path}/a,{tmp_path}/b"
    np.testing.assert_array_equal(load(name).inputs, planes(a[:1]))
    np.testing.assert_array_equal(load(name, split="test").targets, planes(a[1:]))


# ---- what goes wrong


def failure(name, **options):
    with pytest.raises(DataError) as caught:
        load(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pairs_that_are_broken_or_alone_are_left_out_and_named(tmp_path):
    for side, names in (("a", "12345"), ("b", "23456")):
        for name in names:
            save(tmp_path / side / f"{name}.png", noise(8, 8, 3))
    (tmp_path / "b" / "3.png").write_bytes(b"broken")
    save(tmp_path / "b" / "4.png", noise(8, 12, 3))
    name = f"pairs:{tmp_path}/a,{tmp_path}/b"
    with pytest.warns(DataWarning, match="4 of 6 images cannot be used") as caught:
        pairs = load(name, image_size=8)
    assert caught[0].filename == __file__
    with Image.open(tmp_path / "a" / "5.png") as image:
        np.testing.assert_array_equal(pairs.inputs[1], np.asarray(image).transpose(2, 0, 1))
    assert [line.split("png: ")[1] for line in pairs.skipped] == [
        "has no partner in the other folder",
        "no image of a known format",
        "expected a pair of one shape, the two have 8x8 and 12x8 pixels",
        "has no partner in the other folder",
    ]
    assert [line.split(": ")[0] for line in pairs.skipped] == [
        str(tmp_path / name) for name in ("a/1.png", "a/3.png", "a/4.png", "b/6.png")
    ]
    assert failure(name, image_size=8, strict=True) == pairs.skipped[0]
    assert datasets.count(name) == 4


def test_an_odd_width_cannot_be_halved(tmp_path):
    save(tmp_path / "1.png", noise(8, 15, 3))
    said = failure(f"pairs:{tmp_path}", image_size=8, strict=True)
    assert said.endswith("1.png: expected two images side by side, 15 pixels cannot be halved")


def test_what_cannot_be_paired_is_one_clear_line(tmp_path, facades):
    folder, *_ = facades
    said = failure(f"pairs:{folder}", direction="AB")
    assert said == "direction: expected one of AtoB, BtoA; got 'AB'"
    assert "at most the 3 pairs" in failure(f"pairs:{folder}", count=4)
    save(tmp_path / "b" / "x.png", noise(8, 8, 3))
    assert "no name is in both" in failure(f"pairs:{folder},{tmp_path}/b")
    save(tmp_path / "b" / "x.bmp", noise(8, 8, 3))
    said = failure(f"pairs:{folder},{tmp_path}/b")
    assert "expected one image of the name x, there are x.bmp and x.png" in said
    assert "8x8 pixels" in failure(f"pairs:{tmp_path}/b")  # not twice as wide as high
    assert "does not exist" in failure(f"pairs:{folder},{tmp_path}/none")
    assert (
        failure(f"pairs:{folder}", labels="x") == f"labels: is for folder, not for pairs:{folder}"
    )


IMAGES = np.zeros((3, 1, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("inputs", "targets", "says"),
    [
        (IMAGES.astype(float), IMAGES, "inputs must be uint8 .*, got float64"),
        (IMAGES, IMAGES[0], r"targets must be .* got uint8 of shape \(1, 8, 8\)"),
        (IMAGES, IMAGES[:2], r"must agree but for the channels, got shapes \(3, .* and \(2, "),
        (IMAGES, IMAGES[..., :4], "must agree but for the channels"),
    ],
)
def test_wrong_arrays_are_refused_with_the_name_of_the_set(inputs, targets, says):
    with pytest.raises(DataError, match=f"^shapes: .*{says}"):
        PairData("shapes", inputs, targets)


@pytest.mark.skipif(not REAL.is_dir(), reason="no facades in MINIGAN_DATA")
def test_the_real_facades_and_newts():
    pairs = load(f"pairs:{REAL}/facades", direction="BtoA")
    assert pairs.inputs.shape == pairs.targets.shape == (80, 3, 256, 256)
    # The label maps are mostly of saturated blue (walls and background), the photographs are not.
    assert pairs.inputs[:, 2].mean() > 2 * pairs.inputs[:, 0].mean()
    assert abs(pairs.targets[:, 2].mean() - pairs.targets[:, 0].mean()) < 40
    assert len(load(f"pairs:{REAL}/facades", split="test")) == 19
    newts = f"pairs:{REAL}/imori/train/images,{REAL}/imori/train/seg_images"
    pairs = load(newts, image_size=128)
    assert len(pairs) == 16 and pairs.masks == (False, True)
    colours = pairs.targets.transpose(0, 2, 3, 1).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) <= 4
