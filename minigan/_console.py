"""The terminal: lines on stderr, and Ctrl-C while imports are under way.

A KeyboardInterrupt in the middle of an import cannot be trusted.  What gets through shows a
traceback of files that the user never heard of; NumPy's C code makes an ImportError of it; and the
import system drops it now and then, so that a training that was to be stopped goes on.  While the
command line imports, Ctrl-C is therefore only noted, and answered as soon as the imports are done.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

INTERRUPTED = 130  # the exit code that shells give for it


def say(text: str) -> None:
    """A line on stderr, if there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr)


class interrupts_wait:
    """A block at the end of which KeyboardInterrupt is raised if Ctrl-C came in between.

    The second Ctrl-C is raised at once.  Where something else than Python's own handler answers
    Ctrl-C, and outside the main thread, the block changes nothing.
    """

    installed = noted = False

    def __enter__(self) -> None:
        if self.installed:
            return
        self.noted = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGINT, self._note)
                self.installed = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.noted:  # the second time the user means it
            raise KeyboardInterrupt
        self.noted = True

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self.installed:
            self.installed = False
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.noted and kind is None:
            raise KeyboardInterrupt


@contextlib.contextmanager
def interrupts_noted() -> Iterator[Callable[[], bool]]:
    """A block in which Ctrl-C is only noted; gives what tells whether it came.

    The second Ctrl-C raises KeyboardInterrupt.
    """
    noted: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if noted:  # the second time the user means it
            raise KeyboardInterrupt
        noted.append(number)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, before)


# From the first line of the package, if the command line imports it, until its ``main`` has
# imported the rest.
start = interrupts_wait()


class package_imports:
    """The block in which the package is imported; for all but the command line it changes nothing.

    The command line cannot guard these imports itself: whoever imports ``minigan.cli`` imports the
    package first.
    """

    def __enter__(self) -> None:
        program = (getattr(sys, "argv", None) or [""])[0]  # where Python is embedded there is none
        self.is_command = _is_command(program, sys.orig_argv)
        if self.is_command:
            start.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self.is_command and kind is not None and issubclass(kind, KeyboardInterrupt):
            say("minigan: interrupted")
            raise SystemExit(INTERRUPTED) from None


def _is_command(program: str, words: list[str]) -> bool:
    """Whether this process is ``minigan`` or ``python -m minigan``.

    Args:
        program: ``sys.argv[0]``; "-m" while Python looks for the module that it is to run, and
            thereby imports its package.
        words: ``sys.orig_argv``.

    >>> _is_command("/usr/bin/minigan", ["python", "/usr/bin/minigan", "list"])
    True
    >>> _is_command("-m", ["python", "-m", "minigan", "list"])
    True
    >>> _is_command("train.py", ["python", "train.py", "minigan"])
    False
    """
    if program == "-m":
        return "minigan" in words
    return os.path.splitext(os.path.basename(program))[0] == "minigan"
