"""Run the kernels of a .cu file on the CPU: compiled by g++, one fiber for each CUDA thread.

The file is compiled as it stands, with its headers and macros, after ``include/emulator.h``, which
makes C++ of CUDA's own words.  A launch runs block after block on NumPy arrays that lie between
forbidden pages, with NaN bits in shared memory, in the order of blocks, warps and lanes that a seed
gives; odd seeds land asynchronous copies at once and even ones at the latest moment.

What an emulated file must keep to: ``extern "C" __global__ void [__launch_bounds__(N)] name(`` on
one line; dynamic shared memory as ``extern __shared__ __align__(16) T name[];``; inline PTX only
beside a host body under ``#ifdef MG_EMU``; cp.async through cuda_pipeline_primitives.h; warp
intrinsics in their ``_sync`` form; no ``return`` before a barrier; no grid-wide waiting.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import mmap
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

INCLUDE = Path(__file__).parent / "include"
DYNAMIC = re.compile(
    r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;"
)
QUOTED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"[^\n]*$', re.MULTILINE)
KERNEL = re.compile(r'extern\s+"C"\s+__attribute__\(\(used\)\)\s+void\s+(\w+)\s*\(')
WEEK = 7 * 24 * 3600


class EmulatorError(RuntimeError):
    """The kernel does not compile, is called with wrong arguments, or did what it must not."""


@functools.cache
def unavailable() -> str | None:
    """Why kernels cannot be emulated on this machine, or None."""
    if platform.machine() != "x86_64" or os.name != "posix":
        return f"the emulator switches stacks on x86-64 Linux, not on {platform.machine()}"
    if shutil.which("g++") is None:
        return "the emulator needs g++, which is not installed"
    version = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True).stdout
    if int(version.split(".")[0]) < 12:
        return f"the emulator needs g++ 12 (it fills new variables with garbage), got {version}"
    return None


# ------------------------------------------------------------------------------- compiling


def flat(path: Path, _seen: set[Path] | None = None) -> str:
    """The text of a file with its own headers in it, each once, in which the kernels' dynamic
    shared memory is a pointer."""
    seen = set() if _seen is None else _seen
    seen.add(path)
    text = path.read_text(encoding="utf-8").replace("#pragma once", "")

    def include(match: re.Match) -> str:
        header = path.parent / match[1]
        if header in seen or not header.is_file():
            return "" if header in seen else match[0]
        line = text.count("\n", 0, match.start()) + 2
        return f'{flat(header, seen)}\n#line {line} "{path}"'

    body = DYNAMIC.sub(r"EMU_DYNAMIC_SHARED(\1, \2);", QUOTED.sub(include, text))
    return f'#line 1 "{path}"\n{body}'


def _cache() -> Path:
    """A folder of this user's own for compiled kernels, which the test processes share."""
    name = f"minigan-emulator-{os.getuid()}"
    folder = Path(os.environ.get("MINIGAN_EMULATOR_CACHE") or Path(tempfile.gettempdir()) / name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EmulatorError(f"{folder} belongs to somebody else: set MINIGAN_EMULATOR_CACHE")
    return folder


@functools.cache
def _surroundings() -> bytes:
    """The emulator's files and the processor's instructions: with others all is compiled anew."""
    own = b"".join(path.read_bytes() for path in [Path(__file__), *sorted(INCLUDE.glob("*.h"))])
    flags = re.search(rb"^flags.*$", Path("/proc/cpuinfo").read_bytes(), re.MULTILINE)
    return own + (flags[0] if flags else b"")


def _gxx(*options: str, text: str) -> str:
    done = subprocess.run(["g++", *options, "-"], input=text, text=True, capture_output=True)
    if done.returncode:
        raise EmulatorError(f"g++ {' '.join(options)}\n{done.stderr[:3000]}")
    return done.stdout


def compiled(path: Path, macros=(), architecture: int = 75, sanitize=()) -> Path:
    """The shared library of a .cu file, compiled unless it is there already."""
    text = f'#include "emulator.h"\n{flat(path)}'
    language = ("-x", "c++", "-std=c++17", f"-I{INCLUDE}", f"-D__CUDA_ARCH__={10 * architecture}")
    code = ["-O1" if sanitize else "-O2", "-march=native", "-g1", "-w", "-fPIC", "-shared"]
    code += ["-fno-strict-aliasing", "-ftrivial-auto-var-init=pattern"]
    code += [f"-fsanitize={name}" for name in sanitize]
    if "address" in sanitize:
        code += ["-fsanitize-sections=emushared"]
    if "undefined" in sanitize:
        code += ["-fno-sanitize-recover=undefined"]
    key = repr((language, code, tuple(macros), text)).encode() + _surroundings()
    folder = _cache()
    library = folder / f"{path.stem}-{hashlib.sha256(key).hexdigest()[:24]}.so"
    with open(folder / f"{library.stem}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be compiling the same
        if library.exists():
            os.utime(library)
            return library
        expanded = _gxx("-E", *language, *macros, text=text)
        names = KERNEL.findall(expanded)
        tail = "".join(f"EMU_KERNEL({name})\n" for name in names)
        tail += f'extern "C" const char* emu_names() {{ return "{" ".join(names)}"; }}\n'
        partial = library.with_suffix(f".{os.getpid()}")
        _gxx(*language, *macros, *code, "-o", str(partial), text=f"{text}\n{tail}")
        os.replace(partial, library)
    _forget(folder)
    return library


def _forget(folder: Path) -> None:
    """What no test has asked for this week."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another process's, moved or forgotten
                if entry.stat().st_mtime < time.time() - WEEK:
                    os.unlink(entry.path)


# ------------------------------------------------------------------------------- memory

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
PAGE = mmap.PAGESIZE


class Guarded:
    """A copy of an array between two forbidden pages, as far to the right as its alignment lets it.

    What is left between the array and the pages holds NaN bits; ``intact`` says whether it still
    does.
    """

    def __init__(self, array: np.ndarray):
        self.original = array
        offset = array.ctypes.data % 16
        extent = (offset + array.nbytes + 15) // 16 * 16
        body = max(1, -(-extent // PAGE)) * PAGE
        self._map = mmap.mmap(-1, body + 2 * PAGE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._body = np.frombuffer(self._map, np.uint8, body, PAGE)
        self._body[:] = 0xFF
        self._at = body - extent + offset
        self._end = self._at + array.nbytes
        self.address = base + PAGE + self._at
        self.copy = self._body[self._at : self._end].view(array.dtype).reshape(array.shape)
        self.copy[...] = array
        for page in (base, base + PAGE + body):
            if _libc.mprotect(page, PAGE, 0):
                raise EmulatorError(f"mprotect: {os.strerror(ctypes.get_errno())}")

    def intact(self) -> bool:
        """Whether nothing was written beside the array."""
        return bool(
            (self._body[: self._at] == 0xFF).all() and (self._body[self._end :] == 0xFF).all()
        )


class Plain:
    """An array where it is: a sanitizer watches its bounds."""

    def __init__(self, array: np.ndarray):
        self.original = self.copy = array
        self.address = array.ctypes.data

    def intact(self) -> bool:
        """Nothing to compare."""
        return True


# ------------------------------------------------------------------------------- launching


def _within(argument) -> list[np.ndarray]:
    """The arrays in a ``minigan.cuda.launch.Table``; of other arguments none."""
    return argument.arrays if hasattr(argument, "filled") else []


class Module:
    """The kernels of one .cu file, compiled with some macros for one architecture."""

    def __init__(self, path, macros=(), architecture: int = 75, sanitize=()):
        self.path = Path(path)
        self._memory = Plain if sanitize else Guarded
        self._library = ctypes.CDLL(str(compiled(self.path, macros, architecture, sanitize)))

    def names(self) -> list[str]:
        """The kernels that the file has with these macros on this architecture."""
        spell = self._library.emu_names
        spell.restype = ctypes.c_char_p
        return spell().decode().split()

    def signature(self, name: str) -> list[str]:
        """The types of a kernel's parameters: "f4", "V52" for a struct, "*f4" for a pointer."""
        try:
            spell = getattr(self._library, f"emu_signature_{name}")
        except AttributeError:
            raise EmulatorError(f"{self.path.name} has no kernel {name}") from None
        text = ctypes.create_string_buffer(4096)
        spell(text, len(text))
        return text.value.decode().split()

    def launch(self, name, grid, block, arguments, shared: int = 0, seed: int = 0) -> None:
        """Run a kernel; arrays are changed in place.  Raises EmulatorError for what it does wrong.

        ``arguments`` are as for ``minigan.cuda.launch.Launch``.
        """
        kinds = self.signature(name)
        if len(kinds) != len(arguments):
            raise EmulatorError(f"{name} has {len(kinds)} parameters, {len(arguments)} were given")
        blocks: dict[int, Guarded | Plain] = {}
        values = [
            self._value(f"{name}: argument {i}", kind, argument, blocks)
            for i, (kind, argument) in enumerate(zip(kinds, arguments, strict=True))
        ]
        pointers = (ctypes.c_void_p * max(1, len(values)))(*map(ctypes.addressof, values))
        message = ctypes.create_string_buffer(600)
        failed = getattr(self._library, f"emu_launch_{name}")(
            (ctypes.c_uint * 3)(*grid),
            (ctypes.c_uint * 3)(*block),
            ctypes.c_size_t(shared),
            pointers,
            ctypes.c_uint64(seed),
            message,
            len(message),
        )
        if failed:
            raise EmulatorError(f"{name}: {message.value.decode()}")
        for i, argument in enumerate(arguments):
            arrays = [argument] if isinstance(argument, np.ndarray) else _within(argument)
            for array in arrays:
                if not array.nbytes:
                    continue
                memory = blocks[array.ctypes.data]
                if not memory.intact():
                    raise EmulatorError(f"{name}: something was written beside argument {i}")
                if memory.copy is not array and array.flags.writeable:
                    array[...] = memory.copy

    def _value(self, what: str, kind: str, argument, blocks: dict):
        """What a parameter of the type ``kind`` is given, as ctypes memory."""
        if kind.startswith("*"):
            if argument is None:
                return ctypes.c_void_p(0)
            if not isinstance(argument, np.ndarray):
                raise EmulatorError(f"{what}: expected an array, got {type(argument).__name__}")
            if not argument.flags.c_contiguous:
                raise EmulatorError(f"{what}: the array is not contiguous")
            given = f"{argument.dtype.kind}{argument.dtype.itemsize}"
            if kind[1] != "V" and kind[1:] != given:
                raise EmulatorError(f"{what}: the kernel takes {kind[1:]} elements, got {given}")
            if not argument.nbytes:
                return ctypes.c_void_p(argument.ctypes.data)
            return ctypes.c_void_p(self._place(what, argument, blocks).address)
        if _within(argument):  # a table of arrays, each between its own pages
            argument = argument.filled(lambda a: self._place(what, a, blocks).address)
        if not isinstance(argument, np.generic):
            raise EmulatorError(f"{what}: expected a NumPy scalar, got {type(argument).__name__}")
        given = f"{argument.dtype.kind}{argument.nbytes}"
        if given != kind:
            raise EmulatorError(f"{what}: the kernel takes {kind}, got {given}")
        return (ctypes.c_char * argument.nbytes).from_buffer_copy(argument.tobytes())

    def _place(self, what: str, array: np.ndarray, blocks: dict):
        """The memory that stands for ``array`` in this launch; the same array has one place."""
        address = array.ctypes.data
        known = blocks.get(address)
        if known is not None and known.original.nbytes == array.nbytes:
            return known
        for other in blocks.values():
            if np.may_share_memory(array, other.original):
                raise EmulatorError(f"{what}: the array overlaps another argument")
        blocks[address] = self._memory(array)
        return blocks[address]
