"""gradcheck passes what is right and fails what is wrong, by whichever method."""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import Function, GradcheckError, gradcheck, tensor
from minigan.checker import Report, Row
from minigan.nn.functional import leaky_relu
from minigan.ops.conv import Wgrad
from minigan.ops.elementwise import LeakyReLUGrad, Tanh
from minigan.ops.norm import BatchNorm

METHODS = ["complex", "central"]
X = numbers(0, (3, 4))
IMAGE, FILTER = numbers(1, (2, 2, 5, 5)), numbers(2, (3, 2, 3, 3))
NORMED = numbers(3, (6, 3, 2))


# ------------------------------------------------------------------------------ right functions


def conv_bn_leaky(x, w):
    y = minigan.batch_norm(minigan.conv2d(x, w, padding=1), training=True)
    return leaky_relu(y, 0.2) ** 2


RIGHT = {
    "product": (lambda a, b: a * b.exp(), (X, numbers(4, (4,)))),
    "tanh": (lambda x: x.tanh() * x, (X,)),
    "softmax": (lambda x: x.exp() / x.exp().sum(1, keepdim=True), (X,)),
    "conv": (lambda x, w: minigan.conv2d(x, w, stride=2, padding=1).tanh(), (IMAGE, FILTER)),
    "batch_norm": (lambda x: minigan.batch_norm(x, training=True).tanh(), (NORMED,)),
    "network": (conv_bn_leaky, (IMAGE, FILTER)),
    "tiny values": (lambda x: 1e-8 * x.tanh().exp(), (X,)),
    "huge values": (lambda x: 1e12 * (x.tanh() * x), (X,)),
}


# Differences would step over the network's kinks.
PAIRS = [(n, m) for n in RIGHT for m in METHODS if (n, m) != ("network", "central")]


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_right_gradients_pass(name, method):
    f, inputs = RIGHT[name]
    report = gradcheck(f, *inputs, order=3 if method == "complex" else 2, method=method)
    assert report.ok and bool(report)
    assert {row.method for row in report.rows} == {method}
    assert {row.verdict for row in report.rows} == {"pass"}
    if method == "complex":
        assert max(row.error for row in report.rows) < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_linear_functions_and_constants_pass_where_derivatives_vanish(method):
    for f, x in (
        (lambda x: x.sum(0) * 3, X),
        (lambda x: x * 0, X),
        (lambda x: leaky_relu(x, 0.2), X),
        (lambda x: minigan.ones(2, dtype="float64"), X),
        (lambda x: x.reshape(4, 3).t(), np.zeros((3, 4))),
        (lambda x: x.tanh(), np.zeros((0, 4))),
    ):
        gradcheck(f, x, order=2, method=method)


def test_a_function_that_is_constant_here_by_cancellation_passes():
    """Every derivative is 0 by symmetry; the step's own error of 1e-60 is no mistake."""
    gradcheck(lambda x: x.var() ** 2, np.full(2, 0.125), order=3)


def test_float32_inputs_are_checked_in_float64_and_not_changed():
    x = tensor(X, dtype="float32")
    before = x.numpy().copy()
    assert all(row.error < 1e-13 for row in gradcheck(lambda x: x.tanh(), x).rows)
    assert x.dtype == np.float32 and (x.numpy() == before).all() and x.grad is None


def test_only_chosen_inputs_are_differentiated():
    """Integers never; floats as ``wrt`` says; others may even have a wrong gradient."""
    index = tensor([0, 2])
    gradcheck(lambda x, i: x[i] ** 2, X, index)
    report = gradcheck(lambda a, b: a.tanh() * b, X, X, wrt=[0], probes=1)
    assert {row.inputs for row in report.rows} == {"all inputs"}
    report = gradcheck(lambda a, b: a.tanh() * b, X, X, probes=1)
    assert {row.inputs for row in report.rows} == {"all inputs", "input 0", "input 1"}
    gradcheck(lambda a, b: a * WrongSlope()(b), X, X, wrt=[0])
    with pytest.raises(ValueError, match="no float input"):
        gradcheck(lambda i: i * 2, index)
    with pytest.raises(
        ValueError, match='method must be "auto", "complex" or "central", got exact'
    ):
        gradcheck(lambda x: x, X, method="exact")


