"""The hooks of replay: the first run is written down, the second is compared with it call by call.

What differs in the second run by no more than rounding, or is named, is set to the first run's
numbers: errors do not add up, and what follows a wrong result is not blamed for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._hooks import Call
from .._saved import replace
from .._tensor import Node, Tensor
from ..array import to_device
from .bounds import bound
from .source import Line, describe, user_line

COPIES = {"Clone", "Contiguous", "ToDevice"}  # each device makes them where its memory asks for it
ROUNDINGS = 256  # of the largest number: what lies apart where no operation is known to judge by


@dataclass(frozen=True)
class Difference:
    """A result that differs by more than rounding; ``print`` shows it.

    ``number`` counts the calls of operations and gradient rules from 0, ``line`` is the user's
    that made it, ``place`` says whether that was plain code or the gradient of which operation.
    ``first`` and ``second`` are the two values at ``index``, where they lie apart most in terms of
    the bound.
    """

    what: str
    number: int
    place: str
    line: Line
    inputs: tuple[str, ...]
    result: str
    index: tuple[int, ...]
    first: Any
    second: Any
    difference: float
    bound: float

    def __str__(self) -> str:
        rows = [f"{self.what} differs, in call {self.number}, {self.place}", f"  at {self.line}"]
        rows += [f"  input {i}  {text}" for i, text in enumerate(self.inputs)]
        what = self.what.partition(" of ")[0] if self.what.startswith("input") else "result"
        rows.append(f"  {what:<8} {self.result}")
        if self.first is not None:
            rows.append(
                f"  worst at {list(self.index)}: {self.first:.9g} and {self.second:.9g}, apart by "
                f"{self.difference:.3g}, allowed {self.bound:.3g}"
            )
        return "\n".join(rows)


@dataclass
class Record:
    """One call of the first run: what went in and what came out, on the CPU.

    The operations of a gradient rule follow its own record; ``end`` is the first one after them.
    """

    kind: str
    function: Any
    inputs: tuple = ()
    results: tuple = ()
    end: int = 0


def recorder(records: list[Record]) -> Callable[[Call, Callable[[], Any]], Any]:
    """The op hook of the first run, which adds to ``records``."""

    def record(call: Call, run: Callable[[], Any]) -> Any:
        if type(call.function).__name__ in COPIES:
            return run()
        made = Record(call.kind, call.function)
        records.append(made)
        if call.kind == "op":
            made.inputs = tuple(_kept(x) for x in call.inputs)
        result = run()
        made.results = tuple(_kept(x) for x in ((result,) if call.kind == "op" else result))
        made.end = len(records)
        return result

    return record


def _kept(value: Any) -> Any:
    """A copy on the CPU."""
    if not isinstance(value, Tensor):
        return value
    array = to_device(value.array, "cpu")
    return array.copy() if array is value.array else array


class Parted(RuntimeError):
    """The two runs do not call the same operations."""


class Judge:
    """The op hook of the second run: what it computes is compared, then held to the first run.

    A gradient rule may compute otherwise on a GPU, in one launch, say: then its gradients are
    compared.
    """

    def __init__(self, records: list[Record], report: Any, allowance: float):
        self.records, self.report, self.allowance = records, report, allowance
        self.next = 0  # the record of the next call
        self.rule: Record | None = None  # the gradient rule that runs
        self.apart = False  # whether its operations are others than in the first run

    def __call__(self, call: Call, run: Callable[[], Any]) -> Any:
        if type(call.function).__name__ in COPIES:
            return run()
        record = None if self.apart else self._matching(call)
        if record is None:
            self.apart = True
            return run()
        self.next += 1
        judge = self._rule if call.kind == "vjp" else self._operation
        return judge(call, run, record, user_line())

    def _operation(self, call: Call, run: Callable[[], Any], record: Record, line: Line) -> Tensor:
        call.function._replayed_at = line
        pairs = list(zip(record.inputs, call.inputs, strict=True))
        if call.function.is_view and not all(map(_near, *zip(*pairs, strict=True))):
            return run()  # of memory that nobody has written yet, or else the next one says so
        for i, (given, x) in enumerate(pairs):
            if isinstance(x, Tensor):
                self._judge(f"input {i} of", call, line, record, given, x)
        result = run()
        self.report.calls += 1
        self._judge("", call, line, record, record.results[0], result)
        return result

    def _rule(self, call: Call, run: Callable[[], Any], record: Record, line: Line) -> tuple:
        self.rule = record
        result = run()
        self.rule, self.apart, self.next = None, False, record.end
        for given, gradient in zip(record.results, result, strict=True):
            if isinstance(gradient, Tensor) and given is not None:
                self._judge("the gradient rule of", call, line, record, given, gradient)
        return result

    def _matching(self, call: Call) -> Record | None:
        """The first run's record of this call; None inside a rule that computes otherwise."""
        end = len(self.records) if self.rule is None else self.rule.end
        record = self.records[self.next] if self.next < end else None
        name = type(call.function).__name__
        before = None if record is None else type(record.function).__name__
        if record is not None and (record.kind, before) == (call.kind, name):
            return record
        if self.rule is not None:
            return None
        first, second = self.report.devices
        raise Parted(
            f"replay: call {self.next} is {name} on {second}, "
            f"{'none' if before is None else before} on {first}; does step depend on anything "
            "but its device?"
        )

    def finish(self) -> None:
        """Nothing of the first run is missing in the second."""
        if self.next < len(self.records):
            first, second = self.report.devices
            raise Parted(
                f"replay: {first} called {len(self.records)} operations and rules, {second} only "
                f"{self.next}; does step depend on anything but its device?"
            )

    def _judge(
        self, what: str, call: Call, line: Line, record: Record, given: np.ndarray, x: Tensor
    ) -> None:
        """Note where ``x`` differs from what the first run had, ``given``; then make it that."""
        found = to_device(x.array, "cpu")
        if (found.shape, found.dtype) != (given.shape, given.dtype):
            apart, room, index = np.inf, 0.0, None
        elif _equal(given, found):
            return
        else:
            allowed = self.allowance * (
                _roundings(given) if what else bound(record.function, record.inputs, given)
            )
            with np.errstate(all="ignore"):
                away = np.abs(found.astype(_widest(found)) - given)
                ratio = np.where(_alike(given, found), 0.0, away / allowed)
            ratio = np.where(np.isnan(ratio), np.inf, ratio)
            index = np.unravel_index(int(ratio.argmax()), ratio.shape)
            apart, room = float(away[index]), float(np.broadcast_to(allowed, away.shape)[index])
            self.report.closest = max(self.report.closest, float(ratio[index]))
            if ratio[index] <= 1:
                _hold(x, given, what)
                return
        name = type(call.function).__name__
        self.report.differences.append(
            Difference(
                what=f"{what} {name}".strip(),
                number=self.next - 1,
                place=_place(call.running),
                line=line,
                inputs=tuple(describe(value) for value in record.inputs),
                result=f"{describe(given)}, {found.shape} {found.dtype}"
                if index is None
                else describe(given),
                index=() if index is None else tuple(int(i) for i in index),
                first=None if index is None else given[index],
                second=None if index is None else found[index],
                difference=apart,
                bound=room,
            )
        )
        if index is not None:
            _hold(x, given, what)


