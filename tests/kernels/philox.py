"""Philox4x32-10 in NumPy, word for word as the paper has it: what the kernels must give."""

from __future__ import annotations

import numpy as np

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85


def philox(counters: np.ndarray, key: tuple[int, int], rounds: int = 10) -> np.ndarray:
    """Four words of 32 bits from each counter: uint32 (n, 4) → uint32 (n, 4)."""
    c = counters.astype(np.uint64)
    k = [int(word) for word in key]
    for _ in range(rounds):
        first, second = (np.uint64(m) * c[:, i] for m, i in zip(MULTIPLIERS, (0, 2), strict=True))
        low = np.uint64(0xFFFFFFFF)
        c = np.stack(
            [
                second >> np.uint64(32) ^ c[:, 1] ^ np.uint64(k[0]),
                second & low,
                first >> np.uint64(32) ^ c[:, 3] ^ np.uint64(k[1]),
                first & low,
            ],
            axis=1,
        )
        k = [(word + step) % 2**32 for word, step in zip(k, WEYL, strict=True)]
    return c.astype(np.uint32)


def sequence(key: int, base: int, count: int, stream: int = 0) -> np.ndarray:
    """The words of ``count`` counters from ``base`` on, in a row."""
    places = [(base + i) % 2**64 for i in range(count)]
    rows = [(p % 2**32, p >> 32, stream % 2**32, stream >> 32) for p in places]
    return philox(np.array(rows, np.uint32).reshape(-1, 4), (key % 2**32, key >> 32)).reshape(-1)


def uniform(words: np.ndarray) -> np.ndarray:
    """Multiples of 2⁻²⁴ (float32)."""
    return (words >> 8).astype(np.float32) * np.float32(2**-24)


def uniform_double(words: np.ndarray) -> np.ndarray:
    """Multiples of 2⁻⁵³ from two words each."""
    high, low = words.reshape(-1, 2).T
    return ((high >> 5) * 2.0**26 + (low >> 6)) * 2.0**-53


def box_muller(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Two normal numbers from each pair of uniform ones, in float64."""
    radius = np.sqrt(-2 * np.log(u.astype(np.float64)))
    angle = 2 * np.pi * v.astype(np.float64)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)


def normal(words: np.ndarray) -> np.ndarray:
    """Standard normal numbers, two from two words (as float64)."""
    first, second = words.reshape(-1, 2).T
    return box_muller((first.astype(np.float64) + 0.5) * 2.0**-32, uniform(second))


def normal_double(words: np.ndarray) -> np.ndarray:
    """Standard normal numbers, two from four words."""
    pairs = uniform_double(words).reshape(-1, 2)
    return box_muller(pairs[:, 0] + 2.0**-54, pairs[:, 1])


def integers(words: np.ndarray, low: int, high: int) -> np.ndarray:
    """Whole numbers of [low, high), each from two words."""
    high_words, low_words = (w.astype(object) for w in words.reshape(-1, 2).T)
    return (low + ((high_words * 2**32 + low_words) * (high - low) // 2**64)).astype(np.int64)
