"""CIFAR-10: every form in which it is handed out gives the same arrays; faults give one line."""

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from minigan import data as datasets
from minigan.data import DataError, load

REAL = Path(os.environ.get("MINIGAN_DATA", "no-data"))
REAL = REAL / "cifar-10-batches-bin"

LABELS = {"data_batch_1": [3, 0], "data_batch_2": [9], "test_batch": [7, 7, 1]}


def pixel(batch, image, channel, y, x):
    """A value that tells where it stands."""
    return (37 * len(batch) + 101 * image + 61 * channel + 7 * y + x + ord(batch[-1])) % 256


def planes(batch):
    """The 3072 bytes of each image, written one by one."""
    return [
        bytes(pixel(batch, i, c, y, x) for c in range(3) for y in range(32) for x in range(32))
        for i in range(len(LABELS[batch]))
    ]


def binary(batch):
    return b"".join(bytes([n]) + p for n, p in zip(LABELS[batch], planes(batch), strict=True))


def pickled(batch, protocol=2):
    pixels = np.frombuffer(b"".join(planes(batch)), np.uint8).reshape(-1, 3072)
    values = {b"batch_label": b"x", b"labels": LABELS[batch], b"data": pixels}
    return pickle.dumps(values, protocol)


FORMS = {"bin": (".bin", binary), "py": ("", pickled)}


def write(folder, form):
    """The batches in ``folder``; the folder or archive to be given to load."""
    ending, encode = FORMS[form.split()[0]]
    files = {f"{batch}{ending}": encode(batch) for batch in LABELS}
    inner = f"cifar-10-batches-{form.split()[0]}"
    if "tar" not in form:
        place = folder / inner if "inner" in form else folder
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)
        (place / "readme.html").write_bytes(b"no batch")
        return folder
    archive = folder / ("cifar-10-binary.tar.gz" if "bin" in form else "cifar-10-python.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in reversed(files.items()):
            info = tarfile.TarInfo(f"{inner}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive if "file" in form else folder


@pytest.mark.parametrize("kind", ["bin", "py"])
@pytest.mark.parametrize("place", ["", "inner", "tar", "tar file"])
def test_every_form_gives_the_same_arrays(tmp_path, kind, place):
    source = write(tmp_path, f"{kind} {place}")
    train = load("cifar10", data_dir=source)
    assert train.images.shape == (3, 3, 32, 32) and train.labels.tolist() == [3, 0, 9]
    assert train.images[1, 2, 5, 30] == pixel("data_batch_1", 1, 2, 5, 30)
    assert train.images[2].tobytes() == planes("data_batch_2")[0]
    test = load("cifar10", data_dir=source, split="test")
    assert test.images.tobytes() == b"".join(planes("test_batch"))
    assert test.labels.tolist() == [7, 7, 1]
    assert test.classes == 10 and test.class_names[7] == "horse"
    assert datasets.count("cifar10", data_dir=source) == 3
    assert [p.name for p in tmp_path.rglob("*") if "tar" in place and p.is_dir()] == []


@pytest.mark.parametrize("protocol", range(6))
def test_python_batches_of_every_protocol(tmp_path, protocol):
    (tmp_path / "data_batch_3").write_bytes(pickled("data_batch_1", protocol))
    assert load("cifar10", data_dir=tmp_path).images[0].tobytes() == planes("data_batch_1")[0]


def test_count_and_image_size_as_for_other_sets(tmp_path):
    write(tmp_path, "bin")
    small = load("cifar10", data_dir=tmp_path, count=2, image_size=16)
    assert small.images.shape == (2, 3, 16, 16) and small.labels.tolist() == [3, 0]
    assert "at most the 3 images of cifar10 train, got 4" in failure(tmp_path, count=4)


def failure(source, **options):
    with pytest.raises(DataError) as caught:
        load("cifar10", data_dir=source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("data_batch_1.bin", b"", "expected records of 3073 bytes"),
        ("data_batch_1.bin", bytes(3072), "the file has 3072 bytes"),
        ("data_batch_1.bin", b"\x0a" + bytes(3072), "expected labels 0 to 9, label 0 is 10"),
        ("data_batch_1", b"hello", "is no pickle or a damaged one"),
        ("data_batch_1", pickle.dumps({"data": os.getcwd}), "asks for posix.getcwd"),
        ("data_batch_1", pickle.dumps({}), 'expected an array "data" of shape (N, 3072)'),
        (
            "data_batch_1",
            pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}),
            'expected a list "labels" of 2 small ints',
        ),
        (
            "data_batch_1",
            pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]}),
            "expected labels 0 to 9, label 0 is -1",
        ),
        ("cifar-10-binary.tar.gz", b"no archive", "is no tar archive, or a damaged one"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    said = failure(tmp_path)
    assert said.startswith(f"{tmp_path / name}: ") and says in said


def test_a_hostile_pickle_in_an_archive_is_refused(tmp_path):
    content = b"cposix\nsystem\n(S'touch trace'\ntR."
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("../../data_batch_1")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    said = failure(tmp_path)
    assert said.startswith(f"{archive}: data_batch_1: refused, this pickle asks for posix.system")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_truncated_archive_is_said(tmp_path):
    archive = write(tmp_path, "bin tar file")
    archive.write_bytes(archive.read_bytes()[:-200])
    assert f"{archive}: is no tar archive, or a damaged one" in failure(tmp_path)


def test_a_missing_set_is_said(tmp_path):
    assert failure(None).startswith("cifar10: needs the folder with its batches")
    assert "does not exist" in failure(tmp_path / "none")
    assert "expected a file data_batch_1.bin, data_batch_1 or cifar-10" in failure(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(binary("test_batch"))
    assert "data_batch_1.bin" in failure(tmp_path)
    assert len(load("cifar10", data_dir=tmp_path, split="test")) == 3


@pytest.mark.skipif(not REAL.is_dir(), reason="no real CIFAR-10 in MINIGAN_DATA")
def test_the_real_cifar10():
    data = load("cifar10", data_dir=REAL)
    assert data.images.shape[1:] == (3, 32, 32) and len(data) % 10_000 == 0
    assert set(data.labels) == set(range(10))
    # The means by which everyone normalises CIFAR-10, to what one batch of it allows.
    means = data.images.mean((0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=0.01)
    # Planes in the order red, green, blue: the sky above an aeroplane is blue.
    sky = data.images[data.labels == 0][:, :, :8].mean((0, 2, 3))
    assert sky[2] > sky[1] > sky[0]
