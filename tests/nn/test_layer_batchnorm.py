"""BatchNorm layers: outputs, running statistics, gradients and errors, against plain formulas."""

import math
import statistics

import numpy as np
import pytest

import minigan
from minigan import gradcheck, nn

SHAPES = [(nn.BatchNorm1d, (5, 3)), (nn.BatchNorm1d, (4, 3, 2)), (nn.BatchNorm2d, (4, 3, 2, 5))]


def draws(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape) * 2 + 3


def channels(x):
    """One list of numbers for each channel."""
    return [np.moveaxis(x, 1, 0)[c].ravel().tolist() for c in range(x.shape[1])]


def random_affine(layer):
    with minigan.no_grad():
        layer.weight.copy_(np.array([0.5, -2.0, 3.0]))
        layer.bias.copy_(np.array([1.0, 0.0, -4.0]))
    return layer


def along_channels(values, ndim):
    return np.reshape(values, (1, -1) + (1,) * (ndim - 2))


def normalised(x, mean, var, layer):
    mean, var, w, b = (
        along_channels(v, x.ndim)
        for v in (mean, var, layer.weight.detach().numpy(), layer.bias.detach().numpy())
    )
    return (x - mean) / np.sqrt(var + layer.eps) * w + b


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_training_normalises_by_mean_and_biased_variance_of_the_batch(kind, shape):
    layer = random_affine(kind(3, eps=1e-3, dtype="float64"))
    x = draws(*shape)
    mean = [statistics.fmean(c) for c in channels(x)]
    var = [statistics.pvariance(c) for c in channels(x)]
    y = layer(minigan.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y, normalised(x, mean, var, layer), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
@pytest.mark.parametrize("momentum", [0.1, 0.7, 0.0, 1.0, None])
def test_running_statistics_move_by_momentum_with_the_unbiased_variance(kind, shape, momentum):
    layer = kind(3, momentum=momentum, dtype="float64")
    mean, var = np.zeros(3), np.ones(3)
    for batch in range(1, 4):
        x = draws(*shape, seed=batch)
        layer(minigan.tensor(x))
        m = 1 / batch if momentum is None else momentum
        mean = (1 - m) * mean + m * np.array([statistics.fmean(c) for c in channels(x)])
        var = (1 - m) * var + m * np.array([statistics.variance(c) for c in channels(x)])
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
        assert layer.num_batches_tracked.item() == batch


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_evaluation_normalises_by_the_running_statistics_and_leaves_them(kind, shape):
    layer = random_affine(kind(3, dtype="float64"))
    layer(minigan.tensor(draws(*shape, seed=1)))
    state = {name: t.numpy().copy() for name, t in layer.eval().state_dict().items()}
    x = draws(*shape)
    expected = normalised(x, state["running_mean"], state["running_var"], layer)
    for inputs in (x, x[:1]):  # one sample is enough here
        y = layer(minigan.tensor(inputs)).detach().numpy()
        np.testing.assert_allclose(y, expected[: len(inputs)], rtol=1e-12, atol=1e-12)
    assert all(np.array_equal(t.numpy(), state[name]) for name, t in layer.state_dict().items())


def test_evaluation_gradients_follow_the_affine_map():
    layer = random_affine(nn.BatchNorm2d(3, dtype="float64"))
    layer(minigan.tensor(draws(4, 3, 2, 2, seed=1)))
    layer.eval()
    x, g = draws(4, 3, 2, 2), draws(4, 3, 2, 2, seed=2)
    leaf = minigan.tensor(x, requires_grad=True)
    layer(leaf).backward(minigan.tensor(g))
    mean, var, w = (
        along_channels(t.detach().numpy(), 4)
        for t in (layer.running_mean, layer.running_var, layer.weight)
    )
    z = (x - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(leaf.grad.numpy(), g * w / np.sqrt(var + 1e-5), rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad.numpy(), (g * z).sum((0, 2, 3)), rtol=1e-11)
    np.testing.assert_allclose(layer.bias.grad.numpy(), g.sum((0, 2, 3)), rtol=1e-11)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_right_to_third_order(training):
    layer = nn.BatchNorm1d(2, dtype="float64").train(training)
    layer.momentum = 0.0  # a function that does not change between calls
    gradcheck(lambda x: layer(x).tanh(), draws(4, 2), order=3)


def test_without_affine_there_is_nothing_to_train():
    layer = nn.BatchNorm1d(3, affine=False)
    assert list(layer.parameters()) == []
    assert list(layer.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]
    y = layer(minigan.tensor(draws(50, 3))).numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)


def test_without_running_statistics_evaluation_uses_the_batch():
    layer = nn.BatchNorm1d(3, track_running_stats=False)
    assert list(layer.state_dict()) == ["weight", "bias"]
    x = minigan.tensor(draws(6, 3))
    trained = layer(x)
    assert layer.running_mean is layer.running_var is layer.num_batches_tracked is None
    assert np.array_equal(layer.eval()(x).detach().numpy(), trained.detach().numpy())


def test_statistics_are_frozen_but_still_used_where_tracking_is_switched_off_later():
    # PyTorch 2.13: BatchNorm1d(1) with track_running_stats = False set afterwards.
    layer = nn.BatchNorm1d(1, eps=0.0)
    layer.track_running_stats = False
    x = minigan.tensor([[1.0], [3.0]])
    assert layer(x).tolist() == [[-1.0], [1.0]]
    assert layer.running_mean.tolist() == [0.0]
    assert layer.num_batches_tracked.item() == 0
    assert layer.eval()(x).tolist() == [[1.0], [3.0]]


def test_a_plain_average_over_batches_as_in_pytorch():
    # PyTorch 2.13: BatchNorm1d(1, momentum=None) on x, 2x and 3x.
    layer = nn.BatchNorm1d(1, momentum=None)
    x = minigan.tensor([[1.0], [3.0]])
    for factor in (1, 2, 3):
        layer(x * factor)
    assert layer.running_mean.item() == 4.0
    assert math.isclose(layer.running_var.item(), 28 / 3, rel_tol=1e-6)
    assert layer.num_batches_tracked.item() == 3


@pytest.mark.parametrize(
    ("layer", "shape", "error", "message"),
    [
        (nn.BatchNorm1d(2), (1, 2), ValueError, r"more than 1 value per channel.*\(1, 2\)"),
        (nn.BatchNorm1d(2), (1, 2, 1), ValueError, "more than 1 value per channel"),
        (nn.BatchNorm2d(2), (1, 2, 1, 1), ValueError, "more than 1 value per channel"),
        (nn.BatchNorm1d(2), (4, 2, 3, 3), ValueError, r"BatchNorm1d: expected 2-D or 3-D input"),
        (nn.BatchNorm1d(2), (2,), ValueError, "BatchNorm1d: expected 2-D or 3-D input"),
        (nn.BatchNorm2d(2), (4, 2, 3), ValueError, r"BatchNorm2d: expected 4-D input, got .*3\)"),
        (nn.BatchNorm2d(2), (4, 3, 2, 2), RuntimeError, r"expects shape \(3,\).*got \(2,\)"),
    ],
)
def test_what_cannot_be_normalised_is_refused_and_changes_no_statistics(
    layer, shape, error, message
):
    with pytest.raises(error, match=message):
        layer(minigan.ones(*shape))
    assert layer.num_batches_tracked.item() == 0
    assert layer.running_mean.tolist() == [0.0, 0.0]


def test_one_value_per_channel_is_fine_in_evaluation_and_one_sample_with_pixels_in_training():
    assert nn.BatchNorm1d(2).eval()(minigan.ones(1, 2)).shape == (1, 2)
    assert nn.BatchNorm2d(2)(minigan.randn(1, 2, 1, 2)).shape == (1, 2, 1, 2)
