"""IDX files and MNIST: what was written by hand comes back, and each fault gives one clear line."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan import data as datasets
from minigan.data import DataError, load, read_idx

REAL = Path(os.environ.get("MINIGAN_DATA", "no-data")) / "mnist"


def idx(shape, content, code=8):
    return (
        struct.pack(">HBB", 0, code, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + content
    )


PIXELS = bytes(i * 7 % 256 for i in range(3 * 784))
IMAGES = idx((3, 28, 28), PIXELS)
LABELS = idx((3,), bytes([7, 0, 9]))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(IMAGES)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(LABELS)
    return tmp_path


def failure(call, *args, **kwargs):
    """The message of the DataError that the call raises; it must be one line."""
    with pytest.raises(DataError) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- read_idx


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (1, 2, 3, 4), (0,), (3, 0, 2)])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_bytes_written_by_hand_come_back(tmp_path, shape, compress, name):
    content = bytes(range(int(np.prod(shape))))
    path = tmp_path / name
    path.write_bytes(compress(idx(shape, content)))
    if name.endswith(".gz") and compress is bytes:
        assert f"{path}: expected gzip data" in failure(read_idx, path)
        return
    array = read_idx(str(path))
    assert array.dtype == np.uint8 and array.shape == shape and array.flags.writeable
    assert array.tobytes() == content


DAMAGED_CHECKSUM = bytearray(gzip.compress(LABELS, mtime=0))
DAMAGED_CHECKSUM[-6] ^= 1
DAMAGED_BODY = bytearray(gzip.compress(IMAGES, mtime=0))
DAMAGED_BODY[len(DAMAGED_BODY) // 2] ^= 0xFF


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected an IDX header, the file ends after 0 bytes"),
        (b"\0\0\x08", "the file ends after 3 bytes"),
        (LABELS[:6], "expected 1 dimensions of 4 bytes, the file ends after 2"),
        (
            IMAGES[:-1],
            "truncated, the header states shape (3, 28, 28) = 2352 bytes, the file holds 2351",
        ),
        (IMAGES + b"\0", "trailing bytes after the 2352"),
        (b"\x89PNG" + IMAGES, "expected an IDX file of unsigned bytes"),
        (idx((3,), bytes(12), code=0x0D), "got 00 00 0d 01"),
        (b"\0\0\x08\0" + bytes(8), "got 00 00 08 00"),
        # A header that asks for 256 TiB must fail on the content, not on memory.
        (idx((2**32 - 1, 2**8, 2**8), b"abc"), "truncated"),
        (gzip.compress(IMAGES[:-1], mtime=0), "truncated"),
        (gzip.compress(IMAGES + b"\0", mtime=0), "trailing bytes"),
        (gzip.compress(IMAGES, mtime=0)[:-20], "the gzip data is damaged or cut short"),
        (gzip.compress(IMAGES, mtime=0)[:5], "the gzip data is damaged or cut short"),
        (gzip.compress(IMAGES, mtime=0) + b"junk", "the gzip data is damaged or cut short"),
        (bytes(DAMAGED_CHECKSUM), "the gzip data is damaged or cut short"),
        (bytes(DAMAGED_BODY), ""),
    ],
)
def test_a_damaged_file_is_named_with_its_fault(tmp_path, content, says):
    path = tmp_path / "digits.idx"
    path.write_bytes(content)
    message = failure(read_idx, path)
    assert message.startswith(f"{path}: ") and says in message


def test_a_file_that_is_absent_or_a_folder(tmp_path):
    assert f"{tmp_path / 'none'}: cannot be read (No such file" in failure(
        read_idx, tmp_path / "none"
    )
    assert f"{tmp_path}: cannot be read (Is a directory" in failure(read_idx, tmp_path)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_no_damage_gets_through_unseen_or_as_another_error(tmp_path_factory, at, flip, zipped):
    """One byte changed, or (flip 0) everything from that byte on cut away."""
    content = bytearray(gzip.compress(LABELS, mtime=0) if zipped else LABELS)
    at %= len(content)
    if flip:
        content[at] ^= flip
    else:
        del content[at:]
    path = tmp_path_factory.getbasetemp() / "damaged.idx"
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except DataError as error:
        said = str(error)
    else:
        said = str(path)
        # What can pass: gzip's header fields (time, system), which a checksum does not cover, and
        # in a plain file the elements themselves.
        assert flip and array.shape == (3,)
        assert not zipped or array.tobytes() == LABELS[-3:]
    assert str(path) in said


# ---- mnist


def test_arrays_come_in_the_order_and_types_of_the_interface(folder):
    data = load("mnist", data_dir=folder)
    assert (data.name, data.classes, len(data)) == ("mnist", 10, 3)
    assert data.images.shape == (3, 1, 28, 28) and data.images.dtype == np.uint8
    assert data.images.tobytes() == PIXELS
    assert data.labels.dtype == np.int64 and data.labels.tolist() == [7, 0, 9]


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize(("split", "stem"), [("train", "train"), ("test", "t10k")])
def test_every_spelling_of_every_split(tmp_path, mark, end, split, stem):
    wrap = gzip.compress if end else bytes
    (tmp_path / f"{stem}-images{mark}idx3-ubyte{end}").write_bytes(wrap(IMAGES))
    (tmp_path / f"{stem}-labels{mark}idx1-ubyte{end}").write_bytes(wrap(LABELS))
    data = load("mnist", data_dir=str(tmp_path), split=split)
    assert data.images.tobytes() == PIXELS and data.labels.tolist() == [7, 0, 9]
    assert datasets.count("mnist", data_dir=str(tmp_path), split=split) == 3
    other = {"train": "test", "test": "train"}[split]
    assert "expected a file " in failure(load, "mnist", data_dir=tmp_path, split=other)


@pytest.mark.parametrize(
    ("images", "labels", "blamed", "says"),
    [
        (LABELS, LABELS, "images", "holds labels (magic 0x00000801)"),
        (IMAGES, IMAGES, "labels", "holds images (magic 0x00000803)"),
        (idx((3, 28), PIXELS[:84]), LABELS, "images", "holds a 2-D array"),
        (idx((2, 28, 28), PIXELS[:1568]), LABELS, "labels", "each of the 2 images"),
        (IMAGES, idx((2,), b"\1\2"), "labels", "one label for each of the 3 images"),
        (IMAGES, idx((3,), b"\1\x0a\2"), "labels", "labels 0 to 9, label 1 is 10"),
        (idx((3, 14, 56), PIXELS), LABELS, "images", "shape (28, 28), got (14, 56)"),
        (idx((0, 28, 28), b""), idx((0,), b""), "images", "at least one image"),
        (IMAGES[:-1], LABELS, "images", "truncated"),
        (IMAGES, LABELS + b"\0", "labels", "trailing bytes"),
    ],
)
def test_files_that_do_not_fit_are_blamed_by_name(folder, images, labels, blamed, says):
    files = {"images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}
    (folder / files["images"]).write_bytes(images)
    (folder / files["labels"]).write_bytes(labels)
    message = failure(load, "mnist", data_dir=folder)
    assert message.startswith(f"{folder / files[blamed]}: ") and says in message


def test_a_folder_that_cannot_serve(folder, tmp_path_factory):
    assert "--data-dir" in failure(load, "mnist")
    empty = tmp_path_factory.mktemp("empty")
    expected = f"{empty}: expected a file train-images-idx3-ubyte (or .gz), there is none"
    assert failure(load, "mnist", data_dir=empty) == expected
    assert "does not exist" in failure(load, "mnist", data_dir=empty / "none")
    file = folder / "train-labels-idx1-ubyte"
    message = failure(load, "mnist", data_dir=file)
    assert message.startswith(f"{file}: ") and message.endswith("it is a file")
    file.unlink()
    assert "expected a file train-labels-idx1-ubyte" in failure(load, "mnist", data_dir=folder)


def test_count_takes_the_first_and_no_more_than_there_are(folder):
    data = load("mnist", data_dir=folder, count=2)
    assert data.images.tobytes() == PIXELS[:1568] and data.labels.tolist() == [7, 0]
    assert len(load("mnist", data_dir=folder, count=3)) == 3
    message = failure(load, "mnist", data_dir=folder, count=4)
    assert message == "count: expected at most the 3 images of mnist train, got 4"


def test_images_are_counted_from_the_header_alone(folder):
    """What stands after the header is not read, so that damage there is found by loading only."""
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(IMAGES[:16])
    assert datasets.count("mnist", data_dir=folder) == 3
    assert "truncated" in failure(load, "mnist", data_dir=folder)


@pytest.mark.parametrize(
    "content",
    [b"", LABELS, idx((3, 14, 56), PIXELS), idx((0, 28, 28), b""), IMAGES[:12], b"\x1f\x8b"],
)
def test_what_cannot_be_counted_is_said_in_the_words_of_loading(folder, content):
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    said = failure(datasets.count, "mnist", data_dir=folder)
    assert said == failure(load, "mnist", data_dir=folder)


def test_counting_needs_what_loading_needs(folder):
    for options in ({}, {"data_dir": folder / "none"}, {"data_dir": folder, "split": "test"}):
        said = failure(datasets.count, "mnist", **options)
        assert said == failure(load, "mnist", **options)


def test_image_size_pads_to_32(folder):
    images = load("mnist", data_dir=folder, image_size=32).images
    assert images.shape == (3, 1, 32, 32)
    assert images[:, 0, 2:30, 2:30].tobytes() == PIXELS


@pytest.mark.skipif(not REAL.is_dir(), reason="no real MNIST in MINIGAN_DATA")
@pytest.mark.parametrize(
    ("split", "count", "first"),
    [
        ("train", 60_000, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]),
        ("test", 10_000, [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
    ],
)
def test_the_real_mnist_has_its_known_sizes_labels_and_mean(split, count, first):
    data = load("mnist", data_dir=REAL, split=split)
    assert data.images.shape == (count, 1, 28, 28)
    assert datasets.count("mnist", data_dir=REAL, split=split) == count
    assert data.labels[:10].tolist() == first
    if split == "train":
        # The 0.1307 and 0.3081 by which everyone normalises MNIST, and its known class counts.
        assert data.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
        assert data.images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
        counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(data.labels).tolist() == counts
