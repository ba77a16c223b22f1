"""save and load: what is refused, and that a file can do no harm."""

import os
import pickle

import numpy as np
import pytest

import minigan
from minigan.saving import load, save
from minigan.serialize import SerializeError, write_npz

# -- what cannot be saved

itself = []
itself.append(itself)
deep = None
for _ in range(101):
    deep = [deep]

UNSUPPORTED = [
    ({"a": [1, (2, object())]}, TypeError, r"^save: obj\['a'\]\[1\]\[1\] is a object"),
    ({"f": len}, TypeError, r"^save: obj\['f'\] is a builtin_function_or_method"),
    ({1, 2}, TypeError, "^save: obj is a set"),
    ([1j], TypeError, r"^save: obj\[0\] is a complex"),
    ([b""], TypeError, r"^save: obj\[0\] is a bytes"),
    ({"a": {True: 1}}, TypeError, r"^save: obj\['a'\] has the key True; expected texts or ints"),
    ({None: 1}, TypeError, "^save: obj has the key None"),
    ({2**1000: 1}, TypeError, "^save: obj has the key 1071508607186267320948425049060001810561404"),
    ({(0, 1): 1}, TypeError, r"^save: obj has the key \(0, 1\)"),
    ([np.array([None])], TypeError, r"^save: obj\[0\] is an array of Python objects"),
    ([itself], ValueError, r"^save: obj\[0\]\[0\].* deeper than 100 levels, or holds itself"),
    (deep, ValueError, "deeper than 100 levels"),
]


@pytest.mark.parametrize(("value", "kind", "message"), UNSUPPORTED)
def test_what_cannot_be_saved_is_named_with_its_place_and_no_file_is_touched(
    value, kind, message, tmp_path
):
    with pytest.raises(kind, match=message):
        save(value, tmp_path / "new.npz")
    assert os.listdir(tmp_path) == []
    save("before", tmp_path / "old.npz")
    with pytest.raises(kind):
        save({"fine": minigan.ones(3), "not": value}, tmp_path / "old.npz")
    assert load(tmp_path / "old.npz") == "before"
    assert os.listdir(tmp_path) == ["old.npz"]


def test_a_hundred_levels_are_saved(tmp_path):
    save(deep[0], tmp_path / "deep.npz")
    assert load(tmp_path / "deep.npz") == deep[0]


def test_an_error_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    save({"w": minigan.ones(2)}, tmp_path / "w.npz")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save({"w": minigan.zeros(2)}, tmp_path / "w.npz")
    monkeypatch.undo()
    assert load(tmp_path / "w.npz")["w"].tolist() == [1.0, 1.0]
    assert os.listdir(tmp_path) == ["w.npz"]


# -- files that are no good


def assert_refused_in_one_line(path):
    with pytest.raises(SerializeError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert len(message) < 400
    return message


def test_a_file_cut_short_anywhere_is_refused_in_one_line(tmp_path):
    save({"w": minigan.ones(3), "n": 1}, tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        assert_refused_in_one_line(tmp_path / "cut.npz")


def test_other_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "file.npz"
    assert "No such file" in assert_refused_in_one_line(path)
    rng = np.random.default_rng(0)
    for content in (b"PK\x03\x04", b"{}", pickle.dumps({"w": 1}), rng.bytes(1000)):
        path.write_bytes(content)
        assert_refused_in_one_line(path)


def test_damaged_bytes_load_as_what_was_saved_or_are_refused(tmp_path):
    value = {"w": minigan.arange(4), "n": (1, "two")}
    save(value, tmp_path / "whole.npz")
    whole, refused = bytearray((tmp_path / "whole.npz").read_bytes()), 0
    for position in range(0, len(whole), 3):
        damaged = whole.copy()
        damaged[position] ^= 0x55
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            loaded = load(tmp_path / "damaged.npz")
        except SerializeError:
            refused += 1
        else:  # a byte that says nothing about the contents, such as a date
            assert (loaded["w"].tolist(), loaded["n"]) == ([0, 1, 2, 3], (1, "two"))
    assert refused > len(whole) / 6


class Intruder:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_in_an_archive_is_never_run(tmp_path):
    trap = tmp_path / "trap"
    objects = np.array([Intruder(trap)], dtype=object)
    np.savez(tmp_path / "plain.npz", w=objects)
    structure = np.frombuffer(b'["array", "0"]', np.uint8)
    np.savez(tmp_path / "own.npz", **{"structure.json": structure, "0": objects})
    for name in ("plain.npz", "own.npz"):
        assert "pickled objects" in assert_refused_in_one_line(tmp_path / name)
    assert not trap.exists()
    with open(tmp_path / "trap.pkl", "wb") as file:
        pickle.dump(Intruder(trap), file)
    assert_refused_in_one_line(tmp_path / "trap.pkl")
    assert not trap.exists()


HOSTILE = {
    "not JSON": "{",
    "no UTF-8": b"\xff\xfe\xfd",
    "an object": '{"a": 1}',
    "a bare number with a fraction": "1.5",
    "a bare NaN": "NaN",
    "no pair": '["float"]',
    "too much for a pair": '["list", [], []]',
    "an unknown kind": '["code", "import os"]',
    "a kind that is no text": "[[], []]",
    "a kind that is an object": '[{"a": 1}, []]',
    "a missing array": '["tensor", "7"]',
    "an array by a list": '["tensor", ["0"]]',
    "the structure as an array": '["array", "structure.json"]',
    "an array used twice": '["list", [["tensor", "0"], ["array", "0"]]]',
    "a tensor of texts": '["tensor", "1"]',
    "a float that is none": '["float", "one"]',
    "a float that is a list": '["float", []]',
    "a float too large": '["float", "0x1p99999"]',
    "an int that is none": '["int", "0xg"]',
    "an int that is a number": '["int", 3]',
    "an int of 5000 digits": "1" * 5000,
    "a list that is none": '["list", 3]',
    "a dict that is an object": '["dict", {"a": 1}]',
    "a dict without pairs": '["dict", [1]]',
    "a dict with triples": '["dict", [[1, 2, 3]]]',
    "a text for a pair": '["dict", ["ab"]]',
    "a key there twice": '["dict", [["a", 1], ["a", 2]]]',
    "a list as a key": '["dict", [[["list", []], 1]]]',
    "a tuple as a key": '["dict", [[["tuple", []], 1]]]',
    "None as a key": '["odict", [[null, 1]]]',
    "a boolean as a key": '["odict", [[true, 1]]]',
    "deep lists": '["list", [' * 400 + "]]" * 400,
    "deeper brackets": "[" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_structure_is_refused_in_one_line(name, tmp_path):
    content = HOSTILE[name]
    data = content.encode() if isinstance(content, str) else content
    arrays = {"0": np.ones(2), "1": np.array(["a"])}
    write_npz(tmp_path / "x.npz", {"structure.json": np.frombuffer(data, np.uint8), **arrays})
    assert_refused_in_one_line(tmp_path / "x.npz")
