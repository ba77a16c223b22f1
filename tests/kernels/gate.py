"""Compile the kernels for GPUs that are not there, and read what the compiler made of them.

NVRTC needs no driver: CuPy's low-level binding compiles a file to a cubin as it would on the GPU
itself, and ptxas says how many registers and how much memory each kernel takes.  nvdisasm, of the
package nvidia-cuda-nvdisasm, shows the instructions.

    python tests/kernels/gate.py        writes registers.json anew, after a change that is meant
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minigan.cuda.launch import kernel_folder

ARCHITECTURES = (75, 80, 90, 100)
TABLE = Path(__file__).parent / "registers.json"
PTXAS = ("-v", "--warn-on-spills", "--warn-on-local-memory-usage")

Configuration = tuple[str, tuple[tuple[str, int], ...], int]


@dataclass(frozen=True)
class Resources:
    """What one kernel takes: registers of a thread, bytes of local and of static shared memory."""

    registers: int
    stack: int
    spills: int
    shared: int


@dataclass(frozen=True)
class Built:
    """A compiled file: the cubin (empty if it does not compile) and the compiler's log."""

    cubin: bytes
    log: str

    @property
    def complaints(self) -> list[str]:
        """The log's warnings and errors."""
        words = "warning", "error", "fatal"
        return [line for line in self.log.splitlines() if any(w in line.lower() for w in words)]

    @property
    def kernels(self) -> dict[str, Resources]:
        """The resources of each kernel, as ptxas says them."""
        found = {}
        for part in self.log.split("Compiling entry function '")[1:]:
            numbers = [
                sum(int(n) for n in re.findall(pattern, part))
                for pattern in (
                    r"Used (\d+) registers",
                    r"(\d+) bytes stack frame",
                    r"(\d+) bytes spill",
                    r"(\d+) bytes smem",
                )
            ]
            found[part.partition("'")[0]] = Resources(*numbers)
        return found


def unavailable() -> str | None:
    """Why nothing can be compiled here, or None."""
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except (ImportError, RuntimeError) as error:
        return f"compiling CUDA needs CuPy and nvidia-cuda-nvrtc: {error}"
    return None


def version() -> str:
    """NVRTC's version, "13.5"."""
    from cupy.cuda import nvrtc

    return ".".join(map(str, nvrtc.getVersion()))


@functools.cache
def build(file: str, defines: tuple, architecture: int, folder: Path | None = None) -> Built:
    """Compile a file as CuPy would on a GPU of this architecture."""
    from cupy._core import core
    from cupy.cuda import nvrtc

    folder = folder or kernel_folder()
    macros = tuple(f"-D{name}={value}" for name, value in defines)
    options = core.assemble_cupy_compiler_options(("-std=c++17", f"-I{folder}", *macros))
    options += ("-ftz=true", "--device-as-default-execution-space", f"-arch=sm_{architecture}")
    options += tuple(f"--ptxas-options={option}" for option in PTXAS)
    program = nvrtc.createProgram((folder / file).read_text(encoding="utf-8"), file, (), ())
    try:
        nvrtc.compileProgram(program, options)
        cubin = nvrtc.getCUBIN(program) + b"\0"  # the binding drops the last byte
    except nvrtc.NVRTCError:
        cubin = b""
    log = nvrtc.getProgramLog(program)
    nvrtc.destroyProgram(program)
    return Built(cubin, log)


# ------------------------------------------------------------------------------- instructions


def disassembler() -> str | None:
    """nvdisasm, from its package beside CuPy's or from a CUDA toolkit."""
    packages = Path(sysconfig.get_path("purelib")) / "nvidia"
    found = sorted(packages.glob("*/bin/nvdisasm"))
    return str(found[-1]) if found else shutil.which("nvdisasm")


