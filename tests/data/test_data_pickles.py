"""Pickles: plain values come back as pickle itself reads them; nothing in a pickle is ever run."""

import copyreg
import os
import pickle
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data import DataError
from minigan.data.pickles import read_pickled_dict

PLAIN = {
    "batch_label": b"training batch 1 of 5",
    "labels": [0, 1, 255, 256, 65535, -1, 2**31, -(2**40), 2**70],
    "data": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "turned": np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
    "empty": [[], (), {}, "", None, True, False],
    "tuples": [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "text": "größer ĳ",
    "long": b"\0\xff" * 300,
}
# As Python 2's cPickle writes a batch of CIFAR-10: two images, protocol 2, texts that are bytes.
PIXELS = bytes(range(256)) * 24
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05"
    b"(K\x06K\x09eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\n"
    b"q\x08K\x00\x85U\x01b\x87Rq\x09(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K"
    b"\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
    + struct.pack("<i", len(PIXELS))
    + PIXELS
    + b"q\x0ctbU\x09filenamesq\x0d]q\x0e(U\x05a.pngq\x0fU\x05b.pngq\x10eu."
)


def refusal(content):
    """The one line with which a pickle is refused; it names the file."""
    with pytest.raises(DataError) as caught:
        read_pickled_dict(content, "some/file")
    message = str(caught.value)
    assert message.startswith("some/file: ") and "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_back_from_every_protocol(protocol):
    result = read_pickled_dict(pickle.dumps(PLAIN, protocol), "file")
    assert list(result) == list(PLAIN)
    for name, value in PLAIN.items():
        if isinstance(value, np.ndarray):
            assert result[name].dtype == np.uint8
            np.testing.assert_array_equal(result[name], value)
        else:
            assert result[name] == value


def test_shared_values_stay_shared():
    shared = ["text"]
    result = read_pickled_dict(pickle.dumps({"a": shared, "b": shared}), "file")
    assert result["a"] is result["b"]


def test_what_python_2_wrote_is_read():
    result = read_pickled_dict(PYTHON_2, "file")
    assert list(result) == ["batch_label", "labels", "data", "filenames"]
    assert result["labels"] == [6, 9] and result["filenames"] == ["a.png", "b.png"]
    assert result["data"].shape == (2, 3072) and result["data"].tobytes() == PIXELS


class Call:
    """Pickled, it is the call ``function(*arguments)``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HERE = Path(__file__).resolve()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("where", ["alone", "value", "key", "in a list", "state"])
def test_no_call_is_made_wherever_it_stands(tmp_path, protocol, where):
    trace = tmp_path / "trace"
    call = Call(os.mkdir, str(trace))
    value = {
        "alone": call,
        "value": {"data": call},
        "key": {call: 1},
        "in a list": {"labels": [1, (2, call)]},
        "state": {"data": Call(copyreg.__newobj__, type(call), call)},
    }[where]
    content = pickle.dumps(value, protocol)
    assert "refused, this pickle asks for " in refusal(content)
    assert not trace.exists()
    if where != "state":
        pickle.loads(content)
        assert trace.exists()  # the pickle was indeed dangerous


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        (b"(S'true'\niposix\nsystem\n.", "INST posix system"),
        (b"(cposix\nsystem\nS'true'\no.", "posix.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.", "builtins.exec"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.tofile.x\x93.", "numpy.ndarray.tofile.x"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy\nndarray\n(I1\ntR.", "a call of numpy.ndarray"),
        (b"cnumpy\nndarray\n)\x81.", "the opcode NEWOBJ"),
        (b"cnumpy.core.multiarray\nscalar\n.", "numpy.core.multiarray.scalar"),
        (b"cnumpy\ndtype\n(S'O8'\ntR.", "an array of dtype O8"),
        (b"cnumpy\ndtype\n(S'f8'\ntR.", "an array of dtype f8"),
        (b"c_codecs\nencode\n(Vx\nVrot13\ntR.", "the coding rot13"),
        (b"Pname\n.", "PERSID name"),
        (b"Nq\x00Q.", "the opcode BINPERSID"),
        (b"\x82\x01.", "the opcode EXT1"),
        (b"G\x00\x00\x00\x00\x00\x00\x00\x00.", "the opcode BINFLOAT"),
    ],
)
def test_more_than_values_is_refused_by_name(content, says):
    expected = f"refused, this pickle asks for {says}; only numbers, texts, lists, dicts"
    assert expected in refusal(content)


@pytest.mark.parametrize(
    "value",
    [
        np.array([Call(os.getcwd)], object),
        np.zeros(3),
        np.zeros(3, [("a", "u1")]),
        np.float64(3),
        {1, 2},
        Path("x"),
        Call(subprocess.run, ["true"]),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_other_types_are_refused_too(value, protocol):
    assert "refused" in refusal(pickle.dumps({"data": value}, protocol))


def array(shape, content):
    """A pickled array of bytes with any shape and content."""
    return (
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        b"U\x01b\x87R(K\x01" + shape + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"\x89" + content + b"tbs."
    )


@pytest.mark.parametrize(
    ("shape", "content", "says"),
    [
        (b"K\x03\x85", b"U\x03abc", None),
        (b"K\x04\x85", b"U\x03abc", "an array of shape (4,) with 3 bytes"),
        (b"J\xff\xff\xff\xff\x85", b"U\x03abc", "an array of shape (-1,) with 3 bytes"),
        (b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"U\x03abc", "an array of shape"),
        (b"K\x03\x85", b"]", "an array that is not made of bytes"),
        (b"K\x03", b"U\x03abc", "an array that is not made of bytes"),
    ],
)
def test_an_array_holds_what_its_shape_says(shape, content, says):
    if says is None:
        result = read_pickled_dict(array(shape, content), "file")
        assert result["data"].tobytes() == b"abc"
    else:
        assert f"asks for {says}" in refusal(array(shape, content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"}",
        b"hello",
        b"(.",
        b"0.",
        b"a.",
        b"}K\x01s.",
        b"h\x07.",
        b"]K\x01K\x02s.",
        b"}]K\x02s.",
        b"}(K\x01u.",
        b"NNR.",
        b"]Nb.",
        b"N(tb.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"I" + b"9" * 5000 + b"\n.",
        PYTHON_2[:-1],
        PYTHON_2[:3000],
    ],
)
def test_damaged_pickles_are_one_clear_line(content):
    said = refusal(content)
    assert "is no pickle or a damaged one" in said or "refused" in said


def test_something_else_than_a_dict_is_said():
    assert "expected a dict, got a list" in refusal(pickle.dumps([1]))


def assert_values_or_one_line(content):
    found: dict | DataError
    try:
        found = read_pickled_dict(content, "some/file")
    except DataError as error:
        found = error
    if isinstance(found, DataError):
        assert str(found).startswith("some/file: ") and "\n" not in str(found)
    else:
        assert type(found) is dict


DUMPED = [PYTHON_2, *(pickle.dumps(PLAIN, protocol) for protocol in (0, 2, 5))]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_pickle_changed_anywhere_gives_values_or_one_line(drawn):
    content = bytearray(drawn.draw(st.sampled_from(DUMPED)))
    for _ in range(drawn.draw(st.integers(1, 4))):
        content[drawn.draw(st.integers(0, len(content) - 1))] = drawn.draw(st.integers(0, 255))
    assert_values_or_one_line(bytes(content))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_give_values_or_one_line(content):
    assert_values_or_one_line(content)
