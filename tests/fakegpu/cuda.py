"""``cupy.cuda``: devices, streams and memory pools; and modules of kernels, which are emulated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from . import graphs, listing
from .gpu import GPU, Device
from .ufuncs import is_array


class Cuda(ModuleType):
    """The module."""

    def __init__(self, gpu: GPU):
        super().__init__("cupy.cuda")
        self._gpu = gpu
        self.runtime = Runtime(gpu)
        self.pool = Pool()
        self.Stream, self.Event = lambda *args, **kwargs: Stream(gpu), lambda *a, **k: Event(gpu)
        self.Stream.null = Stream(gpu)

    def is_available(self) -> bool:
        return self._gpu.devices > 0

    def Device(self, device: int | None = None) -> Device:
        if device is not None and not 0 <= int(device) < self._gpu.devices:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        return Device(self._gpu, device)

    def get_device_id(self) -> int:
        return self._gpu.current

    def get_current_stream(self, device_id: int = -1) -> Stream:
        return self._gpu.streams[-1] if self._gpu.streams else self.Stream.null

    def get_elapsed_time(self, start: Event, end: Event) -> float:
        return 0.0

    def MemoryPool(self, *args: Any) -> Pool:
        return Pool()

    @contextlib.contextmanager
    def using_allocator(self, allocator: Any = None) -> Any:
        """Memory is NumPy's whoever gives it."""
        yield

    def set_allocator(self, allocator: Any = None) -> None:
        """Memory is NumPy's whoever gives it."""

    def __getattr__(self, name: str) -> Any:
        known = name in listing.known()["cuda"]
        what = "CuPy has it, the fake does not" if known else "CuPy has none"
        raise AttributeError(f"module 'cupy.cuda' has no attribute {name!r} ({what})")


class Runtime(ModuleType):
    """``cupy.cuda.runtime``."""

    def __init__(self, gpu: GPU):
        super().__init__("cupy.cuda.runtime")
        self._gpu = gpu

    def getDeviceCount(self) -> int:
        return self._gpu.devices

    def getDevice(self) -> int:
        return self._gpu.current

    def setDevice(self, device: int) -> None:
        self._gpu.current = int(device)

    def deviceSynchronize(self) -> None:
        self._gpu.wait("deviceSynchronize")

    def getDeviceProperties(self, device: int) -> dict[str, Any]:
        major, minor = self._gpu.capability[:-1], self._gpu.capability[-1:]
        return {
            "name": b"A GPU that is not there",
            "major": int(major),
            "minor": int(minor),
            "totalGlobalMem": 2**34,
            "multiProcessorCount": 80,
        }

    def memGetInfo(self) -> tuple[int, int]:
        return 2**33, 2**34

    def runtimeGetVersion(self) -> int:
        return 13000

    def driverGetVersion(self) -> int:
        return 13000


class Stream:
    """Work is done at once, in order, but for copies to the GPU on a stream that is not in use.

    Those are done when somebody waits for an event that was recorded behind them: until then their
    memory holds nothing, and what they copy may still be overwritten.
    """

    ptr = 0

    def __init__(self, gpu: GPU):
        self._gpu = gpu
        self.copies: list[Callable[[], None]] = []  # those ahead, the next one first
        self.done = 0  # how many have been done

    def later(self, copy: Callable[[], None]) -> None:
        """Put a copy behind the others."""
        self.copies.append(copy)

    def reach(self, count: int) -> None:
        """Do the copies up to that number."""
        while self.done < count:
            self.copies.pop(0)()
            self.done += 1

    def __enter__(self) -> Stream:
        self._gpu.streams.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._gpu.streams.pop()

    def begin_capture(self, mode: int | None = None) -> None:
        self._gpu.recording = graphs.Recording()

    def is_capturing(self) -> bool:
        return self._gpu.recording is not None

    def end_capture(self) -> graphs.Graph:
        recording, self._gpu.recording = self._gpu.recording, None
        if recording.broken:
            raise graphs.CUDARuntimeError("cudaErrorStreamCaptureInvalidated")
        return graphs.Graph(self._gpu, recording)

    def use(self) -> Stream:
        return self

    def synchronize(self) -> None:
        self.reach(self.done + len(self.copies))
        self._gpu.wait("synchronize")

    def record(self, event: Event | None = None) -> Event:
        event = event or Event(self._gpu)
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        event.reach()


