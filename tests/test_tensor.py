"""Tensor itself: how it is made, what it tells about itself, copies and conversions."""

import copy
import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import Tensor, tensor


@pytest.mark.parametrize(
    ("data", "dtype", "values"),
    [
        (1, "int64", 1),
        (True, "bool", True),
        (0.5, "float32", 0.5),
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "float32", [1, 2.5]),
        ([[True], [False]], "bool", [[True], [False]]),
        ([], "float32", []),
        ((1.0, 2.0), "float32", [1, 2]),
        (np.float64(0.1), "float64", 0.1),
        (np.int32(3), "int32", 3),
        (np.array([1, 2], np.uint8), "uint8", [1, 2]),
        ([np.float64(0.1), np.float64(0.2)], "float64", [0.1, 0.2]),
        ([np.array([1.0, 2.0]), np.array([3.0, 4.0])], "float64", [[1, 2], [3, 4]]),
    ],
)
def test_arrays_keep_their_dtype_and_python_numbers_get_the_default(data, dtype, values):
    x = tensor(data)
    assert x.dtype == dtype and x.tolist() == values
    assert tensor(data, dtype="float64").dtype == np.float64


def test_tensors_and_lists_of_tensors_are_copied_without_history():
    x = tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    y = tensor(x)
    assert y.is_leaf and not y.requires_grad and not np.shares_memory(x.array, y.array)
    assert tensor([x[0], x[1] * 2]).tolist() == [1, 4]
    assert tensor([x[0], x[1]]).dtype == np.float64
    assert tensor((tensor(1), tensor(2))).dtype == np.int64


@pytest.mark.parametrize("data", ["a", ["a", "b"], None, np.array(["a"]), [object()], [[1], "a"]])
def test_what_holds_no_numbers_is_refused(data):
    with pytest.raises((TypeError, ValueError)):
        tensor(data)


def test_ragged_lists_are_a_value_error():
    with pytest.raises(ValueError, match="inhomogeneous"):
        tensor([[1, 2], [3]])


def test_only_floats_can_require_gradients():
    with pytest.raises(RuntimeError, match="only float tensors can require gradients, got int64"):
        tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match="only float tensors"):
        tensor(True).requires_grad_()
    x = tensor([1.0])
    x.requires_grad = True
    assert x.requires_grad and x.requires_grad_(False) is x and not x.requires_grad


def test_results_always_require_what_they_were_made_of():
    x = tensor([1.0], requires_grad=True)
    y = x * 2
    assert y.requires_grad_() is y and not y.is_leaf and x.is_leaf
    with pytest.raises(RuntimeError, match="only a leaf tensor can stop requiring grad"):
        y.requires_grad_(False)
    assert x.grad_fn is None and repr(y.grad_fn) == "<MulBackward>"


def test_what_a_tensor_says_about_itself():
    x = tensor(np.zeros((2, 3, 4), np.float32))
    assert x.shape == x.size() == (2, 3, 4) and x.size(-1) == 4
    assert (x.ndim, x.dim(), x.numel(), len(x)) == (3, 3, 24, 2)
    assert x.device == "cpu" and x.device.type == "cpu" and x.is_floating_point()
    assert not tensor(1).is_floating_point()
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(tensor(1))


def test_printing_is_numpys_with_the_dtype_and_the_place_in_the_graph():
    x = tensor([1.0, -2.5], requires_grad=True)
    assert repr(x) == "tensor([ 1. , -2.5], dtype=float32, requires_grad=True)"
    assert repr(x * 2) == "tensor([ 2., -5.], dtype=float32, grad_fn=<MulBackward>)"
    assert repr(tensor([1, 2])) == "tensor([1, 2])" and repr(tensor(True)) == "tensor(True)"
    assert repr(minigan.zeros(2, 2)) == "tensor([[0., 0.],\n        [0., 0.]], dtype=float32)"
    loss = (x * x).sum()
    assert f"{loss:.2f}" == "7.25" and f"{x}" == repr(x) and f"{tensor(3):d}" == "3"


