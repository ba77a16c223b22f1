"""What grad and backward refuse, and the shapes and dtypes of what they give."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import Function, Tensor, grad, tensor


def leaf(value, dtype="float64"):
    return tensor(value, dtype=dtype, requires_grad=True)


def test_only_scalars_have_an_implicit_gradient():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"implicitly .* only for scalar .* has shape \(2,\)"):
        (x * 2).backward()
    (x[:1] * 2).backward()  # one element is enough
    assert_array_equal(x.grad.numpy(), [2, 0])


def test_what_has_no_graph_cannot_be_differentiated():
    x, plain = leaf(1.0), tensor(1.0)
    with pytest.raises(RuntimeError, match="output 0 does not require grad and does not have a gr"):
        plain.backward()
    with pytest.raises(RuntimeError, match=r"grad: input 1 \(shape \(\)\) does not require grad"):
        grad(x * plain, [x, plain])
    with pytest.raises(RuntimeError, match="expected inputs that require grad"):
        (x * 2).backward(inputs=[plain])
    with pytest.raises(RuntimeError, match="expected inputs that require grad, at least one"):
        (x * 2).backward(inputs=[])


def test_gradients_given_must_fit_the_outputs():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"output 0 has shape \(2,\), its gradient .* \(3,\)"):
        grad(x * 2, x, tensor([1.0, 1.0, 1.0]))
    with pytest.raises(RuntimeError, match=r"one gradient per output \(1\), got 2"):
        grad(x * 2, x, [tensor([1.0, 1.0])] * 2)
    with pytest.raises(TypeError, match="expected Tensors as gradients, got ndarray"):
        grad(x * 2, x, [np.ones(2)])


def test_a_vjp_of_the_wrong_shape_is_found_where_it_happens():
    class Wrong(Function):
        def forward(self, x, b):
            return x + b

        def vjp(self, needs, g, y, x, b):
            return g, g  # b was broadcast: its gradient is a sum

    with pytest.raises(RuntimeError, match=r"Wrong gave .* shape \(2, 3\) for .* shape \(3,\)"):
        Wrong()(leaf(np.ones((2, 3))), leaf(np.ones(3))).sum().backward()


def test_a_function_without_a_gradient_says_so():
    class OneWay(Function):
        def forward(self, x):
            return x * 2

    with pytest.raises(NotImplementedError, match="OneWay has no gradient"):
        OneWay()(leaf(1.0)).backward()


def test_gradients_have_the_dtype_and_shape_of_what_they_belong_to():
    """Also where operands of two dtypes met, and where a vjp computed in another one."""

    class Careless(Function):
        def forward(self, x):
            return x * 2

        def vjp(self, needs, g, y, x):
            return (Tensor(g.array.astype(np.float64) * 2),)

    single, double = leaf([1.0, 2.0], "float32"), leaf([[3.0], [4.0]], "float64")
    (Careless()(single) * double).sum().backward()
    assert (single.grad.dtype, single.grad.shape) == (np.float32, (2,))
    assert (double.grad.dtype, double.grad.shape) == (np.float64, (2, 1))
    assert_array_equal(single.grad.numpy(), [14, 14])


def test_a_seed_of_another_dtype_is_converted():
    x = leaf([1.0, 2.0], "float32")
    (g,) = grad(x * 2, x, tensor([1.0, 3.0], dtype="float64"))
    assert g.dtype == np.float32
    assert_array_equal(g.numpy(), [2, 6])


def test_gradient_penalty_scripts_pass_their_usual_arguments():
    """The WGAN-GP idiom names only_inputs; what is not supported is refused."""
    x = minigan.tensor([3.0], requires_grad=True)
    options = {"create_graph": True, "retain_graph": True, "only_inputs": True}
    (g,) = minigan.grad(outputs=x**2, inputs=x, grad_outputs=minigan.ones(1), **options)
    assert g.item() == 6.0
    with pytest.raises(ValueError, match="not supported"):
        minigan.grad(x**2, x, only_inputs=False)
