"""The cache of glyphs never harms: whole or made again, and what is out of date goes."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from minigan.data import cache, glyph_cache, load
from minigan.serialize import atomic_write


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("MINIGAN_CACHE", str(folder))
    return folder


def never(*_):
    raise AssertionError("drawn again although the cache is whole")


def test_the_second_load_reads_what_the_first_wrote(cache_folder, monkeypatch):
    first = load("glyphs", count=30)
    (file,) = cache_folder.iterdir()
    assert file.name.startswith("glyphs-v1-train-30-seed0-") and file.suffix == ".npz"
    monkeypatch.setattr(glyph_cache, "draw_glyphs", never)
    second = load("glyphs", count=30)
    assert first.images.tobytes() == second.images.tobytes()
    assert first.labels.tobytes() == second.labels.tobytes()
    assert second.images.dtype == np.uint8 and second.labels.dtype == np.int64


def test_splits_counts_and_libraries_have_files_of_their_own(cache_folder, monkeypatch):
    load("glyphs", count=20)
    load("glyphs", count=30)
    load("glyphs", count=20, split="test")
    assert len(list(cache_folder.iterdir())) == 3
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0")
    load("glyphs", count=20)
    assert len(list(cache_folder.iterdir())) == 4


def flipped(content):
    return content[:700] + bytes([content[700] ^ 1]) + content[701:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"not a zip file at all",
        lambda content: b"\x80\x04N.",  # a pickle
        flipped,
    ],
)
def test_a_damaged_cache_is_made_again_and_healed(cache_folder, damage):
    good = load("glyphs", count=20)
    (file,) = cache_folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    again = load("glyphs", count=20)
    assert again.images.tobytes() == good.images.tobytes()
    assert again.labels.tobytes() == good.labels.tobytes()
    (file,) = cache_folder.iterdir()
    assert cache.read_arrays(file.name)["images"].tobytes() == good.images.tobytes()


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"images": np.zeros((20, 1, 28, 28), np.uint8)},
        {"images": np.zeros((19, 1, 28, 28), np.uint8), "labels": np.zeros(19, np.int64)},
        {"images": np.zeros((20, 1, 28, 28), np.float32), "labels": np.zeros(20, np.int64)},
        {"images": np.zeros((20, 1, 28, 28), np.uint8), "labels": np.full(20, 10)},
        {"images": np.array([{}], object), "labels": np.zeros(20, np.int64)},
    ],
)
def test_a_cache_with_other_content_is_made_again(cache_folder, arrays):
    good = load("glyphs", count=20)
    (file,) = cache_folder.iterdir()
    np.savez(file, **arrays)
    again = load("glyphs", count=20)
    assert again.images.tobytes() == good.images.tobytes()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "file" / "cache"))
    assert len(load("glyphs", count=20)) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_nothing_behind(cache_folder, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    assert len(load("glyphs", count=20)) == 20
    assert list(cache_folder.iterdir()) == []


def test_there_is_one_way_to_write_atomically(cache_folder, monkeypatch):
    """An interrupt in the middle of writing leaves the old file, and no other."""
    load("glyphs", count=20)
    (file,) = cache_folder.iterdir()
    file.write_bytes(b"old")
    paths = []

    def noted(path):
        paths.append(Path(path))
        return atomic_write(path)

    monkeypatch.setattr("minigan.serialize.atomic_write", noted)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        load("glyphs", count=20)
    assert paths == [file]
    assert list(cache_folder.iterdir()) == [file]
    assert file.read_bytes() == b"old"


# ---- what is out of date

OTHER = "0123456789ab"  # a fingerprint of no libraries that there are


def written(folder, name, days=0.0):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a cache")
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))
    return path


def test_a_new_version_removes_the_files_of_older_ones(cache_folder, monkeypatch):
    old = [
        written(cache_folder, f"glyphs-v{version}-{what}-{OTHER}.npz")
        for version in (1, 9)
        for what in ("train-20-seed0", "train-20000-seed0", "test-2000-seed1")
    ]
    newer = written(cache_folder, f"glyphs-v11-train-20-seed0-{OTHER}.npz", days=99)
    monkeypatch.setattr(glyph_cache, "VERSION", 10)
    load("glyphs", count=20)
    assert not any(path.exists() for path in old)
    left = sorted(path.name for path in cache_folder.iterdir())
    assert len(left) == 2
    assert left[0].startswith("glyphs-v10-train-20-seed0-")
    assert left[1] == newer.name


@pytest.mark.parametrize(
    "name",
    [
        f"glyphs-v1-train-20-seed0-{OTHER}.npz.bak",
        f"my-glyphs-v1-train-20-seed0-{OTHER}.npz",
        f".glyphs-v1-train-20-seed0-{OTHER}.npz.77.tmp",
        f"glyphs-v1-train-20-seed0-{OTHER}.npz\n",
        "glyphs-v1-train-20-seed0-0123456789AB.npz",
        "glyphs-v1-train-20-seed0-0123456789abc.npz",
        "glyphs-v1-train-20-seed0.npz",
        f"glyphs-v01-train-20-seed0-{OTHER}.npz",
        f"glyphs-v-1-train-20-seed0-{OTHER}.npz",
        f"glyphs-v1-valid-20-seed0-{OTHER}.npz",
        f"glyphs-v\u0661-train-20-seed0-{OTHER}.npz",
        f"GLYPHS-v1-train-20-seed0-{OTHER}.npz",
        f"letters-v1-train-20-seed0-{OTHER}.npz",
        f"below/glyphs-v1-train-20-seed0-{OTHER}.npz",
    ],
)
def test_a_file_that_is_not_named_exactly_so_stays(cache_folder, monkeypatch, name):
    path = written(cache_folder, name, days=99)
    monkeypatch.setattr(glyph_cache, "VERSION", 10)
    load("glyphs", count=20)
    assert path.read_bytes() == b"a cache"


def test_a_folder_or_a_link_of_such_a_name_stays(cache_folder, tmp_path, monkeypatch):
    folder = cache_folder / f"glyphs-v1-train-20-seed0-{OTHER}.npz"
    folder.mkdir(parents=True)
    target = written(tmp_path, "target")
    link = cache_folder / f"glyphs-v2-train-20-seed0-{OTHER}.npz"
    link.symlink_to(target)
    monkeypatch.setattr(glyph_cache, "VERSION", 10)
    load("glyphs", count=20)
    assert folder.is_dir()
    assert link.is_symlink()
    assert target.exists()


@pytest.mark.parametrize(
    ("what", "days", "stays"),
    [
        ("train-20-seed0", 40, False),
        ("train-20-seed0", 20, True),  # another environment may use it
        ("train-20-seed0", -1, True),  # a clock that was changed
        ("train-30-seed0", 40, True),  # another set, which these libraries have not drawn
        ("test-20-seed1", 40, True),
    ],
)
def test_the_same_set_by_other_libraries_goes_after_a_month(cache_folder, what, days, stays):
    path = written(cache_folder, f"glyphs-v1-{what}-{OTHER}.npz", days)
    load("glyphs", count=20)
    assert path.exists() == stays


def test_nothing_is_removed_where_the_cache_is_read(cache_folder, monkeypatch):
    load("glyphs", count=20)
    old = written(cache_folder, f"glyphs-v1-train-20-seed0-{OTHER}.npz", days=99)
    monkeypatch.setattr(glyph_cache, "draw_glyphs", never)
    load("glyphs", count=20)
    assert old.exists()


def test_a_file_that_cannot_be_removed_is_no_error(cache_folder, monkeypatch):
    old = written(cache_folder, f"glyphs-v1-train-20-seed0-{OTHER}.npz", days=99)
    other = written(cache_folder, f"glyphs-v1-train-20-seed0-{OTHER[::-1].upper()}.npz", days=99)
    unlink, tried = os.unlink, []

    def refused(path, **options):
        tried.append(path)
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(cache.os, "unlink", refused)
    assert len(load("glyphs", count=20)) == 20
    monkeypatch.setattr(cache.os, "unlink", unlink)
    assert tried == [str(old)]
    assert old.exists()
    assert other.exists()


# ---- where it is


def test_the_order_of_the_cache_folders(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/xdg")
    monkeypatch.setenv("MINIGAN_CACHE", "/var/own")
    assert cache.cache_folder() == Path("/var/own")
    monkeypatch.setenv("MINIGAN_CACHE", "~/own")
    assert cache.cache_folder() == Path("/home/someone/own")
    monkeypatch.setenv("MINIGAN_CACHE", "")
    assert cache.cache_folder() == Path("/var/xdg/minigan")
    monkeypatch.delenv("MINIGAN_CACHE")
    assert cache.cache_folder() == Path("/var/xdg/minigan")
    for unset in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache.cache_folder() == Path("/home/someone/.cache/minigan")
