"""What the GPU benchmarks share: the machine's roof, and times taken by the GPU's own clock.

Written without a GPU at hand: the arithmetic below is tested, the measuring never ran.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Multiply-adds of one SM in one cycle, dense, by compute capability (NVIDIA's architecture white
# papers).
MULTIPLY_ADDS = {
    75: {"fp32": 64},
    80: {"fp32": 64, "tf32": 512, "bf16": 1024},
    86: {"fp32": 128, "tf32": 128, "bf16": 256},
    89: {"fp32": 128, "tf32": 128, "bf16": 256},
    90: {"fp32": 128, "tf32": 1024, "bf16": 2048},
    100: {"fp32": 128, "tf32": 2048, "bf16": 4096},
    120: {"fp32": 128, "tf32": 128, "bf16": 256},
}


@dataclass(frozen=True)
class Machine:
    """A GPU as its driver describes it; frequencies in Hz, sizes in bytes."""

    name: str
    capability: int
    processors: int
    clock: float
    memory_clock: float
    bus_bits: int
    cache: int
    versions: str

    def peak(self, precision: str) -> float | None:
        """FLOP/s of "fp32", "tf32" or "bf16"; None where the table does not say.

        >>> a100 = Machine("A100", 80, 108, 1.41e9, 1.215e9, 5120, 40 << 20, "")
        >>> [f"{a100.peak(p) / 1e12:.1f}" for p in ("fp32", "tf32", "bf16")]
        ['19.5', '155.9', '311.9']
        """
        rate = MULTIPLY_ADDS.get(self.capability, {}).get(precision)
        return rate and 2 * rate * self.processors * self.clock

    @property
    def bandwidth(self) -> float:
        """Bytes a second between memory and the chip: two transfers a cycle of the bus."""
        return 2 * self.memory_clock * self.bus_bits / 8

    def roof(self, precision: str, flops: float, traffic: float) -> float | None:
        """The least seconds that ``flops`` operations on ``traffic`` bytes can take."""
        peak = self.peak(precision)
        return peak and max(flops / peak, traffic / self.bandwidth)


def machine() -> Machine:
    """The GPU in use; ends the program with a sentence where there is none."""
    from minigan import __version__, cuda
    from minigan import array as arrays

    if not cuda.is_available():
        raise SystemExit("this benchmark needs a CUDA GPU and CuPy: none is present")
    cupy = arrays.cupy()
    device = cupy.cuda.Device()
    about = device.attributes
    name = cupy.cuda.runtime.getDeviceProperties(device.id)["name"].decode()
    driver = cupy.cuda.runtime.driverGetVersion()
    compiler = ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
    return Machine(
        name=name,
        capability=int(device.compute_capability),
        processors=about["MultiProcessorCount"],
        clock=about["ClockRate"] * 1e3,
        memory_clock=about["MemoryClockRate"] * 1e3,
        bus_bits=about["GlobalMemoryBusWidth"],
        cache=about["L2CacheSize"],
        versions=f"minigan {__version__}, CuPy {cupy.__version__}, NVRTC {compiler}, "
        f"driver {driver // 1000}.{driver % 1000 // 10}",
    )


class Clock:
    """Times of calls, in seconds, by events on the GPU's default stream.

    Before every measurement memory of four times the L2 cache is overwritten.  That empties the
    cache, and it keeps the GPU busy while Python prepares the call: what is measured is the GPU's
    time and not Python's.  A warm call is one that follows the same call.
    """

    def __init__(self, about: Machine, rounds: int = 20):
        from minigan import array as arrays

        self.cupy, self.rounds = arrays.cupy(), rounds
        self.spoiler = self.cupy.empty(max(4 * about.cache, 256 << 20), self.cupy.uint8)

    def __call__(self, call: Callable[[], Any], *, warm: bool) -> float:
        """The median of ``rounds`` calls."""
        call()
        spans = []
        for _ in range(self.rounds):
            self.spoiler.fill(0)
            if warm:
                call()
            begin, end = self.cupy.cuda.Event(), self.cupy.cuda.Event()
            begin.record()
            call()
            end.record()
            spans.append((begin, end))
        self.cupy.cuda.runtime.deviceSynchronize()
        milliseconds = [self.cupy.cuda.get_elapsed_time(*span) for span in spans]
        return statistics.median(milliseconds) / 1e3
