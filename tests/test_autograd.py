"""grad and backward: which gradients come out, of what order, and where they go."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan import Function, backward, grad, tensor


def leaf(value, dtype="float64"):
    return tensor(value, dtype=dtype, requires_grad=True)


# ------------------------------------------------------------------------------ graphs


def test_a_diamond_adds_what_comes_along_both_sides():
    """z = y·(y + 1) with y = x²: every node is visited once, after all that depend on it."""
    x = leaf(3.0)
    y = x * x
    z = (y + 1) * y
    assert grad(z, x)[0].item() == 2 * 3 * (2 * 9 + 1)


def test_a_ladder_of_diamonds_is_linear_work():
    """60 doublings of shared use: 2⁶⁰ paths, one call of each vjp."""
    calls = []

    class Twice(Function):
        def forward(self, a, b):
            return a + b

        def vjp(self, needs, g, y, a, b):
            calls.append(1)
            return g, g

    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = Twice()(y, y)
    assert grad(y, x)[0].item() == 2.0**60
    assert len(calls) == 60


@settings(max_examples=100)
@given(st.data())
def test_any_program_of_additions_and_products_agrees_with_forward_mode(data):
    """Random straight-line programs with shared values, against dual numbers."""
    count = data.draw(st.integers(1, 3))
    values = data.draw(st.tuples(*[st.floats(-2, 2)] * count))
    tensors = [leaf(v) for v in values]
    duals = [(v, np.eye(count)[i]) for i, v in enumerate(values)]
    for _ in range(data.draw(st.integers(1, 8))):
        i, j = (data.draw(st.integers(0, len(tensors) - 1)) for _ in range(2))
        (a, da), (b, db) = duals[i], duals[j]
        if data.draw(st.booleans()):
            tensors.append(tensors[i] * tensors[j])
            duals.append((a * b, a * db + b * da))
        else:
            tensors.append(tensors[i] - tensors[j])
            duals.append((a - b, da - db))
    found = grad(tensors[-1], tensors[:count], allow_unused=True, materialize_grads=True)
    size = abs(duals[-1][1]).max() + 1
    assert_allclose([g.item() for g in found], duals[-1][1], rtol=1e-9, atol=1e-9 * size)


def test_several_outputs_add_up_weighted_by_grad_outputs():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    a, b = x * w, x.sum()
    (gx, gw) = grad([a, b], [x, w], [tensor([1.0, 10.0], dtype="float64"), None])
    assert_array_equal(gx.numpy(), [3 + 1, 40 + 1])
    assert_array_equal(gw.numpy(), [1, 20])
    (again,) = grad([b, b], x, [tensor(2.0), tensor(3.0)])
    assert_array_equal(again.numpy(), [5, 5])


def test_the_gradient_of_an_output_that_is_itself_an_input():
    x = leaf(2.0)
    y = x * x
    gy, gx = grad(y, (y, x))
    assert (gy.item(), gx.item()) == (1, 4)
    assert grad(x, x)[0].item() == 1


def test_gradients_with_respect_to_results_and_to_their_ancestors():
    """∂z/∂y at a value in the middle, ∂z/∂x through it, and both in one call."""
    x = leaf(2.0)
    y = x * 3
    z = y * y * x
    assert grad(z, y, retain_graph=True)[0].item() == 2 * 6 * 2
    assert grad(z, x, retain_graph=True)[0].item() == 2 * 6 * 2 * 3 + 36
    gy, gx = grad(z, [y, x])
    assert (gy.item(), gx.item()) == (24, 108)


def test_the_same_input_twice_gives_the_same_gradient_twice():
    x = leaf(2.0)
    a, b = grad(x * x, [x, x])
    assert a.item() == b.item() == 4


def test_inputs_that_need_no_gradient_get_none_computed():
    """x·w with only w wanted: the product for x is not formed."""
    seen = []

    class Product(Function):
        def forward(self, a, b):
            return a * b

        def vjp(self, needs, g, y, a, b):
            seen.append(needs)
            return g * b if needs[0] else None, g * a if needs[1] else None

    x, w, c = leaf(2.0), leaf(3.0), tensor(4.0, dtype="float64")
    grad(Product()(x, w), w)
    grad(Product()(x, w), (x, w))
    Product()(w, c).backward()
    assert seen == [(False, True), (True, True), (True, False)]


# ------------------------------------------------------------------------------ orders


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_derivatives_of_any_order_in_closed_form(order):
    """dᵏ/dxᵏ of x⁶, e^2x, sin-like tanh' and 1/x."""
    x0 = 0.7
    falling = math.prod(range(6, 6 - order, -1))
    cases = [
        (lambda x: x**6, falling * x0 ** (6 - order)),
        (lambda x: (2 * x).exp(), 2**order * math.exp(2 * x0)),
        (lambda x: 1 / x, (-1) ** order * math.factorial(order) / x0 ** (order + 1)),
        (lambda x: x.log(), (-1) ** (order - 1) * math.factorial(order - 1) / x0**order),
    ]
    for f, expected in cases:
        x = leaf(x0)
        y = f(x)
        for _ in range(order):
            (y,) = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected, rel=1e-12)


