"""Launches on a GPU: each kernel is compiled when it is first asked for, and kept.

CuPy compiles a file for the GPU in use and keeps the result on disk under a key of its source and
options.  That key does not cover the headers that the file includes, so a hash of them is one of
the options.  CuPy passes an array's address and nothing else: what a kernel takes for granted
(contiguous memory, the type of the elements, where the array is) is checked here before a launch.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import array as arrays
from .launch import Launch, LaunchError, Table, is_array, kernel_folder, shared_limit

STATIC_LIMIT = 48 * 1024  # a kernel that wants more shared memory has to say so
_ELEMENTS = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "__half": "float16",
    "__nv_bfloat16": "uint16",
    "int": "int32",
    "unsigned": "uint32",
    "unsigned int": "uint32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "size_t": "uint64",
    "unsigned short": "uint16",
    "unsigned char": "uint8",
    "bool": "bool",
}


_QUALIFIERS = ("const", "__restrict__", "__grid_constant__")


def run(launches: Iterable[Launch]) -> None:
    """Launch one after the other on the current stream of the GPU that holds the arrays.

    Raises LaunchError where a launch does not fit its kernel or the GPU.
    """
    cupy = arrays.cupy()
    for launch in launches:
        numbers = {a.device.id for a in launch.arrays if _on_gpu(a)}
        if len(numbers) != 1:
            where = f"on GPUs {sorted(numbers)}" if numbers else "on no GPU"
            raise LaunchError(f"{launch.name}: expected arrays on one GPU, got arrays {where}")
        with cupy.cuda.Device(numbers.pop()) as device:
            kernel = _kernel(launch.file, launch.name, launch.macros, device.id)
            capability = int(device.compute_capability)
            if capability < launch.architecture:
                raise LaunchError(
                    f"{launch.name} needs a GPU of compute capability {launch.architecture}, "
                    f"the GPU in use has {capability}"
                )
            _make_room(kernel, launch, capability)
            values = _values(launch)
            kernel(launch.grid, launch.block, values, shared_mem=launch.shared)


def capability(array: Any) -> int | None:
    """The compute capability of the GPU that holds ``array`` (75, 80, …); None on the CPU."""
    return int(array.device.compute_capability) if _on_gpu(array) else None


def resources(launch: Launch) -> tuple[int, int]:
    """(registers of a thread, bytes of shared memory of a block) that a launch takes on its GPU."""
    device = next(a.device.id for a in launch.arrays if _on_gpu(a))
    kernel = _kernel(launch.file, launch.name, launch.macros, device)
    return kernel.num_regs, kernel.shared_size_bytes + launch.shared


def options(macros: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What a file is compiled with: the language, the kernels' headers and their hash, macros."""
    return ("-std=c++17", f"-I{kernel_folder()}", f"-DMINIGAN_HEADERS=0x{_headers()}", *macros)


@functools.cache
def signature(file: str, name: str) -> tuple[str, ...]:
    """The parameters of a kernel as its source declares them: "float *", "int", "Conv".

    >>> signature("fprop.cu", "no_such_kernel")
    Traceback (most recent call last):
    ...
    minigan.cuda.launch.LaunchError: fprop.cu has no kernel no_such_kernel
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", _source(file), flags=re.DOTALL)
    found = re.search(rf'extern "C" __global__[^;{{]*?\b{name}\s*\(([^)]*)\)\s*{{', text)
    if found is None:
        raise LaunchError(f"{file} has no kernel {name}")
    return tuple(_type(part) for part in found[1].split(",") if part.strip())


def _type(declaration: str) -> str:
    """ "float *" of "const float* __restrict__ x"."""
    words = declaration.replace("*", " * ").split()[:-1]
    return " ".join(word for word in words if word not in _QUALIFIERS)


@functools.cache
def _source(file: str) -> str:
    return (kernel_folder() / file).read_text(encoding="utf-8")


@functools.cache
def _headers() -> str:
    digest = hashlib.sha256()
    for path in sorted(kernel_folder().glob("*.cuh")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def _module(file: str, macros: tuple[str, ...], architecture: str):
    """The compiled file.  CuPy compiles for the GPU in use, so its architecture is in the key."""
    return arrays.cupy().RawModule(code=_source(file), options=options(macros))


@functools.cache
def _kernel(file: str, name: str, macros: tuple[str, ...], device: int):
    """One kernel on one GPU: what was set for it there stays set."""
    architecture = arrays.cupy().cuda.Device(device).compute_capability
    return _module(file, macros, architecture).get_function(name)


def _make_room(kernel, launch: Launch, capability: int) -> None:
    """Let the kernel have the dynamic shared memory that the launch asks for."""
    limit = shared_limit(capability)
    if launch.shared > limit:
        raise LaunchError(
            f"{launch.name} needs {launch.shared} bytes of shared memory, the GPU in use "
            f"(compute capability {capability}) has {limit}"
        )
    granted = STATIC_LIMIT
    if launch.shared > granted:
        granted = kernel.max_dynamic_shared_size_bytes
    if launch.shared > granted:
        kernel.max_dynamic_shared_size_bytes = launch.shared


def _on_gpu(value: Any) -> bool:
    return is_array(value) and not isinstance(value, np.ndarray)


def _address(array: Any) -> int:
    if not _on_gpu(array):
        raise LaunchError(f"a table of arrays expects CuPy arrays, got {type(array).__name__}")
    return array.data.ptr


def _values(launch: Launch) -> tuple[Any, ...]:
    """The arguments as CuPy takes them, checked against the kernel's parameters."""
    types = signature(launch.file, launch.name)
    if len(types) != len(launch.arguments):
        raise LaunchError(
            f"{launch.name} has {len(types)} parameters, {len(launch.arguments)} were given"
        )
    return tuple(
        _value(f"{launch.name}: argument {i} ({kind})", kind, argument)
        for i, (kind, argument) in enumerate(zip(types, launch.arguments, strict=True))
    )


def _value(what: str, kind: str, argument: Any) -> Any:
    expected = _ELEMENTS.get(kind.removesuffix("*").strip())
    if not kind.endswith("*"):
        if isinstance(argument, Table):
            return np.array([argument.filled(_address)])
        if not isinstance(argument, np.generic):
            raise LaunchError(f"{what}: expected a NumPy scalar, got {type(argument).__name__}")
        if expected is not None and argument.dtype != expected:
            raise LaunchError(f"{what}: expected {expected}, got {argument.dtype}")
        if isinstance(argument, np.void):  # a struct: CuPy passes the bytes of a size-one array
            return np.array([argument])
        return argument
    if argument is None:
        return np.intp(0)  # eight zero bytes: CuPy's own None is no null pointer in old versions
    if not _on_gpu(argument):
        raise LaunchError(f"{what}: expected a CuPy array, got {type(argument).__name__}")
    if expected is not None and argument.dtype != expected:
        raise LaunchError(f"{what}: expected elements of {expected}, got {argument.dtype}")
    if not argument.flags.c_contiguous:
        raise LaunchError(f"{what}: expected contiguous memory, got strides {argument.strides}")
    if argument.data.ptr % argument.dtype.itemsize:
        raise LaunchError(f"{what}: the array's address is no multiple of its elements' size")
    return argument
