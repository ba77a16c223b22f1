"""Where things were written: the user's line that made an operation, an operation's own formula."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import os
import sys
from typing import Any, NamedTuple

# Files whose frames are not the user's: this package, and what wraps its decorated functions.
_OURS = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep, contextlib.__file__)


class Line(NamedTuple):
    """A line of a source file."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """The line itself, or "" where the source is not at hand."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        text = self.text
        return f"{self.file}:{self.number}" + (f": {text}" if text else "")


def user_line() -> Line:
    """The line being executed in the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno)


def rule_line(function: Any) -> Line:
    """Where the gradient rule of a Function begins."""
    code = inspect.unwrap(type(function).vjp).__code__
    return Line(code.co_filename, code.co_firstlineno)


def formula(function: Any) -> str:
    """The first line of the Function's own docstring ("" without one)."""
    lines = (type(function).__doc__ or "").strip().splitlines()
    return lines[0].strip() if lines else ""


def describe(value: Any) -> str:
    """Shape and dtype of a Tensor (or of what stands for one), a number as it is written."""
    if hasattr(value, "shape"):
        return f"{tuple(value.shape)} {value.dtype}"
    return repr(value)
