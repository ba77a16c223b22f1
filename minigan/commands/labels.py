"""How the classes that someone wants to see are written: ``7``, ``cat``, ``3:0.5,8:0.5``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..training import Usage

EXPECTED = "--label expects classes like 7, or with weights like 3:0.5,8:0.5"
LARGEST = 1e6  # of a weight, so that no layer's output overflows


def label_weights(
    text: str, classes: int, names: Callable[[], Sequence[str]] = tuple
) -> np.ndarray:
    """The weights of the classes, float32 (classes,); what is not named has none.

    A generator was trained on one 1 among zeros; any other weights are an experiment.

    Args:
        text: classes with commas between, each a number from 0 on or a name, and behind a colon
            its weight, which is 1 if not said.
        classes: how many there are.
        names: gives what they are called; asked only if a class is not a number.

    Raises:
        Usage: it cannot be read, there is no such class, or one is named twice.

    >>> label_weights("1:0.5,2:-1", 3).tolist()
    [0.0, 0.5, -1.0]
    >>> label_weights("dog", 2, lambda: ("cat", "dog")).tolist()
    [0.0, 1.0]
    """
    weights = np.zeros(classes, np.float32)
    named = set()
    for part in text.split(","):
        name, colon, number = part.strip().rpartition(":")
        index = _index(name if colon else number, classes, names)
        if index in named:
            raise Usage(f"{EXPECTED}, got the class {index} twice in {text!r}")
        named.add(index)
        weights[index] = _weight(number, text) if colon else 1.0
    return weights


def _weight(number: str, text: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = float("nan")
    if not abs(weight) <= LARGEST:
        raise Usage(f"{EXPECTED}, got {text!r}")
    return weight


def _index(name: str, classes: int, names: Callable[[], Sequence[str]]) -> int:
    if name.isascii() and name.isdecimal():
        if len(name) > 9 or int(name) >= classes:
            raise Usage(f"--label: expected a class from 0 to {classes - 1}, got {name[:20]}")
        return int(name)
    known = list(names()) if name else []
    if name not in known:
        also = f" or one of {', '.join(known[:20])}" if known else ""
        raise Usage(f"--label: expected a class from 0 to {classes - 1}{also}; got {name!r}")
    return known.index(name)
