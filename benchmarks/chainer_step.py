"""W1 and W2 in Chainer, for ``benchmarks.step``: the engine that define-by-run came from.

Chainer 7.8.1 is the last; it needs NumPy before 1.24.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATCH = 64


def make(workload: str) -> Callable[[], float]:
    """step() of "W1" or "W2"."""
    import chainer
    import chainer.functions as F
    import chainer.links as L

    chainer.config.use_ideep = "never"

    def down(c: int, k: int) -> Any:
        return L.Convolution2D(c, k, 4, stride=2, pad=1)

    def up(c: int, k: int) -> Any:
        return L.Deconvolution2D(c, k, 4, stride=2, pad=1)

    def leaky(x: Any) -> Any:
        return F.leaky_relu(x, 0.2)

    norm = L.BatchNormalization
    if workload == "W1":
        shape = (BATCH, 1, 28, 28)
        generator = chainer.Sequential(
            L.Linear(100, 128 * 49),
            lambda x: F.reshape(x, (BATCH, 128, 7, 7)),
            *(norm(128), F.relu, up(128, 64), norm(64), F.relu, up(64, 1), F.tanh),
        )
        inner = [down(1, 64), leaky, down(64, 128), norm(128), leaky]
        critic = chainer.Sequential(*inner, L.Linear(128 * 49, 1))
    else:
        shape = (BATCH, 3, 64, 64)
        inner = [
            part
            for c, k in ((1024, 512), (512, 256), (256, 128))
            for part in (up(c, k), norm(k), leaky)
        ]
        generator = chainer.Sequential(
            L.Linear(100, 1024 * 16),
            lambda x: F.reshape(x, (BATCH, 1024, 4, 4)),
            *(*inner, up(128, 3), F.tanh),
        )
        critic = chainer.Sequential(
            *(down(3, 64), leaky, down(64, 128), norm(128), leaky),
            *(down(128, 256), norm(256), leaky, down(256, 1), L.Linear(16, 1)),
        )
    real = np.tanh(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    g_adam = chainer.optimizers.Adam(2e-4, 0.5).setup(generator)
    d_adam = chainer.optimizers.Adam(2e-4, 0.5).setup(critic)

    def loss(logits: Any, real: bool) -> Any:
        return F.mean(F.softplus(-logits if real else logits))

    rng = np.random.default_rng(1)

    def step() -> float:
        critic.cleargrads()
        fake = generator(rng.standard_normal((BATCH, 100), dtype=np.float32))
        on_real = loss(critic(real), True)
        on_real.backward()
        on_fake = loss(critic(fake.array), False)
        on_fake.backward()
        d_adam.update()
        generator.cleargrads()
        critic.cleargrads()
        fooled = loss(critic(fake), True)
        fooled.backward()
        g_adam.update()
        return float(on_real.array + on_fake.array + fooled.array)

    return step
