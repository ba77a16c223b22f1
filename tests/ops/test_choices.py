"""where, clamp with tensors as limits, and small integers in reductions."""

import numpy as np
import pytest

import minigan

X = np.array([-3.0, -1.0, 0.0, 0.5, 2.0, np.nan])


def test_clamp_with_tensors_is_numpy_s_and_broadcasts():
    low, high = np.array([[-2.0], [0.0]]), np.array(1.0)
    found = minigan.clamp(*map(minigan.tensor, (X, low, high)))
    np.testing.assert_array_equal(found.numpy(), np.minimum(np.maximum(X, low), high))
    assert minigan.clamp(minigan.tensor([1, 9]), max=minigan.tensor([5, 5])).tolist() == [1, 5]
    mixed = minigan.clamp(minigan.tensor([1, 9]), minigan.tensor(2.5))
    assert mixed.dtype == minigan.float32 and mixed.tolist() == [2.5, 9.0]


def test_the_gradient_of_clamp_goes_to_what_was_taken():
    """Inside and on a limit to x; else to the limit; to max where the limits cross."""
    x = minigan.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, 0.5], requires_grad=True)
    low = minigan.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 2.0], requires_grad=True)
    high = minigan.tensor(1.0, requires_grad=True)
    minigan.clamp(x, low, high).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0, 0]
    assert low.grad.tolist() == [1, 0, 0, 0, 0, 0]
    assert high.grad.item() == 2


def test_clamp_with_tensors_to_order_3():
    x, low, high = (minigan.tensor(v) for v in ([[0.3, 2.0, -4.0]], [[-1.0], [1.1]], [1.5]))
    minigan.gradcheck(lambda *v: minigan.clamp(*v).tanh(), x, low, high, order=3)


def test_where_alone_gives_indices_and_takes_uint8():
    values = np.array([[0, 2], [3, 0]], np.uint8)
    rows, columns = minigan.where(minigan.tensor(values))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])
    assert rows.dtype == minigan.int64
    assert minigan.where(minigan.tensor(values), 1, 0).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(TypeError, match="where: expected both values, or neither"):
        minigan.where(minigan.tensor(values), 1)
    with pytest.raises(RuntimeError, match="where: expected a bool condition"):
        minigan.where(minigan.tensor([1.0]), 1, 0)


def test_small_integers_in_reductions():
    bytes_ = minigan.tensor(np.array([1, 0, 255], np.uint8))
    assert (bytes_.any().dtype, bytes_.all().item()) == (minigan.uint8, 0)
    assert minigan.tensor([True]).all().dtype == minigan.bool_
    assert bytes_.sum().item() == 256
    total = bytes_.sum(dtype=minigan.uint8)
    assert (total.dtype, total.item()) == (minigan.uint8, 0)  # modulo 256


def test_the_sign_of_a_bool_is_the_bool():
    assert minigan.sign(minigan.tensor([True, False])).tolist() == [True, False]