def _hold(x: Tensor, given: np.ndarray, what: str) -> None:
    """Let ``x`` hold the first run's numbers, where its memory is or in memory laid out as that."""
    moved = to_device(given, x.device)
    if not what and x.node is not None and x.array.base is None:
        array = x.array.copy(order="K")  # the result's own memory may be the function's too
        array[...] = moved
        replace(x, array)
    elif getattr(x.array.flags, "writeable", True):
        x.array[...] = moved


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _near(given: Any, x: Any) -> bool:
    """Whether an input is what the first run had, but for rounding."""
    if not isinstance(x, Tensor):
        return True
    found = to_device(x.array, "cpu")
    if (found.shape, found.dtype) != (given.shape, given.dtype):
        return False
    with np.errstate(all="ignore"):
        close = np.abs(found.astype(_widest(found)) - given) <= _roundings(given)
    return bool((close | _alike(given, found)).all())


def _alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where both are the same, NaN and infinities too."""
    return (a == b) | ((a != a) & (b != b))


def _widest(a: np.ndarray) -> Any:
    return np.complex128 if a.dtype.kind == "c" else np.float64


def _roundings(given: np.ndarray) -> float:
    """What may lie apart where no operation says how its numbers came about."""
    if given.dtype.kind not in "fc":
        return 0.0
    largest = np.abs(given[np.isfinite(given)]).max(initial=0.0)
    return float(ROUNDINGS * np.finfo(given.dtype).eps * largest) + float(
        np.finfo(given.dtype).tiny
    )


def _place(node: Node | None) -> str:
    """Whether an operation stands in plain code or in which node's gradient."""
    if node is None:
        return "forward"
    order = "" if node.level == 0 else f" of order {node.level + 1}"
    if node.function is None:
        return f"in the backward pass{order}, adding up the gradient of a leaf"
    made = getattr(node.function, "_replayed_at", None)
    text = f"in the backward pass{order}, in the gradient of {type(node.function).__name__}"
    return f"{text}, made at {made}" if made else text
