"""Bugs planted in the project's own kernels, in a copy: each is caught without a GPU.

Caught means: the emulator reports it, or a result differs from the exact one in some order of
threads, or the gate complains.  The kernels as they are pass the same checks.
"""

from dataclasses import dataclass

import pytest
from emulator import driver
from kernels.cases import CASES, patched
from machine import needs_emulator

from kernels import gate
from minigan.cuda.launch import kernel_folder

SEEDS = range(4)


@dataclass
class Bug:
    """``before`` in ``file`` becomes ``after``; the case of this name shows it."""

    name: str
    file: str
    before: str
    after: str
    case: str


def complaints(file, rung, folder):
    """What the gate says against a rung on an architecture that it runs on."""
    (*_, (_, defines, least)) = [
        (name, defines, least)
        for name, defines, least in gate.configurations()
        if name == file and dict(defines)["RUNG"] == rung
    ]
    built = gate.build(file, defines, max(80, least), folder)
    kept = [k for k in built.kernels.values() if k.stack or k.spills]
    return built.complaints + kept


EMULATED = [
    Bug(
        "no barrier before the tile is read",
        "tile_gemm.cuh",
        "__syncthreads();  // the tile is complete",
        "",
        "fprop 2",
    ),
    Bug(
        "no barrier before the tile is overwritten",
        "tile_gemm.cuh",
        "__syncthreads();  // nobody reads it any more",
        "",
        "fprop 1",
    ),
    Bug(
        "no barrier between the stages",
        "tile_gemm.cuh",
        "__syncthreads();                    // and everybody's",
        "// and everybody's",
        "fprop 3",
    ),
    Bug(
        "cp.async waited for a stage too late",
        "tile_gemm.cuh",
        "__pipeline_wait_prior(STAGES - 2);",
        "__pipeline_wait_prior(STAGES - 1);",
        "fprop 3",
    ),
    Bug(
        "tensor cores fed before the copy has arrived",
        "tile_gemm.cuh",
        "__pipeline_wait_prior(STAGES - 2);",
        "",
        "dgrad 4",
    ),
    Bug(
        "one row of the image too many",
        "loaders.cuh",
        "(unsigned)(pixel.h + tap.h) < (unsigned)conv.H",
        "(unsigned)(pixel.h + tap.h) <= (unsigned)conv.H",
        "fprop 2",
    ),
    Bug(
        "one output channel too many",
        "output.cuh",
        "if (row < conv.K) to[row",
        "if (row <= conv.K) to[row",
        "fprop 1",
    ),
    Bug(
        "the end of the depth one too far",
        "loaders.cuh",
        "depth + d < matrix.last",
        "depth + d <= matrix.last",
        "wgrad 2",
    ),
    Bug(
        "every residue class takes the taps of the first",
        "dgrad.cu",
        "const Conv& conv = classes.conv[blockIdx.y];",
        "const Conv& conv = classes.conv[0];",
        "dgrad 2",
    ),
    Bug(
        "a residue class is written where its neighbour belongs",
        "output.cuh",
        "conv.out_first_w + q * conv.out_stride_w",
        "conv.out_first_h + q * conv.out_stride_w",
        "dgrad 2",
    ),
    Bug("sums that start from nothing", "fprop.cu", "Sums sums = {};", "Sums sums;", "fprop 2"),
    Bug("the last split left out", "wgrad.cu", "split < splits;", "split + 1 < splits;", "wgrad 2"),
    Bug(
        "a block's sum read before its warps have written theirs",
        "streams.cuh",
        "scratch[threadIdx.x / 32] = value;\n  __syncthreads();",
        "scratch[threadIdx.x / 32] = value;",
        "batch_norm",
    ),
    Bug(
        "a block that takes the array before its own",
        "segments.cuh",
        "table.first[middle] <= blockIdx.x",
        "table.first[middle] < blockIdx.x",
        "adam",
    ),
    Bug(
        "the end of an array one too far",
        "segments.cuh",
        "if (i + k < end) to[i + k]",
        "if (i + k <= end) to[i + k]",
        "adam",
    ),
    Bug("nine rounds of ten", "random.cu", "round < 10", "round < 9", "random"),
    Bug(
        "a gradient at the wrong end of its kink",
        "elementwise.cu",
        ": y > 0.f                  ? 1.f",
        ": y < 0.f                  ? 1.f",
        "rectified",
    ),
    Bug(
        "the images of the first places, whatever is chosen",
        "images.cu",
        "(size_t)chosen[i]",
        "(size_t)i",
        "gathered",
    ),
    Bug(
        "ties away from zero",
        "rounding.cu",
        "0x7fffu + (bits >> 16 & 1u)",
        "0x8000u",
        "ties",
    ),
    Bug(
        "the blocks' sums not all added",
        "network.cu",
        "i < count; i += THREADS",
        "i < count - 1; i += THREADS",
        "clipped",
    ),
    Bug(
        "the warps of a block not all added",
        "thin_wgrad.cu",
        "warp < WARPS",
        "warp < WARPS - 1",
        "thin_wgrad",
    ),
]


def wrong(name, folder):
    """What the emulator says against a case, or None; every seed is tried."""
    for seed in SEEDS:
        try:
            if not CASES[name]().right(folder=folder, seed=seed):
                return f"wrong numbers under seed {seed}"
        except driver.EmulatorError as error:
            return str(error)
    return None


missing = gate.unavailable()
compiled = pytest.mark.skipif(missing is not None, reason=str(missing))


@needs_emulator
@pytest.mark.parametrize("name", sorted({bug.case for bug in EMULATED}))
def test_the_kernels_as_they_are_pass(name):
    assert wrong(name, kernel_folder()) is None


@needs_emulator
@pytest.mark.parametrize("bug", EMULATED, ids=lambda bug: bug.name)
def test_the_emulator_catches(tmp_path, bug):
    folder = patched(kernel_folder(), tmp_path / "kernels", bug.file, bug.before, bug.after)
    assert wrong(bug.case, folder) is not None


GATED = [
    Bug(
        "sums indexed by what is known at run time only, so they lie in local memory",
        "tile_gemm.cuh",
        "sums.at[i][j] = fmaf(a[i], b[j], sums.at[i][j]);",
        "sums.at[(i + threadIdx.x) % 8][j] = fmaf(a[i], b[j], sums.at[i][j]);",
        "fprop 2",
    ),
    Bug(
        "more blocks asked for than there are registers",
        "fprop.cu",
        "__launch_bounds__(THREADS, BLOCKS)",
        "__launch_bounds__(THREADS, 2048 / THREADS)",
        "fprop 2",
    ),
    Bug(
        "a variable that nobody needs",
        "wgrad.cu",
        "  Sums sums = {};",
        "  Sums sums = {};\n  int forgotten = 0;",
        "wgrad 1",
    ),
]


@compiled
@pytest.mark.parametrize("name", sorted({bug.case for bug in GATED}))
def test_the_gate_lets_the_kernels_as_they_are_through(name):
    routine, rung = name.split()
    assert not complaints(f"{routine}.cu", int(rung), kernel_folder())


@compiled
@pytest.mark.parametrize("bug", GATED, ids=lambda bug: bug.name)
def test_the_gate_catches(tmp_path, bug):
    folder = patched(kernel_folder(), tmp_path / "kernels", bug.file, bug.before, bug.after)
    routine, rung = bug.case.split()
    assert complaints(f"{routine}.cu", int(rung), folder)
