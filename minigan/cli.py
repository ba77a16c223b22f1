"""The command line: ``minigan train | sample | interpolate | evaluate | compare | toy | …``.

Here is how it begins and ends; what the commands do stands in ``commands``.  A mistake of the
caller ends in one line, ``minigan: error: …``, and exit code 2; Ctrl-C saves and ends with 130.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from ._console import INTERRUPTED, say, start

# How what errors name, before their colon, is called on the command line.
_OPTIONS = {
    "attributes": "--attributes",
    "augmentation": "--augment",
    "batch_size": "--batch-size",
    "channels": "--channels",
    "data set": "--data",
    "data_dir": "--data-dir",
    "direction": "--direction",
    "image_size": "--image-size",
    "labels": "--labels",
    "strict": "--strict",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Greek letters shows ? instead
            stream.reconfigure(errors="replace")
    given = sys.argv[1:] if argv is None else argv
    try:
        with start:
            from .commands import parser
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except BrokenPipeError:  # `minigan list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if not _one_of_several(given):
            say("minigan: interrupted")
        return INTERRUPTED
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        if not _expected(error):
            raise
        if not (_is_usage(error) and _one_of_several(given)):
            say(f"minigan: error: {' '.join(_reason(error).split())}")
        return 2


def _one_of_several(given: Sequence[str]) -> bool:
    """Whether the first of the processes that ``mpiexec`` started here says the same."""
    from .distributed.launch import place_here

    return "--distributed" in given and place_here() > 0


def _is_usage(error: BaseException) -> bool:
    from .training import Usage

    return isinstance(error, Usage)


def _reason(error: BaseException) -> str:
    """What went wrong, in the words of the command line."""
    text = str(error)
    if isinstance(error, MemoryError):
        return f"not enough memory: {text}" if text else "not enough memory"
    if isinstance(error, OSError) and error.strerror is not None:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        if error.errno == errno.ENOSPC:
            text += " (what was saved before is kept; --resume goes on once there is room)"
    name, colon, rest = text.partition(":")
    return _OPTIONS[name] + colon + rest if colon and name in _OPTIONS else text


def _expected(error: BaseException) -> bool:
    """Whether this is a caller's mistake rather than ours."""
    from .config import RunError
    from .data import DataError
    from .gan import NonFiniteLoss, SettingError
    from .serialize import SerializeError
    from .training import Usage

    mistakes = (Usage, DataError, NonFiniteLoss, SettingError, RunError, SerializeError)
    environment = str(error).startswith("MINIGAN_NUM_THREADS:")
    return environment or isinstance(error, (*mistakes, OSError, MemoryError))
