"""Largest and smallest: values, places, who gets the gradient at a tie, NaN, dtypes, errors."""

import math
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import arrays, broadcasting_arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.extremes import amax, amin, argmax, argmin, max, maximum, min, minimum

PAIRS = [(maximum, lambda a, b: a if a > b else b), (minimum, lambda a, b: a if a < b else b)]
WHOLE = [(amax, argmax, max, 1), (amin, argmin, min, -1)]  # the sign that makes them the same
BOTH = pytest.mark.parametrize(("extreme", "argument", "along", "sign"), WHOLE, ids=["max", "min"])


def rounded(x):
    """With many ties, and with gaps in memory."""
    return in_layout(np.round(2 * x), "strided")


def spread(x):
    """Without any: the numbers in another order, at least 0.1 apart."""
    return (np.argsort(np.argsort(x.ravel())) / 5 - 0.3).reshape(x.shape)


@st.composite
def reductions(draw, **limits):
    """An array, some of its dimensions (one, or several, from either end), keepdim."""
    x = draw(arrays(min_side=1, **limits))
    dims = draw(st.lists(st.integers(0, x.ndim - 1), unique=True)) if x.ndim else []
    dims = tuple(d - x.ndim * draw(st.booleans()) for d in dims)
    return x, dims[0] if len(dims) == 1 and draw(st.booleans()) else dims, draw(st.booleans())


# ------------------------------------------------------------------------------ elementwise


@pytest.mark.parametrize(("f", "one"), PAIRS, ids=["maximum", "minimum"])
@given(operands=broadcasting_arrays(2))
def test_two_tensors_are_compared_element_by_element(f, one, operands):
    a, b = map(rounded, operands)
    shape = np.broadcast_shapes(a.shape, b.shape)
    wide = [np.broadcast_to(v, shape) for v in (a, b)]
    found = f(minigan.from_numpy(a), minigan.from_numpy(b)).numpy()
    assert found.shape == shape
    for place in np.ndindex(shape):
        assert found[place] == one(wide[0][place], wide[1][place])
    assert_array_equal(f(tensor(a), 0.5).numpy(), f(0.5, tensor(a)).numpy())


@pytest.mark.parametrize("f", [maximum, minimum])
@settings(max_examples=15)
@given(operands=broadcasting_arrays(2))
def test_the_larger_gets_the_gradient_to_order_3(f, operands):
    a, b = operands
    report = gradcheck(lambda a, b: f(a, b) ** 3, spread(a), spread(b) + 0.1, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)
    gradcheck(lambda a: f(a, 0.25) * a, spread(a), order=3, probes=1)


@pytest.mark.parametrize("f", [maximum, minimum])
def test_at_a_tie_both_get_half_and_with_a_nan_both_get_all(f):
    a = tensor([1.0, 2.0, nan, 1.0, nan], requires_grad=True)
    b = tensor([1.0, 5.0, 1.0, nan, nan], requires_grad=True)
    y = f(a, b)
    assert np.isnan(y.detach().numpy()).tolist() == [False, False, True, True, True]
    ga, gb = (g.tolist() for g in grad(y, (a, b), tensor([6.0, 1, 1, 1, 1])))
    assert (ga, gb) == (([3, 0, 1, 1, 1], [3, 1, 1, 1, 1]) if f is maximum else
                        ([3, 1, 1, 1, 1], [3, 0, 1, 1, 1]))  # fmt: skip
    assert grad(f(a, 1.0).sum(), a)[0].tolist()[0] == 0.5


