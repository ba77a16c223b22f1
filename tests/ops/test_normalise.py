"""layer_norm, group_norm, instance_norm against lists of numbers with their mean and variance."""

import math
import statistics

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan import gradcheck, tensor
from minigan.nn import functional as F


def draws(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape) * 2 + 1


def normalised(values, eps):
    """A list brought to mean 0 and variance 1."""
    mean, var = statistics.fmean(values), statistics.pvariance(values)
    return [(v - mean) / math.sqrt(var + eps) for v in values]


def by_rows(x, rows, eps):
    """Consecutive elements, in ``rows`` lists of equal length, each normalised."""
    lists = x.reshape(rows, -1).tolist()
    return np.array([normalised(values, eps) for values in lists]).reshape(x.shape)


def per_channel(values, ndim):
    return np.reshape(values, (1, -1) + (1,) * (ndim - 2))


# -- layer


@pytest.mark.parametrize(
    ("shape", "over"),
    [((3, 4), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((4,), 1), ((2, 1, 2), 3), ((3, 1), 1)],
)
@pytest.mark.parametrize("affine", ["neither", "weight", "bias", "both"])
def test_layer_norm_normalises_every_sample_over_its_last_dimensions(shape, over, affine):
    x, size = draws(*shape), shape[-over:]
    w = draws(*size, seed=1) if affine in ("weight", "both") else None
    b = draws(*size, seed=2) if affine in ("bias", "both") else None
    y = F.layer_norm(tensor(x), size, *(None if v is None else tensor(v) for v in (w, b)), 1e-3)
    expected = by_rows(x, x.size // math.prod(size), 1e-3)
    expected = expected * (1 if w is None else w) + (0 if b is None else b)
    assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_layer_norm_of_no_samples_is_empty():
    assert F.layer_norm(minigan.zeros(0, 4), (4,)).shape == (0, 4)


# -- group

GROUPS = [((2, 4, 3), 2), ((2, 4), 1), ((2, 4, 3, 2), 4), ((2, 6, 2), 3), ((1, 4, 1), 2)]


@pytest.mark.parametrize(("shape", "groups"), GROUPS)
@pytest.mark.parametrize("affine", [True, False])
def test_group_norm_normalises_every_group_of_channels_of_every_sample(shape, groups, affine):
    x = draws(*shape)
    expected = by_rows(x, shape[0] * groups, 1e-3)
    given = ()
    if affine:
        w, b = (draws(shape[1], seed=s) for s in (1, 2))
        given = tensor(w), tensor(b)
        expected = expected * per_channel(w, x.ndim) + per_channel(b, x.ndim)
    y = F.group_norm(tensor(x), groups, *given, eps=1e-3)
    assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_one_group_is_layer_norm_and_a_group_per_channel_instance_norm():
    x = tensor(draws(2, 4, 3, 2))
    one, each = F.group_norm(x, 1), F.group_norm(x, 4)
    assert_allclose(one.numpy(), F.layer_norm(x, (4, 3, 2)).numpy(), rtol=1e-13, atol=1e-14)
    assert_allclose(each.numpy(), F.instance_norm(x).numpy(), rtol=1e-13, atol=1e-14)


def test_group_norm_of_no_samples_is_empty():
    assert F.group_norm(minigan.zeros(0, 4, 3), 2, minigan.ones(4)).shape == (0, 4, 3)


# -- instance

INSTANCES = [(2, 3, 4), (2, 3, 2, 2), (1, 3, 5), (2, 3, 2, 1, 2)]


@pytest.mark.parametrize("shape", INSTANCES)
def test_instance_norm_normalises_every_channel_of_every_sample(shape):
    x, w, b = draws(*shape), draws(3, seed=1), draws(3, seed=2)
    y = F.instance_norm(tensor(x), None, None, tensor(w), tensor(b), eps=1e-3)
    expected = by_rows(x, shape[0] * 3, 1e-3)
    expected = expected * per_channel(w, x.ndim) + per_channel(b, x.ndim)
    assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", INSTANCES)
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0])
def test_running_statistics_move_to_the_batchs_averages_with_unbiased_variances(shape, momentum):
    mean, var = np.array([0.5, -1.0, 2.0]), np.array([1.0, 2.0, 0.5])
    running = minigan.from_numpy(mean.copy()), minigan.from_numpy(var.copy())
    for seed in range(3):
        x = draws(*shape, seed=seed)
        lists = x.reshape(shape[0], 3, -1).tolist()
        batch_mean = [statistics.fmean(statistics.fmean(s[c]) for s in lists) for c in range(3)]
        batch_var = [statistics.fmean(statistics.variance(s[c]) for s in lists) for c in range(3)]
        mean = (1 - momentum) * mean + momentum * np.array(batch_mean)
        var = (1 - momentum) * var + momentum * np.array(batch_var)
        F.instance_norm(tensor(x), *running, momentum=momentum)
    assert_allclose(running[0].numpy(), mean, rtol=1e-12)
    assert_allclose(running[1].numpy(), var, rtol=1e-12)


