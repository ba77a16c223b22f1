"""Saturated and cancelling functions pass: float32 is asked for no more than rounding leaves."""

import math

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import Function, Tensor, gradcheck
from minigan._checking.noise import DOUBLE, SINGLE, noisy, rounded
from minigan._checking.problem import Phi, Problem
from minigan.nn import functional as F

X, BATCH, ROW = numbers(0, (3, 4)), numbers(1, (8, 3)), np.array([5.0, -3.0, 1.0, 2.0])


def batch_norm(x):
    return minigan.batch_norm(x, training=True)


def infinity_norm(x):
    return minigan.linalg.norm(x, math.inf)


RIGHT = {
    "tanh, saturated": (minigan.tanh, np.array([-9.0, -5.0, 3.0, 7.0])),
    "tanh, saturated everywhere": (minigan.tanh, np.array([5.0, 6.5, -7.0])),
    "tanh of a tanh": (lambda x: ((x.tanh() * 5).tanh() * 5).tanh(), X * 3),
    "sigmoid, saturated": (minigan.sigmoid, np.array([-20.0, -12.0, 6.0, 11.0])),
    "s(1 - s)": (lambda x: x.sigmoid() * (1 - x.sigmoid()), X * 10),
    "log(1 - s)": (lambda x: (1 - x.sigmoid()).log(), np.array([5.0, 8.0, -3.0])),
    "softmax of large logits": (lambda x: minigan.softmax(x, 1), X * 20),
    "one-hot softmax": (
        lambda x: minigan.softmax(x, 1),
        np.array([[30.0, 0.0, -10.0, 5.0], [12.0, -3.0, 0.0, 1.0]]),
    ),
    "log softmax of large logits": (lambda x: minigan.log_softmax(x, 1), X * 20),
    "logsumexp of large logits": (lambda x: minigan.logsumexp(x, 1), X * 30),
    "cross entropy": (lambda x: F.cross_entropy(x, minigan.tensor([0, 2, 1])), X * 20),
    "logits": (lambda x: F.binary_cross_entropy_with_logits(x, minigan.ones(3, 4)), X * 20),
    "gaussian": (lambda x: (-x * x).exp(), X * 3),
    "gaussian, far out": (lambda x: (-x * x).exp(), np.array([4.0, 5.0, 6.0])),
    "norm inf": (infinity_norm, ROW),
    "tanh of norm inf": (lambda x: minigan.tanh(infinity_norm(x)), ROW),
    "tanh of norm": (lambda x: minigan.tanh(minigan.norm(x)), ROW),
    "tanh of amax": (lambda x: minigan.amax(x, 1).tanh(), X * 5),
    "1 - cos near 0": (lambda x: 1 - x.cos(), np.array([1e-4, 1e-3, -1e-2])),
    "exp - 1 near 0": (lambda x: x.exp() - 1, np.array([1e-6, 1e-4])),
    "log1p": (minigan.log1p, np.array([1e-6, -1e-4, -0.999])),
    "tan near its pole": (lambda x: x.sin() / x.cos(), np.array([1.5707, 1.57])),
    "root near 1": (lambda x: (x * x - 1).sqrt(), np.array([1.0001, 1.001])),
    "difference": (lambda x: (x - 1000) ** 3, 1000 + X),
    "variance of large numbers": (lambda x: x.var(0), 1000 + X),
    "deviation of large numbers": (lambda x: x.std(0), 1000 + X),
    "BN of tiny variance": (batch_norm, 100 + 1e-3 * BATCH),
    "BN of less than its epsilon": (batch_norm, 1 + 1e-6 * BATCH),
    "tanh of such a BN": (lambda x: batch_norm(x).tanh(), 10 + 1e-3 * BATCH),
    "LN of tiny variance": (lambda x: F.layer_norm(x, (4,)), 50 + 1e-3 * X),
    "sine of large numbers": (minigan.sin, X * 1e3),
    "running sum": (lambda x: minigan.cumsum(x, 0) ** 2, numbers(2, (500,))),
    "product of large matrices": (
        lambda x: (x @ Tensor(numbers(3, (500, 3)).astype("float32")).to(x.dtype)).tanh(),
        numbers(4, (3, 500)) / 10,
    ),
    "penalty near slope 1": (
        lambda x: (minigan.norm(x, dim=1) - 1) ** 2,
        X / np.linalg.norm(X, axis=1, keepdims=True) * 1.001,
    ),
}


def float32(report):
    return next(check for check in report.checks if check.name == "float32")


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", RIGHT)
def test_an_ill_conditioned_but_right_function_passes(name, order):
    f, x = RIGHT[name]
    for seed in range(3):
        narrow = float32(gradcheck(f, x, order=order, seed=seed))
        assert narrow.verdict == "pass" and narrow.deviation < 16, narrow


