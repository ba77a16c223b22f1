"""Initialisations: the distributions that their papers state, within 4 standard errors."""

import math

import numpy as np
import pytest

import minigan
from minigan.nn import init

SHAPE = (40, 30, 3, 3)
FAN_IN, FAN_OUT = 270, 360
CASES = [
    (init.xavier_uniform_, {}, math.sqrt(6 / 630) / math.sqrt(3)),
    (init.xavier_uniform_, {"gain": 2.0}, 2 * math.sqrt(6 / 630) / math.sqrt(3)),
    (init.xavier_normal_, {}, math.sqrt(2 / 630)),
    (init.kaiming_uniform_, {}, math.sqrt(2 / FAN_IN)),
    (init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / math.sqrt(3 * FAN_IN)),
    (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(2 / FAN_OUT)),
    (init.kaiming_normal_, {"nonlinearity": "tanh"}, 5 / 3 / math.sqrt(FAN_IN)),
]


@pytest.mark.parametrize(("fill", "options", "deviation"), CASES)
def test_mean_and_deviation(fill, options, deviation):
    generator = minigan.Generator().manual_seed(1)
    w = minigan.empty(*SHAPE, dtype="float64")
    assert fill(w, generator=generator, **options) is w
    x, n = w.numpy(), w.numel()
    assert abs(x.mean()) < 4 * deviation / math.sqrt(n)
    # A uniform distribution's fourth moment is 9/5, a normal one's 3: the latter bounds both.
    assert abs(x.std() / deviation - 1) < 4 * math.sqrt(2 / (4 * n)) * 2
    if "uniform" in fill.__name__:
        assert np.abs(x).max() <= deviation * math.sqrt(3)


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4), (5, 2, 3, 3)])
def test_orthogonal_rows_or_columns(shape):
    w = init.orthogonal_(minigan.empty(*shape, dtype="float64"), gain=1.5).numpy()
    matrix = w.reshape(shape[0], -1) / 1.5
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_are_uniform():
    """Haar measure: the entries' mean is 0 and their variance 1/n, over 400 matrices of 3×3."""
    generator = minigan.Generator().manual_seed(2)
    w = minigan.empty(3, 3, dtype="float64")
    draws = np.stack([init.orthogonal_(w, generator=generator).numpy().copy() for _ in range(400)])
    assert np.abs(draws.mean(0)).max() < 4 * math.sqrt(1 / 3 / 400)
    np.testing.assert_allclose((draws**2).mean(0), 1 / 3, atol=4 * 0.3 / 20)


def test_eye():
    assert np.array_equal(init.eye_(minigan.empty(2, 3)).numpy(), np.eye(2, 3))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: init.xavier_uniform_(minigan.empty(3)), "xavier_uniform_: expected at least 2"),
        (lambda: init.orthogonal_(minigan.empty(3)), "orthogonal_: expected at least 2"),
        (lambda: init.eye_(minigan.empty(3)), "eye_: expected a matrix"),
        (lambda: init.kaiming_normal_(minigan.empty(2, 2), mode="x"), "mode must be"),
        (lambda: init.calculate_gain("sine"), "unknown nonlinearity 'sine'"),
    ],
)
def test_mistakes_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
