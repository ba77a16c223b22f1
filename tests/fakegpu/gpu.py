"""The machine behind the fake: its memory, its devices, and the one place where it computes.

Memory of the GPU is a NumPy array.  Every operation that computes goes through ``GPU.apply``: a
function of NumPy arrays that gives fresh ones, or writes into some that it is given.  Whoever puts
a function into ``GPU.watchers`` is told of each (the function, its arguments as NumPy arrays, and
the arrays that hold its results), enough to run it again into the same memory.

Waiting for the GPU costs a program more than anything it computes there: ``GPU.waits`` says where
a value was asked for, and ``GPU.uploads`` where values were sent.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import graphs

FOLDER = str(Path(__file__).parent)


class Device:
    """A GPU; as a context manager it makes it the one in use."""

    def __init__(self, gpu: GPU, number: int | None = None):
        self.gpu, self.id = gpu, gpu.current if number is None else int(number)
        self._before: list[int] = []

    @property
    def compute_capability(self) -> str:
        return self.gpu.capability

    def use(self) -> None:
        self.gpu.current = self.id

    def synchronize(self) -> None:
        self.gpu.wait("synchronize")

    def __enter__(self) -> Device:
        self._before.append(self.gpu.current)
        self.use()
        return self

    def __exit__(self, *_: object) -> None:
        self.gpu.current = self._before.pop()

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


class GPU:
    """``devices`` GPUs of one compute capability ("70": older than the project's kernels)."""

    def __init__(self, capability: str = "70", devices: int = 1):
        self.capability, self.devices, self.current = capability, devices, 0
        self.asked = 0  # how often something was asked for
        self.waits: list[str] = []
        self.uploads: list[str] = []
        self.watchers: list[Callable[..., None]] = []
        self.streams: list[Any] = []  # those made current, the innermost last
        self.recording: graphs.Recording | None = None
        self.scatters = 0
        self.pinned: list[np.ndarray] = []
        self.on_their_way: list[tuple[np.ndarray, np.ndarray]] = []
        self.compiled: list[dict] = []
        self.launched: list[dict] = []

    # -- computing

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """``function`` of the arrays' memory; what it gives, on the GPU."""
        sources = list(arrays_in(args, kwargs))
        self.check(sources)
        self.asked += 1
        given, named = memory(args), memory(kwargs)
        restore = graphs.put_back([a._memory for a in sources]) if self.recording else None
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a GPU does not warn
            result = function(*given, **named)
        wrapped, fresh = self._held(result, sources)
        if self.recording is not None:
            restore()
            if fresh:
                graphs.spoil(memory(wrapped))
                self.recording.calls.append((function, given, named, memory(wrapped)))
        if fresh:
            for watcher in self.watchers:
                watcher(function, given, named, memory(wrapped))
        return wrapped

    def launch(self, kernel: Callable[..., None], *args: Any) -> None:
        """A kernel; it may write wherever it has an address of, so that a capture only notes it."""
        if self.recording is None:
            self.apply(kernel, *args)
        else:
            self.check(list(arrays_in(args)))
            self.recording.calls.append((kernel, memory(args), {}, None))

    def _held(self, result: Any, sources: list) -> tuple[Any, bool]:
        """(what was computed as arrays of the GPU, whether any of it is no view)."""
        if isinstance(result, (tuple, list)):
            parts = [self._held(r, sources) for r in result]
            made = [part for part, _ in parts]
            whole = type(result)(*made) if hasattr(result, "_fields") else type(result)(made)
            return whole, any(fresh for _, fresh in parts)
        if isinstance(result, np.generic):
            result = np.asarray(result)
        if not isinstance(result, np.ndarray):
            return result, True
        for source in sources:
            if result.size and np.may_share_memory(result, source._memory):
                if result is source._memory:
                    return source, False
                return source._view(result), False
        return self.hold(result, sources[0].device if sources else None), True

    def hold(self, values: np.ndarray, device: Device | None = None, base: Any = None) -> Any:
        """An array of the GPU in the memory of ``values``."""
        from .array import ndarray

        if values.dtype.kind not in "biufcV":
            raise ValueError(f"Unsupported dtype {values.dtype}")
        return ndarray._of(values, device or Device(self), base)

    def check(self, arrays: list) -> None:
        """All on one GPU."""
        numbers = {array.device.id for array in arrays}
        if len(numbers) > 1:
            raise ValueError(f"Array device must be same as the current device: {numbers}")

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
        """Memory with what no program should read: NaN, -1, True."""
        made = np.empty(shape, dtype, order=order or "C")
        if made.dtype.kind in "fc":
            made.fill(np.nan)
        elif made.dtype.kind != "V":
            made.fill(1 if made.dtype.kind in "bu" else -1)
        return made

    # -- to and from the CPU

    def upload(self, values: Any, dtype: Any = None, order: str | None = "K") -> Any:
        """A copy of ``values`` (no array of the GPU) on the GPU in use."""
        values = np.asarray(values, dtype)
        if values.dtype.kind not in "biufcV":
            raise ValueError(f"Unsupported dtype {values.dtype}")
        fortran = values.flags.f_contiguous and not values.flags.c_contiguous
        if order in ("C", "F"):
            fortran = order == "F"
        if self.recording is not None:
            self.recording.refuse(f"an upload in {place()}")
        self.uploads.append(place())
        return self.hold(np.array(values, order="F" if fortran else "C"))

    def wait(self, why: str) -> None:
        """The program waits for the GPU."""
        if self.recording is not None:
            self.recording.refuse(f"{why} in {place()}")
        self.waits.append(f"{place()} ({why})")
        self.arrive()

    def send(self, values: np.ndarray, out: np.ndarray) -> None:
        """Copy to pinned memory some time before the program next asks; until then it holds NaN."""
        self.on_their_way.append((out, values.copy()))
        out[...] = self.empty(out.shape, out.dtype)

    def arrive(self) -> None:
        """What was sent is there."""
        for out, values in self.on_their_way:
            out[...] = values
        self.on_their_way.clear()

    def is_pinned(self, array: np.ndarray) -> bool:
        """Whether the memory is such that the GPU reads and writes it by itself."""
        return any(np.may_share_memory(array, memory) for memory in self.pinned)

    @contextmanager
    def waiting(self) -> Iterator[list[str]]:
        """A block; the list says afterwards where in it the program waited for the GPU."""
        before, found = len(self.waits), []
        yield found
        found += self.waits[before:]


def place() -> str:
    """ "minigan/ops/kinks.py:20": the line outside the fake that is being executed."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(FOLDER):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return f"{'/'.join(path.parts[-3:])}:{frame.f_lineno}"


def arrays_in(*values: Any) -> Iterator[Any]:
    """Every array of the GPU in tuples, lists and dictionaries."""
    for value in values:
        if hasattr(value, "_memory"):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from arrays_in(*value)
        elif isinstance(value, dict):
            yield from arrays_in(*value.values())


def memory(value: Any) -> Any:
    """``value`` with the NumPy arrays that stand for arrays of the GPU."""
    if hasattr(value, "_memory"):
        return value._memory
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(memory(v) for v in value)
    if isinstance(value, tuple):
        return tuple(memory(v) for v in value)
    if isinstance(value, dict):
        return {key: memory(v) for key, v in value.items()}
    return value
