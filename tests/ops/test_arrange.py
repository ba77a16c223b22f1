"""Mirrored, rolled, split, repeated, triangles, diagonals, grids: element by element."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import arrays, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.arrange import (
    broadcast_to,
    diagonal,
    flip,
    meshgrid,
    repeat,
    roll,
    split,
    tile,
    tril,
    triu,
    unbind,
)

GRID = np.arange(24.0).reshape(2, 3, 4)


@st.composite
def arrays_with_dims(draw, **limits):
    """An array and some of its dimensions, each counted from either end."""
    x = draw(arrays(**limits))
    dims = draw(st.lists(st.integers(0, max(x.ndim - 1, 0)), unique=True, max_size=x.ndim))
    return x, tuple(d - x.ndim * draw(st.booleans()) for d in dims)


@given(arrays_with_dims())
def test_flip_mirrors_every_named_dimension(drawn):
    x, dims = drawn
    found = flip(minigan.from_numpy(x), dims).numpy()
    assert found.shape == x.shape
    mirrored = {d % x.ndim for d in dims}
    for index in np.ndindex(x.shape):
        other = tuple(
            n - 1 - i if d in mirrored else i
            for d, (i, n) in enumerate(zip(index, x.shape, strict=True))
        )
        assert found[index] == x[other]


@given(arrays_with_dims(), st.data())
def test_roll_moves_element_i_to_i_plus_shift_cyclically(drawn, data):
    x, dims = drawn
    shifts = data.draw(st.tuples(*[st.integers(-7, 7) for _ in dims])) or (5,)
    found = roll(minigan.from_numpy(x), shifts, dims).numpy().reshape(x.shape)
    if not dims:  # as one flat sequence
        for i in range(x.size):
            assert found.ravel()[(i + 5) % x.size] == x.ravel()[i]
        return
    by = dict(zip([d % x.ndim for d in dims], shifts, strict=True))
    for index in np.ndindex(x.shape):
        moved = zip(index, x.shape, strict=True)
        assert found[tuple((i + by.get(d, 0)) % n for d, (i, n) in enumerate(moved))] == x[index]


@given(arrays(min_dims=1), st.integers(1, 4), st.data())
def test_split_and_unbind_cut_without_gaps_or_copies(x, size, data):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    n, t = x.shape[dim], minigan.from_numpy(x)
    parts = split(t, size, dim)
    assert [p.shape[dim] for p in parts] == [size] * (n // size) + [n % size] * (
        n % size > 0 or not n
    )
    slices = unbind(t, dim)
    assert len(slices) == n and all(s.ndim == x.ndim - 1 for s in slices)
    assert_array_equal(np.concatenate([p.numpy() for p in parts], dim), x)
    if n:
        assert_array_equal(np.stack([s.numpy() for s in slices], dim), x)
        first = data.draw(st.integers(0, n))
        a, empty, b = split(t, [first, 0, n - first], dim)
        assert empty.shape[dim] == 0
        assert_array_equal(np.concatenate([a.numpy(), b.numpy()], dim), x)
    for part in (*parts, *slices):
        assert not part.numel() or np.shares_memory(part.numpy(), x)


@given(arrays(), st.lists(st.integers(0, 3), max_size=4))
def test_repeat_and_tile_read_modulo_the_length(x, counts):
    t = minigan.from_numpy(x)
    if len(counts) >= x.ndim:
        assert_array_equal(repeat(t, *counts).numpy(), repeat(t, counts).numpy())
    else:
        with pytest.raises(RuntimeError, match=f"repeat: expected at least {x.ndim} non-negative"):
            repeat(t, counts)
    found = tile(t, counts).numpy()
    counts = [1] * (x.ndim - len(counts)) + counts
    shape = (1,) * (len(counts) - x.ndim) + x.shape
    assert found.shape == tuple(n * c for n, c in zip(shape, counts, strict=True))
    for index in np.ndindex(found.shape):
        source = tuple(i % n for i, n in zip(index, shape, strict=True))
        assert found[index] == x.reshape(shape)[source]


@given(arrays(min_dims=2), st.integers(-4, 4))
def test_triangles_keep_one_side_of_a_diagonal(x, k):
    """Infinite and NaN entries of the other side leave no trace."""
    x = np.where(np.abs(x) > 1.5, np.nan, x)
    lower, upper = tril(tensor(x), k).numpy(), triu(tensor(x), k).numpy()
    for index in np.ndindex(x.shape):
        i, j = index[-2:]
        assert_array_equal(lower[index], x[index] if j - i <= k else 0)
        assert_array_equal(upper[index], x[index] if j - i >= k else 0)


@given(arrays(min_dims=2, max_dims=4), st.integers(-3, 3), st.data())
def test_diagonal_is_a_view_of_entries_i_i_plus_offset_as_the_last_dimension(x, k, data):
    a, b = data.draw(st.permutations(range(x.ndim)))[:2]
    found = diagonal(minigan.from_numpy(x), k, a - x.ndim, b).numpy()
    rest = np.moveaxis(x, (a, b), (-2, -1))
    count = len([i for i in range(rest.shape[-2]) if 0 <= i + k < rest.shape[-1]])
    assert found.shape == (*rest.shape[:-2], count)
    for i in range(count):
        assert_array_equal(found[..., i], rest[..., i + max(-k, 0), i + max(k, 0)])
    assert not found.size or np.shares_memory(found, x)


def test_what_is_written_to_a_diagonal_lands_in_the_matrix_and_in_its_gradient():
    x = tensor(np.ones((2, 3)), requires_grad=True)
    y = x * 2
    diagonal(y.detach(), 1).fill_(7)
    assert_array_equal(y.detach().numpy(), [[2, 7, 2], [2, 2, 7]])
    with minigan.no_grad():
        diagonal(x).zero_()
    assert_array_equal(x.detach().numpy(), [[0, 1, 1], [1, 0, 1]])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.sampled_from(["ij", "xy"]))
def test_meshgrid_lets_the_ith_grid_vary_along_dimension_i(lengths, indexing):
    vectors = [numbers(i, n) for i, n in enumerate(lengths)]
    grids = meshgrid(*map(tensor, vectors), indexing=indexing)
    expected = np.meshgrid(*vectors, indexing=indexing)
    for found, wanted in zip(grids, expected, strict=True):
        assert_array_equal(found.numpy(), wanted)
    assert [g.shape for g in meshgrid([tensor(1.0), tensor([2.0, 3.0])])] == [(1, 2)] * 2


def test_broadcast_to_is_a_view():
    x = minigan.from_numpy(numbers(0, (3, 1)))
    y = broadcast_to(x, (2, -1, 4))
    assert y.shape == (2, 3, 4) and np.shares_memory(x.numpy(), y.numpy())
    with pytest.raises(RuntimeError, match=r"shape \(2, 2\) does not fit input of shape \(3, 1\)"):
        broadcast_to(x, (2, 2))


COPIES = {
    "flip": lambda x: flip(x, -1),
    "flip nothing": lambda x: flip(x, ()),
    "roll": lambda x: roll(x, (1, 2), (0, -1)),
    "roll flat": lambda x: roll(x, 2),
    "repeat": lambda x: repeat(x, 2, 1, 3, 1),
    "repeat once": lambda x: repeat(x, 1, 1, 1),
    "tile": lambda x: tile(x, 2),
    "tril": tril,
    "triu": lambda x: triu(x, 1),
}
EVERY = COPIES | {
    "split": lambda x: split(x, [1, 2], 1)[1],
    "unbind": lambda x: unbind(x, -1)[1],
    "broadcast_to": lambda x: broadcast_to(x, (2, 2, 3, 4)),
    "diagonal": lambda x: diagonal(x, 1, -1, 0),
    "meshgrid": lambda x: meshgrid(x.flatten(), x[0, 0])[0],
}


@pytest.mark.parametrize("f", COPIES.values(), ids=COPIES)
def test_copies_share_no_memory_with_the_input(f):
    x = tensor(GRID)
    f(x).add_(1.0)
    assert_array_equal(x.numpy(), GRID)


@pytest.mark.parametrize("f", EVERY.values(), ids=EVERY)
@settings(max_examples=5)
@given(x=arrays(shape=(2, 3, 4)))
def test_gradients_are_right_to_order_3(f, x):
    report = gradcheck(lambda x: f(x) ** 3, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


@pytest.mark.parametrize("shape", [(), (0,), (1, 0), (1, 1)])
def test_gradients_of_nothing_and_of_one_element(shape):
    x = tensor(np.ones(shape), requires_grad=True)
    for f in (lambda x: roll(x, 1), lambda x: repeat(x, 2, 2), lambda x: flip(x, ()), tile):
        y = f(x)
        assert_array_equal(
            grad(y.sum(), x)[0].numpy(), np.full(shape, y.numel() / (x.numel() or 1))
        )


@pytest.mark.parametrize("f", EVERY.values(), ids=EVERY)
def test_every_dtype_stays_as_it_is_also_the_gradients(f):
    for dtype in ("float32", "int64", "uint8", "bool"):
        x = tensor(in_layout(GRID.astype(dtype), "transposed"))
        assert f(x).dtype == dtype
    x = tensor(GRID.astype("float32"), requires_grad=True)
    assert grad(f(x).sum(), x)[0].dtype == np.float32


M = tensor(np.ones((2, 3)))
ERRORS = [
    (lambda: flip(M, 0, 0), RuntimeError, "flip: a dimension appears more than once"),
    (lambda: flip(M, 2), IndexError, "flip: dimension out of range"),
    (lambda: flip(M), TypeError, "flip: expected dims"),
    (lambda: flip(M, 0.5), TypeError, "flip: expected integers as dims"),
    (lambda: roll(M, (1, 2), 0), RuntimeError, r"roll: expected one shift per dimension, got \(1"),
    (lambda: roll(M, (1, 2)), RuntimeError, "roll: expected one shift per dimension"),
    (lambda: roll(M, ()), RuntimeError, "roll: expected one shift per dimension"),
    (lambda: roll(M, 0.5, 0), TypeError, "roll: shifts expects an int or ints, got 0.5"),
    (lambda: roll(tensor(1.0), 1, 0), IndexError, "roll: dimensions .* the tensor has none"),
    (lambda: split(M, 0), RuntimeError, "split: size must be positive, got 0"),
    (lambda: split(M, [1, 2]), RuntimeError, r"split: sections \(1, 2\) do not add up to 2"),
    (lambda: split(M, [3, -1]), RuntimeError, "split: sections"),
    (lambda: split(M, 1.5), TypeError, "split: split_size_or_sections expects"),
    (lambda: split(tensor(1.0), 1), RuntimeError, "split: expected at least 1 dimension"),
    (lambda: unbind(tensor(1.0)), IndexError, "unbind: expected at least 1 dimension"),
    (lambda: repeat(M, 2, -1), RuntimeError, r"non-negative counts .*\(2, 3\), got \(2, -1\)"),
    (lambda: tril(M[0]), RuntimeError, r"tril: expected at least 2 dimensions, got shape \(3,\)"),
    (lambda: triu(M, 0.5), TypeError, "triu: diagonal expects an int"),
    (lambda: diagonal(M, 0, 1, -1), RuntimeError, "diagonal: expected two different dimensions"),
    (lambda: diagonal(M[0]), IndexError, "diagonal: dimension out of range"),
    (lambda: meshgrid(M, M), RuntimeError, r"meshgrid: expected vectors .* of shape \(2, 3\)"),
    (lambda: meshgrid(), RuntimeError, "meshgrid: expected vectors of one dtype, got none"),
    (lambda: meshgrid(M[0], tensor([1])), RuntimeError, "meshgrid: expected vectors of one dtype"),
    (lambda: meshgrid(M[0], indexing="yx"), RuntimeError, 'indexing must be "ij" or "xy"'),
    (lambda: tile(np.ones(2), 2), TypeError, "tile: expected a Tensor, got ndarray"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