@pytest.mark.parametrize("shape", [*INSTANCES, (2, 3, 1)])
def test_without_input_statistics_the_running_ones_normalise_and_stay(shape):
    x, mean, var = draws(*shape), np.array([0.5, -1.0, 2.0]), np.array([1.0, 2.0, 0.5])
    running = minigan.from_numpy(mean.copy()), minigan.from_numpy(var.copy())
    y = F.instance_norm(tensor(x), *running, use_input_stats=False, eps=1e-3)
    mean_of, var_of = (per_channel(v, x.ndim) for v in (mean, var))
    assert_allclose(y.numpy(), (x - mean_of) / np.sqrt(var_of + 1e-3), rtol=1e-12, atol=1e-12)
    assert_array_equal(running[0].numpy(), mean)
    assert_array_equal(running[1].numpy(), var)


def test_no_samples_leave_the_running_statistics():
    running = minigan.zeros(3), minigan.ones(3)
    assert F.instance_norm(minigan.zeros(0, 3, 4), *running).shape == (0, 3, 4)
    assert [r.tolist() for r in running] == [[0.0] * 3, [1.0] * 3]


@pytest.mark.parametrize(
    "wrong", [{"running_var": 2}, {"weight": 4}, {"bias": 1}, {"running_mean": 4}]
)
def test_a_call_that_is_refused_leaves_the_running_statistics(wrong):
    shapes = {"running_mean": 3, "running_var": 3, "weight": 3, "bias": 3} | wrong
    given = {name: minigan.ones(n) for name, n in shapes.items()}
    ((name, n),) = wrong.items()
    with pytest.raises(RuntimeError, match=rf"^instance_norm: {name} expects .* got \({n},\)"):
        F.instance_norm(tensor(draws(2, 3, 4)), **given)
    assert all(v.tolist() == [1.0] * shapes[k] for k, v in given.items())


# -- all

FUNCTIONS = {
    "layer": lambda x, w, b: F.layer_norm(x, (3, 4), w, b),
    "group": lambda x, w, b: F.group_norm(x, 3, w.flatten(0)[:6], b.flatten(0)[:6]),
    "instance": lambda x, w, b: F.instance_norm(x, None, None, w.flatten(0)[:6], b.flatten(0)[:6]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_by_input_weight_and_bias_are_right_to_order_3(name):
    x = draws(2, 3, 4) if name == "layer" else draws(2, 6, 2, 2)
    gradcheck(FUNCTIONS[name], x, draws(3, 4, seed=1), draws(3, 4, seed=2), order=3)


def test_derivatives_with_running_statistics_are_right_to_order_3():
    mean, var = tensor(draws(3)), tensor(draws(3) ** 2)
    gradcheck(
        lambda x, w: F.instance_norm(x, mean, var, w, None, False).tanh(),
        *(draws(2, 3, 2), draws(3)),
        order=3,
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_float32_and_integers_become_it(name):
    shape = (2, 3, 4) if name == "layer" else (2, 6, 2, 2)
    x = tensor(draws(*shape).astype("float32"), requires_grad=True)
    w, b = minigan.ones(3, 4), minigan.zeros(3, 4)
    y = FUNCTIONS[name](x, w, b)
    assert y.dtype == minigan.grad((y * y).sum(), x)[0].dtype == np.float32
    whole = minigan.arange(math.prod(shape)).reshape(*shape)
    assert FUNCTIONS[name](whole, w, b).dtype == np.float32


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_large_mean_does_not_spoil_float32(name):
    """Two passes: the variance is not a difference of large squares."""
    shape = (2, 3, 4) if name == "layer" else (2, 6, 2, 2)
    x = draws(*shape).astype("float32") + np.float32(1000)
    wide = [tensor(v) for v in (x.astype("float64"), np.ones((3, 4)), np.zeros((3, 4)))]
    narrow = [tensor(v) for v in (x, np.ones((3, 4), "f"), np.zeros((3, 4), "f"))]
    assert_allclose(FUNCTIONS[name](*narrow).numpy(), FUNCTIONS[name](*wide).numpy(), atol=2e-4)


X = minigan.ones(2, 4, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.layer_norm(X, (4,)), RuntimeError, r"layer_norm: expected input ending in"),
        (lambda: F.layer_norm(X, ()), RuntimeError, r"layer_norm: expected input ending in \(\)"),
        (lambda: F.layer_norm(X, 3), TypeError, "layer_norm: normalized_shape expects .* got 3"),
        (lambda: F.layer_norm(X, (3,), minigan.ones(4)), RuntimeError, r"weight expects .*\(3,\)"),
        (lambda: F.group_norm(X, 3), RuntimeError, "group_norm: .* C divisible by 3, got shape"),
        (lambda: F.group_norm(minigan.ones(4), 1), RuntimeError, r"group_norm: .* shape \(4,\)"),
        (lambda: F.group_norm(X, 2, minigan.ones(2)), RuntimeError, r"weight expects shape \(4,\)"),
        (lambda: F.group_norm(minigan.ones(1, 4), 4), ValueError, "more than 1 value per group"),
        (lambda: F.instance_norm(minigan.ones(2, 4, 1)), ValueError, "more than 1 pixel"),
        (lambda: F.instance_norm(minigan.ones(2, 4)), ValueError, r"\(N, C, …\), got shape"),
        (
            lambda: F.instance_norm(X, use_input_stats=False),
            RuntimeError,
            "instance_norm: expected running_mean and running_var without use_input_stats",
        ),
    ],
)
def test_errors_are_pytorchs_and_say_what_is_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