# ------------------------------------------------------------------------------ planted mistakes


class WrongSlope(Function):
    """tanh with a gradient 0.5 % too large."""

    reads = (("y",),)

    def forward(self, x):
        return np.tanh(x)

    def vjp(self, needs, g, y, x):
        return (g * (1 - y * y) * 1.005,)


class LeakyWithWrongSlope(Function):
    """LeakyReLU(0.2) whose gradient has slope 0.201."""

    def forward(self, x):
        return np.where(x.real > 0, x, 0.2 * x)

    def vjp(self, needs, g, y, x):
        return (LeakyReLUGrad(0.201)(g, x),)


class StatisticsHeldConstant(BatchNorm):
    """The gradient of a normalisation whose mean and deviation do not depend on x."""

    def vjp(self, needs, g, y, x, w, b):
        return g * (minigan.Tensor(self.inv_std) * w), None, None


class DeviationHeldConstant(BatchNorm):
    """Right at first order; inv_std is a constant when the gradient is differentiated."""

    def vjp(self, needs, g, y, x, w, b):
        inv_std = minigan.Tensor(self.inv_std)
        centred = x - x.mean(self.dims, keepdim=True)
        mean = g.mean(self.dims, keepdim=True)
        slope = (g * centred).mean(self.dims, keepdim=True)
        return (g - mean - centred * inv_std * inv_std * slope) * inv_std * w, None, None


class ScaledBySeven(BatchNorm):
    def vjp(self, needs, g, y, x, w, b):
        return super().vjp(needs, g, y, x, w, b)[0] * 7, None, None


class WrongAtSecondOrder(Function):
    """tanh whose gradient keeps y as a constant: its own derivative is zero."""

    reads = (("y",),)

    def forward(self, x):
        return np.tanh(x)

    def vjp(self, needs, g, y, x):
        return (g * (1 - y * y).detach(),)


class WrongAtThirdOrder(Tanh):
    """The gradient of the gradient keeps its factor constant."""

    def vjp(self, needs, g, y, x):
        return (g * WrongSquare()(y),)


class WrongSquare(Function):
    """1 - y² with the derivative -2y taken as a constant."""

    def forward(self, y):
        return 1 - y * y

    def vjp(self, needs, g, out, y):
        return (g * (-2 * y).detach(),)


class OneElementOff(Wgrad):
    """The convolution's weight gradient with one entry 5 % too large."""

    def forward(self, x, y):
        w = super().forward(x, y).copy()
        w[1, 0, 2, 1] *= 1.05
        return w


class ZeroGradient(Function):
    """1e-8·sin with no gradient at all: an absolute tolerance would let it pass."""

    def forward(self, x):
        return 1e-8 * np.sin(x)

    def vjp(self, needs, g, y, x):
        return (g * 0,)


def normalised(function):
    return lambda x: function((0, 2), 1e-5)(x, 1.5, 0.0).tanh()


# name: the function, its inputs, the first order at which it is wrong
WRONG = {
    "slope 0.5 % off": (WrongSlope(), (X,), 1),
    "leaky slope 0.5 % off": (LeakyWithWrongSlope(), (X,), 1),
    "BN statistics constant": (normalised(StatisticsHeldConstant), (NORMED,), 1),
    "BN gradient times 7": (normalised(ScaledBySeven), (NORMED,), 1),
    "BN deviation constant": (normalised(DeviationHeldConstant), (NORMED,), 2),
    "second order": (WrongAtSecondOrder(), (X,), 2),
    "third order": (WrongAtThirdOrder(), (X,), 3),
    "tiny, no gradient": (ZeroGradient(), (X,), 1),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WRONG)
