"""What ``benchmarks.worker_cuda`` asks of an engine on a GPU, of minigan's and PyTorch's alike.

An engine's name says how it is used; what is joined by + comes together:

    minigan, minigan+graph      as ``minigan train`` computes; a whole step recorded and replayed
    eager                       PyTorch as scripts use it
    channels_last               PyTorch with that memory order
    compile                     PyTorch with networks compiled by torch.compile
    graph                       PyTorch with a whole step recorded and replayed

All of PyTorch's but "eager" have the fused Adam and a critic that is frozen while it is not
trained; cuDNN may try its algorithms (``cudnn.benchmark``) for all.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.options import Options

PRECISIONS = ("fp32", "tf32", "bf16")
PARTS = ("channels_last", "compile", "graph")


def known(name: str) -> bool:
    """Whether that is the name of an engine.

    >>> known("minigan+graph"), known("graph+channels_last"), known("minigan+compile")
    (True, True, False)
    """
    parts = name.split("+")
    if name in ("minigan", "minigan+graph", "eager"):
        return True
    return len(set(parts)) == len(parts) and set(parts) <= set(PARTS)


class OnGPU(Options):
    """Weights, data and noise that are the same numbers in every engine.

    They are NumPy's, drawn from ``source``.  Noise lies in the same memory in every step; without a
    source (None) ``refill`` draws it there, by the engine.
    """

    def __init__(self, lib: Any, device: str, change: Callable[[Any], Any], **more: Any):
        super().__init__(prepare=self._prepared, **more)
        self.lib, self.device, self.change = lib, device, change
        self.source: np.random.Generator | None = np.random.default_rng(0)
        self.kept: list[tuple[str, Any]] = []
        self.used = 0

    def _prepared(self, value: Any) -> Any:
        if hasattr(value, "parameters"):
            value = value.to(self.device)
            for parameter in value.parameters():
                self._set(parameter.data)
        return self.change(value)

    def _set(self, data: Any) -> None:
        """Weights become normal of deviation 0.02, and shifts 0; scales are 1 already."""
        if data.ndim > 1:
            data.copy_(self._drawn("randn", tuple(data.shape)) * 0.02)
        elif not bool((data == 1).all()):
            data.fill_(0)

    def _drawn(self, kind: str, shape: tuple[int, ...]) -> Any:
        draw = {"randn": self.source.standard_normal, "rand": self.source.random}[kind]
        return self.lib.from_numpy(draw(shape, np.float32)).to(self.device)

    def data(self, lib: Any, kind: str, *shape: int) -> Any:
        return self._drawn(kind, shape)

    def noise(self, lib: Any, kind: str, *shape: int) -> Any:
        if self.used == len(self.kept):
            tensor = lib.empty(*shape, device=self.device)
            self._fill(kind, tensor)
            self.kept.append((kind, tensor))
        self.used += 1
        return self.kept[self.used - 1][1]

    def told(self, *losses: Any) -> Any:
        """The tensors: their numbers would have to be waited for."""
        return [loss.detach() for loss in losses]

    def from_start(self, step: Callable[[], Any]) -> Callable[[], Any]:
        """``step``, which takes the noise from its beginning."""

        def begun() -> Any:
            self.used = 0
            return step()

        return begun

    def refill(self) -> None:
        """New noise, before a step."""
        for kind, tensor in self.kept:
            self._fill(kind, tensor)

    def _fill(self, kind: str, tensor: Any) -> None:
        if self.source is not None:
            tensor.copy_(self._drawn(kind, tuple(tensor.shape)))
        elif kind == "randn":
            tensor.normal_()
        else:
            tensor.uniform_()


class Minigan:
    """Our engine; ``device`` is another than "cuda" in tests only."""

    def __init__(self, name: str, precision: str, device: str = "cuda"):
        import minigan
        from minigan import array as arrays
        from minigan import generators

        if not minigan.cuda.is_available():
            raise RuntimeError("no CUDA GPU, or no CuPy, is present")
        self.lib, self.cupy, self.device = minigan, arrays.cupy(), device
        self.graphed = name == "minigan+graph"
        self._graph: Any = None
        self._generator = generators.default_generator
        minigan.cuda.allow_tf32 = precision == "tf32"
        self.bf16 = precision == "bf16"

    def versions(self) -> str:
        return f"minigan {self.lib.__version__}, CuPy {self.cupy.__version__}"

    def options(self) -> OnGPU:
        return OnGPU(self.lib, self.device, lambda value: value, frozen=True)

    def step(self, step: Callable[[], Any]) -> Callable[[], Any]:
        """The step at this engine's precision."""
        return self.lib.autocast("cuda")(step) if self.bf16 else step

    def recorded(self, step: Callable[[], Any]) -> Callable[[], Any]:
        """A call that replays the step, with other random numbers each time."""
        self._graph = graph = self.lib.cuda.CUDAGraph()
        generator = self._generator(self.device).rng
        on_gpu = hasattr(generator, "settle")
        if on_gpu:
            generator.settle()
        with self.lib.cuda.graph(graph):
            losses = step()
            drawn = generator.settle() if on_gpu else 0

        def replay() -> Any:
            if drawn:
                generator.settle()  # noise may have been drawn since
            graph.replay()
            if drawn:
                generator.moved_on(drawn)
            return losses

        return replay

    def event(self) -> Any:
        """This moment in the GPU's work."""
        moment = self.cupy.cuda.Event()
        moment.record()
        return moment

    def between(self, begin: Any, end: Any) -> float:
        """Milliseconds."""
        return self.cupy.cuda.get_elapsed_time(begin, end)

    def wait(self) -> None:
        self.lib.cuda.synchronize()

    def peak(self) -> float:
        """The most memory that has been taken of the GPU for arrays, in MiB; never given back."""
        taken = self.cupy.get_default_memory_pool().total_bytes()
        if self._graph is not None:
            taken += self._graph._pool.total_bytes()
        return taken / 2**20

    def forget(self) -> None:
        """Give back the memory of a workload that is done."""
        self._graph = None
        gc.collect()
        self.lib.cuda.empty_cache()


