"""The ladder compiles without a GPU, and the instructions of each rung are those it is about."""

import pytest

from kernels import gate

reason = gate.unavailable()
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))
DISASSEMBLED = pytest.mark.skipif(
    gate.disassembler() is None, reason="reading instructions needs nvidia-cuda-nvdisasm"
)

CONFIGURATIONS = [c for c in gate.configurations() if "RUNG" in dict(c[1])]
NAMES = [gate.spelled(file, defines) for file, defines, _ in CONFIGURATIONS]
EVERY = pytest.mark.parametrize(("file", "defines", "least"), CONFIGURATIONS, ids=NAMES)
ONE_OF_EACH = {  # one tile of each rung, without and with 16-byte loads of the filter
    f"{file} RUNG={dict(defines)['RUNG']} WIDE={dict(defines).get('WIDE', 0)}": (
        file,
        defines,
        least,
    )
    for file, defines, least in CONFIGURATIONS
}


@EVERY
def test_it_compiles_without_a_warning_a_spill_or_local_memory(file, defines, least):
    gate.check_code(file, defines, least)


@EVERY
def test_it_takes_as_many_registers_as_the_table_says(file, defines, least):
    """``python tests/kernels/gate.py`` writes the table anew."""
    gate.check_registers(file, defines, least)


@DISASSEMBLED
@pytest.mark.parametrize(
    ("file", "defines", "least"), ONE_OF_EACH.values(), ids=map(str, ONE_OF_EACH)
)
def test_the_instructions_are_those_of_the_rung(file, defines, least):
    """2: 16-byte loads; 3: cp.async; 4, 5: tensor cores; and nothing below has them."""
    macros, some = dict(defines), gate.some
    rung = macros["RUNG"]
    assert least == (80 if rung >= 3 else 75)
    for architecture, name, counts in gate.of_kernels(file, defines, least):
        if name != file.removesuffix(".cu"):
            continue  # what prepares or adds up for it
        where = f"{name} on sm_{architecture}: {dict(counts)}"
        assert bool(some(counts, "LDGSTS")) == (rung >= 3), where
        assert bool(some(counts, "LDG.", part=".128")) == ("WIDE" in macros), where
        if rung in (2, 3):
            assert some(counts, "LDS", part=".128"), where
        if rung < 4:
            assert some(counts, "FFMA") and not some(counts, "HMMA"), where
        else:
            precision = "TF32" if rung == 4 else "BF16"
            assert some(counts, "HMMA") == some(counts, "HMMA", part=precision) != [], where