def test_planted_mistakes_are_found_at_their_order_and_not_before(name, method):
    f, inputs, first = WRONG[name]
    report = gradcheck(f, *inputs, order=first, method=method, raise_error=False)
    assert not report.ok
    assert all(row.verdict == "pass" for row in report.rows if row.order < first)
    assert all(row.verdict == "FAIL" for row in report.rows if row.order == first)


@pytest.mark.parametrize("method", METHODS)
def test_one_wrong_element_of_many_is_found(method):
    """Only derivatives by the weight are wrong, and the report says so."""

    def f(x, w, y):
        y = minigan.conv2d(x, w) + y
        return (y * y).sum()

    inputs = IMAGE, FILTER, numbers(5, (2, 3, 3, 3))
    assert gradcheck(f, *inputs, method=method, order=1).ok
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minigan.ops.conv.Wgrad", OneElementOff)
        report = gradcheck(f, *inputs, method=method, order=1, raise_error=False)
    assert not report.ok
    verdicts = {(row.inputs, row.verdict) for row in report.rows}
    assert ("input 1", "FAIL") in verdicts and ("input 0", "pass") in verdicts


# ------------------------------------------------------------------------------ reports


def test_a_failure_raises_with_the_comparison():
    with pytest.raises(GradcheckError, match=r"order 1  all inputs .*FAIL") as caught:
        gradcheck(WrongSlope(), X)
    report = caught.value.report
    assert isinstance(caught.value, AssertionError) and not report.ok
    row = report.rows[0]
    assert row.engine / row.numerical == pytest.approx(1.005)
    assert row.error == pytest.approx(0.005 / 1.005)


def test_what_cannot_be_decided_is_never_a_pass():
    """Differences of a function that jumps about between steps: no derivative to compare with."""

    class Rough(Function):
        def forward(self, x):
            return x + 1e-5 * np.sign(np.sin(1e7 * x))

        def vjp(self, needs, g, y, x):
            return (g,)

    report = gradcheck(Rough(), X, method="central", order=1, raise_error=False)
    assert {row.verdict for row in report.rows} == {"INCONCLUSIVE"}
    assert not report.ok and not report
    with pytest.raises(GradcheckError, match="INCONCLUSIVE"):
        gradcheck(Rough(), X, method="central", order=1)


def test_one_row_that_does_not_pass_is_enough():
    def row(verdict):
        return Row(1, "all inputs", "complex", 1.0, 1.0, 0.0, 1e-9, verdict)

    assert Report([row("pass"), row("pass")]).ok
    assert not Report([row("pass"), row("INCONCLUSIVE")]).ok
    assert not Report([row("FAIL"), row("pass")]).ok
    assert not Report([]).ok  # nothing was compared


def test_infinite_and_nan_derivatives_fail():
    x = np.array([0.0, 1.0])
    with np.errstate(all="ignore"):
        assert not gradcheck(lambda x: x.sqrt(), x, order=1, raise_error=False).ok
        assert not gradcheck(lambda x: x * float("nan"), x, order=1, raise_error=False).ok


def test_functions_that_refuse_complex_numbers_are_checked_by_differences():
    class RealOnly(Function):
        def forward(self, x):
            if x.dtype.kind == "c":
                raise TypeError("real numbers only")
            return np.exp(x)

        def vjp(self, needs, g, y, x):
            return (g * x.exp(),)

    report = gradcheck(RealOnly(), X)
    assert {row.method for row in report.rows} == {"central"}
    with pytest.raises(TypeError, match="real numbers only"):
        gradcheck(RealOnly(), X, method="complex")


def test_seeds_repeat_and_probes_differ():
    def engines(seed):
        return [r.engine for r in gradcheck(lambda x: x.tanh(), X, order=1, seed=seed).rows]

    assert engines(1) == engines(1) != engines(2)
    assert len(set(engines(1))) == 3


def test_the_mode_of_the_caller_does_not_matter():
    with minigan.no_grad():
        assert gradcheck(lambda x: x.tanh(), X).ok
        assert not gradcheck(WrongSlope(), X, raise_error=False).ok