class Torch:
    """PyTorch, with what its name asks for."""

    def __init__(self, name: str, precision: str, device: str = "cuda"):
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} finds no CUDA GPU")
        self.lib, self.device, self.eager = torch, device, name == "eager"
        self.parts, self.bf16 = set(name.split("+")), precision == "bf16"
        self.graphed = "graph" in self.parts
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        if self.graphed and device == "cuda":  # nothing may have been done on the default one
            self.stream = torch.cuda.Stream()
            torch.cuda.set_stream(self.stream)

    def versions(self) -> str:
        cuda, cudnn = self.lib.version.cuda, self.lib.backends.cudnn.version()
        return f"torch {self.lib.__version__}, CUDA {cuda}, cuDNN {cudnn}"

    def options(self) -> OnGPU:
        adam: dict[str, Any] = {} if self.eager else {"fused": True}
        if self.graphed:
            adam["capturable"] = True
        return OnGPU(self.lib, self.device, self._changed, frozen=not self.eager, adam=adam)

    def _changed(self, value: Any) -> Any:
        torch = self.lib
        network = isinstance(value, torch.nn.Module)
        if "channels_last" in self.parts and (network or value.ndim == 4):
            value = value.to(memory_format=torch.channels_last)
        if "compile" in self.parts and network:
            value = torch.compile(value)
        return value

    def step(self, step: Callable[[], Any]) -> Callable[[], Any]:
        """The step at this engine's precision.

        Weights change within a step, so their rounded copies are not kept from use to use.
        """
        if not self.bf16:
            return step

        def rounded() -> Any:
            with self.lib.autocast(self.device, self.lib.bfloat16, cache_enabled=False):
                return step()

        return rounded

    def recorded(self, step: Callable[[], Any]) -> Callable[[], Any]:
        """A call that replays the step."""
        graph = self.lib.cuda.CUDAGraph()
        with self.lib.cuda.graph(graph, stream=self.stream):
            losses = step()

        def replay() -> Any:
            graph.replay()
            return losses

        return replay

    def event(self) -> Any:
        """This moment in the GPU's work."""
        moment = self.lib.cuda.Event(enable_timing=True)
        moment.record()
        return moment

    def between(self, begin: Any, end: Any) -> float:
        """Milliseconds."""
        return begin.elapsed_time(end)

    def wait(self) -> None:
        self.lib.cuda.synchronize()

    def peak(self) -> float:
        """The most memory that has been taken of the GPU for tensors, in MiB."""
        return self.lib.cuda.max_memory_reserved() / 2**20

    def forget(self) -> None:
        """Give back the memory of a workload that is done, and what was compiled for it."""
        if "compile" in self.parts:
            self.lib.compiler.reset()
        gc.collect()
        self.lib.cuda.empty_cache()
        self.lib.cuda.reset_peak_memory_stats()


def make(name: str, precision: str) -> Minigan | Torch:
    """The engine of that name."""
    return (Minigan if name.startswith("minigan") else Torch)(name, precision)
