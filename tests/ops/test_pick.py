"""Elements picked out by index arrays, and masks: one by one, with the errors of bad indices."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import arrays, broadcast_shapes, in_layout, layouts, numbers, seeds, shapes

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.arrange import gather, index_select, masked_fill, one_hot, take_along_dim


@st.composite
def picks(draw, least=0):
    """An array, a dimension and indices into it, no longer elsewhere than the array."""
    shape = draw(shapes(min_dims=1, min_side=1))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = [draw(st.integers(least, n)) for n in shape]
    lengths[dim] = draw(st.integers(least, 4))
    index = np.random.default_rng(draw(seeds)).integers(0, shape[dim], lengths)
    return draw(arrays(shape=shape)), dim, in_layout(index, draw(layouts))


@given(picks())
def test_gather_picks_one_entry_along_dim_for_every_index(drawn):
    x, dim, index = drawn
    found = gather(minigan.from_numpy(x), dim, minigan.from_numpy(index)).numpy()
    assert found.shape == index.shape
    for place in np.ndindex(index.shape):
        source = list(place)
        source[dim] = index[place]
        assert found[place] == x[tuple(source)]


@given(picks(least=1), st.data())
def test_take_along_dim_broadcasts_and_counts_from_the_end_too(drawn, data):
    x, dim, index = drawn
    n = x.shape[dim]
    shape = [index.shape[d] if d == dim % x.ndim else data.draw(st.sampled_from([1, m]))
             for d, m in enumerate(x.shape)]  # fmt: skip
    index = np.resize(index, shape) - n * data.draw(st.booleans())
    found = take_along_dim(tensor(x), tensor(index), dim).numpy()
    assert found.shape == tuple(
        index.shape[d] if d == dim % x.ndim else m for d, m in enumerate(x.shape)
    )
    for place in np.ndindex(found.shape):
        source = list(place)
        source[dim] = index[tuple(min(i, m - 1) for i, m in zip(place, index.shape, strict=True))]
        assert found[place] == x[tuple(source)]
    flat = data.draw(st.lists(st.integers(0, x.size - 1), min_size=1))
    assert_array_equal(take_along_dim(tensor(x), tensor(flat)).numpy(), x.ravel()[flat])


@given(picks())
def test_index_select_takes_whole_slices_in_the_order_of_the_index(drawn):
    x, dim, index = drawn
    index = index.ravel()
    found = index_select(minigan.from_numpy(x), dim, tensor(index)).numpy()
    assert found.shape == x.shape[: dim % x.ndim] + index.shape + x.shape[dim % x.ndim + 1 :]
    for k, i in enumerate(index):
        assert_array_equal(np.take(found, k, dim), np.take(x, i, dim))


@given(broadcast_shapes(2), seeds, layouts)
def test_masked_fill_puts_the_value_where_the_mask_holds(drawn, seed, layout):
    x, mask = numbers(seed, drawn[0]), in_layout(numbers(seed + 1, drawn[1]) > 0, layout)
    shape = np.broadcast_shapes(*drawn)
    for value in (-math.inf, 7, tensor(2.5)):
        found = masked_fill(tensor(x), tensor(mask), value).numpy()
        assert found.shape == shape
        number = value if not isinstance(value, minigan.Tensor) else value.item()
        wide, held = np.broadcast_to(x, shape), np.broadcast_to(mask, shape)
        for place in np.ndindex(shape):
            assert found[place] == (number if held[place] else wide[place])


@given(shapes(), seeds, st.integers(5, 7))
def test_one_hot_has_a_single_one_at_the_class(shape, seed, classes):
    labels = np.random.default_rng(seed).integers(0, 5, shape)
    found = one_hot(tensor(labels), classes)
    assert found.shape == (*shape, classes) and found.dtype == np.int64
    for place in np.ndindex(shape):
        assert found.numpy()[place].tolist() == [int(c == labels[place]) for c in range(classes)]
    if labels.size:
        assert one_hot(tensor(labels)).shape[-1] == labels.max() + 1
    assert one_hot(tensor(labels, dtype="uint8"), classes).tolist() == found.tolist()


def test_zero_dimensional_inputs_are_vectors_of_one():
    x, zero = tensor(3.0), tensor(0)
    assert gather(x, 0, zero).shape == () and gather(x, -1, tensor([0, 0])).tolist() == [3, 3]
    assert gather(tensor([4.0, 5.0]), 0, tensor(1)).item() == 5
    assert index_select(x, 0, tensor([0])).shape == ()
    assert index_select(tensor([4.0, 5.0]), 0, tensor(1)).tolist() == [5]
    assert masked_fill(x, tensor(True), 1.0).item() == 1
    assert one_hot(tensor(1)).tolist() == [0, 1]


@settings(max_examples=15)
@given(picks(least=1))
def test_gradients_are_right_to_order_3_also_of_what_is_picked_twice(drawn):
    x, dim, index = drawn
    i = tensor(index)
    along = [slice(None) if d == dim % x.ndim else slice(0, 1) for d in range(x.ndim)]
    thin = tensor(index[tuple(along)])
    for f in (
        lambda x: gather(x, dim, i),
        lambda x: take_along_dim(x, thin - x.shape[dim], dim),
        lambda x: index_select(x, dim, i.flatten()),
    ):
        report = gradcheck(lambda x, f=f: f(x) ** 3, x, order=3, probes=1)
        assert all(row.method == "complex" for row in report.rows)


@settings(max_examples=15)
@given(broadcast_shapes(2), seeds)
def test_masked_fill_has_a_gradient_for_the_input_and_for_the_value(drawn, seed):
    x, mask = numbers(seed, drawn[0]), tensor(numbers(seed + 1, drawn[1]) > 0)
    gradcheck(lambda x, v: masked_fill(x, mask, v) ** 3, x, np.array(1.5), order=3, probes=1)


def test_the_gradient_counts_how_often_an_entry_was_picked():
    x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    for y in (
        gather(x, 0, tensor([2, 0, 2, 2])),
        index_select(x, 0, tensor([0, 2, 2, 2])),
        take_along_dim(x, tensor([-1, 0, 2, -1]), 0),
    ):
        (g,) = grad(y.sum(), x)
        assert g.dtype == np.float32 and g.tolist() == [1, 0, 3]


def test_a_later_change_of_the_index_does_not_reach_the_gradient():
    x, index = tensor([1.0, 2.0], requires_grad=True), tensor([1, 1])
    y = gather(x, 0, index)
    index.zero_()
    assert grad(y.sum(), x)[0].tolist() == [0, 2]


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int64", "int32", "uint8", "bool"]
)
def test_every_dtype_stays_as_it_is(dtype):
    x = tensor(np.array([[1, 0], [1, 1]], dtype))
    index = tensor([[0, 1]])
    for y in (
        gather(x, 0, index),
        take_along_dim(x, index, 0),
        index_select(x, 1, index[0]),
        masked_fill(x, x == 0, 0.5),
        masked_fill(x, x == 0, tensor(2.5, dtype="float64")),
    ):
        assert y.dtype == dtype


M = tensor(np.ones((2, 3)))
FIRST = tensor([[0, 0]])
ERRORS = [
    (
        lambda: gather(M, 0, FIRST * 1.0),
        RuntimeError,
        "gather: expected an index of int64, got float",
    ),
    (lambda: gather(M, 0, FIRST > 0), RuntimeError, "gather: expected an index of int64, got bool"),
    (lambda: gather(M, 0, FIRST + 2), RuntimeError, "gather: index 2 is out of range for length 2"),
    (
        lambda: gather(M, 0, FIRST - 1),
        RuntimeError,
        "gather: index -1 is out of range for length 2",
    ),
    (
        lambda: gather(M, 0, FIRST[0]),
        RuntimeError,
        r"index of shape \(2,\) does not fit input of shape",
    ),
    (
        lambda: gather(M, 0, tensor([[0] * 4])),
        RuntimeError,
        r"index of shape \(1, 4\) does not fit",
    ),
    (lambda: gather(M, 2, FIRST), IndexError, "gather: dimension out of range"),
    (lambda: gather(M, 0, [[0]]), TypeError, "gather: expected a Tensor, got list"),
    (lambda: take_along_dim(M, FIRST + 3, 1), RuntimeError, "index 3 is out of range for length 3"),
    (
        lambda: take_along_dim(M, FIRST - 4, 1),
        RuntimeError,
        "index -1 is out of range for length 3",
    ),
    (
        lambda: take_along_dim(M, FIRST, 0),
        RuntimeError,
        r"shape \(1, 2\) do not broadcast .* \(2, 3\)",
    ),
    (lambda: take_along_dim(M, FIRST[0], 0), RuntimeError, r"expected indices of 2 dimensions"),
    (lambda: take_along_dim(tensor(1.0), tensor(0), 0), IndexError, "a 0-d input has no dimension"),
    (lambda: index_select(M, 1, tensor([3])), IndexError, "index 3 is out of range for length 3"),
    (lambda: index_select(M, 1, tensor([-1])), IndexError, "index -1 is out of range"),
    (
        lambda: index_select(M, 1, FIRST),
        IndexError,
        r"expected a vector as index, got shape \(1, 2\)",
    ),
    (lambda: index_select(M, 1, M[0]), RuntimeError, "expected an index of int64, got float64"),
    (lambda: index_select(tensor(1.0), 0, tensor([0, 0])), RuntimeError, "0-d input has 1 entry"),
    (
        lambda: masked_fill(M, FIRST == FIRST, 1.0),
        RuntimeError,
        "masked_fill: shapes .* do not broadcast",
    ),
    (lambda: masked_fill(M, M, 1.0), RuntimeError, "masked_fill: expected a bool mask, got float"),
    (lambda: masked_fill(M, [True], 1.0), TypeError, "masked_fill: expected a Tensor, got list"),
    (lambda: masked_fill(M, M > 0, M[0]), RuntimeError, r"expected a 0-d value, got shape \(3,\)"),
    (lambda: masked_fill(M, M > 0, "1"), TypeError, "masked_fill: expected .* numbers, got str"),
    (lambda: masked_fill(FIRST, FIRST > 0, math.inf), RuntimeError, "inf is no value of int64"),
    (lambda: masked_fill(FIRST, FIRST > 0, math.nan), RuntimeError, "nan is no value of int64"),
    (lambda: one_hot(tensor([3]), 3), RuntimeError, r"smaller than num_classes \(3\), got 3"),
    (lambda: one_hot(tensor([-1]), 3), RuntimeError, "class values must be non-negative, got -1"),
    (
        lambda: one_hot(tensor([1.0])),
        RuntimeError,
        "one_hot: expected an integer tensor, got float",
    ),
    (lambda: one_hot(minigan.zeros(0, dtype="int64")), RuntimeError, "one_hot: class values"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
