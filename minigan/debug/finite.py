"""detect_nan: an error at the operation where the first NaN or inf arises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .._hooks import Call, op_hook
from .._tensor import Node, Tensor
from ..array import array_module
from .source import Line, describe, user_line


class _Origin(NamedTuple):
    """How an operation came about: by which line, in the gradient of which node."""

    line: Line
    running: Node | None


@contextmanager
def detect_nan(inf: bool = True) -> Iterator[None]:
    """A block in which an operation whose result is not finite raises, forward or backward.

    Any NaN in a result is an error: the first operation that meets it is reported, and whether
    an input held it already (then it came in from outside).  An inf is an error where no input
    held one: infinite constants, such as the -inf of a mask, may be used.  A gradient rule that
    works on arrays directly is checked as a whole.  NumPy's own warnings are silent meanwhile,
    and every result is read once: for searching, not for training.

    Args:
        inf: whether an inf is an error too.

    Raises:
        FloatingPointError: names the operation, shape, dtype and range of its inputs, and the
            line outside this package that made it; in a backward pass also the line that made
            the operation whose gradient failed, if that ran inside the block as well.

    >>> import minigan
    >>> x = minigan.tensor([1.0, -1.0], requires_grad=True)
    >>> with detect_nan():
    ...     (x + 0.5).log()
    Traceback (most recent call last):
    FloatingPointError: detect_nan: Log gave 1 NaN of 2 values
      ...
    """

    def check(call: Call, run: Callable[[], Any]) -> Any:
        line = user_line()
        if call.kind == "op":
            call.function._origin = _Origin(line, call.running)
        with np.errstate(all="ignore"):
            result = run()
            for value in result if call.kind == "vjp" else (result,):
                found = _new(value, call, inf)
                if found:
                    raise FloatingPointError(_message(call, value, found, line))
        return result

    with op_hook(check):
        yield


def _counts(value: Any) -> tuple[int, int]:
    """How many NaN and how many inf a Tensor or number holds."""
    if isinstance(value, Tensor) and value.dtype.kind in "fc":
        xp = array_module(value.array)
        if xp.isfinite(value.array).all():
            return 0, 0
        return int(xp.isnan(value.array).sum()), int(xp.isinf(value.array).sum())
    if isinstance(value, (float, complex)):
        return int(np.isnan(value)), int(np.isinf(value))
    return 0, 0


def _new(value: Any, call: Call, inf: bool) -> str:
    """What is wrong with a result: "1 NaN", "2 inf" or nothing."""
    nans, infs = _counts(value)
    if infs and (not inf or any(_counts(x)[1] for x in call.inputs)):
        infs = 0
    return " and ".join([f"{n} {name}" for n, name in ((nans, "NaN"), (infs, "inf")) if n])


def _message(call: Call, value: Tensor, found: str, line: Line) -> str:
    name = type(call.function).__name__
    what = f"the gradient rule of {name}" if call.kind == "vjp" else name
    rows = [f"detect_nan: {what} gave {found} of {value.array.size} values", f"  at {line}"]
    node = call.running
    while node is not None:
        if node.function is None:
            rows.append("  while adding to the gradient of a leaf")
            break
        origin = getattr(node.function, "_origin", None)
        made = "made outside the block" if origin is None else f"made at {origin.line}"
        order = "backward pass" if node.level == 0 else f"backward pass of order {node.level + 1}"
        rows.append(f"  in the {order}, in the gradient of {type(node.function).__name__}, {made}")
        node = None if origin is None else origin.running
    rows.append(f"  result   {_range(value)}")
    inputs = list(enumerate(call.inputs))
    names = {i: f"input {i}" for i, _ in inputs}
    if call.kind == "vjp":
        names = {0: None, 1: "g", 2: "y"} | {i: f"input {i - 3}" for i, _ in inputs[3:]}
    rows += [f"  {names[i]:<8} {_range(x)}" for i, x in inputs if names[i]]
    if any(_counts(x)[0] for x in call.inputs):
        rows.append("  An input held NaN already: it came in from outside the block.")
    return "\n".join(rows)


def _range(value: Any) -> str:
    """Shape, dtype, smallest and largest finite value, numbers of NaN and inf."""
    if not isinstance(value, Tensor):
        return describe(value)
    array = value.array
    text = describe(value)
    if array.size == 0 or array.dtype.kind not in "biuf":
        return text
    finite = array[array_module(array).isfinite(array)]
    span = (
        f"in [{float(finite.min()):.6g}, {float(finite.max()):.6g}]"
        if finite.size
        else "nothing finite"
    )
    nans, infs = _counts(value)
    return f"{text}, {span}, {nans} NaN, {infs} inf"
