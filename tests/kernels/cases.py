"""One small problem for each kind of kernel, with its exact result: for bugs and sanitizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kernels.poison import poisoned
from kernels.runner import run

from kernels import direct
from minigan.conv import ladder, ladder_thin
from minigan.conv.geometry import Geometry
from minigan.cuda import elementwise, images, network, norm, optim, random, rounding
from minigan.cuda.launch import Launch


@dataclass
class Case:
    """Launches, and what the arrays that they write must hold: ``error`` is what may be missing."""

    launches: list[Launch]
    found: list[np.ndarray]
    expected: list[np.ndarray]
    error: float = 0.0

    def right(self, **options) -> bool:
        """Whether the launches give the expected numbers; ``options`` are those of ``run``."""
        run(self.launches, **options)
        return all(
            bool((abs(found - expected) <= self.error).all())  # NaN is none
            for found, expected in zip(self.found, self.expected, strict=True)
        )


def convolution(routine: str, rung: int) -> Callable[[], Case]:
    """A routine of the ladder; whole numbers, which every precision computes exactly."""

    def case() -> Case:
        g = Geometry(9, 7, 4, 4, (2, 2), (1, 2, 1, 1))
        x, w, y = direct.operands(g, 2, 5, 9, whole=True)
        expected = dict(zip(("fprop", "dgrad", "wgrad"), direct.triple(g, x, w, y), strict=True))
        inputs = {"fprop": (x, w), "dgrad": (y, w), "wgrad": (x, y)}[routine]
        splits = {"splits": 2} if routine == "wgrad" else {}
        plan = getattr(ladder, routine)(g, *inputs, rung=rung, **splits)
        return Case(poisoned(plan.launches, *inputs), [plan.output], [expected[routine]])

    return case


def thin_wgrad() -> Case:
    """wgrad of an image with 3 channels; its pixels keep all warps of a block busy."""
    g = Geometry(19, 17, 4, 4, (2, 2), (1, 2, 1, 1))
    x, w, y = direct.operands(g, 4, 3, 5, whole=True)
    out = np.full(w.shape, np.nan, np.float32)
    plan = ladder_thin.wgrad(g, x, y, out)
    return Case(poisoned(plan, x, y), [out], [direct.triple(g, x, w, y)[2]])


def batch_norm() -> Case:
    """Mean and variance of channels, and what they make of x."""
    x = np.random.default_rng(0).integers(-8, 9, (3, 5, 9, 7)).astype(np.float32)
    y, mean, var = np.empty_like(x), np.empty(5, np.float32), np.empty(5, np.float32)
    exact = x.astype(np.float64)
    means, variances = exact.mean(axis=(0, 2, 3)), exact.var(axis=(0, 2, 3))
    normal = (exact - means[:, None, None]) / np.sqrt(variances + 1e-5)[:, None, None]
    plan = poisoned(norm.batch_norm(x, y, mean, var), x)
    return Case(plan, [mean, var, y], [means, variances, normal], error=1e-4)


def adam() -> Case:
    """A first step of Adam: -lr·sign(g), apart from what eps does to it."""
    rng = np.random.default_rng(0)
    g = (rng.choice([-1, 1], 777) * rng.uniform(1, 2, 777)).astype(np.float32)
    p, m, v = (np.zeros(777, np.float32) for _ in range(3))
    rule, arrays = np.zeros(optim.WORDS, np.uint32), [[a[:500], a[500:]] for a in (p, g, m, v)]
    plan = [optim.send(rule, optim.adam_settings(lr=0.25)), *optim.adam(rule, *arrays)]
    return Case(plan, [p], [-0.25 * np.sign(g)], error=1e-6)


def clipped() -> Case:
    """Gradients of norm √(5000·3² + 5000·4²) clipped to 1."""
    arrays = [np.full(5000, 3.0, np.float32), np.full((4, 1250), 4.0, np.float32)]
    norm = np.full(1, np.nan, np.float32)
    length = 5 * np.sqrt(5000)
    expected = [a / length for a in arrays]
    plan = network.norm(arrays, norm, max_norm=1.0)
    return Case(plan, [norm, *arrays], [np.float32([length]), *expected], error=1e-5)


def random_words() -> Case:
    """Philox's published answer to the counter and key of all ones."""
    state, out = np.zeros(3, np.uint64), np.zeros(4, np.uint32)
    ones = 2**64 - 1
    plan = [random.begin(state, ones, ones, ones), *random.draw("words", state, 0, out)]
    answer = np.array([0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD], np.int64)
    return Case(plan, [out], [answer])


def rectified() -> Case:
    """The gradient of a LeakyReLU of slope 1/4."""
    g, s = (np.random.default_rng(i).integers(-8, 9, 777).astype(np.float32) for i in (0, 1))
    dx = np.full_like(g, np.nan)
    plan = elementwise.backward("leaky_relu", g, s, dx, 0.25)
    return Case(poisoned(plan, g, s), [dx], [np.where(s > 0, g, g / 4)])


def gathered() -> Case:
    """Two images of three, in another order, from 0 … 255 to -1 … 1."""
    data = np.random.default_rng(0).integers(0, 256, (3, 3, 7, 7), dtype=np.uint8)
    chosen, y = np.array([2, 0]), np.full((2, 3, 7, 7), np.nan, np.float32)
    plan = images.centred(data, chosen, y)
    return Case(plan, [y], [np.divide(data[chosen], 127.5, dtype=np.float32) - np.float32(1)])


def ties() -> Case:
    """Numbers half-way between two of BF16's: the even one."""
    x = (np.arange(0, 0x7F80, 13, dtype=np.uint32) << 16 | 0x8000).view(np.float32)
    halves = np.full(x.shape, 0x7FC0, np.uint16)
    even = np.arange(0, 0x7F80, 13) + 1 & ~1
    return Case(poisoned(rounding.plan("packed", x, halves), x), [halves], [even.astype(np.uint16)])


CASES: dict[str, Callable[[], Case]] = {
    **{
        f"{routine} {rung}": convolution(routine, rung)
        for routine in ("fprop", "dgrad", "wgrad")
        for rung in range(6)
    },
    "thin_wgrad": thin_wgrad,
    "batch_norm": batch_norm,
    "adam": adam,
    "clipped": clipped,
    "random": random_words,
    "rectified": rectified,
    "gathered": gathered,
    "ties": ties,
}


def patched(folder: Path, to: Path, file: str, before: str, after: str) -> Path:
    """A copy of the kernels in which one file says ``after`` where it said ``before``."""
    to.mkdir()
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == file:
            assert before in text, f"{file} has changed: it says no more\n{before}"
            text = text.replace(before, after)
        (to / path.name).write_text(text, encoding="utf-8")
    return to
