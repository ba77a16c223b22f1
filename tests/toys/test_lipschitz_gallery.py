"""The gallery against the definition, pair by pair."""

from math import inf

import numpy as np
import pytest

import minigan
from minigan.toys.lipschitz_gallery import GALLERY

BY_NAME = {function.name: function for function in GALLERY}
KNOWN = {
    "|x|": (np.abs, 1.0),
    "sin x": (np.sin, 1.0),
    "tanh x": (np.tanh, 1.0),
    "sigmoid x": (lambda x: 1 / (1 + np.exp(-x)), 0.25),
    "x²": (np.square, inf),
    "√x": (np.sqrt, inf),
}
every = pytest.mark.parametrize("name", KNOWN)


def all_quotients(f, low, high, count=400):
    """|f(x) - f(y)|/|x - y| of all pairs of evenly spaced points, in NumPy."""
    x = np.linspace(low, high, count)
    i, j = np.triu_indices(count, 1)
    return np.abs(f(x[i]) - f(x[j])) / np.abs(x[i] - x[j])


@every
def test_the_functions_and_their_constants_are_these(name):
    f, constant = KNOWN[name]
    function = BY_NAME[name]
    low, high = function.shown
    x = np.linspace(low, high, 101)
    np.testing.assert_allclose(function.value(minigan.tensor(x)).numpy(), f(x), rtol=1e-13)
    assert function.constant == constant and len(KNOWN) == len(GALLERY)


@every
def test_no_pair_tops_the_constant_of_its_interval_and_some_come_near(name):
    """On every domain of the experiment.  400 points are 1/400 of it apart: √x on [δ, 1] bends
    within that unless δ is large."""
    f, constant = KNOWN[name]
    function = BY_NAME[name]
    for _, low, high in function.domains:
        exact = function.on(low, high)
        brute = all_quotients(f, low, high).max()
        quotient, gradient = function.measure(low, high)
        assert brute <= exact * (1 + 1e-9) and exact <= constant
        assert quotient <= exact * (1 + 1e-9)
        assert gradient == pytest.approx(exact, rel=1e-12)
        if name != "√x" or low > 0.05:
            assert brute > 0.98 * exact and quotient > 0.98 * exact


def test_squares_and_roots_have_no_constant():
    """Whatever L is, an interval has a steeper pair: x² far out, √x near 0."""
    for slope in (10.0, 1e3, 1e5):
        wide = BY_NAME["x²"].on(-slope, slope)
        near = BY_NAME["√x"].on(1 / (16 * slope**2), 1.0)
        assert wide > slope and near > slope
    assert BY_NAME["√x"].on(0.0, 1.0) == inf
    with pytest.raises(ValueError, match="expected an interval around 0"):
        BY_NAME["sin x"].on(1.0, 2.0)


@every
def test_the_cone_is_the_definition(name):
    """A point of the graph lies inside the cone exactly where its quotient is above the slope."""
    f, _ = KNOWN[name]
    function = BY_NAME[name]
    low, high = function.shown
    x = np.linspace(low, high, 257)
    for place in (low, high, 0.4 * low + 0.6 * high):
        away = x != place
        quotient = np.abs(f(x[away]) - f(place)) / np.abs(x[away] - place)
        clear = np.abs(quotient - function.slope) > 1e-9  # |x| runs along its cone
        inside = function.inside_cone(x[away], place, function.slope)
        np.testing.assert_array_equal(inside[clear], quotient[clear] > function.slope)
        if function.constant < inf:
            assert not inside.any()
    if function.constant == inf:
        assert function.inside_cone(x, {"x²": 1.0, "√x": 0.0}[name], function.slope).any()
