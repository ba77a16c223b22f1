"""minigan.linalg's norms against NumPy's, and their gradients to third order."""

from math import inf

import numpy as np
import pytest

import minigan
from minigan import gradcheck, linalg, tensor

X = np.random.default_rng(0).standard_normal((3, 4, 5))


@pytest.mark.parametrize("ord", [None, 0, 1, 2, 3.5, inf, -inf])
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("keepdim", [False, True])
def test_vector_norms(ord, dim, keepdim):
    expected = np.linalg.norm(X, ord, axis=dim, keepdims=keepdim)
    np.testing.assert_allclose(linalg.norm(tensor(X), ord, dim, keepdim).numpy(), expected)
    if ord is not None:
        np.testing.assert_allclose(
            linalg.vector_norm(tensor(X), ord, axis=dim, keepdims=keepdim).numpy(), expected
        )


@pytest.mark.parametrize("ord", ["fro", 1, -1, inf, -inf])
@pytest.mark.parametrize("dim", [(0, 1), (2, 0), (-1, -2)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_matrix_norms(ord, dim, keepdim):
    expected = np.linalg.norm(X, ord, axis=dim, keepdims=keepdim)
    np.testing.assert_allclose(linalg.norm(tensor(X), ord, dim, keepdim).numpy(), expected)
    np.testing.assert_allclose(
        linalg.norm(tensor(X[0]), ord).numpy(), np.linalg.norm(X[0], ord), rtol=1e-12
    )


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, inf, -inf])
def test_gradients(ord):
    assert gradcheck(lambda x: linalg.norm(x, ord) ** 3, minigan.randn(3, 4), order=3).ok


def test_everything_without_ord_and_mistakes():
    assert linalg.norm(tensor(X)).item() == pytest.approx(np.sqrt((X**2).sum()))
    with pytest.raises(RuntimeError, match="needs a vector or a matrix"):
        linalg.norm(tensor(X), 1)
    with pytest.raises(RuntimeError, match='ord "fro" is for matrices'):
        linalg.norm(tensor(X), "fro", 1)
    with pytest.raises(RuntimeError, match="a matrix norm has ord"):
        linalg.norm(tensor(X[0]), "nuc")


def test_true_divide_and_randint_like():
    assert minigan.true_divide(tensor([1]), tensor([2])).item() == 0.5
    like = minigan.randint_like(tensor(X), 3)
    assert like.shape == X.shape and like.dtype == np.float64
    assert set(np.unique(like.numpy())) == {0.0, 1.0, 2.0}
