"""x[index]: every kind of index, repeated entries, and gradients that add up where they must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal
from strategies import arrays, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.indexing import AddInto, pad_constant


def scattered(shape, index, values):
    """Zeros with values added at the index, one element after the other."""
    places = np.arange(int(np.prod(shape))).reshape(shape)[index].ravel()
    result = np.zeros(int(np.prod(shape)))
    for place, value in zip(places, np.ravel(values), strict=True):
        result[place] += value
    return result.reshape(shape)


@settings(max_examples=100)
@given(st.data())
def test_basic_indices(data):
    """Ints, slices with positive steps, None and Ellipsis."""
    x = data.draw(arrays())
    index = data.draw(npst.basic_indices(x.shape, allow_newaxis=True))
    entries = index if isinstance(index, tuple) else (index,)
    steps = [i.step for i in entries if isinstance(i, slice) and i.step is not None]
    if any(step <= 0 for step in steps):
        with pytest.raises(ValueError, match="getitem: slice step must be positive"):
            tensor(x)[index]
        return
    whole = tensor(x)
    found = whole[index]
    assert_array_equal(found.numpy(), x[index])
    assert found.version is whole.version or not found.numel()
    found.fill_(7)  # a view, also of one element: the change is the whole's
    expected = x.copy()
    expected[index] = 7
    assert_array_equal(whole.numpy(), expected)
    gradcheck(lambda t: t[index] ** 3, x, order=3, probes=1)


@settings(max_examples=60)
@given(st.data())
def test_integer_arrays_lists_and_tensors(data):
    """Repeated entries read an element twice; its gradient is the sum of both."""
    x = data.draw(arrays(min_dims=1, min_side=1))
    index = data.draw(
        npst.integer_array_indices(x.shape, result_shape=npst.array_shapes(max_dims=2, max_side=4))
    )
    expected = x[index]
    as_tensors = tuple(tensor(i) for i in index)
    as_lists = tuple(i.tolist() for i in index)
    for form in (index, as_tensors, as_lists):
        assert_array_equal(tensor(x)[form].numpy(), expected)
    t = tensor(x, requires_grad=True)
    seed = numbers(1, expected.shape)
    assert_array_equal(
        grad(t[as_tensors], t, tensor(seed))[0].numpy(), scattered(x.shape, index, seed)
    )
    gradcheck(lambda t: t[as_tensors] ** 3, x, order=3, probes=1)


@given(st.data())
def test_masks(data):
    x = data.draw(arrays(min_dims=1))
    lead = data.draw(st.integers(1, x.ndim))
    mask = numbers(data.draw(st.integers(0, 99)), x.shape[:lead]) > 0
    for form in (mask, tensor(mask), mask.tolist() if mask.size else mask):
        assert_array_equal(tensor(x)[form].numpy(), x[mask])
    gradcheck(lambda t: t[tensor(mask)] ** 3, x, order=3, probes=1)


def test_mixed_indices():
    x = numbers(0, (3, 4, 5))
    rows, columns = [2, 0, 2], np.array([[1], [3]])
    for index in (
        (slice(1, None), rows),
        (rows, slice(None), 2),
        (Ellipsis, columns),
        (slice(None), columns, rows),
        (None, 1, rows),
        (x[:, :, 0] > 0, slice(0, 3)),
    ):
        assert_array_equal(tensor(x)[index].numpy(), x[index])
        gradcheck(lambda t, i=index: t[i] ** 3, x, order=3, probes=1)


def test_an_empty_list_selects_nothing():
    x = tensor([[1.0, 2.0]], requires_grad=True)
    assert x[[]].shape == (0, 2)
    assert_array_equal(grad(x[[]].sum(), x)[0].numpy(), [[0, 0]])


def test_a_0d_integer_tensor_is_an_integer():
    x = tensor([10.0, 20.0, 30.0], requires_grad=True)
    y = x[tensor(2)]
    assert y.shape == () and y.item() == 30
    assert_array_equal(grad(y * 2, x)[0].numpy(), [0, 0, 2])
    assert x[np.int64(1)].item() == 20


def test_one_element_is_a_view_of_it():
    """As in PyTorch: changes pass both ways, and count for both."""
    x = tensor([1.0, 2.0, 3.0])
    one = x[1]
    one.mul_(10)
    assert x.tolist() == [1, 20, 3] and x.version[0] == 1
    x.zero_()
    assert one.shape == () and one.item() == 0 and minigan.ones(2, 2)[1, 1].shape == ()
    w = tensor([1.0, 2.0], requires_grad=True)
    y = (w * x[1]).sum()
    x[1].fill_(5)
    with pytest.raises(RuntimeError, match="has been changed in place"):
        y.backward()
    copy = x[[1]]  # an index array copies
    copy.fill_(9)
    assert x[1].item() == 5


def test_true_and_false_are_masks():
    x = tensor([1.0, 2.0])
    assert x[True].tolist() == [[1, 2]] and x[False].shape == (0, 2)
    x[False] = 5
    x[True] *= 2
    assert x.tolist() == [2, 4]


def test_iteration_length_and_unpacking():
    x = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a, b = x
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert_array_equal(grad((a * b).sum(), x)[0].numpy(), [[3, 4], [1, 2]])
    with pytest.raises(TypeError, match="0-d tensor"):
        iter(tensor(1.0))


@pytest.mark.parametrize("index", [3, -4, (0, 0), 1.5, "a"])
def test_what_is_no_index_is_an_index_error(index):
    with pytest.raises(IndexError):
        minigan.ones(3)[index]
    with pytest.raises(IndexError):
        tensor(1.0)[0]


def test_the_gradient_of_reading_is_adding_and_back():
    """AddInto to order 3, in its own right: the gradient of a gradient reads again."""
    x, index = numbers(0, (4,)), np.array([0, 2, 2, 1])
    assert_array_equal(AddInto((3,), index)(tensor(x)).numpy(), scattered((3,), index, x))
    gradcheck(lambda t: AddInto((3,), index)(t) ** 3, x, order=3, probes=1)
    gradcheck(lambda t: AddInto((6,), slice(1, 5))(t) ** 3, x, order=3, probes=1)


@given(st.data())
def test_pad_constant_frames_with_a_value(data):
    x = data.draw(arrays())
    widths = [data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in x.shape]
    for value in (0, -1.5):
        found = pad_constant(tensor(x), tuple(widths), value)
        expected = np.pad(x, widths, constant_values=value) if x.ndim else x
        assert_array_equal(found.numpy(), expected)
    gradcheck(lambda t: pad_constant(t, tuple(widths), 2.0) ** 3, x, order=2, probes=1)
