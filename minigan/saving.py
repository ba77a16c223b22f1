"""``save`` and ``load``: state dicts and other nested values as one .npz file, without pickle.

Tensors and arrays are members of the archive, everything else is JSON in the member
``structure.json``.  There, None, booleans, texts and ints stand for themselves and all else is a
pair [kind, content].  Loading builds numbers, texts, containers and Tensors; it never runs code.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._tensor import Tensor
from .array import Device, to_device
from .serialize import SerializeError, read_npz, write_npz

_STRUCTURE = "structure.json"
_DEEPEST = 100  # levels of containers: far from Python's limit of recursion, on both ways
_PLAIN_BITS = 1000  # Python refuses to read or write decimals of more than 4300 digits


def save(obj: Any, f: str | os.PathLike[str]) -> None:
    """Write ``obj`` to the file ``f``, atomically.

    Numbers come back exact, arrays with dtype and shape.  A Parameter comes back as a Tensor, and
    like every Tensor without ``requires_grad``; a subclass of dict, list or tuple as the plain
    one (but OrderedDict as such).  Tensors that share memory are written each for itself.

    Args:
        obj: nested dicts (keys: texts, ints of at most 1000 bits), lists and tuples of Tensors,
            arrays, numbers, texts, booleans and None; state dicts of modules and optimizers are
            such.
        f: the path; any ending.

    Raises:
        TypeError: something else is in it; the message says where.
        ValueError: it is nested deeper than 100 levels, or holds itself.

    In both cases the file, or its absence, is left as it was.

    >>> import minigan, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"w": minigan.ones(2), "step": 3}, f"{folder}/state.npz")
    ...     load(f"{folder}/state.npz")
    {'w': tensor([1., 1.], dtype=float32), 'step': 3}
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_taken_apart(obj, "obj", 0, arrays))
    members = {_STRUCTURE: np.frombuffer(structure.encode(), np.uint8), **arrays}
    write_npz(f, members)


def load(
    f: str | os.PathLike[str],
    map_location: Device | str | None = None,
    *,
    weights_only: bool = True,
) -> Any:
    """What ``save`` wrote to ``f``, tensors on ``map_location`` (default: the CPU).

    An .npz that something else wrote is read as a dict of Tensors.

    Args:
        f: the path.
        map_location: a device for all Tensors; arrays stay arrays.
        weights_only: accepted for scripts that give it; nothing but values is ever loaded.

    Raises:
        SerializeError: the file is missing, damaged or not of this kind, in one line.
    """
    arrays = read_npz(f)
    try:
        if _STRUCTURE not in arrays:
            return {name: _placed(array, map_location) for name, array in arrays.items()}
        structure = json.loads(arrays.pop(_STRUCTURE).tobytes())
        return _put_together(structure, 0, arrays, map_location)
    except RecursionError as error:
        raise SerializeError(f"load: {os.fspath(f)}: is nested too deeply") from error
    except (ValueError, TypeError, OverflowError) as error:  # what hostile contents can lead to
        reason = " ".join(str(error).split())[:200]
        raise SerializeError(f"load: {os.fspath(f)}: is damaged ({reason})") from error


def _placed(array: np.ndarray, device: Device | str | None) -> Tensor:
    if array.dtype.kind not in "biufc":
        raise ValueError(f"a Tensor cannot hold {array.dtype}")
    return Tensor(array if device is None else to_device(array, device))


def _taken_apart(value: Any, place: str, depth: int, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for ``value``; arrays go to ``arrays``."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        name = str(len(arrays))
        array = to_device(value.array, "cpu") if isinstance(value, Tensor) else np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"save: {place} is an array of Python objects")
        arrays[name] = array
        scalar = "scalar" if isinstance(value, np.generic) else "array"
        return ["tensor" if isinstance(value, Tensor) else scalar, name]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _PLAIN_BITS else ["int", hex(value)]
    if isinstance(value, float):
        return ["float", value.hex()]
    if not isinstance(value, (Mapping, list, tuple)):
        raise TypeError(
            f"save: {place} is a {type(value).__name__}; expected Tensors, arrays, numbers, texts, "
            "None, dicts, lists and tuples"
        )
    if depth == _DEEPEST:
        raise ValueError(
            f"save: {place[:60]}… is nested deeper than {_DEEPEST} levels, or holds itself"
        )
    if isinstance(value, Mapping):
        items = []
        for key, content in value.items():
            if not _is_key(key):
                raise TypeError(f"save: {place} has the key {key!r}; expected texts or ints")
            items.append([key, _taken_apart(content, f"{place}[{key!r}]", depth + 1, arrays)])
        return ["odict" if isinstance(value, OrderedDict) else "dict", items]
    items = [_taken_apart(v, f"{place}[{i}]", depth + 1, arrays) for i, v in enumerate(value)]
    return ["list" if isinstance(value, list) else "tuple", items]


def _is_key(key: Any) -> bool:
    if isinstance(key, int) and not isinstance(key, bool):
        return key.bit_length() <= _PLAIN_BITS
    return isinstance(key, str)


def _put_together(
    node: Any, depth: int, arrays: dict[str, np.ndarray], device: Device | str | None
) -> Any:
    """The value of a JSON node.  Every array is handed out once: taken from ``arrays``."""
    if node is None or isinstance(node, (bool, int, str)):
        return node
    if not isinstance(node, list) or len(node) != 2:
        raise ValueError("expected a pair of kind and content")
    kind, content = node
    if kind == "float":
        return float.fromhex(content)
    if kind == "int":
        return int(content, 16)
    if kind in ("tensor", "array", "scalar"):
        if content not in arrays:
            raise ValueError(f"array {content!r} is missing, or used twice")
        array = arrays.pop(content)
        if kind == "tensor":
            return _placed(array, device)
        return array if kind == "array" else array[()]
    if kind not in ("dict", "odict", "list", "tuple") or not isinstance(content, list):
        raise ValueError(f"unknown kind {kind!r}")
    if depth == _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST} levels")
    if kind in ("list", "tuple"):
        values = [_put_together(v, depth + 1, arrays, device) for v in content]
        return values if kind == "list" else tuple(values)
    result = {} if kind == "dict" else OrderedDict()
    for pair in content:
        if not isinstance(pair, list) or len(pair) != 2 or not _is_key(pair[0]):
            raise ValueError("expected a pair of key and value")
        if pair[0] in result:
            raise ValueError(f"the key {pair[0]!r} is there twice")
        result[pair[0]] = _put_together(pair[1], depth + 1, arrays, device)
    return result
