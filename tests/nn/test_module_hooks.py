"""Hooks of a Module: before forward, after it, and on the way back."""

import copy

import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan import nn


class Add(nn.Module):
    def forward(self, a, b=0, *, c=0):
        return a + b + c


class Product(nn.Module):
    """y = a·b, and a + b beside it where ``two``."""

    def __init__(self, two=False):
        super().__init__()
        self.two = two

    def forward(self, a, b, *rest):
        return (a * b, a + b) if self.two else a * b


def leaf(*values):
    return minigan.tensor(values, dtype="float64", requires_grad=True)


def numbers(gradients):
    return tuple(None if g is None else g.tolist() for g in gradients)


# -- before and after forward


def test_forward_pre_hooks_see_and_may_replace_the_inputs_in_order_until_removed():
    module, seen = Add(), []
    first = module.register_forward_pre_hook(lambda m, inputs: seen.append((m, inputs)))
    second = module.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 10, 5))
    third = module.register_forward_pre_hook(lambda m, inputs: inputs[0] + inputs[1])
    assert module(1, 2, c=100) == 115
    assert seen == [(module, (1, 2))]
    third.remove()
    assert module(1, 2) == 15
    second.remove()
    fourth = module.register_forward_pre_hook(lambda m, inputs: -inputs[0])
    for handle in (third, second):  # once more does no harm
        handle.remove()
    assert module(1) == -1
    for handle in (first, fourth):
        handle.remove()
    assert module(1, 2) == 3
    assert len(seen) == 3


def test_forward_hooks_see_inputs_and_output_and_may_replace_it_in_order_until_removed():
    module, seen = Add(), []
    first = module.register_forward_hook(lambda m, inputs, y: seen.append((m, inputs, y)))
    second = module.register_forward_hook(lambda m, inputs, y: y * 10)
    module.register_forward_hook(lambda m, inputs, y: y + inputs[0])
    assert module(1, 2, c=3) == 61
    assert seen == [(module, (1, 2), 6)]
    first.remove()
    second.remove()
    assert module(1, 2) == 4
    assert len(seen) == 1


@pytest.mark.parametrize(("prepend", "expected"), [(False, 30), (True, 12)])
def test_a_prepended_hook_runs_first(prepend, expected):
    module = Add()
    module.register_forward_hook(lambda m, inputs, y: y + 2)
    module.register_forward_hook(lambda m, inputs, y: y * 10, prepend=prepend)
    assert module(1) == expected
    module = Add()
    module.register_forward_pre_hook(lambda m, inputs: inputs[0] + 2)
    module.register_forward_pre_hook(lambda m, inputs: inputs[0] * 10, prepend=prepend)
    assert module(1) == expected


def test_hooks_with_kwargs_see_and_may_replace_them():
    module, seen = Add(), []
    module.register_forward_pre_hook(
        lambda m, inputs, kwargs: ((*inputs, 10), {"c": kwargs["c"] * 2}), with_kwargs=True
    )
    module.register_forward_pre_hook(lambda m, inputs, kwargs: None, with_kwargs=True)
    module.register_forward_hook(
        lambda m, inputs, kwargs, y: seen.append((inputs, kwargs, y)), with_kwargs=True
    )
    assert module(1, c=100) == 211
    assert seen == [((1, 10), {"c": 200}, 211)]


@pytest.mark.parametrize("returned", [1, (1,), [1, {}]])
def test_a_pre_hook_with_kwargs_that_returns_something_else_is_told(returned):
    module = Add()
    module.register_forward_pre_hook(lambda m, i, k: returned, with_kwargs=True)
    with pytest.raises(ValueError, match=r"expected None or \(inputs, kwargs\)"):
        module(1)


def test_a_copy_of_a_module_has_hooks_of_its_own():
    module = Add()
    handle = module.register_forward_hook(lambda m, inputs, y: y + 1)
    twin = copy.deepcopy(module)
    handle.remove()
    assert (module(1), twin(1)) == (1, 2)


# -- on the way back


def test_a_backward_hook_sees_the_gradients_of_inputs_and_output():
    """y = W·x: ∂L/∂x = gW, and g is what the loss gives; the gradients themselves are unchanged."""
    layer = nn.Linear(3, 2).double()
    x = minigan.randn(4, 3, dtype="float64", requires_grad=True)
    (layer(x).square().sum()).backward()
    expected = [t.grad.numpy().copy() for t in (x, layer.weight, layer.bias)]
    for t in (x, layer.weight, layer.bias):
        t.grad = None
    seen = []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((m, gi, go)))
    y = layer(x)
    y.square().sum().backward()
    ((module, (grad_input,), (grad_output,)),) = seen
    assert module is layer
    assert_array_equal(grad_output.numpy(), 2 * y.detach().numpy())
    weight = layer.weight.detach().numpy()
    assert_allclose(grad_input.numpy(), 2 * y.detach().numpy() @ weight, rtol=1e-12)
    for t, gradient in zip((x, layer.weight, layer.bias), expected, strict=True):
        assert_array_equal(t.grad.numpy(), gradient)


def test_all_inputs_gradients_come_in_one_call_with_none_for_what_wants_none():
    a, b, seen = leaf(2.0, 3.0), leaf(5.0, 7.0), []
    module = Product()
    module.register_full_backward_hook(lambda m, *gs: seen.append(tuple(map(numbers, gs))))
    constant = minigan.ones(2, dtype="float64")
    module(a, b, "text", constant).sum().backward()
    assert seen == [(([5.0, 7.0], [2.0, 3.0], None, None), ([1.0, 1.0],))]
    assert (a.grad.tolist(), b.grad.tolist()) == ([5.0, 7.0], [2.0, 3.0])


