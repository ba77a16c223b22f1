"""What the tape costs: recorded operations on tiny arrays beside the bare NumPy calls.

    python -m benchmarks.tape

Prints, for a few operations, the time of the NumPy call, of the operation under ``no_grad``, of the
recorded operation and of its backward step, in microseconds (medians of interleaved rounds), and
whether a double-backward step leaves anything for the garbage collector.
"""

from __future__ import annotations

import gc
import statistics
import time

import numpy as np

import minigan
from minigan.nn.functional import batch_norm, conv2d, leaky_relu

ROUNDS, CALLS = 15, 2000


def timed(call) -> float:
    """Microseconds per call."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS * 1e6


def measure() -> list[tuple[str, float, float, float, float]]:
    """(operation, NumPy, unrecorded, recorded, backward per node) for small arrays."""
    a, b = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    x, y = (minigan.tensor(v, requires_grad=True) for v in (a, b))
    cases = [
        ("x + y", lambda: a + b, lambda: x + y),
        ("x * y", lambda: a * b, lambda: x * y),
        ("x * 2.0", lambda: a * 2.0, lambda: x * 2.0),
        ("tanh", lambda: np.tanh(a), lambda: x.tanh()),
        ("x @ y", lambda: a @ b, lambda: x @ y),
        ("sum", lambda: a.sum(), lambda: x.sum()),
        ("reshape", lambda: a.reshape(2, 8), lambda: x.reshape(2, 8)),
    ]
    rows = []
    for name, bare, recorded in cases:
        times: list[list[float]] = [[], [], [], []]
        chain = recorded()

        seed = minigan.ones_like(chain)

        def back(y=chain, seed=seed):
            return minigan.grad(y, [x], seed, retain_graph=True)

        for _ in range(ROUNDS):  # interleaved, so that the machine's moods hit all alike
            times[0].append(timed(bare))
            with minigan.no_grad():
                times[1].append(timed(recorded))
            times[2].append(timed(recorded))
            times[3].append(timed(back))
        rows.append((name, *[statistics.median(t) for t in times]))
    return rows


def garbage() -> int:
    """What a gradient-penalty step leaves for the garbage collector."""
    image = minigan.randn(2, 3, 8, 8)
    weight = minigan.randn(4, 3, 3, 3, requires_grad=True)

    def step() -> None:
        x = image.clone().requires_grad_()
        y = leaky_relu(batch_norm(conv2d(x, weight, padding=1), training=True), 0.2)
        (g,) = minigan.grad(y.sum(), x, create_graph=True)
        ((g * g).sum() + y.mean()).backward()
        weight.grad = None

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        return gc.collect()
    finally:
        gc.enable()


def main() -> None:
    print(
        f"{'operation':<10}{'NumPy':>9}{'no_grad':>9}{'recorded':>10}{'tape':>8}{'grad()':>9}  µs"
    )
    for name, bare, unrecorded, recorded, back in measure():
        print(
            f"{name:<10}{bare:>9.2f}{unrecorded:>9.2f}{recorded:>10.2f}{recorded - bare:>8.2f}"
            f"{back:>9.2f}"
        )
    print(f"left for the garbage collector by a double-backward step: {garbage()}")


if __name__ == "__main__":
    main()
