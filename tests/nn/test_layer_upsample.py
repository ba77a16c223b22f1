"""Nearest-neighbour resizing: which pixel goes where, the gradient, the errors."""

import math

import numpy as np
import pytest

import minigan
from minigan import gradcheck, nn
from minigan.nn.functional import interpolate

# F.interpolate of 0, 1, 2, … in PyTorch 2.13, mode "nearest": pixels, settings, result.
PYTORCH = [
    (3, {"scale_factor": 1.5}, [0, 0, 1, 2]),
    (4, {"scale_factor": 2.5}, [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]),
    (5, {"scale_factor": 0.6}, [0, 1, 3]),
    (7, {"scale_factor": 0.7}, [0, 1, 2, 4]),
    (10, {"scale_factor": 1.1}, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (2, {"scale_factor": 3.3}, [0, 0, 0, 0, 1, 1]),
    (3, {"scale_factor": 2.3}, [0, 0, 1, 1, 2, 2]),
    (4, {"scale_factor": 1.2}, [0, 1, 2, 3]),
    (3, {"scale_factor": 3.4}, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]),
    (3, {"size": 5}, [0, 0, 1, 1, 2]),
    (5, {"size": 3}, [0, 1, 3]),
    (7, {"size": 10}, [0, 0, 1, 2, 2, 3, 4, 4, 5, 6]),
    (4, {"size": 12}, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]),
    (6, {"size": 74}, [i * 6 // 74 - (i == 37) for i in range(74)]),  # float32: 37·(6/74) < 3
    (2, {"size": 82}, [0] * 42 + [1] * 40),  # float32: 41·(1/41) < 1
]


def source(old, i, size=None, scale_factor=None):
    """PyTorch's rule for output pixel i, in float32."""
    new = size or int(old * scale_factor)
    if new in (old, 2 * old):
        return i * old // new
    step = np.float32(old / size if size else 1 / scale_factor)
    return min(math.floor(np.float32(i) * step), old - 1)


@pytest.mark.parametrize(("old", "settings", "expected"), PYTORCH, ids=str)
@pytest.mark.parametrize("direction", [2, 3])
def test_pixels_come_from_where_pytorch_takes_them(old, settings, expected, direction):
    ((name, value),) = settings.items()
    shape, setting = [1, 1, 1, 1], [1, 1]
    shape[direction], setting[direction - 2] = old, value
    x = minigan.arange(float(old)).reshape(*shape)
    y = interpolate(x, **{name: tuple(setting)})
    assert y.shape[direction] == len(expected)
    assert y.flatten(0).tolist() == expected


@pytest.mark.parametrize("old", [1, 2, 3, 5, 8])
def test_every_size_and_many_factors_follow_the_rule_in_both_directions(old):
    x = np.arange(2.0 * 3 * old * (old + 1)).reshape(2, 3, old, old + 1)
    settings = [{"size": n} for n in range(1, 3 * old + 3)]
    settings += [{"scale_factor": f} for f in (1.0, 2.0, 3, 1.25, 1.3, 1.99, 2.01, 2.5, 3.7)]
    for setting in settings:
        y = nn.Upsample(**setting)(minigan.tensor(x)).numpy()
        for i, j in np.ndindex(y.shape[2:]):
            row, column = source(old, i, **setting), source(old + 1, j, **setting)
            assert np.array_equal(y[:, :, i, j], x[:, :, row, column]), (setting, i, j)


def test_the_two_directions_may_differ():
    x = minigan.arange(4.0).reshape(1, 1, 2, 2)
    rows = [[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 3.0, 3.0, 3.0]]
    assert nn.Upsample(scale_factor=(1, 3))(x)[0, 0].tolist() == rows
    assert nn.Upsample(size=(2, 6))(x)[0, 0].tolist() == rows
    assert nn.Upsample(size=(1, 2))(x)[0, 0].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("setting", [{"scale_factor": 3}, {"scale_factor": 1.6}, {"size": (2, 7)}])
def test_the_gradient_sums_over_the_copies_of_a_pixel_exactly(setting):
    rng = np.random.default_rng(0)
    x = minigan.tensor(rng.integers(-8, 9, (2, 3, 4, 5)).astype("float32"), requires_grad=True)
    y = nn.Upsample(**setting)(x)
    g = rng.integers(-8, 9, y.shape).astype("float32")
    y.backward(minigan.tensor(g))
    expected = np.zeros(x.shape, np.float32)
    tags = nn.Upsample(**setting)(minigan.arange(120).reshape(2, 3, 4, 5)).numpy()
    np.add.at(expected.reshape(-1), tags.ravel(), g.ravel())
    assert np.array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize("factor", [2, 1.7])
def test_derivatives_are_right_to_second_order(factor):
    x = np.random.default_rng(1).standard_normal((1, 2, 3, 2))
    gradcheck(lambda x: interpolate(x, scale_factor=factor).tanh(), x, order=2)


@pytest.mark.parametrize(
    ("shape", "settings", "error", "message"),
    [
        ((1, 1, 2, 2), {}, ValueError, "give either size or scale_factor"),
        ((1, 1, 2, 2), {"size": 2, "scale_factor": 2}, ValueError, "give either size or"),
        ((1, 2, 2), {"size": 2}, ValueError, r"expected input \(N, C, H, W\), got shape \(1, 2"),
        ((1, 1, 2, 2), {"size": 0}, ValueError, "at least one pixel"),
        ((1, 1, 2, 2), {"scale_factor": 0.4}, ValueError, "at least one pixel"),
        ((1, 1, 0, 2), {"size": 2}, ValueError, "at least one pixel"),
        ((1, 1, 2, 2), {"size": (2, 2, 2)}, ValueError, "size expects one number or two"),
        ((1, 1, 2, 2), {"size": 2, "mode": "cubic"}, NotImplementedError, 'got "cubic"'),
    ],
)
def test_errors_say_what_is_expected(shape, settings, error, message):
    with pytest.raises(error, match=f"^interpolate: .*{message}"):
        interpolate(minigan.ones(*shape), **settings)
