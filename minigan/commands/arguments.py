"""How the words of a command line are read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..training import Usage


class Parser(argparse.ArgumentParser):
    """Reports a mistake as one line; options are written out."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> Any:
        raise Usage(f"{message} ({self.prog} --help tells more)")


def _whole(text: str, low: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= low):
        raise argparse.ArgumentTypeError(
            f"expected a whole number of {low} to 999999999, got {text[:20]!r}"
        )
    return int(text)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    return _whole(text, 1)


def natural(text: str) -> int:
    """A whole number from 0 on."""
    return _whole(text, 0)


def path(text: str) -> Path:
    """A path, of which nothing else is asked."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected a path, got {text!r}")
    return Path(text)
