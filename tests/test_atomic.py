"""Files are whole or not there; arrays come back bit for bit; nothing is ever unpickled."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigan.serialize import SerializeError, atomic_write, read_npz, write_json, write_npz

ROOT = Path(__file__).parents[1]


# --- atomic_write


def test_the_file_appears_whole_and_alone(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        assert sorted(os.listdir(tmp_path)) == [f".file.bin.{os.getpid()}.tmp", "file.bin"]
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("existing", [b"old", None])
def test_an_exception_leaves_no_trace(tmp_path, error, existing):
    path = tmp_path / "file.bin"
    if existing is not None:
        path.write_bytes(existing)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def write():
        with atomic_write(path) as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(error):
        write()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
@pytest.mark.parametrize("moment", ["while writing", "before the move"])
def test_a_killed_writer_leaves_the_old_file(tmp_path, moment):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    program = """
        import os, signal, sys
        from minigan.serialize import atomic_write
        die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[2] == "before the move":
            os.replace = die
        with atomic_write(sys.argv[1]) as file:
            file.write(b"new" * 100_000)
            if sys.argv[2] == "while writing":
                die()
        print("not reached")
    """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), path, moment],
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert path.read_bytes() == b"old"
    (left,) = (p for p in tmp_path.iterdir() if p != path)
    assert left.name.startswith(".file.bin.")
    assert left.suffix == ".tmp"
    with atomic_write(path) as file:  # and the left-over is in nobody's way
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_reader_never_sees_a_mixture(tmp_path):
    path = tmp_path / "file.bin"
    size = 200_000
    path.write_bytes(bytes(size))
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            content = path.read_bytes()
            seen.add((len(content), content.count(content[:1]) == len(content)))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for value in range(30):
            with atomic_write(path) as file:
                for _ in range(4):
                    file.write(bytes([value]) * (size // 4))
    finally:
        done.set()
        reader.join()
    assert seen == {(size, True)}


def test_the_data_reach_the_disk_before_the_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        mode = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"
        calls.append((f"fsync {mode}", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def watched_replace(source, destination):
        calls.append(("replace", os.stat(source).st_size))
        replace(source, destination)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    with atomic_write(tmp_path / "file.bin") as file:
        file.write(b"12345")
    assert calls[:2] == [("fsync file", 5), ("replace", 5)]
    if os.path.isdir("/proc/self/fd"):
        assert [name for name, _ in calls[2:]] == ["fsync folder"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permission bits")
@pytest.mark.parametrize(("umask", "bits"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, bits):
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "file.bin"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file.bin").stat().st_mode & 0o777 == bits


def test_hopeless_destinations_are_refused_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"atomic_write: .*f\.bin: the folder .* not exist"):
        atomic_write(tmp_path / "none" / "f.bin").__enter__()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        atomic_write(tmp_path).__enter__()


# --- write_json


def test_json_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"z": 1, "a": [True, None, 0.5], "ü": "é"})
    text = '{\n  "z": 1,\n  "a": [\n    true,\n    null,\n    0.5\n  ],\n  "ü": "é"\n}\n'
    assert (tmp_path / "a.json").read_bytes() == text.encode()


@pytest.mark.parametrize(
    ("value", "error"),
    [(float("nan"), ValueError), (float("inf"), ValueError), (np.float32(1), TypeError)],
)
def test_json_refuses_what_it_cannot_say(tmp_path, value, error):
    path = tmp_path / "a.json"
    write_json(path, {"whole": 1})
    with pytest.raises(error, match=r"write_json: .*a\.json"):
        write_json(path, {"first": 1, "second": value})
    assert json.loads(path.read_text()) == {"whole": 1}
    assert os.listdir(tmp_path) == ["a.json"]


# --- write_npz, read_npz

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.unicode_string_dtypes(max_len=3),
)


def assert_same(read, written):
    assert list(read) == list(written)
    for name, array in written.items():
        assert read[name].dtype == array.dtype
        assert read[name].shape == array.shape
        assert read[name].tobytes() == np.asarray(array).tobytes()


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.one_of(names, st.sampled_from(["file", "x", "x.npy", "x.npy.npy", "a/b.c", "", "../e"])),
        hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)),
        max_size=4,
    ),
    st.booleans(),
)
def test_arrays_come_back_bit_for_bit(tmp_path_factory, arrays, transpose):
    if transpose:
        arrays = {name: array.T for name, array in arrays.items()}
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    write_npz(path, arrays)
    assert_same(read_npz(path), arrays)


def test_numpy_reads_it_and_it_reads_numpys(tmp_path):
    arrays = {"g.0.weight": np.arange(6.0).reshape(2, 3), "step": np.array(7), "d/b": np.ones(2)}
    write_npz(tmp_path / "ours", arrays)
    with np.load(tmp_path / "ours", allow_pickle=False) as loaded:
        assert_same(dict(loaded), arrays)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "theirs.npz", **arrays)
        assert_same(read_npz(tmp_path / "theirs.npz"), arrays)


def test_uncompressed_and_reproducible(tmp_path):
    arrays = {"zeros": np.zeros(10_000)}
    for name in "ab":
        write_npz(tmp_path / name, arrays)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size > 80_000
    with zipfile.ZipFile(tmp_path / "a") as archive:
        assert [i.compress_type for i in archive.infolist()] == [zipfile.ZIP_STORED]


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"a": np.ones(1), "b": np.array([None])}, TypeError, "'b' is of object dtype"),
        ({"b": object()}, TypeError, "'b' is of object dtype .from object"),
        ({"b": np.zeros(2, [("n", "i4"), ("o", "O")])}, TypeError, "object dtype"),
        ({3: np.ones(1)}, TypeError, "names are str, got 3"),
        ({"a\0b": np.ones(1)}, ValueError, "NUL"),
    ],
)
def test_what_would_need_pickle_is_not_written(tmp_path, arrays, error, words):
    with pytest.raises(error, match=f"write_npz: .*{words}"):
        write_npz(tmp_path / "a.npz", arrays)
    assert os.listdir(tmp_path) == []


class Payload:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_is_refused_unexecuted(tmp_path):
    trace = tmp_path / "executed"
    np.savez(tmp_path / "bad.npz", good=np.ones(2), bad=np.array([Payload(trace)], dtype=object))
    with np.load(tmp_path / "bad.npz", allow_pickle=True) as loaded:
        loaded["bad"]
    assert trace.exists()  # so the payload works, where it is let
    trace.rmdir()
    with pytest.raises(SerializeError, match=r"read_npz: .*bad\.npz: 'bad' holds pickled objects"):
        read_npz(tmp_path / "bad.npz")
    assert not trace.exists()


def refusal(path):
    with pytest.raises(SerializeError) as caught:
        read_npz(path)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert message.startswith(f"read_npz: {path}: ")
    assert "\n" not in message
    return message.removeprefix(f"read_npz: {path}: ")


def test_every_other_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.npz"
    assert refusal(path) == "No such file or directory"
    assert "directory" in refusal(tmp_path) or "denied" in refusal(tmp_path)
    path.write_bytes(b"")
    assert refusal(path) == "the file is empty"
    path.write_text("step,d_loss\n1,1.4\n")
    assert refusal(path) == "not an .npz file"
    with open(path, "wb") as file:
        np.save(file, np.ones(2))
    assert refusal(path) == "a single array (.npy), expected an .npz file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(path) == "holds 'readme.txt', which is not an array"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", "hello, I am not an array")
    assert refusal(path).startswith("'a' is damaged (")
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array(member, np.ones(2))
        member.write(b"more")
    assert refusal(path) == "'a' is damaged (longer than its shape says)"


def test_a_cut_is_noticed_wherever_it_falls(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, {"w": np.arange(3), "b": np.ones(2)})
    whole = path.read_bytes()
    for length in [*range(1, 300, 3), *range(300, len(whole))]:
        path.write_bytes(whole[:length])
        reason = refusal(path)
        assert length < 4 or reason == "the file is cut short or damaged"


def test_damage_never_becomes_a_wrong_value(tmp_path):
    # What a flipped bit may do unnoticed is to hide an array, in the table of contents.
    path = tmp_path / "a.npz"
    arrays = {"w": np.arange(30.0), "b": np.array(3, np.int8)}
    write_npz(path, arrays)
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            read = read_npz(path)
        except SerializeError:
            refused += 1
        else:
            assert_same(read, {name: arrays[name] for name in read})
    assert refused > 150
