"""The time of a training step of ``dcgan`` (28×28), to set beside ``benchmarks.torch_dcgan``.

    python -m benchmarks.step --steps 40
    python -m benchmarks.torch_dcgan --data glyphs --steps 40 -n 100 --out unused.npz

Both print the median over the steps.  BLAS runs on one thread, as in ``minigan train``.
"""

from __future__ import annotations

import argparse
import statistics
import time

from minigan.data import load
from minigan.gan import Trainer, recipe
from minigan.run import one_blas_thread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    chosen = recipe("dcgan")
    trainer = Trainer(
        chosen,
        chosen.configure({}),
        load("glyphs", count=2000),
        batch_size=arguments.batch_size,
        seed=0,
    )
    times = []
    with one_blas_thread():
        for _ in range(arguments.steps):
            begin = time.perf_counter()
            trainer.train_step()
            times.append(time.perf_counter() - begin)
    print(f"median step {statistics.median(times) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