class Event:
    """A moment on a stream: it has come when a program asks.

    A program that waits for it before it has asked for anything else has waited for the GPU.
    """

    def __init__(self, gpu: GPU):
        self._gpu, self._moment = gpu, gpu.asked
        self._stream, self._count = None, 0

    @property
    def done(self) -> bool:
        self.reach()
        self._gpu.arrive()
        return True

    def record(self, stream: Stream | None = None) -> None:
        self._moment, self._stream = self._gpu.asked, stream
        self._count = 0 if stream is None else stream.done + len(stream.copies)

    def reach(self) -> None:
        """All that was asked of its stream before it is done."""
        if self._stream is not None:
            self._stream.reach(self._count)

    def synchronize(self) -> None:
        self.reach()
        if self._gpu.asked > self._moment:
            self._gpu.arrive()
        else:
            self._gpu.wait("synchronize")


class Pool:
    """A memory pool that keeps nothing."""

    def malloc(self, size: int) -> Any:
        raise NotImplementedError("the fake's memory is NumPy's")

    def free_all_blocks(self, *args: Any) -> None:
        """Nothing is kept."""

    def used_bytes(self) -> int:
        return 0

    def total_bytes(self) -> int:
        return 0

    def n_free_blocks(self) -> int:
        return 0

    def set_limit(self, *args: Any, **kwargs: Any) -> None:
        """There is none."""

    def get_limit(self) -> int:
        return 0


# ------------------------------------------------------------------------------- kernels


class RawModule:
    """A compiled .cu file."""

    def __init__(self, gpu: GPU, *, code: str, options: tuple[str, ...] = (), **others: Any):
        self.gpu, self.code, self.options = gpu, code, options
        gpu.compiled.append({"code": code, "options": options})

    def get_function(self, name: str) -> Kernel:
        return Kernel(self, name)


class Kernel:
    """One kernel of a module: its launches run in the emulator."""

    num_regs, shared_size_bytes, local_size_bytes = 40, 16, 0

    def __init__(self, module: RawModule, name: str):
        self.module, self.name = module, name
        self.max_dynamic_shared_size_bytes = 48 * 1024

    def __call__(
        self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0, **others: Any
    ) -> None:
        from emulator import driver

        from minigan.cuda.launch import kernel_folder

        assert shared_mem <= self.max_dynamic_shared_size_bytes
        gpu, code = self.module.gpu, self.module.code
        gpu.launched.append({"name": self.name, "grid": grid, "block": block, "args": args})
        (path,) = [p for p in kernel_folder().glob("*.cu") if p.read_text("utf-8") == code]
        macros = tuple(option for option in self.module.options if option.startswith("-D"))
        emulated = driver.Module(path, macros, int(gpu.capability))

        def launch(*args: Any) -> None:
            kinds = emulated.signature(self.name)
            values = [_plain(a, kind) for a, kind in zip(args, kinds, strict=True)]
            emulated.launch(self.name, grid, block, values, shared_mem)

        for argument in args:
            if isinstance(argument, np.ndarray) and argument.size != 1:
                raise TypeError(f"{self.name}: Unsupported type {type(argument)}")
            if not is_array(argument) and not isinstance(argument, (np.ndarray, np.generic)):
                raise TypeError(f"{self.name}: Unsupported type {type(argument)}")
        gpu.launch(launch, *[_Struct(a) if isinstance(a, np.ndarray) else a for a in args])


class _Struct(SimpleNamespace):
    """The bytes of a struct, which CuPy passes as an array with one element."""

    def __init__(self, array: np.ndarray):
        super().__init__(value=array[0])


def _plain(argument: Any, kind: str) -> Any:
    """An argument as the emulator takes it; ``kind`` is its parameter's, "*f4" for a pointer."""
    if isinstance(argument, _Struct):
        return argument.value
    return None if kind.startswith("*") and isinstance(argument, np.integer) else argument
