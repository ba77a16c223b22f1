"""Every kernel compiles, without a GPU, for the architectures it is for, into what it should be.

The ladder of convolutions is in test_gate_ladder.py.
"""

import json

import pytest

from kernels import gate
from minigan.cuda.launch import kernel_folder

reason = gate.unavailable()
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))
DISASSEMBLED = pytest.mark.skipif(
    gate.disassembler() is None, reason="reading instructions needs nvidia-cuda-nvdisasm"
)

ALL = gate.configurations()
CONFIGURATIONS = [c for c in ALL if "RUNG" not in dict(c[1])]
NAMES = [gate.spelled(file, defines) for file, defines, _ in CONFIGURATIONS]
EVERY = pytest.mark.parametrize(("file", "defines", "least"), CONFIGURATIONS, ids=NAMES)
VECTORS = {
    gate.spelled(file, defines): (file, defines, least)
    for file, defines, least in CONFIGURATIONS
    if "VECTOR" in dict(defines) and file != "images.cu"
}


def test_every_kernel_file_is_compiled_by_some_plan():
    assert {path.name for path in kernel_folder().glob("*.cu")} == {file for file, *_ in ALL}


def test_the_table_of_registers_has_a_row_for_each_configuration_and_no_other():
    table = json.loads(gate.TABLE.read_text(encoding="utf-8"))["registers"]
    assert set(table) == {gate.spelled(file, defines) for file, defines, _ in ALL}


@EVERY
def test_it_compiles_without_a_warning_a_spill_or_local_memory(file, defines, least):
    gate.check_code(file, defines, least)


@EVERY
def test_it_takes_as_many_registers_as_the_table_says(file, defines, least):
    """``python tests/kernels/gate.py`` writes the table anew."""
    gate.check_registers(file, defines, least)


@DISASSEMBLED
@pytest.mark.parametrize("file", ["optim.cu", "network.cu"])
def test_arrays_of_a_network_are_loaded_whole(file):
    for _, name, counts in gate.of_kernels(file, (), 75):
        if name not in ("adam_step", "settings", "total_norm"):
            assert gate.some(counts, "LDG", part=".128"), name


@DISASSEMBLED
@pytest.mark.parametrize(("file", "defines", "least"), VECTORS.values(), ids=VECTORS)
def test_vectors_of_four_are_loaded_whole(file, defines, least):
    found = gate.of_kernels(file, defines, least)
    wide = {a for a, _, counts in found if gate.some(counts, "LDG", part=".128")}
    assert wide == (set(gate.architectures(least)) if dict(defines)["VECTOR"] == 4 else set())


@DISASSEMBLED
@pytest.mark.parametrize("width", [1, 4])
def test_four_bytes_of_an_image_are_loaded_at_once(width):
    for _, _, counts in gate.of_kernels("images.cu", (("VECTOR", width),), 75):
        assert bool(gate.some(counts, "LDG", part=".U8")) == (width == 1)


# -- the gate itself


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("int unused; y[0] = 1;", "never referenced"),
        ("y[0] = z;", 'identifier "z" is undefined'),
        (
            "float a[64]; for (int i = 0; i < 64; i++) a[i] = y[i]; "
            "a[int(y[64])] += 1; y[0] = a[int(y[65])];",
            "ocal memory",
        ),
    ],
)
def test_the_gate_sees_warnings_errors_and_local_memory(tmp_path, body, complaint):
    kernel = f'extern "C" __global__ void wrong(float* y) {{ {body} }}\n'
    (tmp_path / "wrong.cu").write_text(kernel, encoding="utf-8")
    built = gate.build("wrong.cu", (), 80, tmp_path)
    assert any(complaint in line for line in built.complaints), built.log


def test_the_gate_reads_what_a_kernel_takes(tmp_path):
    source = """
        extern "C" __global__ void small(float* y) { y[threadIdx.x] = 1.0f; }
        extern "C" __global__ void large(float* y, int by) {
            __shared__ float tile[256];
            tile[threadIdx.x] = y[threadIdx.x];
            __syncthreads();
            float4 v = reinterpret_cast<float4*>(tile)[by];
            y[threadIdx.x] = v.x * v.y + v.z * v.w;
        }
        """
    (tmp_path / "two.cu").write_text(source, encoding="utf-8")
    built = gate.build("two.cu", (), 80, tmp_path)
    assert not built.complaints
    small, large = built.kernels["small"], built.kernels["large"]
    assert small.shared == 0 and large.shared == 1024
    assert 0 < small.registers < large.registers
    if gate.disassembler() is not None:
        found = gate.instructions(built)
        assert found["large"]["LDS.128"] == 1
        assert not any(i.startswith("LDS") for i in found["small"])
