"""x[index] = value: values as NumPy assigns them, every gradient traced."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal
from strategies import arrays, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.indexing import SetItem


@st.composite
def assignments(draw):
    """An array, an index of any kind, and a value that broadcasts to what it selects."""
    x = np.array(draw(arrays(min_dims=1, min_side=1)))
    kind = draw(st.sampled_from(["basic", "arrays", "mask", "mixed"]))
    if kind == "basic":
        index = draw(npst.basic_indices(x.shape, allow_newaxis=True))
        entries = index if isinstance(index, tuple) else (index,)
        if any(isinstance(i, slice) and i.step is not None and i.step <= 0 for i in entries):
            index = ()
    elif kind == "arrays":
        shapes = npst.array_shapes(max_dims=2, max_side=4)
        index = draw(npst.integer_array_indices(x.shape, result_shape=shapes))
    elif kind == "mask":
        lead = draw(st.integers(1, x.ndim))
        index = numbers(draw(st.integers(0, 99)), x.shape[:lead]) > 0
    else:
        index = (draw(st.sampled_from([slice(None), slice(0, 1)])),) * (x.ndim - 1) + ([-1, 0],)
    shape = x[index].shape
    shape = shape[draw(st.integers(0, len(shape))) :]
    shape = tuple(draw(st.sampled_from([n, n, 1])) for n in shape)
    if draw(st.booleans()):
        shape = (1, *shape)
    return x, index, numbers(draw(st.integers(0, 99)), shape)


def without_leading_ones(v):
    while v.ndim and v.shape[0] == 1:
        v = v[0]
    return v


def traced(x, index, v, seed):
    """The gradients of Σ seed·x after x[index] = v: every element says where it came from."""
    v = without_leading_ones(v)
    origin = np.arange(x.size).reshape(x.shape)
    origin[index] = x.size + np.arange(v.size).reshape(v.shape)
    total = np.zeros(x.size + v.size)
    for place, weight in zip(origin.ravel(), seed.ravel(), strict=True):
        total[place] += weight
    return total[: x.size], total[x.size :]


@settings(max_examples=150)
@given(assignments())
def test_values_are_numpys_and_every_gradient_goes_where_the_value_came_from(drawn):
    x, index, v = drawn
    expected, seed = x.copy(), numbers(1, x.shape)
    expected[index] = without_leading_ones(v)
    plain = tensor(x)
    plain[index] = tensor(v)
    assert_array_equal(plain.numpy(), expected)
    a, b = tensor(x, requires_grad=True), tensor(v, requires_grad=True)
    y = a.clone()
    y[index] = b
    assert_array_equal(y.detach().numpy(), expected)
    ga, gb = grad(y, (a, b), tensor(seed))
    expected_a, expected_b = traced(x, index, v, seed)
    assert_array_equal(ga.numpy().ravel(), expected_a)
    np.testing.assert_allclose(gb.numpy().ravel(), expected_b, rtol=1e-13, atol=1e-14)


@settings(max_examples=60)
@given(assignments())
def test_derivatives_are_right_to_order_3(drawn):
    x, index, v = drawn

    def program(a, b):
        y = a * a
        y[index] = b * b
        return y**3

    report = gradcheck(program, x, v, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)


def test_numbers_lists_of_indices_and_0d_tensors():
    x = minigan.zeros(2, 3)
    x[0, 1] = 2
    x[[1, 1], tensor([0, 2])] = 0.5
    x[x == 2] = tensor(7.0, dtype="float64")
    x[..., -1:] = np.float64(3)
    x[None, 1, 1] = tensor([[[4.0]]])
    assert x.tolist() == [[0, 7, 3], [0.5, 4, 3]]
    n = tensor([1, 2, 3])
    n[0], n[1:] = 4.7, tensor([5.9, -6.9])  # towards zero, as copy_
    assert n.tolist() == [4, 5, -6]
    zero = tensor(1.0)
    zero[()] = 2.0
    zero[...] = zero * 3
    assert zero.item() == 6


def test_a_buffer_filled_step_by_step_is_differentiable():
    """Powers of w, each made of the one before."""
    w = tensor(2.0, dtype="float64", requires_grad=True)
    powers = minigan.zeros(5, dtype="float64")
    last = w
    for i in range(5):
        powers[i] = last
        last = last * w
    assert powers.tolist() == [2, 4, 8, 16, 32]
    (g,) = grad(powers.sum(), w, create_graph=True)
    assert g.item() == sum(k * 2.0 ** (k - 1) for k in range(1, 6))
    assert grad(g, w)[0].item() == sum(k * (k - 1) * 2.0 ** (k - 2) for k in range(2, 6))


def test_augmented_assignment_to_a_part():
    """x[i] += v is a reading, a sum and an assignment; 2w + v and 3(2w) by hand."""
    w, v = tensor([1.0, 2.0], requires_grad=True), tensor(5.0, requires_grad=True)
    x = w * 2
    x[0] += v
    x[1] *= 3
    assert x.tolist() == [7, 12]
    gw, gv = grad((x * tensor([1.0, 10.0])).sum(), (w, v))
    assert gw.tolist() == [2, 60] and gv.item() == 1
    plain = tensor([1.0, 2.0])
    plain[0] += 1
    assert plain.tolist() == [2, 2]


def test_an_element_met_several_times_keeps_the_last_value():
    v = tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    x = minigan.zeros(3)
    x[[0, 2, 0, 2]] = v
    assert x.tolist() == [3, 0, 4]
    assert grad(x, v, tensor([1.0, 10.0, 100.0]))[0].tolist() == [0, 0, 1, 100]


def test_the_tensor_stands_for_the_result_and_what_was_read_before_for_what_it_was():
    w = tensor([1.0, 2.0], requires_grad=True)
    x = w * 3
    before = x.sum()
    x[0] = 0.0
    assert repr(x.grad_fn) == "<SetItemBackward>" and not x.is_leaf
    assert grad(before, w, retain_graph=True)[0].tolist() == [3, 3]
    assert grad(x.sum(), w)[0].tolist() == [0, 3]


def test_a_part_of_the_same_tensor_may_be_the_value():
    w = tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = w * 1
    x[0] = x[2]
    assert x.tolist() == [3, 2, 3] and grad(x.sum(), w)[0].tolist() == [0, 1, 2]
    x = w * 1
    x[:2] = x[[1, 0]]
    assert x.tolist() == [2, 1, 3] and grad(x, w, tensor([1.0, 10.0, 0.0]))[0].tolist() == [
        10,
        1,
        0,
    ]
    x = w * 1
    with pytest.raises(RuntimeError, match="setitem: a tensor that shares its memory"):
        x[1:] = x[:-1]
    assert x.tolist() == [1, 2, 3]


def test_a_retained_gradient_follows_the_tensor():
    w = tensor([1.0, 1.0], requires_grad=True)
    x = w * 2
    x.retain_grad()
    x[0] = 5.0
    (x * tensor([3.0, 4.0])).sum().backward()
    assert x.retains_grad and x.grad.tolist() == [3, 4] and w.grad.tolist() == [0, 8]


def test_without_history_views_share_the_change():
    x = minigan.zeros(2, 3)
    row, flat = x[0], x.reshape(-1)
    row[1] = 5
    assert x.tolist() == [[0, 5, 0], [0, 0, 0]] and flat[1].item() == 5
    flat[-1] = 7
    assert x[1].tolist() == [0, 0, 7] and x.version is row.version
    w = tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = w * 1
    y.detach()[0] = 9.0  # as everywhere: the memory changes, the history does not
    assert y.tolist() == [9, 2, 3] and grad(y.sum(), w)[0].tolist() == [1, 1, 1]


def test_memory_that_nobody_else_sees_is_no_view():
    """A reshaped or transposed result whose base is gone, and arrays that an operation made so."""
    w = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for x in ((w * 1).reshape(4), (w * 1).t(), minigan.zeros(4).reshape(2, 2), w @ w, w.sum(0)):
        x[0] = w[1, 1] * 2
        (g,) = grad(x[0].sum(), w)
        assert g.tolist() == [[0, 0], [0, 2.0 * x[0].numel()]]


def test_integers_take_values_without_their_gradient():
    n, w = tensor([1, 2]), tensor(3.7, requires_grad=True)
    n[0] = w
    assert n.tolist() == [3, 2] and not n.requires_grad


def test_the_function_itself_changes_its_input():
    x = tensor([1.0, 2.0])
    y = SetItem(0)(x, 5.0)
    assert y.array is x.array and x.tolist() == [5, 2]