def test_single_elements_become_python_numbers():
    x = tensor([[2.5]])
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert isinstance(x.item(), float) and isinstance(tensor(3).item(), int)
    assert [10, 20, 30][tensor(1)] == 20
    with pytest.raises(TypeError, match="only integer tensors can be used as an index"):
        _ = [1][tensor(0.0)]
    pair = tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match="a Tensor with 2 elements cannot be converted"):
        pair.item()
    with pytest.raises(RuntimeError, match="truth value of a Tensor with 2 elements is ambiguous"):
        bool(pair)


def test_numpy_sees_the_memory_but_not_through_the_graph():
    x = tensor([1.0, 2.0])
    assert x.numpy() is x.array and np.asarray(x) is x.array
    assert np.array(x).tolist() == [1, 2] and np.asarray(x, dtype="float64").dtype == np.float64
    assert_array_equal(np.add(x.numpy(), 1), [2, 3])
    x.requires_grad_()
    with pytest.raises(RuntimeError, match=r"use tensor.detach\(\).numpy\(\) instead"):
        x.numpy()
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x)
    assert x.detach().numpy() is x.array
    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.sin(x)  # would lose the graph in silence


def test_detach_shares_memory_without_history():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).detach()
    assert y.is_leaf and not y.requires_grad
    (x * y).sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_conversions_keep_the_graph_where_the_result_is_a_float():
    x = tensor([1.5, -2.5], requires_grad=True)
    assert x.to("float64").dtype == x.double().dtype == np.float64
    assert x.to(np.float32) is x and x.float() is x and x.cpu() is x and x.to("cpu") is x
    assert x.to(tensor([1], dtype="float64")).dtype == np.float64
    assert x.type_as(tensor(0.0, dtype="float64")).dtype == np.float64
    assert x.to("cpu", "float64").dtype == x.to(dtype="float64", device="cpu").dtype == np.float64
    assert x.long().tolist() == [1, -2] and not x.long().requires_grad
    (g,) = minigan.grad((x.double() ** 2).sum(), x)
    assert g.dtype == np.float32 and g.tolist() == [3, -5]


def test_gradients_can_be_set_and_must_fit():
    x = tensor([1.0, 2.0], requires_grad=True)
    x.grad = tensor([3.0, 4.0])
    (x * x).sum().backward()
    assert x.grad.tolist() == [5, 8]
    x.grad = None
    assert x.grad is None
    for wrong in (tensor([1.0]), np.ones(2), 0.0):
        with pytest.raises(RuntimeError, match=r"grad: expected None or a Tensor of shape \(2,\)"):
            x.grad = wrong
    plain = tensor([1.0])
    plain.grad = None
    plain.grad = tensor([7.0])
    assert plain.grad.tolist() == [7] and not plain.requires_grad


def test_deepcopy_copies_leaves_with_their_gradients():
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1] and pair[0] is not x
    y = pair[0]
    assert y.requires_grad and y.tolist() == [1, 2] and y.grad.tolist() == [2, 4]
    with minigan.no_grad():
        y.add_(1), y.grad.zero_()
    assert x.tolist() == [1, 2] and x.grad.tolist() == [2, 4]
    assert not copy.deepcopy(tensor([1.0])).requires_grad
    assert not copy.deepcopy(y.requires_grad_(False)).requires_grad
    parameter = minigan.nn.Parameter(tensor([1.0]))
    assert type(copy.deepcopy(parameter)) is minigan.nn.Parameter
    with pytest.raises(RuntimeError, match="deepcopy: only leaf tensors can be copied"):
        copy.deepcopy(x * 2)


def test_tensors_are_hashable_by_identity():
    x, y = tensor([1.0]), tensor([1.0])
    assert len({x, y, x}) == 2


def test_an_array_becomes_a_leaf_where_it_is():
    array = np.array([1.0, math.pi])
    assert Tensor(array).array is array and Tensor(array).is_leaf
