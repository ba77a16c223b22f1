"""Random numbers drawn on the GPU, by the names of NumPy's generators.

The sequence is Philox's, started from a seed; the host counts what has been drawn and gives every
draw its place, so that a draw is one launch, nothing waits for the GPU, and the state is known
without asking it.  For a captured sequence of draws see ``settle``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .. import array as arrays
from ..array import Device
from ..generators import Moved
from . import launcher, random

Size = int | Sequence[int] | None


class Philox:
    """The numbers of one seed on one GPU; arrays of no dimensions where NumPy gives numbers.

    What it does not draw itself (``permutation``, ``choice``, …) NumPy draws, and it is moved.
    """

    def __init__(self, seed: int, device: Device):
        self.device = device
        self.key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        self._host = np.random.default_rng(seed)
        self._moved = Moved(self._host, device)
        self._memory: Any = None  # always the same: captured sequences of draws know its address
        self._begin(0)

    def _begin(self, base: int) -> None:
        self._base, self._drawn = base, 0  # counters: where the GPU stands, and drawn since
        self._sent = False  # whether the GPU knows

    @property
    def bit_generator(self) -> Philox:
        """Itself, which has a ``state`` as NumPy's bit generators do."""
        return self

    @property
    def state(self) -> dict[str, Any]:
        """Where the sequence is, as plain numbers."""
        place = (self._base + self._drawn) % 2**64
        host = self._host.bit_generator.state
        return {"bit_generator": "Philox4x32", "key": self.key, "counter": place, "host": host}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._host.bit_generator.state = state["host"]
        self.key = int(state["key"])
        self._begin(int(state["counter"]))

    def settle(self) -> int:
        """Let the GPU take over the place in the sequence; how far it has moved since.

        A sequence of draws that is captured begins settled and ends with ``settle``: each replay
        then draws new numbers and moves on as far.  The host learns of it by ``moved_on``.
        """
        count, self._drawn = self._drawn, 0
        memory = self._on_gpu()
        if count:
            launcher.run([random.advance(memory, count)])
            self._base += count
        return count

    def moved_on(self, count: int) -> None:
        """A replay has moved the GPU's place by so many counters."""
        self._base += count

    # -- numbers

    def random(self, size: Size = None, dtype: Any = np.float64) -> Any:
        """Uniform on [0, 1): multiples of 2⁻²⁴ (float32) or 2⁻⁵³ (float64)."""
        return self._draw(_kind("uniform", dtype), size)

    def standard_normal(self, size: Size = None, dtype: Any = np.float64) -> Any:
        """Normal, of mean 0 and variance 1."""
        return self._draw(_kind("normal", dtype), size)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Size = None) -> Any:
        """Uniform on [low, high), float64."""
        return self.random(size) * (high - low) + low

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Size = None) -> Any:
        """Normal, of mean ``loc`` and deviation ``scale``, float64."""
        return self.standard_normal(size) * scale + loc

    def integers(
        self,
        low: int,
        high: int | None = None,
        size: Size = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:
        """Whole numbers of [low, high), or of [0, low); ``endpoint`` puts the end in."""
        low, high = (0, low) if high is None else (low, high)
        span = int(high) - int(low) + bool(endpoint)
        if span <= 0:
            raise ValueError(f"integers: expected low < high, got {low} and {high}")
        drawn = self._draw("integers", size, np.int64(low), np.uint64(span))
        return drawn.astype(dtype, copy=False)

    def kept(self, p: float, size: Size) -> Any:
        """0 with probability ``p``, else 1 (float32)."""
        return self._draw("kept", size, np.float32(p))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._moved, name)

    # -- the GPU

    def _draw(self, kind: str, size: Size, *options: np.generic) -> Any:
        shape = () if size is None else (size,) if isinstance(size, (int, np.integer)) else size
        cupy = arrays.cupy()
        memory = self._on_gpu()
        with cupy.cuda.Device(self.device.index):
            out = cupy.empty(tuple(shape), random.PER_COUNTER[kind][0])
            launcher.run(random.draw(kind, memory, self._drawn, out, *options))
        self._drawn += random.counters(kind, prod(out.shape))
        return out

    def _on_gpu(self) -> Any:
        """The state in the GPU's memory."""
        if not self._sent:
            cupy = arrays.cupy()
            with cupy.cuda.Device(self.device.index):
                if self._memory is None:
                    self._memory = cupy.empty(3, np.uint64)
                launcher.run([random.begin(self._memory, self.key, self._base)])
            self._sent = True
        return self._memory


def _kind(name: str, dtype: Any) -> str:
    """The kernel for float32 or float64."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: expected float32 or float64, got {dtype}")
    return name if dtype == np.float32 else f"{name}_double"


def source(seed: int, device: Device) -> Philox | None:
    """The numbers of ``seed`` on that GPU; None where it is older than the kernels."""
    gpu = arrays.cupy().cuda.Device(device.index)
    return Philox(seed, device) if int(gpu.compute_capability) >= 75 else None
