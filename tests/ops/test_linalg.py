"""matmul: every combination of vectors, matrices and batches, against sums of products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies import arrays, broadcast_shapes

import minigan
from minigan import gradcheck, tensor


@st.composite
def factors(draw):
    """Two operands that can be multiplied; batches broadcast, any length may be 0."""
    n, k, m = (draw(st.integers(0, 3)) for _ in range(3))
    left, right = draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (2, 2)]))
    batches = draw(broadcast_shapes(2, max_dims=2, min_side=0))
    a = (*batches[0], n, k) if left == 2 else (k,)
    b = (*batches[1], k, m) if right == 2 else (k,)
    return draw(arrays(shape=a)), draw(arrays(shape=b))


def products(a, b):
    left, right = a.reshape(1, -1) if a.ndim == 1 else a, b.reshape(-1, 1) if b.ndim == 1 else b
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    n, k, m = left.shape[-2], left.shape[-1], right.shape[-1]
    left, right = np.broadcast_to(left, (*batch, n, k)), np.broadcast_to(right, (*batch, k, m))
    result = np.zeros((*batch, n, m))
    for index in np.ndindex(result.shape):
        where, i, j = index[:-2], index[-2], index[-1]
        for inner in range(k):
            result[index] += left[(*where, i, inner)] * right[(*where, inner, j)]
    if a.ndim == 1:
        result = result[..., 0, :]
    return result[..., 0] if b.ndim == 1 else result


@settings(max_examples=100)
@given(factors())
def test_every_element_is_a_sum_of_products(operands):
    a, b = operands
    expected = products(a, b)
    for found in (tensor(a) @ tensor(b), minigan.matmul(tensor(a), tensor(b)), a @ tensor(b)):
        assert found.shape == expected.shape
        assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-13)


@given(factors())
def test_gradients_to_order_3_sum_over_broadcast_batches(operands):
    gradcheck(lambda a, b: (a @ b) ** 2, *operands, order=3, probes=1)


def test_operands_of_two_dtypes_meet_in_the_wider_one():
    a, b = minigan.ones(2, 2), minigan.ones(2, 2, dtype="float64")
    assert (a @ b).dtype == np.float64
    assert (tensor([[1, 2]]) @ tensor([3, 4])).tolist() == [11]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((2, 3), (2, 3), r"shapes \(2, 3\) and \(2, 3\) cannot be multiplied"),
        ((3,), (2,), r"shapes \(3,\) and \(2,\) cannot be multiplied"),
        ((2, 1, 3), (4, 3, 1), None),
        ((2, 2, 3), (4, 3, 1), "cannot be multiplied"),
        ((), (2,), "at least 1-D"),
        ((2,), (), "at least 1-D"),
    ],
)
def test_what_cannot_be_multiplied_is_a_runtime_error(a, b, message):
    with pytest.raises(RuntimeError, match=message or "cannot be multiplied"):
        minigan.ones(a) @ minigan.ones(b)


def test_a_number_is_no_factor():
    with pytest.raises(TypeError, match="matmul: expected two Tensors, got a number"):
        minigan.ones(2) @ 2


@pytest.mark.parametrize("turned", [False, True])
def test_a_factors_gradient_lies_in_memory_as_the_factor(turned):
    """The transpose of a matrix gets the transpose of one, with the same numbers."""
    rng = np.random.default_rng(0)
    a = tensor(rng.standard_normal((4, 3)))
    held = rng.standard_normal((5, 3) if turned else (3, 5))
    b = tensor(held, requires_grad=True)
    y = a @ (b.t() if turned else b)
    weights = rng.standard_normal((4, 5))
    (y * tensor(weights)).sum().backward()
    expected = a.numpy().T @ weights
    assert b.grad.array.flags.c_contiguous
    assert_allclose(b.grad.numpy(), expected.T if turned else expected, rtol=1e-13)


def test_a_transposed_factor_has_derivatives_to_order_3():
    rng = np.random.default_rng(1)
    assert gradcheck(
        lambda a, b: (a @ b.t()).tanh(),
        tensor(rng.standard_normal((2, 3))),
        tensor(rng.standard_normal((4, 3))),
        order=3,
    )
