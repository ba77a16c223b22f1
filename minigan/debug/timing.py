"""profile: how often and how long every operation runs, forward and in every backward pass."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple

from .._hooks import Call, op_hook
from ..cpu import copies
from .files import write_whole


class Row(NamedTuple):
    """One line of a profile.

    ``op`` is the Function's name, with ".vjp" for what its gradient rule does outside of
    operations; ``level`` 0 in plain code, 1 in a backward pass, 2 in the backward of a backward;
    ``seconds`` are the row's own, without the operations inside; ``bytes`` those of the results.
    """

    op: str
    level: int
    calls: int
    seconds: float
    bytes: int


class _Event(NamedTuple):
    op: str
    level: int
    start: int  # ns since the profile began
    duration: int
    own: int  # without the events inside
    bytes: int
    shapes: str


class Profile:
    """What :func:`profile` measured; ``print`` shows the table.

    ``rows`` are sorted by time, longest first; ``seconds`` is how long the block took and
    ``peak_bytes`` the most memory that results of its operations held at one time.  ``copies`` and
    ``copied_bytes`` count copies, on the CPU, that only brought an array into another memory order.
    """

    def __init__(self):
        self.seconds = 0.0
        self.peak_bytes = self.copies = self.copied_bytes = 0
        self._events: list[_Event] = []
        self._inside: list[int] = [0]  # time spent in calls inside the one running, a stack
        self._memory = _Memory()
        self._hook = op_hook(self._measure)

    def __enter__(self) -> Profile:
        self._memory, self._events = _Memory(), []
        self._copies = copies.counted()
        self._began = perf_counter_ns()
        self._hook.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._hook.__exit__(*exc)
        self.seconds = (perf_counter_ns() - self._began) / 1e9
        self.peak_bytes = self._memory.peak
        now = copies.counted()
        self.copies, self.copied_bytes = now[0] - self._copies[0], now[1] - self._copies[1]
        self._memory = _Memory()

    def _measure(self, call: Call, run: Callable[[], Any]) -> Any:
        self._inside.append(0)
        start, result = perf_counter_ns(), None
        try:
            result = run()
            _wait_for(result)
        finally:
            duration = perf_counter_ns() - start
            own = duration - self._inside.pop()
            self._inside[-1] += duration
            name, size, shapes = type(call.function).__name__, 0, _shapes(call)
            if call.kind == "vjp":
                name += ".vjp"
            elif result is not None:
                size = result.array.nbytes
                self._memory.add(result.array)
            event = _Event(name, call.level, start - self._began, duration, own, size, shapes)
            self._events.append(event)
        return result

    @property
    def rows(self) -> list[Row]:
        """One :class:`Row` per operation and level, longest time first."""
        rows: dict[tuple[str, int], list] = {}
        for e in self._events:
            row = rows.setdefault((e.op, e.level), [0, 0, 0])
            for i, amount in enumerate((1, e.own, e.bytes)):
                row[i] += amount
        made = [Row(*key, calls, ns / 1e9, size) for key, (calls, ns, size) in rows.items()]
        return sorted(made, key=lambda row: -row.seconds)

    def table(self, limit: int | None = None) -> str:
        """The rows as text, at most ``limit`` of them, then the sums over all."""
        rows = self.rows
        known = sum(row.seconds for row in rows)
        lines = [f"{'op':<24} {'level':>5} {'calls':>7} {'ms':>10} {'%':>6} {'MiB':>9}"]
        for row in rows[:limit]:
            lines.append(
                f"{row.op:<24} {row.level:>5} {row.calls:>7} {row.seconds * 1e3:>10.3f} "
                f"{100 * row.seconds / max(known, 1e-12):>6.1f} {row.bytes / 2**20:>9.2f}"
            )
        if limit is not None and len(rows) > limit:
            lines.append(f"… and {len(rows) - limit} more rows")
        lines.append(
            f"{sum(row.calls for row in rows if not row.op.endswith('.vjp'))} operations in "
            f"{known * 1e3:.3f} ms of {self.seconds * 1e3:.3f} ms; results held at most "
            f"{self.peak_bytes / 2**20:.2f} MiB at a time; {self.copies} copies into "
            f"another memory order, {self.copied_bytes / 2**20:.2f} MiB; level 0 is plain code, 1 "
            "a backward pass, 2 the backward pass of one"
        )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def save_trace(self, path: str | os.PathLike) -> None:
        """Write the calls as a Chrome trace, to be opened in Perfetto or chrome://tracing.

        Operations lie inside the gradient rules they belong to.  The file appears as a whole or
        not at all.
        """
        where = {"pid": os.getpid(), "tid": threading.get_native_id()}
        whole = {"name": "profile", "cat": "block", "ph": "X", "ts": 0, "dur": self.seconds * 1e6}
        events = [whole | where] + [
            {
                "name": e.op,
                "cat": f"level {e.level}",
                "ph": "X",  # a complete event: start and duration in microseconds
                "ts": e.start / 1e3,
                "dur": e.duration / 1e3,
                "args": {"level": e.level, "inputs": e.shapes, "bytes": e.bytes},
                **where,
            }
            for e in sorted(self._events, key=lambda e: (e.start, -e.duration))
        ]
        write_whole(path, json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}))


def profile() -> Profile:
    """A block whose operations are counted and timed: ``with profile() as prof: ...``.

    Of this thread only.  On a GPU every operation is waited for, so that times are true but
    nothing overlaps.  Measuring costs some microseconds per call.

    >>> import minigan
    >>> x = minigan.ones(3, requires_grad=True)
    >>> with profile() as prof:
    ...     (x * x).sum().backward()
    >>> sorted((row.op, row.level, row.calls) for row in prof.rows if row.level == 0)
    [('Mul', 0, 1), ('Sum', 0, 1)]
    """
    return Profile()


class _Memory:
    """Bytes of the arrays alive, of those it was told about."""

    def __init__(self):
        self.alive: dict[int, weakref.ref] = {}
        self.bytes = self.peak = 0

    def add(self, array: Any) -> None:
        """Count ``array``'s memory, once for all views of it, until nobody holds it."""
        base = array.base
        while hasattr(base, "nbytes"):
            array, base = base, getattr(base, "base", None)
        key, size = id(array), array.nbytes
        if key in self.alive:
            return

        def gone(_: weakref.ref) -> None:
            if self.alive.pop(key, None) is not None:
                self.bytes -= size

        try:
            self.alive[key] = weakref.ref(array, gone)
        except TypeError:  # a memory owner of another library
            return
        self.bytes += size
        self.peak = max(self.peak, self.bytes)


def _wait_for(result: Any) -> None:
    """Where work is only launched (on a GPU), wait until it is done."""
    for x in result if isinstance(result, tuple) else (result,):
        wait = getattr(getattr(getattr(x, "array", None), "device", None), "synchronize", None)
        if wait is not None:
            wait()


def _shapes(call: Call) -> str:
    inputs = call.inputs if call.kind == "op" else (call.inputs[1], *call.inputs[3:])
    return ", ".join(
        [str(tuple(x.shape)) if hasattr(x, "shape") else repr(x) for x in inputs if x is not None]
    )