def test_mixed_partial_derivatives_do_not_depend_on_their_order():
    x, w = leaf(0.3), leaf(1.2)
    y = (x * w).tanh() * x

    def mixed(first, second):
        (g,) = grad(y, first, create_graph=True)
        return grad(g, second, retain_graph=True)[0].item()

    t = math.tanh(0.36)
    expected = 0.3 * (1 - t * t) * (2 - 2 * t * 0.36)
    assert mixed(x, w) == pytest.approx(mixed(w, x), rel=1e-14)
    assert mixed(x, w) == pytest.approx(expected, rel=1e-14)


def test_backward_through_a_recorded_gradient():
    """The gradient penalty's shape: a loss made of a gradient, differentiated by a weight."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 5.0])
    (g,) = grad((w * w * x).sum(), x, create_graph=True)
    (g * g).sum().backward()
    assert_allclose(w.grad.numpy(), 4 * np.array([3.0, 5.0]) ** 3)
    assert x.grad is None  # the gradient is w²: x is not in it


# ------------------------------------------------------------------------------ unused inputs


def test_an_unused_input_is_an_error_unless_it_is_allowed():
    x, unused = leaf(1.0), leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"input 1 \(shape \(2,\)\) appears not to have been us"):
        grad(x * 2, (x, unused))
    assert grad(x * 2, (x, unused), allow_unused=True)[1] is None
    zeros = grad(x * 2, (x, unused), materialize_grads=True)[1]
    assert zeros.dtype == np.float64
    assert_array_equal(zeros.numpy(), [0, 0])


def test_an_input_that_is_used_but_has_no_influence_has_a_zero_gradient():
    """The derivative of a step function is there, and zero; nothing below is computed for it."""
    x, calls = leaf([-1.0, 2.0]), []

    class Spy(Function):
        def forward(self, x):
            return x * 1

        def vjp(self, needs, g, y, x):
            calls.append(1)
            return (g,)

    (g,) = grad(Spy()(x).sign().sum(), x)
    assert_array_equal(g.numpy(), [0, 0])
    (first,) = grad(minigan.relu(Spy()(x)).sum(), x, create_graph=True)
    calls.clear()
    assert_array_equal(grad(first.sum(), x)[0].numpy(), [0, 0])
    assert not calls


# ------------------------------------------------------------------------------ backward


def test_backward_adds_to_the_gradients_of_leaves():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x * w).sum().backward()
    (x * x).sum().backward()
    assert_array_equal(x.grad.numpy(), [3 + 2, 4 + 4])
    assert_array_equal(w.grad.numpy(), [1, 2])
    assert (x * w).grad is None


def test_backward_for_chosen_inputs_leaves_the_others_alone():
    x, w = leaf(2.0), leaf(3.0)
    y = x * w
    (y * y).backward(inputs=[y, x])
    assert w.grad is None
    assert (x.grad.item(), y.grad.item()) == (36, 12)


def test_backward_of_several_tensors():
    x = leaf([1.0, 2.0])
    backward([x * x, x.sum()], [tensor([1.0, 1.0]), None])
    assert_array_equal(x.grad.numpy(), [3, 5])


@pytest.mark.parametrize("create_graph", [False, True])
def test_every_leaf_owns_its_gradient(create_graph):
    """a + b hands the same array to both; what a caller does to one must not reach the other."""
    a, b, seed = leaf([1.0, 2.0]), leaf([3.0, 4.0]), tensor([5.0, 6.0], dtype="float64")
    (a + b).backward(seed, create_graph=create_graph)
    assert_array_equal(a.grad.numpy(), [5, 6])
    with minigan.no_grad():
        a.grad.mul_(0)
    assert_array_equal(b.grad.numpy(), [5, 6])
    assert_array_equal(seed.numpy(), [5, 6])


def test_leaves_that_share_a_gradient_made_on_the_way_own_theirs_too():
    """d(2(a + b))/da and /db are one array when they arrive; so are those of a and its view."""
    a, b, c = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([[5.0], [6.0]])
    ((a + b + c.reshape(2)) * tensor([2.0, 3.0])).sum().backward()
    arrays = [t.grad.numpy() for t in (a, b, c)]
    for i, array in enumerate(arrays):
        array[...] = i
    assert [array.ravel().tolist() for array in arrays] == [[0, 0], [1, 1], [2, 2]]


def test_gradients_can_be_changed_in_place_even_of_a_sum():
    """The gradient of a sum is one number spread out; .grad holds it written out."""
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    x.sum().backward()
    x.grad.mul_(tensor([2.0, 3.0], dtype="float64"))
    assert_array_equal(x.grad.numpy(), [[2, 3], [2, 3]])


def test_backward_with_create_graph_leaves_gradients_that_can_be_differentiated():
    x = leaf(3.0)
    (x * x * x).backward(create_graph=True)
    assert x.grad.requires_grad
    assert grad(x.grad, x)[0].item() == 18
    x.grad = None


def test_a_frozen_leaf_gets_no_gradient():
    x, w = leaf(2.0), leaf(3.0)
    w.requires_grad_(False)
    (x * w).backward()
    assert w.grad is None and x.grad.item() == 3
    w.requires_grad_()
    (x * w).backward()
    assert w.grad.item() == 2 and x.grad.item() == 6


def test_a_leaf_frozen_after_it_was_used_gets_no_gradient():
    x, w = leaf(2.0), leaf(3.0)
    y = x * w
    w.requires_grad = False
    y.backward()
    assert w.grad is None and x.grad.item() == 3
