"""The certificate: every operation of the engine, checked to the third order.

Two tables hold one program for every Function and for every public function that has a gradient.
Each is checked on inputs of drawn shapes and values as y³, so that linear operations have higher
derivatives to get wrong too: in float64 against the complex step (central differences where that
does not pass through), and in float32 against float64, in units of float32's rounding times the
condition.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from .. import gradcheck, tensor
from . import functions, public


@dataclass(frozen=True)
class Entry:
    """What was found of one operation.

    Attributes:
        name: the Function's or the public function's.
        kind: "op" (a Function) or "function".
        method: how the numerical derivative was taken.
        errors: the worst relative error at order 1, 2, ….
        float32: the deviation from float64 in units of ε·condition; None if not comparable.
        verdict: pass, FAIL or INCONCLUSIVE.
        report: the whole comparison, printed.
    """

    name: str
    kind: str
    method: str
    errors: tuple[float, ...]
    float32: float | None
    verdict: str
    report: str


def names() -> list[str]:
    """All operations of the certificate."""
    return [*sorted(functions.FUNCTIONS), *sorted(public.PUBLIC)]


def certify(
    order: int = 3, only: str | None = None, seed: int = 0, device: str = "cpu"
) -> Iterator[Entry]:
    """Check the operations (or ``only`` one) at drawn inputs, one Entry after the other.

    The operations compute on ``device``, and so does the numerical derivative that they are set
    beside; it differs from theirs wherever one of the two is wrong there.

    >>> [entry.verdict for entry in certify(only="Tanh")]
    ['pass']
    """
    for name in names() if only is None else [only]:
        yield _entry(name, order, seed, device)


def _entry(name: str, order: int, seed: int, device: str) -> Entry:
    is_op = name in functions.FUNCTIONS
    module = functions if is_op else public
    shapes, program = (functions.FUNCTIONS if is_op else public.PUBLIC)[name]
    rng = np.random.default_rng([seed, crc32(name.encode())])
    if name not in module.FIXED:
        shapes = drawn(shapes, rng)
    inputs = [
        tensor(
            rng.uniform(0.3, 1.7, shape) if name in module.POSITIVE else rng.standard_normal(shape),
            device=device,
        )
        for shape in shapes
    ]
    report = gradcheck(_cubed(program), *inputs, order=order, seed=seed, raise_error=False)
    narrow = next((c for c in report.checks if c.name == "float32"), None)
    return Entry(
        name,
        "op" if is_op else "function",
        report.rows[0].method,
        tuple(report.worst(k) for k in range(1, order + 1)),
        narrow.deviation if narrow is not None and narrow.verdict != "skipped" else None,
        report.verdict,
        str(report),
    )


def drawn(shapes: list[tuple[int, ...]], rng: np.random.Generator) -> list[tuple[int, ...]]:
    """The shapes with other lengths of 2 to 4: equal ones stay equal, and 0 and 1 what they are.

    >>> drawn([(2, 3), (3, 1)], np.random.default_rng(0))
    [(4, 3), (3, 1)]
    """
    lengths = {n: int(rng.integers(2, 5)) for n in sorted({n for s in shapes for n in s if n > 1})}
    return [tuple([lengths.get(n, n) for n in shape]) for shape in shapes]


def _cubed(program: Callable[..., Any]) -> Callable[..., Any]:
    def cubed(*inputs: Any) -> tuple:
        outputs = program(*inputs)
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        return tuple(y * y * y for y in outputs if y.dtype.kind in "fc")

    return cubed


# ------------------------------------------------------------------------------ printing


def _cells(entry: Entry) -> list[str]:
    errors = ["0" if e == 0 else f"{e:.0e}" for e in entry.errors]
    narrow = "-" if entry.float32 is None else f"{entry.float32:.1f}"
    return [entry.name, entry.method, *errors, narrow, entry.verdict]


def _header(order: int) -> list[str]:
    return ["operation", "by", *(f"order {k}" for k in range(1, order + 1)), "float32", "verdict"]


def line(entry: Entry | None, order: int) -> str:
    """A row of the printed table; its header for None."""
    cells = _header(order) if entry is None else _cells(entry)
    return (
        f"{cells[0]:<34}{cells[1]:<9}" + "".join(f"{c:>9}" for c in cells[2:-1]) + f"  {cells[-1]}"
    )


def summary(entries: list[Entry]) -> str:
    """One sentence about all of them."""
    ops = sum(e.kind == "op" for e in entries)
    passed = sum(e.verdict == "pass" for e in entries)
    worst = ", ".join(
        f"{max(errors):.0e} at order {k}"
        for k, errors in enumerate(zip(*(e.errors for e in entries), strict=True), 1)
    )
    narrow = max((e.float32 for e in entries if e.float32 is not None), default=0.0)
    return (
        f"{passed} of {len(entries)} pass ({ops} Functions of the engine, {len(entries) - ops} "
        f"public functions); worst relative error {worst}; float32 deviates by at most "
        f"{narrow:.1f} of its own rounding."
    )


def markdown(entries: list[Entry], order: int) -> str:
    """The certificate as the README has it: one sentence, and the table folded away."""
    rows = [_header(order), ["---"] * (order + 4)]
    rows += [[f"`{cells[0]}`", *cells[1:]] for cells in map(_cells, entries)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"{summary(entries)}\n\n<details>\n<summary>All {len(entries)} rows</summary>\n\n"
        f"{table}\n\n</details>"
    )


def as_json(entries: list[Entry], order: int, seed: int, device: str = "cpu") -> str:
    """Everything but the printed reports of those that passed."""
    rows = [asdict(entry) for entry in entries]
    for row in rows:
        if row["verdict"] == "pass":
            del row["report"]
    found = {"order": order, "seed": seed, "device": device, "entries": rows}
    return json.dumps(found, indent=1) + "\n"


def run(
    order: int = 3,
    only: str | None = None,
    seed: int = 0,
    as_markdown: bool = False,
    json_file: str | None = None,
    device: str = "cpu",
) -> int:
    """Print the certificate of a device; 1 if anything falls short, else 0."""
    if json_file is not None:
        Path(json_file).open("a").close()  # what cannot be written shows before the work is done
    if not as_markdown:
        print(line(None, order))
    entries = []
    for entry in certify(order, only, seed, device):
        entries.append(entry)
        if not as_markdown:
            print(line(entry, order), flush=True)
    print(markdown(entries, order) if as_markdown else f"\n{summary(entries)}")
    if json_file is not None:
        Path(json_file).write_text(as_json(entries, order, seed, device), encoding="utf-8")
    short = [entry for entry in entries if entry.verdict != "pass"]
    for entry in short:
        print(f"\n{entry.name}: {entry.report}", file=sys.stderr)
    return 1 if short else 0
