"""What the launcher compiles, keeps, checks and passes on, with a stand-in for CuPy."""

import re

import numpy as np
import pytest
from emulator import driver
from fakegpu import GPU, Cupy, held
from machine import needs_emulator
from numpy.testing import assert_array_equal

from minigan import array as arrays
from minigan import cuda
from minigan.cuda import launcher, pointwise
from minigan.cuda.launch import Launch, LaunchError, kernel_folder

FILE = """
#include "part.cuh"
// extern "C" __global__ void commented(int n) {}
struct Pair { int first; float second; };
extern "C" __global__ void __launch_bounds__(THREADS)
    scale(const float* __restrict__ x, float* y, const Pair by, int n,  // a comment, with a comma
          const unsigned char* mask) {
    extern __shared__ __align__(16) float shared[];
    int i = blockIdx.x * THREADS + threadIdx.x;
    if (i < n && (!mask || mask[i])) y[i] = SCALE * by.first * by.second * x[i];
}
extern "C" __global__ void nothing() {}
"""
PAIR = np.dtype([("first", "i4"), ("second", "f4")])
BY = np.array((3, 0.5), PAIR)[()]


@pytest.fixture
def cupy(monkeypatch, tmp_path):
    """A CuPy with one GPU, and a folder with one kernel file."""
    module = Cupy(GPU("80", devices=3))
    (tmp_path / "scale.cu").write_text(FILE, encoding="utf-8")
    (tmp_path / "part.cuh").write_text("#pragma once\n#define SCALE 2\n", encoding="utf-8")
    monkeypatch.setattr(arrays, "cupy", lambda: module)
    for place in ("minigan.cuda.launch.kernel_folder", "minigan.cuda.launcher.kernel_folder"):
        monkeypatch.setattr(place, lambda: tmp_path)
    forget()
    yield module
    forget()


def forget():
    for kept in (launcher._kernel, launcher._module, launcher._headers, launcher._source):
        kept.cache_clear()
    launcher.signature.cache_clear()


def launch(*arguments, threads=32, shared=0, architecture=75, file="scale.cu", name="scale"):
    defines = (("THREADS", threads),)
    grid, block = (2, 1, 1), (threads, 1, 1)
    return Launch(file, name, defines, grid, block, shared, arguments, architecture)


def operands(cupy, n=50):
    x = np.random.default_rng(0).integers(-8, 9, n).astype(np.float32)
    return held(cupy, x), held(cupy, np.full(n, np.nan, np.float32)), BY, np.int32(n)


@needs_emulator
def test_a_launch_computes_with_structs_and_null_pointers(cupy):
    x, y, by, n = operands(cupy)
    launcher.run([launch(x, y, by, n, None)])
    assert_array_equal(y._memory, 3 * x._memory)
    mask = held(cupy, np.arange(50, dtype=np.uint8) % 2)
    z = held(cupy, np.zeros(50, np.float32))
    launcher.run([launch(x, z, by, n, mask)])
    assert_array_equal(z._memory, 3 * x._memory * mask._memory)


@needs_emulator
def test_launches_run_in_their_order(cupy):
    x, y, by, n = operands(cupy)
    z = held(cupy, np.zeros(50, np.float32))
    launcher.run(launch(a, b, by, n, None) for a, b in ((x, y), (y, z)))
    assert_array_equal(z._memory, 9 * x._memory)


@needs_emulator
def test_a_file_is_compiled_once_for_each_set_of_macros_and_architecture(cupy):
    given = (*operands(cupy), None)
    for threads in (32, 64, 32, 64):
        launcher.run([launch(*given, threads=threads)])
    assert [c["options"][-1] for c in cupy.gpu.compiled] == ["-DTHREADS=32", "-DTHREADS=64"]
    assert len(cupy.gpu.launched) == 4
    on_another = (*(held(cupy, a._memory, 1) for a in given[:2]), *given[2:])
    launcher.run([launch(*on_another)])  # a GPU of the same kind: the same code
    assert len(cupy.gpu.compiled) == 2
    cupy.gpu.capability = "90"
    on_a_newer = (*(held(cupy, a._memory, 2) for a in given[:2]), *given[2:])
    launcher.run([launch(*on_a_newer)])
    assert len(cupy.gpu.compiled) == 3


