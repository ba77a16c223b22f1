"""What the engine is doing in this thread: recording or not, under which hooks, in whose gradient.

``no_grad`` and its kin switch recording; ``running`` is how a walk down the graph says which
node's gradient rule is at work, so that every operation knows its level: 0 in plain code, one
more than the node's own while that node's rule runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any


class State:
    """What one thread is doing."""

    __slots__ = ("after", "hooks", "packing", "recording", "rounding", "running")

    def __init__(self):
        self.recording = True  # whether operations are recorded for differentiation
        self.hooks: tuple[Callable[..., Any], ...] = ()  # see autograd.op_hook
        self.rounding: frozenset[str] = frozenset()  # devices whose products round: see autocast
        self.packing: Callable[..., Any] | None = None  # how values are kept: see _saved
        self.running: Any = None  # the Node whose gradient is being worked on
        self.after: list[Callable[[], None]] | None = None  # to be done when this walk ends


class _Thread(threading.local):
    def __init__(self):  # once in every thread
        self.state = State()


thread = _Thread()


class running:
    """A block in which a walk works on one node's gradient, and records or not."""

    __slots__ = ("before", "node", "recording")

    def __init__(self, node: Any, recording: bool):
        self.node, self.recording = node, recording

    def __enter__(self) -> None:
        state = thread.state
        self.before = state.recording, state.running, state.after
        state.recording, state.running = self.recording, self.node

    def __exit__(self, *exc: object) -> None:
        state = thread.state
        state.recording, state.running, state.after = self.before


def is_grad_enabled() -> bool:
    """Whether operations are recorded for differentiation in this thread."""
    return thread.state.recording


class set_grad_enabled(ContextDecorator):
    """Turn recording on or off: at once, or for a ``with`` block or a decorated function."""

    def __init__(self, mode: bool):
        self.before, self.mode = thread.state.recording, bool(mode)
        thread.state.recording = self.mode

    def __call__(self, function):
        thread.state.recording = self.before  # as a decorator it acts only inside the function
        return super().__call__(function)

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(self.mode)

    def __enter__(self) -> None:
        thread.state.recording = self.mode

    def __exit__(self, *exc: object) -> None:
        thread.state.recording = self.before


class _Recording(ContextDecorator):
    def __init__(self):
        self.before: list[bool] = []  # a stack: one object may be entered again inside itself

    def __enter__(self) -> None:
        self.before.append(thread.state.recording)
        thread.state.recording = self.on

    def __exit__(self, *exc: object) -> None:
        thread.state.recording = self.before.pop()

    def _recreate_cm(self) -> _Recording:
        return type(self)()


class no_grad(_Recording):
    """A ``with`` block (or decorated function) in which nothing is recorded.

    >>> import minigan
    >>> x = minigan.tensor(2.0, requires_grad=True)
    >>> with minigan.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    on = False


class enable_grad(_Recording):
    """A ``with`` block in which operations are recorded, also inside ``no_grad``."""

    on = True
