"""batch_norm and dropout: values, running statistics, and gradients of every order."""

import numpy as np
import pytest
from derivatives import by_engine, random_directions
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import batch_norm as plain_batch_norm
from strategies import in_layout, layouts, numbers, seeds

import minigan
from minigan import batch_norm, dropout, gradcheck, tensor


@st.composite
def batches(draw):
    """(N, C), (N, C, L) or (N, C, H, W) with more than one value a channel, weight and bias."""
    shape = draw(st.tuples(st.integers(2, 4), st.integers(1, 3)))
    shape += draw(st.sampled_from([(), (3,), (1,), (2, 3)]))
    x = in_layout(
        numbers(draw(seeds), shape), draw(layouts.filter(lambda name: name != "broadcast"))
    )
    return x, 1 + numbers(draw(seeds), shape[1]) / 4, numbers(draw(seeds), shape[1])


@given(batches(), st.sampled_from([1e-5, 0.3]))
def test_training_normalises_each_channel_by_its_own_statistics(case, eps):
    x, w, b = case
    found = batch_norm(tensor(x), weight=tensor(w), bias=tensor(b), training=True, eps=eps)
    assert_allclose(found.numpy(), plain_batch_norm(x, w, b, eps), rtol=1e-10, atol=1e-12)
    plain = batch_norm(tensor(x), training=True, eps=eps)
    ones, zeros = np.ones_like(w), np.zeros_like(w)
    assert_allclose(plain.numpy(), plain_batch_norm(x, ones, zeros, eps), rtol=1e-10, atol=1e-12)


@given(batches())
def test_evaluation_normalises_by_the_running_statistics(case):
    x, w, b = case
    mean, var = tensor(b + 1), tensor(w**2 + 0.1)
    before = mean.numpy().copy(), var.numpy().copy()
    found = batch_norm(tensor(x), mean, var, tensor(w), tensor(b))
    shape = (1, -1) + (1,) * (x.ndim - 2)
    centred = (x - before[0].reshape(shape)) / np.sqrt(before[1].reshape(shape) + 1e-5)
    assert_allclose(
        found.numpy(), centred * w.reshape(shape) + b.reshape(shape), rtol=1e-10, atol=1e-12
    )
    assert_array_equal(mean.numpy(), before[0])
    assert_array_equal(var.numpy(), before[1])


def test_running_statistics_move_by_momentum_with_the_unbiased_variance():
    x = numbers(0, (5, 2, 3))
    mean, var = tensor([1.0, 2.0], dtype="float64"), tensor([3.0, 4.0], dtype="float64")
    batch_norm(tensor(x), mean, var, training=True, momentum=0.25)
    flat = x.transpose(1, 0, 2).reshape(2, -1)
    assert_allclose(mean.numpy(), 0.75 * np.array([1, 2]) + 0.25 * flat.mean(1), rtol=1e-12)
    assert_allclose(var.numpy(), 0.75 * np.array([3, 4]) + 0.25 * flat.var(1, ddof=1), rtol=1e-12)


@settings(max_examples=15)
@given(batches())
def test_training_gradients_to_order_3(case):
    """Where an engine holds a statistic constant, the second or third derivative is wrong."""
    report = gradcheck(
        lambda x, w, b: batch_norm(x, weight=w, bias=b, training=True).tanh(),
        *case,
        order=3,
        probes=1,
    )
    assert all(row.method == "complex" for row in report.rows)


@settings(max_examples=10)
@given(batches())
def test_evaluation_gradients_to_order_3(case):
    x, w, b = case
    mean, var = tensor(b + 1), tensor(w**2 + 0.1)
    gradcheck(lambda x, w, b: batch_norm(x, mean, var, w, b).tanh(), x, w, b, order=3, probes=1)


def test_gradcheck_takes_complex_steps_with_running_statistics_too():
    x, w, b = numbers(0, (4, 2)), np.array([1.0, 2.0]), np.array([0.5, -0.5])

    def f(x, w, b):
        running = tensor(np.zeros(2)), tensor(np.ones(2))
        return batch_norm(x, *running, w, b, training=True) ** 2

    report = gradcheck(f, x, w, b, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)
    gradcheck(f, x, w, b, order=2, probes=1, wrt=[1, 2])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_shift_of_the_input_changes_nothing_and_a_scale_next_to_nothing(order):
    """Closed form: every derivative along (1, 1, …) is 0, and along x too as eps goes to 0."""
    rng = np.random.default_rng(order)
    x = rng.standard_normal((6, 2))
    cotangent = tensor(rng.standard_normal(x.shape))
    directions = random_directions(rng, [x], order)

    def value(along, eps):
        def f(t):
            return (batch_norm(t, training=True, eps=eps) * cotangent).sum()

        return by_engine(f, [x], [*directions[:-1], [along]])

    size = abs(value(directions[-1][0], 1e-5))
    assert abs(value(np.ones_like(x), 1e-5)) < 1e-12 * size
    if order == 1:  # Euler's theorem: a function of degree 0 has no slope along x
        assert abs(value(x, 1e-14)) < 1e-12 * size


