"""Dropout: who survives, by how much survivors grow, and when nothing happens."""

import math

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.nn import functional as F


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_independently_with_probability_p_and_the_others_scaled(p):
    minigan.manual_seed(2)
    n = 400
    y = nn.Dropout(p)(minigan.ones(n, n)).numpy()
    dropped = y == 0
    assert np.unique(y[~dropped]).tolist() == [np.float32(1) / np.float32(1 - p)]
    # Five standard errors of a proportion; of neighbours' products if they are independent.
    assert abs(dropped.mean() - p) < 5 * math.sqrt(p * (1 - p) / n**2)
    for a, b in ((dropped[1:], dropped[:-1]), (dropped[:, 1:], dropped[:, :-1])):
        products = (a - p) * (b - p)
        assert abs(products.mean()) < 5 * p * (1 - p) / math.sqrt(products.size)


def test_probability_zero_and_one_are_exact():
    x = minigan.randn(3, 4)
    assert nn.Dropout(0.0)(x).tolist() == x.tolist()
    assert nn.Dropout(1.0)(x).tolist() == [[0.0] * 4] * 3


def test_evaluation_is_the_identity_and_draws_nothing():
    x = minigan.randn(3, 4)
    before = minigan.default_generator().get_state()
    assert nn.Dropout(0.5).eval()(x).tolist() == x.tolist()
    assert F.dropout(x, 0.5, training=False).tolist() == x.tolist()
    assert minigan.default_generator().get_state() == before


def test_the_same_seed_drops_the_same_elements():
    layer, x = nn.Dropout(0.5), minigan.ones(50)
    first, second = (minigan.manual_seed(4) and layer(x).tolist() for _ in range(2))
    assert first == second
    assert layer(x).tolist() != first


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    before = minigan.default_generator().get_state()
    one, two = (
        F.dropout(minigan.ones(50), generator=minigan.Generator().manual_seed(9)).tolist()
        for _ in range(2)
    )
    assert one == two
    assert minigan.default_generator().get_state() == before


def test_first_and_second_derivatives_pass_through_the_same_mask():
    minigan.manual_seed(6)
    x = minigan.randn(40, dtype="float64", requires_grad=True)
    y = nn.Dropout(0.25)(x)
    mask = y.detach().numpy() / x.detach().numpy()  # 0 or 4/3
    np.testing.assert_allclose(np.unique(mask.round(12)), [0, 4 / 3], rtol=1e-11)
    (g,) = minigan.grad((y**3).sum(), x, create_graph=True)  # 3·m³·x²
    (h,) = minigan.grad(g.sum(), x)  # 6·m³·x
    values = x.detach().numpy()
    np.testing.assert_allclose(g.detach().numpy(), 3 * mask**3 * values**2, rtol=1e-12)
    np.testing.assert_allclose(h.numpy(), 6 * mask**3 * values, rtol=1e-12)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="Dropout: expected a probability between 0 and 1"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match="dropout: expected a probability between 0 and 1"):
        F.dropout(minigan.ones(2), p)
