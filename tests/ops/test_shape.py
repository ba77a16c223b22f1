"""Changes of shape: the same elements in another arrangement, and their gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import arrays, numbers

import minigan
from minigan import gradcheck, tensor


def check(f, x, expected):
    """The values, gradients to order 3 (of a cube: a rearrangement alone is linear), no changes."""
    before = x.copy()
    found = f(tensor(x))
    assert found.shape == np.shape(expected)
    assert_array_equal(found.numpy(), expected)
    gradcheck(lambda x: f(x) ** 3, x, order=3, probes=1)
    assert_array_equal(x, before)


@st.composite
def factorings(draw, x):
    """A shape with as many elements as x, perhaps with one -1."""
    sizes, rest = [], x.size
    while rest > 1 and draw(st.booleans()):
        factor = draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0]))
        sizes.append(factor)
        rest //= factor
    sizes.insert(draw(st.integers(0, len(sizes))), rest)
    if x.size and draw(st.booleans()):
        sizes[draw(st.integers(0, len(sizes) - 1))] = -1
    return tuple(sizes)


@given(st.data())
def test_reshape_keeps_row_major_order(data):
    x = data.draw(arrays())
    shape = data.draw(factorings(x))
    check(lambda t: t.reshape(shape), x, np.array(x).reshape(shape))
    assert minigan.reshape(tensor(x), *shape).shape == tensor(x).view(shape).shape


@given(st.data())
def test_permute_and_transpose_move_dimensions(data):
    x = data.draw(arrays(min_dims=1))
    order = data.draw(st.permutations(range(x.ndim)))
    check(lambda t: t.permute(order), x, np.transpose(x, order))
    negative = [d - x.ndim for d in order]
    assert_array_equal(tensor(x).permute(*negative).numpy(), np.transpose(x, order))
    a, b = (data.draw(st.integers(-x.ndim, x.ndim - 1)) for _ in range(2))
    check(lambda t: t.transpose(a, b), x, np.swapaxes(x, a, b))


@given(arrays(max_dims=2))
def test_t_transposes_matrices_only(x):
    check(lambda t: t.t(), x, x.T)
    assert_array_equal(tensor(x).T.numpy(), x.T)


@given(st.data())
def test_flatten_and_unflatten_are_inverses(data):
    x = data.draw(arrays(min_dims=1))
    start = data.draw(st.integers(0, x.ndim - 1))
    end = data.draw(st.integers(start, x.ndim - 1))
    flat = x.shape[:start] + (int(np.prod(x.shape[start : end + 1])),) + x.shape[end + 1 :]
    check(lambda t: t.flatten(start, end - x.ndim), x, np.array(x).reshape(flat))
    sizes = x.shape[start : end + 1]
    back = tensor(x).flatten(start, end).unflatten(start, sizes)
    assert_array_equal(back.numpy(), x)
    if x.size:
        inferred = (-1, *sizes[1:])
        assert tensor(x).flatten(start, end).unflatten(start - len(flat), inferred).shape == x.shape


@given(st.data())
def test_squeeze_and_unsqueeze_drop_and_add_lengths_of_one(data):
    x = data.draw(arrays())
    dim = data.draw(st.integers(-x.ndim - 1, x.ndim))
    check(lambda t: t.unsqueeze(dim), x, np.expand_dims(x, dim))
    check(lambda t: t.squeeze(), x, np.squeeze(x))
    if x.ndim:
        dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
        check(lambda t: t.squeeze(dim), x, np.squeeze(x, dim) if x.shape[dim] == 1 else x)
        assert_array_equal(tensor(x).squeeze((dim,)).numpy(), tensor(x).squeeze(axis=dim).numpy())


@given(st.data())
def test_expand_repeats_without_copying(data):
    x = data.draw(arrays())
    lead = data.draw(st.lists(st.integers(0, 3), max_size=2))
    inner = [data.draw(st.integers(0, 3)) if n == 1 else n for n in x.shape]
    asked = [
        data.draw(st.sampled_from([n, -1])) if n == m else n
        for n, m in zip(inner, x.shape, strict=True)
    ]
    check(lambda t: t.expand(*lead, *asked), x, np.broadcast_to(x, [*lead, *inner]))
    if x.size:
        base = tensor(x)
        assert (
            np.may_share_memory(base.numpy(), base.expand(*lead, *asked).numpy())
            or 0 in lead + inner
        )


@given(st.data())
def test_cat_joins_and_narrow_and_chunk_cut(data):
    first = data.draw(arrays(min_dims=1))
    dim = data.draw(st.integers(-first.ndim, first.ndim - 1))
    shape = list(first.shape)
    pieces = [first]
    for _ in range(data.draw(st.integers(0, 2))):
        shape[dim] = data.draw(st.integers(0, 3))
        pieces.append(data.draw(arrays(shape=tuple(shape))))
    whole = np.concatenate(pieces, dim)
    found = minigan.cat([tensor(p) for p in pieces], dim)
    assert_array_equal(found.numpy(), whole)
    gradcheck(lambda *p: minigan.cat(p, axis=dim) ** 3, *pieces, order=3, probes=1)
    start = 0
    for p in pieces:
        cut = found.narrow(dim, start, p.shape[dim])
        assert_array_equal(cut.numpy(), p)
        if start < whole.shape[dim]:
            again = found.narrow(dim, start - whole.shape[dim], p.shape[dim])
            assert_array_equal(again.numpy(), p)
        start += p.shape[dim]
    count = data.draw(st.integers(1, 5))
    if whole.shape[dim]:
        parts = found.chunk(count, dim)
        assert len(parts) <= count and len({p.shape[dim] for p in parts[:-1]}) <= 1
        assert_array_equal(np.concatenate([p.numpy() for p in parts], dim), whole)


@given(st.data())
def test_stack_joins_along_a_new_dimension(data):
    x = data.draw(arrays())
    y = data.draw(arrays(shape=x.shape))
    dim = data.draw(st.integers(-x.ndim - 1, x.ndim))
    expected = np.stack([x, y, x], dim)
    assert_array_equal(minigan.stack([tensor(x), tensor(y), tensor(x)], dim).numpy(), expected)
    gradcheck(lambda a, b: minigan.stack([a, b, a], dim=dim) ** 3, x, y, order=3, probes=1)


def test_chunk_gives_equal_pieces_but_the_last_as_pytorch():
    lengths = {
        (5, 2): [3, 2],
        (5, 3): [2, 2, 1],
        (5, 4): [2, 2, 1],
        (6, 4): [2, 2, 2],
        (2, 5): [1, 1],
    }
    for (n, count), expected in lengths.items():
        assert [len(c) for c in minigan.zeros(n).chunk(count)] == expected
    assert [c.shape for c in minigan.zeros(2, 0).chunk(3, dim=1)] == [(2, 0)] * 3


def test_views_share_memory_and_copies_do_not():
    x = tensor(numbers(0, (4, 6)))
    views = [
        x.reshape(3, 8),
        x.t(),
        x.T.t(),
        x[1:, ::2],
        x.unsqueeze(0),
        x.narrow(1, 2, 2),
        x.flatten(),
    ]
    copies = [x.t().reshape(24), x.clone(), x[[0, 1]], minigan.cat([x]), x[x > 0]]
    for y in views:
        assert np.shares_memory(x.numpy(), y.numpy()) and y.version is x.version
    for y in copies:
        assert not np.shares_memory(x.numpy(), y.numpy()) and y.version is not x.version


def test_cat_meets_in_the_wider_dtype():
    assert minigan.cat([minigan.ones(1), minigan.ones(1, dtype="float64")]).dtype == np.float64
    assert minigan.cat([tensor([1]), tensor([1.5])]).tolist() == [1, 1.5]


X = minigan.ones(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: X.reshape(4),
            RuntimeError,
            r"shape \(4,\) is invalid for input of shape \(2, 3\)",
        ),
        (lambda: X.reshape(-1, -1), RuntimeError, "is invalid"),
        (lambda: X.reshape(-1, 4), RuntimeError, "is invalid"),
        (lambda: X.reshape(-2, -3), RuntimeError, "is invalid"),
        (lambda: minigan.zeros(0).reshape(-1, 0), RuntimeError, "is invalid"),
        (lambda: X.reshape("2"), TypeError, "expected integers as size"),
        (lambda: X.permute(0), RuntimeError, "expected every one of 2 dimensions once"),
        (lambda: X.permute(0, 0), RuntimeError, "expected every one of 2 dimensions once"),
        (lambda: X.permute(0, 2), IndexError, "dimension out of range .expected -2 to 1, got 2"),
        (lambda: X.transpose(0, 2), IndexError, "dimension out of range"),
        (lambda: minigan.ones(1, 1, 1).t(), RuntimeError, "at most 2 dimensions"),
        (lambda: X.flatten(1, 0), RuntimeError, "start_dim 1 comes after end_dim 0"),
        (lambda: X.flatten(0, 2), IndexError, "dimension out of range"),
        (lambda: X.unflatten(1, (2, 2)), RuntimeError, "do not multiply to 3"),
        (lambda: X.unflatten(1, (-1, 2)), RuntimeError, "do not multiply to 3"),
        (lambda: tensor(1.0).unflatten(0, (1,)), RuntimeError, "got a 0-d tensor"),
        (lambda: X.squeeze(2), IndexError, "dimension out of range"),
        (lambda: X.unsqueeze(3), IndexError, "expected -3 to 2, got 3"),
        (lambda: X.unsqueeze(1.0), TypeError, "unsqueeze: expected an integer as dim, got 1.0"),
        (
            lambda: X.expand(3, 3),
            RuntimeError,
            r"shape \(3, 3\) does not fit input of shape \(2, 3\)",
        ),
        (lambda: X.expand(3), RuntimeError, "does not fit"),
        (lambda: X.expand(-1, 2, 3), RuntimeError, "does not fit"),
        (lambda: minigan.cat([]), ValueError, "expected a non-empty list"),
        (lambda: minigan.cat([X, minigan.ones(2)]), RuntimeError, "sizes must match except in dim"),
        (lambda: minigan.cat([X, minigan.ones(2, 2)]), RuntimeError, "sizes must match"),
        (lambda: minigan.cat([tensor(1.0)]), RuntimeError, "sizes must match"),
        (
            lambda: minigan.cat([X, np.ones((2, 3))]),
            TypeError,
            "cat: expected a Tensor, got ndarray",
        ),
        (lambda: minigan.cat([X], 2), IndexError, "dimension out of range"),
        (lambda: minigan.stack([]), RuntimeError, "stack: expected a non-empty list"),
        (lambda: minigan.stack([X, X.t()]), RuntimeError, r"one shape, got \(2, 3\) and \(3, 2\)"),
        (lambda: X.narrow(1, 2, 2), RuntimeError, "start 2 and length 2 exceed dimension 1"),
        (lambda: X.narrow(1, 0, -1), RuntimeError, "exceed dimension 1"),
        (lambda: X.narrow(1, 4, 0), IndexError, "start out of range .expected -3 to 3, got 4"),
        (lambda: tensor(1.0).narrow(0, 0, 1), RuntimeError, "got a 0-d tensor"),
        (lambda: X.chunk(0), RuntimeError, "expected at least 1 chunk"),
        (lambda: tensor(1.0).chunk(1), RuntimeError, "got a 0-d tensor"),
    ],
)
def test_what_does_not_fit_is_refused_with_pytorchs_error_class(call, error, message):
    with pytest.raises(error, match=message):
        call()


@settings(max_examples=10)
@given(arrays(shape=(2, 3)))
def test_sizes_may_be_numpy_integers_or_0d_tensors(x):
    assert tensor(x).reshape(np.int64(3), tensor(2)).shape == (3, 2)
    assert tensor(x).expand(np.int32(4), 2, 3).shape == (4, 2, 3)
