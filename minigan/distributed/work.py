"""A collective that is under way, and how to wait for it without taking the core away."""

from __future__ import annotations

import time
from collections.abc import Callable

EAGER = 100  # questions at once before the first pause
PAUSE, LONGEST = 5e-5, 2e-3  # seconds: a pause grows with the time that was waited


class Work:
    """A collective under way, as ``torch.distributed.Work``; what it writes counts after ``wait``.

    Waiting asks and sleeps in turns.  MPI's own waiting keeps a core busy, which the ranks that are
    waited for may need, and would not see Ctrl-C.

    Args:
        done: asks whether the collective is over.
        finish: is called once, then.
    """

    def __init__(
        self, done: Callable[[], bool] = lambda: True, finish: Callable[[], None] = lambda: None
    ):
        self._done, self._finish, self._over = done, finish, False

    def is_completed(self) -> bool:
        """Whether the collective is over.  MPI moves on while somebody asks."""
        if not self._over and self._done():
            self._over = True
            self._finish()
        return self._over

    def wait(self) -> bool:
        """Return, with True, when the collective is over."""
        for _ in range(EAGER):
            if self.is_completed():
                return True
        pause = PAUSE
        while not self.is_completed():
            time.sleep(pause)
            pause = min(pause * 1.1, LONGEST)
        return True
