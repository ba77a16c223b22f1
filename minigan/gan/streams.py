"""One seed, many independent streams of random numbers."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str) -> int:
    """A seed for one purpose, so that no two random streams of a run are the same numbers.

    63 bits, mixed from the run's seed and the purpose's name.
    """
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]).generate_state(2)
    return int(words[0]) << 31 ^ int(words[1])