def test_all_outputs_gradients_come_in_one_call():
    """L = 3·Σ a·b + Σ (a + b): ∂L/∂a = 3b + 1."""
    a, b, seen = leaf([2.0, 3.0], [1.0, 1.0]), leaf(5.0, 7.0), []
    module = Product(two=True)
    module.register_full_backward_hook(lambda m, *gs: seen.append(tuple(map(numbers, gs))))
    product, total = module(a, b)
    assert product.shape == (2, 2)
    (3 * product.sum() + total.sum()).backward()
    ((grad_input, grad_output),) = seen
    assert grad_output == ([[3.0] * 2] * 2, [[1.0] * 2] * 2)
    assert grad_input == ([[16.0, 22.0]] * 2, [11.0, 14.0])
    assert (a.grad.tolist(), b.grad.tolist()) == grad_input


def test_what_a_backward_hook_returns_goes_on_down_and_to_the_next_hook():
    x, seen = leaf(1.0, 2.0), []
    module = nn.Identity()
    handle = module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    module.register_full_backward_hook(lambda m, gi, go: gi[0] + 1)
    module.register_full_backward_hook(lambda m, gi, go: seen.append(numbers(gi)))
    module.register_full_backward_hook(lambda m, gi, go: gi[0] * 2, prepend=True)
    (module(x * 3) * 5).sum().backward()
    assert seen == [([101.0, 101.0],)]
    assert x.grad.tolist() == [303.0, 303.0]
    handle.remove()
    x.grad = None
    (module(x * 3) * 5).sum().backward()
    assert x.grad.tolist() == [33.0, 33.0]


def test_several_gradients_can_be_replaced():
    a, b = leaf(2.0), leaf([5.0], [7.0])
    module = Product()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10, gi[1] * 100))
    module(a, b).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([120.0], [[200.0], [200.0]])


def test_a_backward_pre_hook_replaces_the_outputs_gradient_before_the_module_sees_it():
    x, seen = leaf(1.0, 2.0), []
    layer = Product()
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    layer.register_full_backward_pre_hook(lambda m, go: seen.append(numbers(go)))
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(numbers(go)))
    layer(x, minigan.tensor(3.0)).sum().backward()
    assert seen == [([10.0, 10.0],), ([10.0, 10.0],)]
    assert x.grad.tolist() == [30.0, 30.0]


def test_the_hook_of_a_first_layer_runs_when_the_outputs_gradient_is_known():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, numbers(go))))
    layer(minigan.ones(3, 2)).sum().backward()
    assert seen == [((None,), ([[1.0]] * 3,))]
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]


def test_layers_run_their_hooks_from_the_last_to_the_first():
    net, seen = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)), []
    for name, layer in net.named_children():
        layer.register_full_backward_hook(lambda m, gi, go, name=name: seen.append(name))
    net(minigan.ones(1, 2)).sum().backward()
    assert seen == ["2", "1", "0"]


def test_every_call_and_every_pass_has_its_own_gradients():
    layer, seen = Product(), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(gi[0].item()))
    a = leaf(2.0)
    y = layer(layer(a, 3), 5).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert seen == [5.0, 15.0] * 2
    assert a.grad.tolist() == [30.0]


def test_a_backward_hook_can_be_differentiated():
    """ĝ = g² with g = 3x² is 9x⁴; its derivative 36x³ meets the hook on its way again."""
    x = leaf(2.0)
    module = nn.Identity()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * gi[0],))
    (g,) = minigan.grad((module(x) ** 3).sum(), x, create_graph=True)
    assert g.tolist() == [9.0 * 2**4]
    assert minigan.grad(g.sum(), x)[0].tolist() == [(36.0 * 2**3) ** 2]


def test_without_recording_there_is_no_way_back_and_no_hook():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: pytest.fail("there was no pass"))
    with minigan.no_grad():
        assert not layer(minigan.ones(1, 2, requires_grad=True)).requires_grad


def test_outputs_that_are_no_tensors_pass_and_a_list_stays_one():
    class Words(nn.Module):
        def forward(self, x):
            return [x * 2, "text", None]

    module, x, seen = Words(), leaf(1.0), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append(numbers(go)))
    doubled, *rest = module(x)
    assert rest == ["text", None]
    doubled.sum().backward()
    assert seen == [([1.0], None, None)]
    assert x.grad.tolist() == [2.0]
    module.forward = lambda x: {"y": x}
    assert module(x)["y"].requires_grad


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ((), "expected 2 gradients in return, got 0"),
        (leaf(1.0), "expected 2 gradients in return, got 1"),
        (
            (leaf(1.0, 2.0), None),
            r"a Tensor of shape \(1,\) as gradient 0, got a Tensor of shape \(2,",
        ),
        ((None, None), r"a Tensor of shape \(1,\) as gradient 0, got None"),
        ((leaf(1.0), leaf(1.0)), r"expected None as gradient 1, got a Tensor of shape \(1,\)"),
    ],
)
def test_a_replacement_that_does_not_fit_is_said(returned, message):
    module = Product()
    module.register_full_backward_hook(lambda m, gi, go: returned)
    with pytest.raises(ValueError, match=f"^backward hook: .*{message}"):
        module(leaf(2.0), 3.0).sum().backward()


def test_inputs_of_several_dtypes_are_refused_rather_than_converted():
    module = Product()
    module.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.raises(TypeError, match="of one dtype, got float64, float32"):
        module(leaf(2.0), minigan.ones(1, requires_grad=True))
