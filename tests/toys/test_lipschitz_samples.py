"""The lower rungs against explicit Jacobians, and what they refuse."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.toys.lipschitz_bounds import evaluated
from minigan.toys.lipschitz_samples import Box, gradient_norms, quotients, steepest


def jacobians(f, x):
    """(N, outputs, inputs): one gradient for each output, taken by central differences.

    Of functions with a third derivative of about 1 the error is about h²/6 + 1e-16/h.
    """
    h, columns = 1e-5, []
    flat = x.reshape(len(x), -1)
    for i in range(flat.shape[1]):
        shift = np.zeros_like(flat)
        shift[:, i] = h
        up, down = (
            f(minigan.tensor((flat + sign * shift).reshape(x.shape))).detach().numpy()
            for sign in (1, -1)
        )
        columns.append((up - down).reshape(len(x), -1) / (2 * h))
    return np.stack(columns, -1)


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradient_norms_are_the_jacobians(outputs):
    minigan.manual_seed(0)
    net = evaluated(nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, outputs)))
    x = np.random.default_rng(0).standard_normal((20, 4))
    exact = np.linalg.norm(jacobians(net, x), 2, axis=(1, 2))
    norms, directions = gradient_norms(net, x, steps=500)
    np.testing.assert_allclose(norms, exact, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    along = np.einsum("noi,ni->no", jacobians(net, x), directions)
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), exact, rtol=1e-6)


def test_few_steps_stay_below():
    """Stopped at any step, the norm of a Jacobian is a lower one; some steps come close."""
    minigan.manual_seed(1)
    net = evaluated(nn.Sequential(nn.Linear(5, 8), nn.Softplus(), nn.Linear(8, 4)))
    x = np.random.default_rng(1).standard_normal((30, 5))
    exact = np.linalg.norm(jacobians(net, x), 2, axis=(1, 2))
    last = np.zeros(30)
    for steps in (1, 2, 5, 20):
        norms, _ = gradient_norms(net, x, steps=steps)
        assert (norms >= last - 1e-12).all() and (norms <= exact * (1 + 1e-8)).all()
        last = norms
    assert (last > 0.98 * exact).all()


def test_images_count_with_all_their_numbers():
    """f(x) = ½‖x‖² has the gradient x."""
    x = np.random.default_rng(2).standard_normal((3, 2, 4, 4))
    norms, directions = gradient_norms(lambda t: (t * t).sum((1, 2, 3)) / 2, x)
    length = np.sqrt((x**2).sum((1, 2, 3)))
    np.testing.assert_allclose(norms, length, rtol=1e-14)
    np.testing.assert_allclose(directions, x / length[:, None, None, None], rtol=1e-12)


def test_a_constant_is_flat():
    norms, directions = gradient_norms(lambda x: minigan.ones(len(x), 1), np.ones((2, 3)))
    assert not norms.any() and not directions.any()
    assert steepest(lambda x: x * 0, np.ones((4, 2)), reach=1.0) == (0.0, 0.0)


def test_quotients_are_the_definition():
    x, y = np.random.default_rng(3).standard_normal((2, 50, 2, 3))
    found = quotients(lambda t: (t * t * t).sum(2), x, y)
    for i in range(50):
        rise = np.linalg.norm((x[i] ** 3).sum(1) - (y[i] ** 3).sum(1))
        assert found[i] == pytest.approx(rise / np.linalg.norm(x[i] - y[i]), rel=1e-9)
    assert quotients(lambda t: t, x, x).tolist() == [0.0] * 50


def test_rounding_on_a_high_level_proves_nothing():
    """f = 1e6 + 1e-9·x: float64 steps at 1e6 are 1e-10 wide, and no quotient rises above 1e-9."""

    def f(x):
        return x * 1e-9 + 1e6

    x = np.linspace(0, 1, 1000)[:, None]
    raw = np.abs(np.diff(f(x), axis=0) / np.diff(x, axis=0)).max()
    assert raw > 2e-9  # what the definition gives without care
    assert steepest(f, x, reach=1.0)[0] <= 1e-9


def test_the_box_keeps_neighbours_inside():
    """Beyond the box the function is steeper, and nothing of that is seen."""
    box = Box.of(-1, 1, (1,))
    x = np.linspace(-1, 1, 201)[:, None]
    assert max(steepest(lambda t: t * t, x, 10.0, box)) <= 2.0
    assert steepest(lambda t: t * t, x, 10.0)[0] > 2.5


@pytest.mark.parametrize(
    ("low", "high", "shape", "message"),
    [
        (0, 0, (2,), "low < high"),
        (0, np.nan, (2,), "finite ends"),
        (-np.inf, 1, (2,), "finite ends"),
        ([0, 0, 0], 1, (2,), "broadcast to the shape"),
        ([0, 0, 0], [1, 1], None, "broadcast"),
        (0, 1, (), "at least one dimension"),
        (0, 1, (0, 3), "at least one dimension"),
        (-1e308, 1e308, (2,), "ends of at most 1e.150"),
        ("a", 1, None, "Box: expected an array of real numbers, got 'a'"),
        ([[1], [1, 2]], 3, None, "Box: expected an array of real numbers"),
    ],
)
def test_boxes_that_are_none(low, high, shape, message):
    with pytest.raises(ValueError, match=message):
        Box.of(low, high, shape)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 2)), "at least one, got shape"),
        (np.zeros(3), r"points \(N, …\)"),
        (np.array([[np.nan]]), "NaN or infinity"),
        ([[1.0], [1.0, 2.0]], "expected an array of real numbers"),
    ],
)
def test_points_that_are_none(x, message):
    for refused in (
        lambda: gradient_norms(lambda t: t, x),
        lambda: quotients(lambda t: t, x, x),
        lambda: steepest(lambda t: t, x, 1.0),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


def test_values_that_are_not_finite():
    with pytest.raises(ValueError, match="quotients: expected finite numbers"):
        quotients(lambda t: t.log(), np.ones((1, 1)), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="gradient_norms: expected finite numbers"):
        gradient_norms(lambda t: t.sqrt(), np.zeros((1, 1)))
    for function in (lambda t: t.sum(), lambda t: t[1:]):
        with pytest.raises(ValueError, match=r"expected f to give 2 values .* got shape"):
            gradient_norms(function, np.zeros((2, 1)))
        with pytest.raises(ValueError, match=r"expected f to give 2 values .* got shape"):
            quotients(function, np.zeros((2, 1)), np.ones((2, 1)))
    for steps in (0, 1.5):
        with pytest.raises(
            ValueError, match=f"steps expects a whole number from 1 on, got {steps}"
        ):
            gradient_norms(lambda t: t, np.zeros((2, 1)), steps=steps)
    with pytest.raises(ValueError, match="seed expects a whole number from 0 on, got -1"):
        gradient_norms(lambda t: t, np.zeros((2, 1)), seed=-1)
    with pytest.raises(ValueError, match=r"expected pairs, got shapes \(2, 1\) and \(3, 1\)"):
        quotients(lambda t: t, np.zeros((2, 1)), np.zeros((3, 1)))
