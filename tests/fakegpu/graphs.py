"""CUDA graphs of the fake: what is recorded is not computed, and a replay uses the same memory.

While a stream is being captured, an operation of the fake runs to learn what it gives, but what it
wrote into is put back and fresh results hold NaN, as if nothing had been done.  A replay runs the
operations again, in their order, into the memory that they had.  Waiting and uploading are errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class CUDARuntimeError(RuntimeError):
    """As CuPy raises it."""


class Recording:
    """The operations between ``begin_capture`` and ``end_capture``."""

    def __init__(self):
        self.calls: list[tuple[Callable, tuple, dict, Any]] = []
        self.broken = False

    def refuse(self, what: str) -> None:
        """What cannot be done while a stream is captured."""
        self.broken = True
        raise CUDARuntimeError(
            f"cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing "
            f"({what})"
        )


class Graph:
    """What was recorded; as ``cupy.cuda.Graph``."""

    def __init__(self, gpu: Any, recording: Recording):
        self._gpu, self._calls = gpu, recording.calls
        self.launches = 0

    def launch(self, stream: Any = None) -> None:
        self.launches += 1
        self._gpu.asked += 1
        with np.errstate(all="ignore"):
            for function, args, kwargs, outputs in self._calls:
                _bring(function(*args, **kwargs), outputs)


def _bring(results: Any, outputs: Any) -> None:
    """The values of ``results`` into the memory of ``outputs``, which is of the same structure."""
    if isinstance(outputs, (tuple, list)):
        for result, output in zip(results, outputs, strict=True):
            _bring(result, output)
    elif isinstance(outputs, np.ndarray):
        np.copyto(outputs, results)


def put_back(memories: list[np.ndarray]) -> Callable[[], None]:
    """What brings these arrays back to what they hold now."""
    before = [memory.copy() for memory in memories]

    def restore() -> None:
        for memory, values in zip(memories, before, strict=True):
            if memory.flags.writeable:
                memory[...] = values

    return restore


def spoil(value: Any) -> None:
    """Fresh results hold nothing that a program could read."""
    if isinstance(value, (tuple, list)):
        for part in value:
            spoil(part)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        value.fill(np.nan)
    elif isinstance(value, np.ndarray) and value.dtype.kind != "V":
        value.fill(1)
