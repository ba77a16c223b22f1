"""The toy ``numpy-memo``: first programs with arrays, and what NumPy prints for them.

Each program is a function of the library that it is written for: ``minigan`` and ``numpy`` give
these things the same names.  Results leave it by ``tolist``, which a tensor on a GPU has too.

>>> sum_of_rows(minigan)
[2. 2.]
>>> reshape(minigan)
[[0. 0. 0. 0.]]
>>> constants(minigan)
30.0
>>> counter(minigan)
0
1
2
3
>>> several_values(minigan)
[21.0, 7.0]
>>> feed(minigan)
[14.]
>>> sum_and_product(minigan)
5 6
>>> matrix_product(minigan)
[[12.]]
"""

from __future__ import annotations

import contextlib
import inspect
import io
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import minigan

from .canvas import drawing, save
from .output import row

# What the programs use; only making an array of numbers has another name.
NUMPY = SimpleNamespace(
    ones=np.ones, zeros=np.zeros, reshape=np.reshape, matmul=np.matmul,
    tensor=np.array, as_tensor=np.asarray,
)  # fmt: skip


def sum_of_rows(xp: Any) -> None:
    """ones, summed over each row"""
    b = xp.ones((2, 2))
    print(np.array(b.sum(axis=1).tolist()))


def reshape(xp: Any) -> None:
    """zeros in another shape"""
    a = xp.zeros((2, 2))
    print(np.array(xp.reshape(a, (1, 4)).tolist()))


def constants(xp: Any) -> None:
    """two constants"""
    a, b = xp.tensor(5.0), xp.tensor(6.0)
    print((a * b).item())


def counter(xp: Any) -> None:
    """a counter in a loop"""
    state = xp.tensor(0)
    print(state.item())
    for _ in range(3):
        state += 1
        print(state.item())


def several_values(xp: Any) -> None:
    """several values at once"""
    a = xp.tensor(3.0)
    b = xp.tensor(2.0) + xp.tensor(5.0)
    print([(a * b).item(), b.item()])


def feed(xp: Any) -> None:
    """NumPy arrays go in"""
    x = xp.as_tensor(np.array([7.0]))
    y = xp.as_tensor(np.array([2.0]))
    print(np.array((x * y).tolist()))


def sum_and_product(xp: Any) -> None:
    """whole numbers"""
    a, b = xp.tensor(2), xp.tensor(3)
    print((a + b).item(), (a * b).item())


def matrix_product(xp: Any) -> None:
    """a matrix product"""
    row = xp.tensor([[3.0, 3.0]])
    column = xp.tensor([[2.0], [2.0]])
    print(np.array(xp.matmul(row, column).tolist()))


PROGRAMS: tuple[Callable[[Any], None], ...] = (
    sum_of_rows,
    reshape,
    constants,
    counter,
    several_values,
    feed,
    sum_and_product,
    matrix_product,
)


def printed(program: Callable[[Any], None], library: Any) -> str:
    """What a program prints, its lines separated by a space.

    >>> printed(counter, NUMPY)
    '0 1 2 3'
    """
    with contextlib.redirect_stdout(io.StringIO()) as text:
        program(library)
    return " ".join(text.getvalue().split("\n")).strip()


def source(program: Callable[[Any], None]) -> str:
    """Its lines, as one would type them.

    >>> print(source(feed))
    x = minigan.as_tensor(np.array([7.0]))
    y = minigan.as_tensor(np.array([2.0]))
    print(np.array((x * y).tolist()))
    """
    lines = inspect.getsource(program).splitlines()[2:]
    return textwrap.dedent("\n".join(lines)).replace("xp.", "minigan.")


def run(folder: Path, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Run every program with both libraries and draw them on one page (nothing is random)."""
    rows = [
        row(str(each.__doc__), printed(each, minigan), printed(each, NUMPY)) for each in PROGRAMS
    ]
    with drawing("First programs, and what they print", size=(11.6, 7.6)) as (figure, axes):
        page = axes[0, 0]
        page.set_axis_off()
        places, heads = (0.0, 0.2, 0.66, 0.83), ("", "program", "minigan prints", "NumPy prints")
        lines = [source(each).count("\n") + 1 for each in PROGRAMS]
        gap = 1 / (sum(lines) + len(lines) + 2)
        for at, head in zip(places, heads, strict=True):
            page.text(at, 1, head, weight="bold", va="top")
        y = 1 - 2 * gap
        for each, line, count in zip(PROGRAMS, rows, lines, strict=True):
            page.axhline(y + 0.5 * gap, color="#c0c0c0", lw=0.7)
            texts = (line["what"], source(each), line["measured"], line["exact"])
            for at, text in zip(places, texts, strict=True):
                family = "sans-serif" if at == 0 else "monospace"
                page.text(at, y, text, va="top", family=family, size=9, linespacing=1.35)
            y -= (count + 1) * gap
        page.set_xlim(0, 1)
        page.set_ylim(0, 1)
        save(figure, folder / "programs.png")
    return {"rows": rows}