def instructions(built: Built) -> dict[str, Counter]:
    """How often each instruction, "LDG.E.128" say, stands in each kernel."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(built.cubin)
        file.flush()
        command = [disassembler(), "-c", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pattern = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)")
    parts = re.split(r"^\.text\.(\w+):$", text, flags=re.MULTILINE)
    return {
        name: Counter(pattern.findall(body))
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def of_kernels(file: str, defines: tuple, least: int) -> Iterator[tuple[int, str, Counter]]:
    """(architecture, kernel, its instructions) of a configuration."""
    for architecture in architectures(least):
        for name, counts in instructions(build(file, defines, architecture)).items():
            yield architecture, name, counts


def some(counts: Counter, *beginnings: str, part: str = "") -> list[str]:
    """The instructions that begin so and have ``part`` in them."""
    return [i for i in counts if i.startswith(beginnings) and part in i]


# ------------------------------------------------------------------------------- what to compile


def configurations() -> list[Configuration]:
    """What the project's plans compile: (file, macros, least architecture)."""
    found = {}
    for package in ("minigan.cuda", "minigan.conv"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            plans = importlib.import_module(f"{package}.{module.name}")
            for file, defines, least in getattr(plans, "configurations", list)():
                found[spelled(file, defines)] = (file, tuple(defines), least)
    return list(found.values())


def spelled(file: str, defines: tuple) -> str:
    """A configuration in words: "fprop.cu RUNG=2 TILE_ROWS=64"."""
    return " ".join([file, *(f"{name}={value}" for name, value in defines)])


def architectures(least: int) -> list[int]:
    """Those that are compiled for where ``least`` is needed."""
    return [a for a in ARCHITECTURES if a >= least]


def registers() -> dict[str, dict[str, dict[str, int]]]:
    """The registers of every kernel: {configuration: {kernel: {"75": 40, …}}}."""
    table = {}
    for file, defines, least in configurations():
        entry = table.setdefault(spelled(file, defines), {})
        for architecture in architectures(least):
            for name, kernel in build(file, defines, architecture).kernels.items():
                entry.setdefault(name, {})[str(architecture)] = kernel.registers
    return table


# ------------------------------------------------------------------------------- what must hold


def check_code(file: str, defines: tuple, least: int) -> None:
    """A configuration compiles everywhere, without a warning, a spill or local memory."""
    for architecture in architectures(least):
        built = build(file, defines, architecture)
        assert built.cubin and not built.complaints, f"sm_{architecture}\n{built.log}"
        assert built.kernels
        for name, kernel in built.kernels.items():
            where = f"{name} on sm_{architecture}: {kernel}"
            assert kernel.stack == kernel.spills == 0, where
            assert kernel.shared <= 48 * 1024, where
            assert kernel.registers <= 255, where


def check_registers(file: str, defines: tuple, least: int) -> None:
    """Each kernel takes as many registers as the table says.

    More cost occupancy, fewer may be less unrolling: either way somebody should look.  ptxas
    allocates in steps of 8, and versions of it differ by a step or, for large kernels, two.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))["registers"]
    expected = table[spelled(file, defines)]
    for architecture in architectures(least):
        kernels = build(file, defines, architecture).kernels
        assert set(kernels) == {name for name, row in expected.items() if str(architecture) in row}
        for name, kernel in kernels.items():
            before = expected[name][str(architecture)]
            assert abs(kernel.registers - before) <= max(8, before // 8), (
                f"{name} on sm_{architecture}: {kernel.registers} registers, {before} before"
            )


def main() -> None:
    """Write the table of registers."""
    rows = {name: dict(sorted(kernels.items())) for name, kernels in sorted(registers().items())}
    text = json.dumps({"nvrtc": version(), "registers": rows}, indent=1)
    numbers = re.compile(r"{\s*((?:\"\d+\": \d+,?\s*)+)}")  # one line for each kernel
    text = numbers.sub(lambda match: "{" + " ".join(match[1].split()) + "}", text)
    TABLE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
