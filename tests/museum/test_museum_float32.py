"""A mistake that only float32 shows is caught by the float32 check, whatever its tolerance is."""

import numpy as np
import pytest
from museum import planted_float32 as planted
from strategies import numbers

import minigan
from minigan import gradcheck

X = numbers(0, (3, 4))
POSITIVE = np.abs(X) + 0.2

# name: wrong, right, input, the order at which it is wrong, what the report says
EXHIBITS = {
    "gradient through float16": (planted.GradientThroughHalf(), minigan.tanh, X, 1, "gradient"),
    "and where tanh is saturated": (
        lambda x: planted.GradientThroughHalf()(x) * 1e3,
        lambda x: x.tanh() * 1e3,
        numbers(1, (12,), 1.0, 3.0),
        1,
        "gradient",
    ),
    "value through float16": (planted.ValueThroughHalf(), minigan.sin, X, 1, "the value"),
    "second order through float16": (
        planted.SecondOrderThroughHalf(),
        minigan.tanh,
        X,
        2,
        "order 2",
    ),
    "sum in float16": (planted.SumInHalf(), lambda x: (x * x).sum(), X, 1, "the value"),
    "root by a bit trick": (planted.QuickRoot(), minigan.rsqrt, POSITIVE, 1, "the value"),
    "constant cast to float16": (
        planted.ConstantCast(),
        lambda x: x * (2 * np.pi) ** -0.5,
        X,
        1,
        "units",
    ),
    "epsilon of float64": (
        planted.EpsilonOfFloat64(),
        lambda x: ((x * 1e30) ** 2).sum().sqrt() * 1e-30,
        X * 1e-30,
        1,
        "not finite",
    ),
    "step of float64": (planted.StepOfFloat64(), minigan.sin, X, 1, "gradient"),
    "small taken for zero": (planted.SmallIsZero(), lambda x: x.sin() * 1e-4, X, 1, "gradient"),
    "variance in one pass": (
        planted.OnePassVariance(),
        lambda x: ((x - x.mean()) ** 2).sum(),
        1000 + X,
        1,
        "the value",
    ),
    "logarithm of a sum": (
        planted.LogOfSum(),
        lambda x: minigan.logsumexp(x, (0, 1)),
        X + 90,
        1,
        "not finite",
    ),
    "float64 made": (planted.Promotes(), lambda x: x * 2, X, 1, "by Promotes"),
    "float64 made of a gradient": (
        planted.PromotesTheGradient(),
        lambda x: x * 2,
        X,
        1,
        "by PromotesTheGradient",
    ),
}


def float32(f, x, order, seed):
    """The check of float32, and whether everything else passed."""
    report = gradcheck(f, x, order=order, seed=seed, raise_error=False)
    checks = {check.name: check for check in report.checks}
    narrow = checks.pop("float32")
    others = [row.verdict for row in report.rows] + [check.verdict for check in checks.values()]
    assert set(others) <= {"pass", "skipped"}, report
    return narrow


@pytest.mark.parametrize("name", EXHIBITS)
def test_a_mistake_of_float32_alone_is_caught_at_its_order(name):
    wrong, _, x, first, said = EXHIBITS[name]
    for seed in range(5):
        narrow = float32(wrong, x, first, seed)
        assert narrow.verdict == "FAIL" and said in narrow.detail, narrow
        if first > 1:
            assert float32(wrong, x, first - 1, seed).verdict == "pass"


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_right_version_passes(name):
    _, right, x, _, _ = EXHIBITS[name]
    for seed in range(5):
        assert float32(right, x, 3, seed).verdict == "pass"
