"""Every planted mistake is caught, at its order and not before; its right version passes."""

import numpy as np
import pytest
from museum import planted
from museum import planted_convolutions as convolutions
from strategies import numbers

import minigan
from minigan import Generator, gradcheck
from minigan.gan.penalties import gradient_penalty
from minigan.nn.functional import leaky_relu

X, ROW = numbers(0, (3, 4)), numbers(9, (4,))
IMAGE, FILTER = numbers(1, (2, 2, 5, 5)), numbers(2, (3, 2, 3, 3))
OUTPUT, NORMED = numbers(4, (2, 3, 5, 5)), numbers(3, (6, 3, 2))


def batch_norm(x):
    return minigan.batch_norm(x, training=True)


def convolution(x, w):
    return minigan.conv2d(x, w, padding=1)


# name: wrong, right, inputs, the first order at which it is wrong, what a hint says
EXHIBITS = {
    "BN gradient × 7": (
        planted.normalised(planted.TimesSeven),
        planted.normalised(planted.BatchNorm),
        (NORMED,),
        1,
        "factor 7",
    ),
    "BN statistics held constant": (
        planted.normalised(planted.StatisticsConstant),
        planted.normalised(planted.BatchNorm),
        (NORMED,),
        1,
        "",
    ),
    "BN inv_std held constant": (
        planted.normalised(planted.DeviationConstant),
        planted.normalised(planted.BatchNorm),
        (NORMED,),
        2,
        "held constant",
    ),
    "BN mean detached": (
        planted.mean_detached,
        batch_norm,
        (NORMED,),
        1,
        "mean or sum left out",
    ),
    "softmax gradient 0": (
        planted.NoSoftmaxGradient(),
        lambda x: minigan.softmax(x, 1),
        (X,),
        1,
        "gradient is 0",
    ),
    "constant wrong at order 2": (
        planted.WrongAtSecondOrder(),
        minigan.tanh,
        (X,),
        2,
        "held constant",
    ),
    "constant wrong at order 3": (
        planted.WrongAtThirdOrder(),
        minigan.tanh,
        (X,),
        3,
        "held constant",
    ),
    "LeakyReLU slope 0.5 % off": (
        planted.LeakySlope(),
        lambda x: leaky_relu(x, 0.2),
        (X,),
        1,
        "factor 1.005",
    ),
    "1e-8·sin with gradient 0": (
        planted.TinySine(),
        lambda x: minigan.sin(x) * 1e-8,
        (X,),
        1,
        "gradient is 0",
    ),
    "imaginary part dropped": (planted.RealPartOnly(), minigan.sin, (X,), 1, "gradient is 0"),
    "clamp lets all through": (
        planted.ClampLeaks(),
        lambda x: minigan.clamp(x, max=0.3),
        (X,),
        1,
        "should be 0",
    ),
    "one wgrad element 5 % off": (
        convolutions.weight_off,
        lambda x, w: convolution(x, w) ** 2,
        (IMAGE, FILTER),
        1,
        "factor 1.05",
    ),
    "dgrad drops an edge column": (
        convolutions.edge_dropped,
        lambda x, w: convolution(x, w) ** 2,
        (IMAGE, FILTER),
        1,
        "boundary",
    ),
    "dgrad's own gradient 10 % off": (
        convolutions.own_gradient_off,
        lambda x, w: convolution(x, w) ** 2,
        (IMAGE, FILTER),
        2,
        "",
    ),
    "transposed convolution flipped": (
        lambda y, w: convolutions.FlippedTranspose(convolutions.GEOMETRY)(y, w),
        lambda y, w: minigan.conv_transpose2d(y, w, padding=1),
        (OUTPUT, FILTER),
        1,
        "",
    ),
    "padding mismatch": (
        lambda x, w: convolutions.PaddingMismatch(convolutions.GEOMETRY)(x, w),
        convolution,
        (IMAGE, FILTER),
        1,
        "",
    ),
    "broadcast not summed": (
        planted.BroadcastNotSummed(),
        lambda x, b: x + b,
        (X, ROW),
        1,
        "",
    ),
    "stale saved value": (
        planted.twice(planted.SharedWorkspace),
        planted.twice(minigan.ops.powers.Exp),
        (X,),
        1,
        "",
    ),
    "dropout mask redrawn": (
        lambda x: planted.MaskRedrawn()(x),
        lambda x: minigan.dropout(x, generator=Generator().manual_seed(0)),
        (X,),
        1,
        "",
    ),
    "sum for mean in a fused loss": (
        planted.SumForMean(),
        lambda x: (x * x).mean(),
        (X,),
        1,
        "a sum in place of a mean",
    ),
    "two heads swapped": (
        planted.SwappedHeads(),
        lambda x: minigan.cat([x[:, :2] * 3, x[:, 2:]], 1),
        (X,),
        1,
        "an index is permuted",
    ),
    "penalty never reaches the weights": (
        planted.penalty_without_graph,
        lambda w, x: gradient_penalty(lambda x: (x @ w).tanh(), x, x, Generator().manual_seed(0)),
        (numbers(7, (4, 3)), minigan.tensor(X)),
        1,
        "gradient is 0",
    ),
    "pull-away target detached": (
        planted.pull_away,
        lambda s: planted.pull_away(s, detach=False),
        (X,),
        1,
        "factor 0.5",
    ),
}
WRT = {"penalty never reaches the weights": 0}
METHODS = ["auto", "central"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", EXHIBITS)
def test_a_planted_mistake_is_caught_at_its_order(name, method):
    wrong, _, inputs, first, _ = EXHIBITS[name]
    for seed in range(3):
        report = gradcheck(
            wrong,
            *inputs,
            order=first,
            wrt=WRT.get(name),
            method=method,
            seed=seed,
            raise_error=False,
        )
        assert report.verdict == "FAIL", report
        at_order = [row.verdict for row in report.rows if row.order == first]
        assert "FAIL" in at_order, report
        assert all(row.verdict == "pass" for row in report.rows if row.order < first), report


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", EXHIBITS)
def test_the_right_version_passes(name, method):
    _, right, inputs, _, _ = EXHIBITS[name]
    assert gradcheck(right, *inputs, order=3, wrt=WRT.get(name), method=method)


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_report_says_what_it_looks_like_and_how_to_see_it_again(name):
    wrong, _, inputs, first, hint = EXHIBITS[name]
    report = gradcheck(wrong, *inputs, order=first, wrt=WRT.get(name), raise_error=False)
    text = str(report)
    assert hint in "\n".join(report.findings), text
    assert "entries wrong" in text and "engine" in text and "numerical" in text
    assert report.reproducer.startswith("gradcheck(") and "seed=0" in report.reproducer
    assert "\n" not in report.reproducer and str(inputs[0].shape) in report.reproducer


# ----------------------------------------------------- right values, and something else is wrong


def draws_anew(x):
    return x * minigan.Tensor(np.random.default_rng().random(x.shape))


HABITS = {
    "other code when recorded": (planted.OtherWhenRecorded(), X, "recorded"),
    "memory order taken for rows": (planted.AssumesContiguous(), X, "transposed"),
    "input changed in place": (planted.ChangesItsInput(), X, "inputs unchanged"),
    "random numbers": (draws_anew, X, "repeatable"),
    "overflow in float32": (planted.Overflows(), X * 40 + 90, "float32"),
}


@pytest.mark.parametrize("name", HABITS)
def test_a_gradient_that_depends_on_what_must_not_matter_is_caught(name):
    f, x, check = HABITS[name]
    report = gradcheck(f, x, order=1, raise_error=False)
    verdicts = {c.name: c.verdict for c in report.checks}
    assert verdicts[check] == "FAIL", report
    assert not report.ok and check in str(report)
