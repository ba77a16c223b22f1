"""Tables of arrays: the struct ``Segments`` of ``kernels/segments.cuh``.

A kernel that takes one serves many arrays in one launch, a network's parameters with their
gradients, say, wherever they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .launch import Launch, LaunchError, Table
from .streams import address, check, launcher

ROWS, SEGMENTS = 5, 64  # as in segments.cuh
CHUNK = 256 * 4 * 4  # numbers for one block
SEGMENTS_TYPE = np.dtype(
    [
        ("at", np.uint64, (ROWS, SEGMENTS)),
        ("size", np.uint64, SEGMENTS),
        ("first", np.uint32, SEGMENTS),
        ("wide", np.uint8, SEGMENTS),
        ("count", np.int32),
    ],
    align=True,
)


def tables(function: str, **rows: Sequence[Any] | None) -> list[tuple[Table, int]]:
    """(table, blocks) for each launch that it takes; one up to 64 segments.

    Args:
        rows: arrays of float32 in contiguous memory, in each row as many and of the same shapes;
            None for a row of null pointers.

    Raises LaunchError for others.

    >>> p, g = ([np.zeros(n, np.float32) for n in (5000, 3)] for _ in range(2))
    >>> [(table, blocks)] = tables("sgd", p=p, g=g)
    >>> blocks, table.record["first"][:2].tolist()
    (3, [0, 2])
    """
    given = {name: row for name, row in rows.items() if row is not None}
    first = next(iter(given.values()))
    for name, row in given.items():
        if len(row) != len(first):
            raise LaunchError(f"{function}: {name} expects {len(first)} arrays, got {len(row)}")
        for array, like in zip(row, first, strict=True):
            check(function, like.shape, **{name: array})
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise LaunchError(
                    f"{function}: {name} expects float32 in contiguous memory, got {array.dtype} "
                    f"of strides {array.strides}"
                )
    kept = [i for i, array in enumerate(first) if array.size]
    found = []
    for start in range(0, len(kept), SEGMENTS):
        chosen = kept[start : start + SEGMENTS]
        picked = [None if row is None else [row[i] for i in chosen] for row in rows.values()]
        found.append(_table(picked))
    return found


def _table(rows: list[list[Any] | None]) -> tuple[Table, int]:
    """One table, and the blocks that it is for."""
    columns = list(zip(*[row for row in rows if row], strict=True))
    sizes = np.array([column[0].size for column in columns])
    ends = np.cumsum(-(-sizes // CHUNK))
    record = np.zeros((), SEGMENTS_TYPE)
    record["count"] = n = len(columns)
    record["size"][:n] = sizes
    record["first"][1:n] = ends[:-1]
    record["wide"][:n] = [not any(address(a) % 16 for a in column) for column in columns]
    return Table(record[()], tuple(row or () for row in rows)), int(ends[-1])


def launches(file: str, name: str, tables: list[tuple[Table, int]], *others: Any) -> list[Launch]:
    """The kernel ``name`` for each of the tables, with the same other arguments."""
    launch: Callable[..., Launch] = launcher(file)
    return [launch(name, (blocks, 1, 1), table, *others) for table, blocks in tables]
