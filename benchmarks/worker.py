"""One contestant of ``benchmarks.step``: reads a number of steps, answers with their seconds.

python -m benchmarks.worker ENGINE WORKLOAD THREADS
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import workloads
from benchmarks.options import Options
from benchmarks.step import SLOW


def _minigan(workload: str, threads: int) -> tuple[Callable[[], float], str, int]:
    import numpy

    import minigan
    from minigan.cpu.threads import one_blas_thread

    minigan.set_num_threads(threads)
    one_blas_thread.__enter__()  # for as long as the process lives, as minigan train does
    step = workloads.make(workload, minigan, Options(frozen=True))
    versions = f"minigan {minigan.__version__}, NumPy {numpy.__version__}, {_blas()}"
    return step, versions, arithmetic(step)


def arithmetic(step: Callable[[], Any]) -> int:
    """Operations of one step's convolutions and matrix products, by the plain algorithms."""
    import minigan
    from minigan.autograd import op_hook

    total = 0

    def count(call: Any, run: Callable[[], Any]) -> Any:
        nonlocal total
        result = run()
        kind = type(call.function).__name__.removesuffix("Activated")
        if call.kind == "op" and kind in ("Fprop", "Dgrad", "Wgrad"):
            g = call.function.geometry
            inputs = [x.shape for x in call.inputs if isinstance(x, minigan.Tensor)]
            filters = result.shape if kind == "Wgrad" else inputs[1]
            k, c, r, s = filters
            total += 2 * inputs[0][0] * g.P * g.Q * k * c * r * s
        elif call.kind == "op" and kind == "MatMul":
            total += 2 * result.numel() * call.inputs[0].shape[-1]
        return result

    with op_hook(count):
        step()
    return total


def _torch(workload: str, threads: int, best: bool) -> tuple[Callable[[], float], str]:
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    options = Options()
    if best:

        def prepare(value: Any) -> Any:
            flat = isinstance(value, torch.Tensor) and value.ndim != 4
            return value if flat else value.to(memory_format=torch.channels_last)

        options = Options(frozen=True, prepare=prepare, adam={"fused": True})
    return workloads.make(workload, torch, options), f"torch {torch.__version__}"


def _reader(engine: str, workload: str, threads: int) -> tuple[Callable[[], float], str]:
    """DeZero or Chainer."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    step = import_module(f"benchmarks.{engine}_step").make(workload)
    version = getattr(import_module(engine), "__version__", "")
    threadpool_limits(threads)
    name = {"dezero": "DeZero", "chainer": "Chainer"}[engine]
    return step, f"{name} {version}, NumPy {np.__version__}, {_blas()}".replace(" ,", ",")


def _sgemm(threads: int) -> tuple[Callable[[], float], str]:
    import numpy as np
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    a, b, out = (np.ones((1024, 1024), np.float32) for _ in range(3))

    def gflops() -> float:
        begin = time.perf_counter()
        np.matmul(a, b, out=out)
        return 2 * 1024**3 / (time.perf_counter() - begin) / 1e9

    return gflops, f"NumPy {np.__version__}, {_blas()}"


def _blas() -> str:
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] == "blas":
            kernels = library.get("architecture", "unknown")
            return f"{library['internal_api']} {library['version']} with {kernels} kernels"
    return "unknown BLAS"


def _peak() -> float:
    """The most memory this process has held, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main() -> None:
    engine, workload, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    flops = None
    if engine == "sgemm":
        step, versions = _sgemm(threads)
    elif engine == "minigan":
        step, versions, flops = _minigan(workload, threads)
    elif engine in SLOW:
        step, versions = _reader(engine, workload, threads)
    else:
        step, versions = _torch(workload, threads, best=engine == "best")
    for _ in range(1 if engine in SLOW else 3):
        step()
    print(json.dumps({"versions": versions, "processor": _processor()}), flush=True)
    for line in sys.stdin:
        steps = int(line)
        if not steps:
            print(json.dumps({"peak_mib": _peak(), "flops": flops}), flush=True)
            return
        answers = []
        for _ in range(steps):
            begin = time.perf_counter()
            value = step()
            seconds = time.perf_counter() - begin
            answers.append(value if engine == "sgemm" else seconds)
        print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
