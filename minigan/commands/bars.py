"""Progress of work that has several parts: a bar for each, one after the other."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


class Bar:
    """A bar for each thing that is being done; where stderr is gone, none."""

    def __init__(self) -> None:
        self.what = ""
        self.bar: Any = None

    def show(self, what: str, done: int, total: int) -> None:
        """Take note of progress."""
        from tqdm import tqdm

        with contextlib.suppress(OSError, ValueError, AttributeError):
            if what != self.what:
                self.close()
                interactive = sys.stderr.isatty()
                self.what = what
                self.bar = tqdm(
                    total=total,
                    desc=what,
                    mininterval=0.2 if interactive else 10,
                    dynamic_ncols=interactive,
                    leave=False,
                )
            if self.bar is not None:
                self.bar.update(done - self.bar.n)

    def close(self) -> None:
        """End the bar that is shown."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if self.bar is not None:
                self.bar.close()
        self.bar = None