@needs_emulator
def test_a_changed_header_is_another_key(cupy, tmp_path):
    given = (*operands(cupy), None)
    launcher.run([launch(*given)])
    (tmp_path / "part.cuh").write_text("#pragma once\n#define SCALE 4\n", encoding="utf-8")
    forget()  # as in another process
    launcher.run([launch(*given)])
    first, second = (c["options"] for c in cupy.gpu.compiled)
    assert cupy.gpu.compiled[0]["code"] == cupy.gpu.compiled[1]["code"]
    changed = [o for o, p in zip(first, second, strict=True) if o != p]
    assert len(changed) == 1 and re.fullmatch("-DMINIGAN_HEADERS=0x[0-9a-f]{16}", changed[0])
    assert_array_equal(given[1]._memory, 6 * given[0]._memory)


@needs_emulator
def test_room_for_shared_memory_is_asked_for_above_48_kib(cupy):
    given = (*operands(cupy), None)
    launcher.run([launch(*given, shared=60 * 1024)])  # the stand-in checks the room
    launcher.run([launch(*given, shared=90 * 1024, architecture=80)])
    launcher.run([launch(*given, shared=1024)])
    kernel = launcher._kernel("scale.cu", "scale", ("-DTHREADS=32",), 0)
    assert kernel.max_dynamic_shared_size_bytes == 90 * 1024


def test_the_gpu_must_have_the_architecture_and_the_shared_memory(cupy):
    given = (*operands(cupy), None)
    cupy.gpu.capability = "75"
    given = (*(held(cupy, a._memory) for a in given[:2]), *given[2:])
    with pytest.raises(LaunchError, match=r"scale needs a GPU of compute capability 80.* has 75"):
        launcher.run([launch(*given, architecture=80)])
    cupy.gpu.capability = "86"
    given = (*(held(cupy, a._memory) for a in given[:2]), *given[2:])
    message = r"scale needs 122880 bytes of shared memory, .*\(compute capability 86\) has 101376"
    with pytest.raises(LaunchError, match=message):
        launcher.run([launch(*given, shared=120 * 1024, architecture=80)])
    assert not cupy.gpu.launched


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, np.zeros(50, np.float32), r"argument 0 \(float \*\): expected a CuPy array, got nd"),
        (0, np.float32(1), r"argument 0 \(float \*\): expected a CuPy array, got float32"),
        (3, np.int64(50), r"argument 3 \(int\): expected int32, got int64"),
        (3, None, r"argument 3 \(int\): expected a NumPy scalar, got NoneType"),
        (2, None, r"argument 2 \(Pair\): expected a NumPy scalar, got NoneType"),
    ],
)
def test_an_argument_of_another_kind_is_one_clear_sentence(cupy, position, value, message):
    given = [*operands(cupy), None]
    given[position] = value
    with pytest.raises(LaunchError, match=message):
        launcher.run([launch(*given)])
    assert not cupy.gpu.launched


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (np.zeros(50), r"argument 0 \(float \*\): expected elements of float32, got float64"),
        (np.zeros(100, np.float32)[::2], r"argument 0 .* expected contiguous memory, got strides"),
        (np.zeros(202, np.uint8)[2:].view(np.float32), r"argument 0 .* address is no multiple"),
    ],
    ids=["dtype", "strided", "misaligned"],
)
def test_an_array_that_the_kernel_cannot_read_is_one_clear_sentence(cupy, memory, message):
    _, *others = operands(cupy)
    with pytest.raises(LaunchError, match=message):
        launcher.run([launch(held(cupy, memory), *others, None)])
    assert not cupy.gpu.launched


def test_there_must_be_as_many_arguments_as_parameters_and_one_gpu(cupy):
    x, y, *others = operands(cupy)
    with pytest.raises(LaunchError, match="scale has 5 parameters, 4 were given"):
        launcher.run([launch(x, y, *others)])
    elsewhere = held(cupy, y._memory, 1)
    with pytest.raises(LaunchError, match=r"expected arrays on one GPU, .* on GPUs \[0, 1\]"):
        launcher.run([launch(x, elsewhere, *others, None)])
    with pytest.raises(LaunchError, match="expected arrays on one GPU, got arrays on no GPU"):
        launcher.run([launch(None, None, *others, None)])
    assert not cupy.gpu.launched


def test_a_launch_says_what_it_takes(cupy):
    assert launcher.resources(launch(*operands(cupy), None, shared=1024)) == (40, 1040)


def test_a_kernels_parameters_are_read_from_its_source(cupy):
    kinds = ("float *", "float *", "Pair", "int", "unsigned char *")
    assert launcher.signature("scale.cu", "scale") == kinds
    assert launcher.signature("scale.cu", "nothing") == ()
    with pytest.raises(LaunchError, match=r"scale\.cu has no kernel commented"):
        launcher.signature("scale.cu", "commented")


