"""``minigan info``: versions, device, BLAS, threads, algorithms."""

from __future__ import annotations

import argparse
import os

from ..training import Usage


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    info = commands.add_parser("info", help="versions, device, BLAS, threads")
    info.set_defaults(run=_info)
    info.add_argument(
        "--conv",
        metavar="GEOMETRY",
        help="which algorithms compute it: 64x3x32x32,64,k4,s2,p1",
    )


def _info(arguments: argparse.Namespace) -> int:
    import numpy as np
    from threadpoolctl import threadpool_info

    from .. import cuda
    from ..config import versions
    from ..conv.describe import describe
    from ..cpu.threads import get_num_threads

    if arguments.conv is not None:
        try:
            print(describe(arguments.conv))
        except ValueError as error:
            raise Usage(f"--conv: {error}") from None
        return 0

    np.ones((2, 2)) @ np.ones((2, 2))  # makes sure that BLAS is loaded
    for name, version in versions().items():
        print(f"{name:<10}{version}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{'cores':<10}{cores}")
    print(f"{'threads':<10}{get_num_threads()} (MINIGAN_NUM_THREADS)")
    for pool in threadpool_info():
        kind, library = pool.get("user_api"), pool.get("internal_api")
        kernels = f", {pool['architecture']} kernels" if pool.get("architecture") else ""
        print(
            f"{kind:<10}{library} {pool.get('version')}, {pool.get('num_threads')} threads{kernels}"
        )
    if not cuda.is_available():
        print(f"{'device':<10}cpu (no usable GPU: {cuda.missing()})")
        return 0
    print(f"{'device':<10}cuda")
    for number in range(cuda.device_count()):
        free, total = (f"{size / 2**30:.1f}" for size in cuda.mem_get_info(number))
        print(f"{f'cuda:{number}':<10}{free} of {total} GiB of memory are free")
    return 0
