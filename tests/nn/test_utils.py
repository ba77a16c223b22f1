"""nn.utils: clipping gradients, parameters as one vector; and Module's forward hooks."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)

GRADIENTS = ([3.0, -4.0, 0.5], [[1.0, 2.0], [-0.5, 0.25]], 7.0)


def with_gradients(*gradients, dtype="float64"):
    parameters = []
    for values in gradients:
        g = minigan.tensor(values, dtype=dtype)
        parameters.append(minigan.zeros(*g.shape, dtype=dtype, requires_grad=True))
        parameters[-1].grad = g
    return parameters


def numbers(gradients=GRADIENTS):
    return [abs(float(x)) for values in gradients for x in np.ravel(values)]


# -- clip_grad_norm_

NORMS = {
    1: lambda a: sum(a),
    2: lambda a: sum(x * x for x in a) ** 0.5,
    3.0: lambda a: sum(x**3 for x in a) ** (1 / 3),
    0.5: lambda a: sum(x**0.5 for x in a) ** 2,
    -1: lambda a: 1 / sum(1 / x for x in a),
    0: lambda a: sum(x != 0 for x in a),
    float("inf"): max,
    "inf": max,
    float("-inf"): min,
}


@pytest.mark.parametrize("p", NORMS)
def test_every_norm_is_that_of_all_gradients_as_one_vector(p):
    expected = NORMS[p](numbers())
    parameters = with_gradients(*GRADIENTS)
    held = [q.grad for q in parameters]
    total = clip_grad_norm_(parameters, expected / 2, p)
    assert total.shape == ()
    assert total.item() == pytest.approx(expected, rel=1e-14)
    for q, before, values in zip(parameters, held, GRADIENTS, strict=True):
        assert q.grad is before  # changed in place
        scaled = np.array(values) * (expected / 2 / (expected + 1e-6))
        np.testing.assert_allclose(q.grad.numpy(), scaled, rtol=1e-14)


def test_a_norm_of_zero_counts_the_numbers_that_are_not_zero():
    parameters = with_gradients([0.0, 2.0, 0.0], [5.0])
    assert clip_grad_norm_(parameters, 100.0, 0).item() == 2.0


@pytest.mark.parametrize("p", [1, 2, float("inf")])
def test_gradients_within_the_bound_keep_every_bit(p):
    parameters = with_gradients(*GRADIENTS, dtype="float32")
    clip_grad_norm_(parameters, 2 * sum(numbers()), p)
    for q, values in zip(parameters, GRADIENTS, strict=True):
        np.testing.assert_array_equal(q.grad.numpy(), np.float32(values))


def test_one_tensor_a_generator_and_missing_gradients():
    (single,) = with_gradients([6.0, 8.0])
    assert clip_grad_norm_(single, 1.0).item() == 10.0
    np.testing.assert_allclose(single.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    lonely = minigan.zeros(2, requires_grad=True)
    assert clip_grad_norm_((p for p in [lonely, *with_gradients([-2.0])]), 5.0).item() == 2.0
    assert lonely.grad is None
    assert clip_grad_norm_([lonely], 1.0).item() == 0.0
    assert clip_grad_norm_([], 1.0).item() == 0.0


def test_squares_that_float32_cannot_hold_do_not_overflow():
    parameters = with_gradients([3e30, -4e30], dtype="float32")
    total = clip_grad_norm_(parameters, 1.0)
    assert total.dtype == np.float32
    assert total.item() == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(parameters[0].grad.numpy(), [0.6, -0.8], rtol=1e-6)


def test_infinite_and_nan_norms_are_refused_on_request():
    for bad in (float("inf"), float("nan")):
        parameters = with_gradients([1.0, bad], [2.0])
        with pytest.raises(RuntimeError, match=f"norm of order 2.0 is {bad}"):
            clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
        np.testing.assert_array_equal(parameters[0].grad.numpy(), [1.0, bad])
        assert parameters[1].grad.item() == 2.0


def test_otherwise_they_scale_what_they_can():
    # What torch.nn.utils.clip_grad_norm_ of PyTorch 2.13 leaves.
    parameters = with_gradients([1.0, float("inf"), 2.0], [1.0])
    assert clip_grad_norm_(parameters, 1.0).item() == float("inf")
    np.testing.assert_array_equal(parameters[0].grad.numpy(), [0.0, np.nan, 0.0])
    assert parameters[1].grad.item() == 0.0
    for order in ((0, 1), (1, 0)):  # wherever the NaN is
        parameters = with_gradients([1.0, float("nan")], [1.0])
        total = clip_grad_norm_([parameters[i] for i in order], 1.0, float("inf"))
        assert np.isnan(total.item())
        assert np.isnan(parameters[0].grad.numpy()).all()
        assert np.isnan(parameters[1].grad.item())


def test_a_recorded_gradient_is_clipped_all_the_same():
    x = minigan.tensor([3.0, 4.0], requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    assert clip_grad_norm_([x], 1.0).item() == 10.0
    np.testing.assert_allclose(x.grad.detach().numpy(), [0.6, 0.8], rtol=1e-6)


# -- clip_grad_value_


def test_values_are_limited_one_by_one_in_place():
    parameters = with_gradients(*GRADIENTS)
    parameters.append(minigan.zeros(1, requires_grad=True))
    held = [q.grad for q in parameters]
    clip_grad_value_(iter(parameters), 1)
    for q, before, values in zip(parameters, held, [*GRADIENTS, None], strict=True):
        assert q.grad is before
        if values is not None:
            limited = np.reshape([max(-1.0, min(1.0, x)) for x in np.ravel(values)], q.shape)
            np.testing.assert_array_equal(q.grad.numpy(), limited)


# -- one vector


def test_a_vector_of_parameters_is_their_numbers_in_order():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    expected = [x for p in net.parameters() for x in p.detach().numpy().ravel()]
    vector = parameters_to_vector(net.parameters())
    np.testing.assert_array_equal(vector.detach().numpy(), expected)
    scale = minigan.arange(float(len(expected)))
    (vector * scale).sum().backward()
    gradients = np.concatenate([p.grad.numpy().ravel() for p in net.parameters()])
    np.testing.assert_array_equal(gradients, np.arange(len(expected)))


def test_back_into_parameters_undoes_it_and_keeps_memory_and_dtype():
    net = nn.Linear(3, 2)
    net.bias.data = net.bias.detach().double()
    memory = [p.array for p in net.parameters()]
    vector = minigan.arange(8.0).requires_grad_()
    vector_to_parameters(vector, net.parameters())
    assert net.weight.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert net.bias.tolist() == [6.0, 7.0]
    assert all(p.array is a for p, a in zip(net.parameters(), memory, strict=True))
    assert net.weight.is_leaf
    np.testing.assert_array_equal(
        parameters_to_vector(net.parameters()).detach().numpy(), vector.detach().numpy()
    )


def test_a_vector_of_another_length_changes_nothing():
    net = nn.Linear(3, 2)
    before = parameters_to_vector(net.parameters()).detach().numpy()
    for n in (7, 9):
        with pytest.raises(RuntimeError, match=rf"vector of 8 elements, got shape \({n},\)"):
            vector_to_parameters(minigan.zeros(n), net.parameters())
    with pytest.raises(TypeError, match="expected a Tensor, got ndarray"):
        vector_to_parameters(np.zeros(8), net.parameters())
    np.testing.assert_array_equal(parameters_to_vector(net.parameters()).detach().numpy(), before)


# -- forward hooks


def test_forward_hooks_see_inputs_and_output_and_may_replace_it_in_order_until_removed():
    class Add(nn.Module):
        def forward(self, a, b=0, *, c=0):
            return a + b + c

    module, seen = Add(), []
    first = module.register_forward_hook(lambda m, inputs, output: seen.append((m, inputs, output)))
    second = module.register_forward_hook(lambda m, inputs, output: output * 10)
    third = module.register_forward_hook(lambda m, inputs, output: output + 1)
    before = module.register_forward_pre_hook(lambda m, inputs: (inputs[0], 5))
    assert module(1, 2, c=100) == 1061
    assert seen == [(module, (1, 5), 106)]  # the inputs that forward had
    for handle in (second, before):
        handle.remove()
    assert module(1, 2) == 4
    zero = module.register_forward_hook(lambda m, inputs, output: 0)  # also what counts as false
    assert module(1, 2) == 0
    for handle in (first, third, third, zero):  # once more does no harm
        handle.remove()
    assert module(1, 2) == 3
    assert len(seen) == 3
