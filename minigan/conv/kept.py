"""Transforms of a call's operands that the call's gradients need again.

Winograd's routines transform filters, images and outputs before they multiply.  The filters of a
forward pass come back in the backward pass, its image comes back in wgrad, and there dgrad (or
fprop) and wgrad begin with the same gradient.  A ``Kept`` goes along with the calls that share
operands; whoever transforms first leaves the result in it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ..cpu import memory

MOST = 1 << 28  # bytes of a transform of images that may be held, for a moment
MOST_FOR_LATER = 1 << 25  # the same, from a forward pass to its backward pass
MOST_OF_FILTERS = 1 << 25  # of filters: they are held while other networks have their turn


class Kept:
    """Transforms by the role of their operand ("w", "x" or "y") and the size of the tiles.

    Each remembers the array it was made from, and serves for that array only.

    Args:
        roles: the operands whose transforms are worth keeping.
        before: what to begin with.
        later: they are for a backward pass, until which they take memory.
    """

    def __init__(self, roles: str, before: Kept | None = None, later: bool = False):
        self.roles, self.later = roles, later
        self.held: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
        if before is not None:
            self.held.update(before.held)

    def get(self, role: str, m: int, source: np.ndarray) -> np.ndarray | None:
        """The transform of ``source``, if it is held."""
        known, transform = self.held.get((role, m), (None, None))
        return transform if known is source else None

    def filters(self, m: int, w: np.ndarray, make: Callable) -> np.ndarray:
        """The transform of the filters: the one that is held, or a new one."""
        found = self.get("w", m, w)
        if found is None:
            found = make(w)
            if "w" in self.roles and found.nbytes <= MOST_OF_FILTERS:
                self.held["w", m] = w, found
        return found

    def room(
        self, role: str, m: int, source: np.ndarray, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray | None:
        """An uninitialised array for a transform that is to be kept; None if it is not."""
        most = MOST_FOR_LATER if self.later else MOST
        if role not in self.roles or prod(shape) * dtype.itemsize > most:
            return None
        self.held[role, m] = source, memory.empty(shape, dtype)
        return self.held[role, m][1]


NOTHING = Kept("")  # for calls that have nothing in common with others