@needs_emulator
def test_the_sources_own_types_are_those_that_the_compiler_sees():
    """The launcher reads declarations as g++ does, in every kernel of the project."""
    from kernels import gate

    letters = {kind: np.dtype(name).str[1:] for kind, name in launcher._ELEMENTS.items()}
    one_of_each = {file: (defines, least) for file, defines, least in gate.configurations()}
    for file, (defines, least) in one_of_each.items():
        macros = tuple(f"-D{name}={value}" for name, value in defines)
        module = driver.Module(kernel_folder() / file, macros, least)
        for name in module.names():
            read = launcher.signature(file, name)
            seen = module.signature(name)
            assert len(read) == len(seen)
            for ours, theirs in zip(read, seen, strict=True):
                assert ours.endswith("*") == theirs.startswith("*")
                element = letters.get(ours.removesuffix("*").strip())
                assert theirs.removeprefix("*") == element or theirs.lstrip("*")[0] == "V"


def test_options_name_the_language_the_folder_and_the_headers(cupy, tmp_path):
    standard, folder, headers, macro = launcher.options(("-DA=1",))
    assert (standard, folder, macro) == ("-std=c++17", f"-I{tmp_path}", "-DA=1")
    assert headers.startswith("-DMINIGAN_HEADERS=0x")


def test_the_capability_of_an_arrays_gpu(cupy):
    cupy.gpu.capability = "90"
    assert launcher.capability(held(cupy, np.zeros(2))) == 90
    assert launcher.capability(np.zeros(2)) is None


@needs_emulator
def test_a_plan_of_the_project_runs_through_the_launcher(monkeypatch):
    module = Cupy(GPU("80", devices=3))
    monkeypatch.setattr(arrays, "cupy", lambda: module)
    forget()
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4), np.float32)
    bias = np.arange(3, dtype=np.float32)
    y = np.full_like(x, np.nan)
    given = [held(module, a) for a in (x, bias, y)]
    launcher.run(pointwise.bias_act(*given, "relu"))
    assert_array_equal(y, np.maximum(x + bias[:, None, None], 0))
    forget()


# -- a launch as such


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../fprop.cu"}, r"expected the name of a \.cu file, got '\.\./fprop\.cu'"),
        ({"name": "a b"}, "'a b' is no kernel's name"),
        ({"grid": (0, 1, 1)}, r"grid \(0, 1, 1\) is outside"),
        ({"grid": (1, 65536, 1)}, r"grid \(1, 65536, 1\) is outside"),
        ({"block": (32, 64, 1)}, "at most 1024 threads"),
        ({"block": (1, 1, 128)}, "at most 1024 threads|outside"),
        ({"shared": 65537}, "a block of sm_75 has at most 65536 bytes of shared memory, got 65537"),
        ({"shared": -1}, "shared memory, got -1"),
    ],
)
def test_a_launch_outside_cudas_limits_is_refused(change, message):
    right = {"file": "a.cu", "name": "a", "defines": (), "grid": (1, 1, 1), "block": (32, 1, 1)}
    right |= {"shared": 0, "arguments": ()}
    Launch(**right)
    with pytest.raises(LaunchError, match=message):
        Launch(**right | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": (1, 1)}, "grid expects three integers"),
        ({"block": (1.0, 1, 1)}, "block expects three integers"),
        ({"defines": (("A", 1.5),)}, r"a macro is \(name, int\), got \('A', 1\.5\)"),
        ({"arguments": (3,)}, "argument 0 must be an array, None or a NumPy scalar, got int 3"),
    ],
)
def test_a_launch_of_values_of_another_kind_is_refused(change, message):
    right = {"file": "a.cu", "name": "a", "defines": (), "grid": (1, 1, 1), "block": (32, 1, 1)}
    right |= {"shared": 0, "arguments": ()}
    with pytest.raises(TypeError, match=message):
        Launch(**right | change)


def test_the_kernels_are_found_in_a_wheel_first_and_then_in_the_checkout(monkeypatch, tmp_path):
    place = tmp_path / "minigan" / "cuda" / "launch.py"
    monkeypatch.setattr("minigan.cuda.launch.__file__", str(place))
    with pytest.raises(RuntimeError, match=r"the CUDA kernels are in neither .* nor "):
        kernel_folder()
    for folder in (tmp_path / "kernels", tmp_path / "minigan" / "kernels"):
        folder.mkdir(parents=True)
        (folder / "a.cu").touch()
        assert kernel_folder() == folder


def test_float32_is_exact_unless_a_program_says_otherwise():
    assert cuda.allow_tf32 is False
    assert cuda.allow_bf16 is False