def test_only_wanted_gradients_are_computed():
    x, w, b = (tensor(v, requires_grad=True) for v in (numbers(0, (3, 2)), np.ones(2), np.zeros(2)))
    frozen = x.detach()
    y = batch_norm(frozen, weight=w, bias=b, training=True)
    gw, gb = minigan.grad(y.sum(), (w, b))
    assert frozen.grad is None and gw.shape == gb.shape == (2,)
    assert_array_equal(gb.numpy(), [3, 3])
    y = batch_norm(frozen, bias=b, training=True)
    assert y.node.saved[0].__class__.__name__ == "Absent"  # a shift's gradient needs no image


def test_float32_statistics_of_a_large_offset_are_accurate():
    """Mean 1000, deviation 1: two passes keep three digits more than E[x²] - E[x]² would."""
    x = numbers(0, (4096, 1)) + 1000
    found = batch_norm(tensor(x.astype(np.float32)), training=True).numpy()
    exact = plain_batch_norm(x.astype(np.float32).astype(np.float64), [1.0], [0.0], 1e-5)
    assert abs(found - exact).max() < 1e-4


def test_operands_of_two_dtypes_meet_in_the_wider_one():
    x, w = minigan.randn(4, 2), minigan.ones(2, dtype="float64", requires_grad=True)
    y = batch_norm(x, weight=w, training=True)
    assert y.dtype == np.float64
    assert minigan.grad(y.sum(), w)[0].dtype == np.float64


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ((3,), {"training": True}, ValueError, r"expected input \(N, C, …\), got shape \(3,\)"),
        ((1, 3), {"training": True}, ValueError, "more than 1 value per channel"),
        ((2, 3), {}, RuntimeError, "evaluation needs running_mean and running_var"),
        ((2, 3), {"running_mean": minigan.zeros(3)}, RuntimeError, "evaluation needs"),
        (
            (2, 3),
            {"weight": minigan.ones(2), "training": True},
            RuntimeError,
            r"weight expects sha",
        ),
        (
            (2, 3),
            {"bias": minigan.ones(3, 1), "training": True},
            RuntimeError,
            r"bias expects shape",
        ),
        ((2, 3), {"running_var": minigan.ones(2)}, RuntimeError, r"running_var expects .* \(3,\)"),
    ],
)
def test_what_batch_norm_refuses(shape, options, error, message):
    with pytest.raises(error, match=message):
        batch_norm(minigan.ones(shape), **options)


# ------------------------------------------------------------------------------ dropout


@pytest.mark.parametrize("p", [0.1, 0.5, np.float64(0.9)])
def test_dropout_zeroes_a_share_and_scales_the_rest(p):
    """200,000 draws: the share is within 5 standard deviations; survivors are x/(1 - p) exactly."""
    x = minigan.full((200_000,), 3.0)
    y = dropout(x, p, generator=minigan.Generator().manual_seed(1)).numpy()
    kept = y != 0
    assert y.dtype == np.float32
    assert_allclose(y[kept], 3 / (1 - p), rtol=1e-6)
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / x.numel())


def test_the_gradient_of_dropout_is_its_mask():
    x = minigan.ones(50, requires_grad=True)
    y = dropout(x, 0.4, generator=minigan.Generator().manual_seed(2))
    (g,) = minigan.grad(y.sum(), x)
    assert_array_equal(g.numpy(), y.detach().numpy())


def test_dropout_at_its_limits():
    x = minigan.ones(5, requires_grad=True)
    assert dropout(x, 0.5, training=False) is x and dropout(x, 0.0) is x
    nothing = dropout(x, 1.0)
    assert_array_equal(nothing.detach().numpy(), np.zeros(5))
    assert_array_equal(minigan.grad(nothing.sum(), x)[0].numpy(), np.zeros(5))
    assert dropout(minigan.zeros(0)).shape == (0,)
    assert dropout(tensor(2.0), 0.5).item() in (0, 4)
    assert dropout(tensor([2, 2]), 0.5).dtype == np.float32
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="expected a probability between 0 and 1"):
            dropout(x, p)


def test_dropout_repeats_with_its_generator_and_moves_the_default_one():
    x = minigan.ones(100)
    g = minigan.Generator().manual_seed(3)
    state = g.get_state()
    first = dropout(x, generator=g)
    g.set_state(state)
    assert_array_equal(dropout(x, generator=g).numpy(), first.numpy())
    assert (dropout(x, generator=g) != first).any()
    minigan.manual_seed(4)
    a = dropout(x)
    minigan.manual_seed(4)
    assert_array_equal(dropout(x).numpy(), a.numpy())


def test_a_bias_alone_may_want_a_gradient():
    """Its is the sum, for which the images are not kept."""
    x, w = minigan.tensor(numbers(0, (8, 3))), minigan.ones(3)
    b = minigan.zeros(3, requires_grad=True)
    minigan.batch_norm(x, None, None, w, b, training=True).sum().backward()
    np.testing.assert_array_equal(b.grad.numpy(), np.full(3, 8.0, np.float32))
