"""Random numbers of the fake: generators of the GPU's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import array as arrays
from .gpu import GPU
from .names import Submodule


class Random(Submodule):
    """``cupy.random``: generators of the GPU, whose numbers are not NumPy's."""

    def __init__(self, gpu: GPU):
        super().__init__("cupy.random", gpu, None)

    def default_rng(self, seed: Any = None) -> Generator:
        return Generator(BitGenerator(self._gpu, seed))

    def XORWOW(self, seed: Any = None) -> BitGenerator:
        return BitGenerator(self._gpu, seed)

    MRG32k3a = Philox4x3210 = XORWOW

    def Generator(self, bit_generator: BitGenerator) -> Generator:
        return Generator(bit_generator)


class BitGenerator:
    """The source of a generator's numbers."""

    def __init__(self, gpu: GPU, seed: Any):
        if seed is not None and not isinstance(seed, (int, np.integer, np.random.SeedSequence)):
            raise TypeError(f"expected an integer as seed, got {type(seed).__name__}")
        self.gpu = gpu
        entropy = seed.entropy if isinstance(seed, np.random.SeedSequence) else seed
        self.rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


class Generator:
    """``cupy.random.Generator``: as many methods as minigan may ask for."""

    def __init__(self, bit_generator: BitGenerator):
        self.bit_generator = bit_generator

    def _drawn(self, out: Any, draw: Callable[[np.random.Generator], Any]) -> Any:
        rng = self.bit_generator.rng
        found = self.bit_generator.gpu.apply(lambda: np.asarray(draw(rng)))
        return arrays._fill(out, found)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return self._drawn(out, lambda rng: rng.random(size, dtype))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return self._drawn(out, lambda rng: rng.standard_normal(size, dtype))

    def uniform(
        self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = np.float64
    ) -> Any:
        return self._drawn(None, lambda rng: rng.uniform(low, high, size).astype(dtype))

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:
        return self._drawn(None, lambda rng: rng.integers(low, high, size, dtype, endpoint))
