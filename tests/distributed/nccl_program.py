"""The NCCL group on CuPy's own wrapper of NCCL, above a stub of the library: see test_nccl.py.

Arrays are NumPy's with CuPy's ``data.ptr``, streams and events only tell what they are asked.
"""

import ctypes
import sys
import types
from importlib import import_module

import numpy as np

from minigan.distributed import nccl, process_group


class OnDevice(np.ndarray):
    """An array that says where it is as CuPy's do."""

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)


class Stream:
    def __init__(self, non_blocking=False, ptr=77):
        self.ptr, self.name = ptr, "own stream" if non_blocking else "current stream"

    def wait_event(self, event):
        print(f"{self.name} waits for {event.what}")


class Event:
    done = False  # the GPU is slow

    def __init__(self, disable_timing=False):
        assert disable_timing

    def record(self, stream=None):
        self.what = (current if stream is None else stream).name
        print(f"event on {self.what}")


def on_device(*args, **kwargs):
    return np.array(*args, **kwargs).view(OnDevice)


def contiguous(array):
    return array if array.flags.c_contiguous else array.copy()


current = Stream(ptr=1)


def main():
    ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)  # CuPy's wrapper finds it by its name
    import cupy

    assert hasattr(cupy.cuda.Stream, "wait_event")
    assert hasattr(cupy.cuda.Event, "record") and hasattr(cupy.cuda.Event, "done")
    library = import_module("cupy.cuda.nccl")
    assert library.available
    for dtype in "bB?iIlLqQefdFD":
        assert hasattr(library, f"NCCL_{nccl.DTYPES[dtype]}"), dtype
    for operation in nccl.OPERATIONS.values():
        assert hasattr(library, f"NCCL_{operation}")

    cuda = types.SimpleNamespace(Stream=Stream, Event=Event, get_current_stream=lambda: current)
    nccl.cupy = lambda: types.SimpleNamespace(
        __name__="cupy", cuda=cuda, ascontiguousarray=contiguous
    )

    told = []
    first = nccl.Nccl(0, 2, lambda text: told.append(text) or text)
    group = nccl.Nccl(1, 2, lambda text: told[0])
    for dtype, op in (("f", "sum"), ("d", "avg"), ("l", "sum"), ("F", "sum")):
        x = on_device([1, 2, 3], dtype=dtype)
        print(dtype, op)
        work = group.all_reduce(x, op)
        assert not work.is_completed()
        print("asked")
        work.wait()
        print(x.tolist())
    turned = on_device(np.arange(6.0), dtype="f").reshape(2, 3).T
    group.all_reduce(turned, "sum").wait()
    print(turned.tolist())
    group.broadcast(on_device([1, 0], dtype="?"), 1).wait()
    first.close()
    group.close()

    # A group sends arrays of the CPU by MPI and all others by NCCL.
    both = process_group.Group.__new__(process_group.Group)
    both.size, both.mpi, both.nccl = 2, "by MPI", "by NCCL"
    assert both._for(np.ones(2)) == "by MPI" and both._for(object()) == "by NCCL"


if __name__ == "__main__":
    main()