def test_where_rounding_leaves_nothing_the_check_says_so():
    """1 - tanh² at 10 is 0 in float32: 0 would pass for any gradient."""
    report = gradcheck(minigan.tanh, np.array([10.0]), order=1)
    assert float32(report).verdict == "skipped"
    assert "order 1: rounding leaves nothing of the gradient by input 0" in str(report)


def test_an_input_that_is_passed_over_does_not_hide_the_others():
    class Twice(Function):
        def __init__(self, slope):
            self.slope = slope

        def forward(self, x):
            return x * 2

        def vjp(self, needs, g, y, x):
            return (g * (self.slope if g.dtype == np.float32 else 2),)

    def report(slope):
        def f(x, y):
            return x.tanh() + Twice(slope)(y)

        return gradcheck(f, np.array([10.0]), ROW, order=1, raise_error=False)

    assert float32(report(2)).verdict == "pass"
    assert "float32 (order 1: rounding leaves nothing of the gradient by input 0)" in str(report(2))
    assert float32(report(2.01)).verdict == "FAIL"
    assert "the gradient by input 1 is" in float32(report(2.01)).detail


def test_all_inputs_are_at_the_point_that_float32_represents():
    """Also those that are not differentiated: w - 1 is 6 % off where w is rounded."""
    w = 1 + 1e-6 * np.abs(X)
    assert float32(gradcheck(lambda x, w: x * (w - 1), X, w, wrt=0)).deviation < 4


def test_beyond_the_range_of_float32_nothing_is_said():
    for scale in (1e-60, 1e60):
        narrow = float32(gradcheck(lambda x, s=scale: x.sin() * s, X, order=1))
        assert narrow.verdict == "skipped" and "beyond the range" in narrow.detail


def test_a_cast_is_no_promotion():
    assert gradcheck(lambda x: x.to("float64").tanh() * 2, X)


# ------------------------------------------------------------------------------ noise


def test_rounding_gives_one_of_the_two_numbers_around():
    x, rng = numbers(5, (2000,)) * 10.0 ** np.arange(-30, 30).repeat(34)[:2000], _rng()
    near = x.astype(np.float32)
    low = np.where(near <= x, near, np.nextafter(near, np.float32(-np.inf)))
    high = np.where(near >= x, near, np.nextafter(near, np.float32(np.inf)))
    y = rounded(x, SINGLE, rng)
    assert ((y == low) | (y == high)).all()
    assert 0.4 < (y == low).mean() < 0.6


@pytest.mark.parametrize("bits", [SINGLE, DOUBLE])
def test_what_has_so_few_bits_is_left_as_it_is(bits):
    rng = _rng()
    x = rounded(numbers(6, (100,)) * 10.0 ** np.arange(-50, 50)[:100], bits, rng)
    special = np.array([0.0, -0.0, 1.0, np.inf, -np.inf, 2.0**-149, 3.0])
    assert (rounded(x, bits, rng) == x).all()
    assert (rounded(special, bits, rng) == special).all()
    assert np.isnan(rounded(np.array(np.nan), bits, rng))


def test_noise_is_as_large_as_the_rounding_of_the_bits():
    """tanh' = 1 - y² near y = 1 is off by up to two units in the last place of 1."""
    phi = Phi(Problem(minigan.tanh, [np.array([8.0])], None), 1, _rng())
    (exact,) = phi.engine([np.array([8.0])])[1] / phi.cotangents[0]
    for bits in (SINGLE, DOUBLE):
        moves = [
            abs(noisy(phi, [np.array([8.0])], bits, _rng(k))[1][0] / phi.cotangents[0] - exact)
            for k in range(20)
        ]
        assert 0.3 * 2.0**-bits < max(moves) < 8 * 2.0**-bits


def test_noise_leaves_ties_and_what_a_function_keeps():
    """The gradient of a maximum finds it again; a result the function holds is not changed."""
    kept = np.full(3, 0.1)

    class Kept(Function):
        def forward(self, x):
            return kept

        def vjp(self, needs, g, y, x):
            return (g * 0,)

    problem = Problem(lambda x: minigan.amax(x.exp(), 0) * Kept()(x), [X[0, :3]], None)
    phi = Phi(problem, 1, _rng())
    _, (gradient,) = noisy(phi, problem.point, SINGLE, _rng())
    assert np.count_nonzero(gradient) == 1 and np.isfinite(gradient).all()
    assert (kept == 0.1).all()


def _rng(seed=0):
    return np.random.default_rng(seed)
