"""Pickles of plain values, read without running anything in them.

A pickle is a program for a small stack machine whose opcodes can call any function of any module.
This machine knows only the opcodes that build values, and a function's name is never looked up:
it is compared with the few names by which NumPy writes an array of bytes, and refused otherwise.
The opcodes are those of ``pickletools``; PEP 307, PEP 3154 and PEP 574 describe them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minigan.data.images import DataError

# What the names of NumPy 1, NumPy 2 and Python 3 stand for when an array of bytes is written.
_NEW_ARRAY = {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
_FILLED_ARRAY = {"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"}
_DTYPE, _ENCODE = "numpy.dtype", "_codecs.encode"
_KNOWN = {*_NEW_ARRAY, *_FILLED_ARRAY, _DTYPE, _ENCODE, "numpy.ndarray"}

_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Refused(Exception):
    """The pickle wants more than plain values."""


class _Name(NamedTuple):
    """A function or class by its name alone."""

    text: str


class _Bytes:
    """An array of bytes; empty until its contents come."""

    value: np.ndarray | None = None

    def fill(self, content: Any, shape: Any, fortran: bool) -> None:
        content = content.encode("latin-1") if isinstance(content, str) else content
        if not isinstance(content, (bytes, bytearray)) or type(shape) is not tuple:
            raise _Refused("an array that is not made of bytes")
        if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) != len(content):
            raise _Refused(f"an array of shape {str(shape)[:60]} with {len(content)} bytes")
        self.value = np.frombuffer(content, np.uint8).reshape(shape, order="FC"[not fortran])


_BYTE = object()  # stands for dtype("uint8")
_MARK = object()


def read_pickled_dict(content: bytes, name: str) -> dict[str, Any]:
    """The dict in a pickle: texts, bytes, ints, lists, tuples, dicts and arrays of bytes.

    Args:
        content: the pickle, of any protocol, written by Python 2 or 3.
        name: the file's name, for errors.

    Returns:
        The dict; keys that are bytes become texts, as Python 2 made no difference. Its arrays are
        uint8 and read-only.

    Raises:
        DataError: it is damaged, no dict, or asks for anything but such values.

    >>> import pickle
    >>> read_pickled_dict(pickle.dumps({b"data": np.eye(2, dtype=np.uint8)}), "file")
    {'data': array([[1, 0],
           [0, 1]], dtype=uint8)}
    >>> read_pickled_dict(b"cposix\\nsystem\\n(S'ls'\\ntR.", "file")
    Traceback (most recent call last):
        ...
    minigan.data.DataError: file: refused, this pickle asks for posix.system; only numbers, texts,
    lists, dicts and arrays of bytes are read
    """
    try:
        value = _run(content)
    except _Refused as refused:
        raise DataError(
            f"{name}: refused, this pickle asks for {refused}; only numbers, texts, lists, dicts "
            "and arrays of bytes are read"
        ) from None
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{name}: is no pickle or a damaged one ({reason})") from error
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): (
            item.value if isinstance(item, _Bytes) else item
        )
        for key, item in value.items()
    }


def _run(content: bytes) -> dict[Any, Any]:
    import pickletools

    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in ("LIST", "TUPLE", "DICT"):
            items = _above_mark(stack)
            stack.append({"LIST": list, "TUPLE": tuple, "DICT": _dict}[name](items))
        elif name in _TUPLES:
            items = [stack.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(items[::-1]))
        elif name in ("APPEND", "APPENDS"):
            items = _above_mark(stack) if name == "APPENDS" else [stack.pop()]
            _expect(stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = _above_mark(stack) if name == "SETITEMS" else [stack.pop(), stack.pop()][::-1]
            _expect(stack[-1], dict).update(_dict(items))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                attribute, module = _expect(stack.pop(), str), _expect(stack.pop(), str)
                argument = f"{module} {attribute}"
            stack.append(_known(argument))
        elif name == "REDUCE":
            arguments = _expect(stack.pop(), tuple)
            stack.append(_called(_expect(stack.pop(), _Name).text, arguments))
        elif name == "BUILD":
            state = _expect(stack.pop(), tuple)
            _build(stack[-1], state)
        elif name == "STOP":
            return _expect(stack.pop(), dict)
        elif name not in ("PROTO", "FRAME"):
            asked = f"{name} {argument}" if isinstance(argument, str) else f"the opcode {name}"
            raise _Refused(_short(asked))
    raise ValueError("it has no end")


def _above_mark(stack: list[Any]) -> list[Any]:
    """Take off everything down to the last mark, in the order in which it came."""
    items = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _dict(items: list[Any]) -> dict[Any, Any]:
    keys, values = items[::2], items[1::2]
    for key in keys:
        if type(key) not in (str, bytes, int):
            raise TypeError(f"a key is a {type(key).__name__}")
    return dict(zip(keys, values, strict=True))


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected a {kind.__name__}, got a {type(value).__name__}")
    return value


def _known(module_and_name: str) -> _Name:
    name = module_and_name.replace(" ", ".")
    if name not in _KNOWN:
        raise _Refused(_short(name))
    return _Name(name)


def _short(text: str) -> str:
    return " ".join(text.split())[:80]


def _called(name: str, arguments: tuple[Any, ...]) -> Any:
    """What the call of a known function stands for."""
    if name in _NEW_ARRAY:  # _reconstruct(ndarray, (0,), b"b"); BUILD brings the rest
        return _Bytes()
    if name in _FILLED_ARRAY:
        content, dtype, shape, order = arguments
        if dtype is not _BYTE:
            raise _Refused("an array that is not made of bytes")
        array = _Bytes()
        array.fill(content, shape, order == "F")
        return array
    if name == _DTYPE:
        if arguments[0] not in ("u1", "|u1", "uint8"):
            raise _Refused(_short(f"an array of dtype {arguments[0]}"))
        return _BYTE
    if name == _ENCODE:  # how Python 3 writes bytes in Python 2's protocols
        text, coding = arguments
        if coding not in ("latin1", "latin-1"):
            raise _Refused(_short(f"the coding {coding}"))
        return _expect(text, str).encode("latin-1")
    raise _Refused(f"a call of {name}")


def _build(target: Any, state: tuple[Any, ...]) -> None:
    """Fill an array with what NumPy's ``__setstate__`` would get; byte order means nothing here."""
    if target is _BYTE:
        return
    _, shape, dtype, fortran, content = state
    if dtype is not _BYTE:
        raise _Refused("an array that is not made of bytes")
    _expect(target, _Bytes).fill(content, shape, bool(fortran))