def test_an_infinite_slope_does_not_reach_the_one_that_was_not_chosen():
    """√max(x, 0) at x < 0: the slope of the root is infinite, the gradient is 0."""
    x = tensor([-1.0, 4.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        assert grad(maximum(x, 0.0).sqrt().sum(), x)[0].tolist() == [0, 0.25]


# ------------------------------------------------------------------------------ over dimensions


@BOTH
@given(drawn=reductions())
def test_the_largest_over_dimensions_is_one_of_them_and_none_is_larger(
    extreme, argument, along, sign, drawn
):
    x, dim, keepdim = drawn
    x = rounded(x)
    axes = tuple(range(x.ndim)) if dim == () else tuple(d % x.ndim for d in np.atleast_1d(dim))
    found = extreme(minigan.from_numpy(x), dim, keepdim).numpy()
    wide = found if keepdim else np.expand_dims(found, axes)
    assert wide.shape == tuple(1 if d in axes else n for d, n in enumerate(x.shape))
    assert (sign * wide >= sign * x).all() and (wide == x).any(axes).all()
    assert extreme(tensor(x)).item() == along(tensor(x)).item() == sign * (sign * x).max()


@BOTH
@given(x=arrays(min_side=1, min_dims=1), data=st.data())
def test_along_one_dimension_the_first_of_the_tied_is_named(
    extreme, argument, along, sign, x, data
):
    x = rounded(x)
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    values, indices = along(minigan.from_numpy(x), dim)
    assert indices.dtype == np.int64
    assert_array_equal(indices.numpy(), argument(tensor(x), dim).numpy())
    kept = along(tensor(x), dim, keepdim=True)
    assert_array_equal(kept.values.squeeze(dim).numpy(), values.numpy())
    assert_array_equal(kept.indices.numpy(), argument(tensor(x), dim, keepdim=True).numpy())
    moved = np.moveaxis(x, dim, -1)
    for place in np.ndindex(moved.shape[:-1]):
        row = list(sign * moved[place])
        best = builtin_max(row)
        assert values.numpy()[place] == sign * best
        assert indices.numpy()[place] == row.index(best)
    flat = list(sign * x.ravel())
    assert argument(tensor(x)).item() == flat.index(builtin_max(flat))


def builtin_max(row):
    return sorted(row)[-1]


@BOTH
@settings(max_examples=15)
@given(drawn=reductions())
def test_gradients_are_right_to_order_3_without_ties(extreme, argument, along, sign, drawn):
    x, dim, keepdim = drawn
    x = spread(x)
    functions = [lambda x: extreme(x, dim, keepdim), along]
    if isinstance(dim, int):
        functions.append(lambda x: along(x, dim, keepdim).values)
    for f in functions:
        report = gradcheck(lambda x, f=f: f(x) ** 3, x, order=3, probes=1)
        assert all(row.method == "complex" for row in report.rows)


@BOTH
def test_at_a_tie_all_share_but_along_a_dimension_the_first_gets_all(
    extreme, argument, along, sign
):
    x = tensor(sign * np.array([[3.0, 1, 3], [2, 2, 2]]), requires_grad=True)
    assert grad(extreme(x, 1).sum(), x)[0].tolist() == [[0.5, 0, 0.5], [1 / 3] * 3]
    assert grad(extreme(x), x)[0].tolist() == [[0.5, 0, 0.5], [0, 0, 0]]
    assert grad(along(x), x)[0].tolist() == [[0.5, 0, 0.5], [0, 0, 0]]
    assert grad(along(x, 1).values.sum(), x)[0].tolist() == [[1, 0, 0], [1, 0, 0]]


@BOTH
def test_gradcheck_at_ties_agrees_with_the_shares(extreme, argument, along, sign):
    """The complex step shares the imaginary part as the gradient is shared."""
    x = np.array([[3.0, 1, 3], [2, 2, 2]])
    assert gradcheck(lambda x: extreme(x, 1) ** 2, sign * x, order=1).ok


@BOTH
def test_a_nan_is_the_extreme_and_gets_the_gradient(extreme, argument, along, sign):
    x = tensor([1.0, nan, 5.0, -inf, nan, inf], requires_grad=True)
    assert math.isnan(extreme(x).item()) and argument(x).item() == along(x, 0).indices.item() == 1
    assert math.isnan(along(x, 0).values.item())
    assert (
        grad(extreme(x), x)[0].tolist() == grad(along(x), x)[0].tolist() == [0, 0.5, 0, 0, 0.5, 0]
    )


# ------------------------------------------------------------------------------ dtypes, errors


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float16", "float32"])
def test_every_dtype_stays_as_it_is_at_its_limits_too(dtype):
    low, high = (0, 1) if dtype == "bool" else (
        (np.iinfo(dtype).min, np.iinfo(dtype).max) if "int" in dtype else (-inf, inf)
    )  # fmt: skip
    x = tensor(np.array([high, low, high], dtype))
    y = tensor(np.array([low, low, high], dtype))
    for found, expected in (
        (amax(x), high),
        (amin(x), low),
        (max(x), high),
        (min(x), low),
        (max(x, 0).values, high),
        (min(x, 0).values, low),
        (maximum(x, y), [high, low, high]),
        (minimum(x, y), [low, low, high]),
        (max(x, y), [high, low, high]),
        (min(x, y), [low, low, high]),
    ):
        assert found.dtype == dtype and found.tolist() == expected


def test_operands_are_brought_to_one_dtype():
    x, n = minigan.ones(2), tensor([0, 2])
    assert maximum(x, n).dtype == np.float32 and maximum(n, 1).dtype == np.int64
    assert minimum(n, 0.5).dtype == np.float32
    assert minimum(x, tensor(2.0, dtype="float64")).dtype == np.float32


def test_the_gradient_of_a_float32_is_one():
    array = in_layout(numbers(0, (3, 4), dtype=np.float32), "strided")
    x = minigan.from_numpy(array).requires_grad_()
    for y in (amax(x, 0), amin(x), max(x, 1).values, maximum(x, 0.0), minimum(x, x * 2)):
        assert y.dtype == grad(y.sum(), x)[0].dtype == np.float32


def test_numpy_names_are_understood():
    x = tensor(numbers(0, (2, 3)))
    assert (
        amax(x, axis=1, keepdims=True).shape == max(x, axis=1, keepdims=True).values.shape == (2, 1)
    )
    assert argmax(x, axis=0).shape == (3,)


X, E = minigan.ones(2, 3), minigan.zeros(2, 0)
ERRORS = [
    (lambda: amax(E), RuntimeError, r"amax: of no elements \(shape \(2, 0\)\); give dim"),
    (lambda: min(E), RuntimeError, "min: of no elements"),
    (
        lambda: amin(E, 1),
        IndexError,
        r"amin: expected dimensions \(1,\) not to be empty, got shape",
    ),
    (lambda: max(E, -1), IndexError, r"max: expected dimensions \(1,\) not to be empty"),
    (lambda: argmax(E), IndexError, r"argmax: expected dimensions \(0, 1\) not to be empty"),
    (lambda: amax(X, 2), IndexError, "amax: dimension out of range"),
    (lambda: amax(X, (0, -2)), RuntimeError, "amax: a dimension appears more than once"),
    (lambda: argmin(X, -3), IndexError, "argmin: dimension out of range"),
    (
        lambda: maximum(X, X.t()),
        RuntimeError,
        r"maximum: shapes \(2, 3\) and \(3, 2\) do not broad",
    ),
    (lambda: minimum(1.0, 2.0), TypeError, "minimum: expected at least one Tensor"),
    (lambda: amax([1.0]), TypeError, "amax: expected a Tensor, got list"),
    (lambda: maximum(X, "1"), TypeError, "maximum: expected Tensors, arrays or numbers, got str"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error


def test_an_empty_dimension_beside_the_one_reduced_is_fine():
    assert amax(E, 0).shape == argmin(E, 0).shape == max(E, 0).values.shape == (0,)
