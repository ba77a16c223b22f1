"""W1 and W2 in DeZero, for ``benchmarks.step``: another engine on plain NumPy, made for reading.

DeZero has batch normalisation of (N, C) only; images are brought into that form and back, and the
cross entropy is put together from its own functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATCH = 64


def make(workload: str) -> Callable[[], float]:
    """step() of "W1" or "W2"."""
    if not hasattr(np, "int"):
        setattr(np, "int", int)  # noqa: B010, an old name that DeZero still uses
    import dezero
    import dezero.functions as F
    import dezero.layers as L

    class BatchNorm(dezero.Layer):
        def __init__(self, channels: int):
            super().__init__()
            self.scale = dezero.Parameter(np.ones(channels, np.float32))
            self.shift = dezero.Parameter(np.zeros(channels, np.float32))
            self.mean = dezero.Parameter(np.zeros(channels, np.float32))
            self.var = dezero.Parameter(np.ones(channels, np.float32))

        def forward(self, x: Any) -> Any:
            n, c, h, w = x.shape
            rows = F.reshape(F.transpose(x, (0, 2, 3, 1)), (-1, c))
            norm = getattr(F, "batch_nrom", None) or F.batch_norm  # its name in some versions
            y = norm(rows, self.scale, self.shift, self.mean.data, self.var.data)
            return F.transpose(F.reshape(y, (n, h, w, c)), (0, 3, 1, 2))

    def down(c: int, k: int) -> Any:
        return L.Conv2d(k, 4, stride=2, pad=1, in_channels=c)

    def up(c: int, k: int) -> Any:
        return L.Deconv2d(k, 4, stride=2, pad=1, in_channels=c)

    def leaky(x: Any) -> Any:
        return F.leaky_relu(x, 0.2)

    class Chain(dezero.Model):
        def __init__(self, *parts: Any):
            super().__init__()
            self.parts = parts
            for i, part in enumerate(parts):
                if isinstance(part, dezero.Layer):
                    setattr(self, f"part{i}", part)

        def forward(self, x: Any) -> Any:
            for part in self.parts:
                x = part(x)
            return x

    def flat(x: Any) -> Any:
        return F.reshape(x, (BATCH, -1))

    if workload == "W1":
        shape = (BATCH, 1, 28, 28)
        generator = Chain(
            L.Linear(128 * 49),
            lambda x: F.reshape(x, (BATCH, 128, 7, 7)),
            *(BatchNorm(128), F.relu, up(128, 64), BatchNorm(64), F.relu, up(64, 1), F.tanh),
        )
        critic = Chain(down(1, 64), leaky, down(64, 128), BatchNorm(128), leaky, flat, L.Linear(1))
    else:
        shape = (BATCH, 3, 64, 64)
        inner = [
            part for c, k in ((1024, 512), (512, 256), (256, 128))
            for part in (up(c, k), BatchNorm(k), leaky)
        ]  # fmt: skip
        generator = Chain(
            L.Linear(1024 * 16),
            lambda x: F.reshape(x, (BATCH, 1024, 4, 4)),
            *(*inner, up(128, 3), F.tanh),
        )
        critic = Chain(
            *(down(3, 64), leaky, down(64, 128), BatchNorm(128), leaky),
            *(down(128, 256), BatchNorm(256), leaky, down(256, 1), flat, L.Linear(1)),
        )
    real = np.tanh(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    g_adam = dezero.optimizers.Adam(2e-4, 0.5).setup(generator)
    d_adam = dezero.optimizers.Adam(2e-4, 0.5).setup(critic)

    def loss(logits: Any, real: bool) -> Any:
        p = F.clip(F.sigmoid(logits), 1e-7, 1 - 1e-7)
        return -F.sum(F.log(p) if real else F.log(1 - p)) / BATCH

    rng = np.random.default_rng(1)

    def step() -> float:
        critic.cleargrads()
        noise = rng.standard_normal((BATCH, 100), dtype=np.float32)
        fake = generator(noise)
        on_real = loss(critic(real), True)
        on_real.backward()
        on_fake = loss(critic(fake.data), False)
        on_fake.backward()
        d_adam.update()
        generator.cleargrads()
        critic.cleargrads()
        fooled = loss(critic(fake), True)
        fooled.backward()
        g_adam.update()
        return float(on_real.data + on_fake.data + fooled.data)

    return step
