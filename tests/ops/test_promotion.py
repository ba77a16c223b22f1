"""Result dtypes: PyTorch's rules, written out by hand, and every operator keeping to them.

From PyTorch's documentation of ``torch.result_type``: categories rank bool < integer < float <
complex.  Operands with dimensions decide.  A 0-d operand, and after it a Python number, changes
the result only if its category is higher.  Within a category the wider dtype wins.  A complex
number among floats keeps their precision.
"""

import operator

import numpy as np
import pytest

import minigan
from minigan import tensor
from minigan.array import promote_dtypes, result_dtype

# c8 and c16 are NumPy's short names of complex64 and complex128.
SAME_SHAPE = """
         bool     uint8    int32    int64    float16  float32  float64  c8       c16
bool     bool     uint8    int32    int64    float16  float32  float64  c8       c16
uint8    uint8    uint8    int32    int64    float16  float32  float64  c8       c16
int32    int32    int32    int32    int64    float16  float32  float64  c8       c16
int64    int64    int64    int64    int64    float16  float32  float64  c8       c16
float16  float16  float16  float16  float16  float16  float32  float64  c8       c16
float32  float32  float32  float32  float32  float32  float32  float64  c8       c16
float64  float64  float64  float64  float64  float64  float64  float64  c16      c16
c8       c8       c8       c8       c8       c8       c8       c16      c8       c16
c16      c16      c16      c16      c16      c16      c16      c16      c16      c16
"""
# Rows: the operand with dimensions.  Columns: the 0-d one.
WITH_0D = """
         bool     uint8    int32    int64    float16  float32  float64  c8       c16
bool     bool     uint8    int32    int64    float16  float32  float64  c8       c16
uint8    uint8    uint8    uint8    uint8    float16  float32  float64  c8       c16
int32    int32    int32    int32    int32    float16  float32  float64  c8       c16
int64    int64    int64    int64    int64    float16  float32  float64  c8       c16
float32  float32  float32  float32  float32  float32  float32  float32  c8       c8
float64  float64  float64  float64  float64  float64  float64  float64  c16      c16
c8       c8       c8       c8       c8       c8       c8       c8       c8       c8
"""
# Columns: True, 2, 0.5, 1j.  The same whether the operand has dimensions or not.
WITH_NUMBER = """
         True     2        0.5      1j
bool     bool     int64    float32  c8
uint8    uint8    uint8    float32  c8
int32    int32    int32    float32  c8
int64    int64    int64    float32  c8
float16  float16  float16  float16  c8
float32  float32  float32  float32  c8
float64  float64  float64  float64  c16
c8       c8       c8       c8       c8
"""


def cases(table):
    header, *rows = [line.split() for line in table.strip().splitlines()]
    return [
        (row[0], name, result) for row in rows for name, result in zip(header, row[1:], strict=True)
    ]


@pytest.mark.parametrize(("a", "b", "expected"), cases(SAME_SHAPE))
def test_two_operands_of_a_kind(a, b, expected):
    assert result_dtype(np.ones(2, a), np.ones((1, 2), b)) == expected
    assert result_dtype(np.ones((), a), np.ones((), b)) == expected
    assert promote_dtypes(np.dtype(a), np.dtype(b)) == expected


@pytest.mark.parametrize(("a", "b", "expected"), cases(WITH_0D))
def test_an_operand_with_dimensions_and_one_without(a, b, expected):
    assert result_dtype(np.ones(2, a), np.ones((), b)) == expected
    assert result_dtype(np.ones((), b), np.ones(2, a)) == expected


@pytest.mark.parametrize(("a", "number", "expected"), cases(WITH_NUMBER))
def test_a_python_number_beside_a_tensor(a, number, expected):
    number = {"True": True, "2": 2, "0.5": 0.5, "1j": 1j}[number]
    for shape in ((), (2,)):
        assert result_dtype(np.ones(shape, a), number) == expected
        assert result_dtype(number, np.ones(shape, a)) == expected


def test_all_three_ranks_together():
    ints, half, single = np.ones(2, "int32"), np.ones((), "float16"), np.ones((), "float32")
    assert result_dtype(ints, half, 0.5) == "float16"
    assert result_dtype(ints, single, half) == "float32"
    assert result_dtype(np.ones(2, bool), np.ones((), "uint8"), 3) == "uint8"
    assert result_dtype(1, True) == "int64"
    assert result_dtype(1, 2.0) == "float32"


def test_python_floats_follow_the_default_dtype():
    minigan.set_default_dtype("float64")
    try:
        assert result_dtype(np.ones(2, "int64"), 0.5) == "float64"
        assert result_dtype(np.ones(2, "float32"), 0.5) == "float32"
        assert result_dtype(np.ones(2, "int64"), 1j) == "complex128"
        assert (tensor([1]) / tensor([2])).dtype == "float64"
    finally:
        minigan.set_default_dtype("float32")


DTYPES = ("bool", "uint8", "int64", "float16", "float32", "float64")


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", [*DTYPES, True, 2, 0.5, np.float64(0.5), np.int32(2)])
def test_operators_give_the_result_dtype_and_division_a_float(a, b):
    x = minigan.ones(2, dtype=a)
    y = minigan.ones(2, dtype=b) if isinstance(b, str) else b
    plain = b.item() if isinstance(b, np.generic) else b
    expected = result_dtype(x.numpy(), y.numpy() if isinstance(b, str) else plain)
    for operation in (operator.add, operator.mul, minigan.pow):
        if expected.kind != "b" or operation is operator.add:
            assert operation(x, y).dtype == operation(y, x).dtype == expected
    if expected.kind != "b":
        assert (x - y).dtype == (y - x).dtype == expected
    quotient = expected if expected.kind == "f" else np.float32
    assert (x / y).dtype == (y / x).dtype == quotient
    assert minigan.where(x > 0, x, y).dtype == minigan.where(x > 0, y, x).dtype == expected


def test_0d_tensors_do_not_widen_tensors_with_dimensions():
    x, scale = minigan.ones(2, requires_grad=True), tensor(2.0, dtype="float64", requires_grad=True)
    y = x * scale
    assert y.dtype == np.float32
    gx, gs = minigan.grad(y.sum(), (x, scale))
    assert (gx.dtype, gs.dtype, gs.shape) == (np.float32, np.float64, ())


def test_where_of_two_numbers_has_their_common_dtype():
    mask = tensor([True, False])
    for a, b, dtype in (
        (1, 2, "int64"),
        (1, 2.5, "float32"),
        (True, False, "bool"),
        (0.5, 1, "float32"),
    ):
        found = minigan.where(mask, a, b)
        assert found.dtype == dtype and found.tolist() == [a, b]
    assert minigan.where(mask, np.float32(1.5), np.float64(2.5)).dtype == np.float32


@pytest.mark.parametrize(
    "f", [minigan.exp, minigan.log, minigan.sqrt, minigan.tanh, minigan.sigmoid]
)
def test_functions_of_integers_give_the_default_float(f):
    for dtype in ("int64", "uint8", "bool"):
        assert f(minigan.ones(2, dtype=dtype)).dtype == np.float32


def test_clamp_with_a_float_limit_makes_integers_floats():
    x = tensor([1, 5])
    assert minigan.clamp(x, 2, 4).dtype == np.int64
    found = minigan.clamp(x, 1.5, None)
    assert found.dtype == np.float32 and found.tolist() == [1.5, 5]
    assert minigan.clamp(minigan.ones(2), np.float64(0.5)).dtype == np.float32
