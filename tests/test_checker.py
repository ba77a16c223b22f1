"""gradcheck's verdicts and reports; planted mistakes are in the museum, false alarms in checker."""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import Function, GradcheckError, gradcheck, tensor
from minigan.checker import Report, Row
from minigan.nn.functional import leaky_relu

X = numbers(0, (3, 4))


class WrongSlope(Function):
    """tanh with a gradient 0.5 % too large."""

    reads = (("y",),)

    def forward(self, x):
        return np.tanh(x)

    def vjp(self, needs, g, y, x):
        return (g * (1 - y * y) * 1.005,)


# ------------------------------------------------------------------------------ the comparison


def test_a_complex_step_is_right_to_rounding():
    """Through a network to the third order; differences would step over its kinks."""

    def network(x, w):
        y = minigan.batch_norm(minigan.conv2d(x, w, padding=1), training=True)
        return leaky_relu(y, 0.2) ** 2

    inputs = numbers(1, (2, 2, 5, 5)), numbers(2, (3, 2, 3, 3))
    report = gradcheck(network, *inputs, order=3, method="complex")
    assert {row.method for row in report.rows} == {"complex"}
    assert max(row.error for row in report.rows) < 1e-9


@pytest.mark.parametrize("method", ["complex", "central"])
def test_pieces_of_straight_lines_pass_where_derivatives_vanish(method):
    gradcheck(lambda x: leaky_relu(x, 0.2), X, method=method)
    gradcheck(lambda x: x.reshape(4, 3).t(), X * 0, method=method)


def test_a_function_that_is_constant_here_by_cancellation_passes():
    """Every derivative is 0 by symmetry; the step's own error of 1e-60 is no mistake."""
    gradcheck(lambda x: x.var() ** 2, np.full(2, 0.125), order=3)


def test_float32_inputs_are_checked_in_float64():
    report = gradcheck(lambda x: x.tanh(), tensor(X, dtype="float32"))
    assert all(row.error < 1e-13 for row in report.rows)


def test_every_wrong_row_fails_and_no_other():
    """Along all inputs and along the wrong one, at every probe."""
    report = gradcheck(lambda a, b: a.tanh() * WrongSlope()(b), X, X, order=1, raise_error=False)
    verdicts = {(row.inputs, row.verdict) for row in report.rows}
    assert verdicts == {("all inputs", "FAIL"), ("input 0", "pass"), ("input 1", "FAIL")}


def test_an_input_that_is_not_chosen_may_have_a_wrong_gradient():
    report = gradcheck(lambda a, b: a * WrongSlope()(b), X, X, wrt=[0])
    assert {row.inputs for row in report.rows} == {"all inputs"}
    with pytest.raises(ValueError, match="no float input"):
        gradcheck(lambda i: i * 2, tensor([0, 2]))


def test_infinite_and_nan_derivatives_fail():
    x = np.array([0.0, 1.0])
    with np.errstate(all="ignore"):
        assert not gradcheck(lambda x: x.sqrt(), x, order=1, raise_error=False).ok
        assert not gradcheck(lambda x: x * float("nan"), x, order=1, raise_error=False).ok


def test_seeds_repeat_and_probes_differ():
    def engines(seed):
        return [r.engine for r in gradcheck(lambda x: x.tanh(), X, order=1, seed=seed).rows]

    assert engines(1) == engines(1) != engines(2)
    assert len(set(engines(1))) == 3


def test_the_mode_of_the_caller_does_not_matter():
    with minigan.no_grad():
        assert gradcheck(lambda x: x.tanh(), X).ok
        assert not gradcheck(WrongSlope(), X, raise_error=False).ok


# ------------------------------------------------------------------------------ reports


def test_a_failure_raises_with_the_comparison():
    with pytest.raises(GradcheckError, match=r"order 1  all inputs .*FAIL") as caught:
        gradcheck(WrongSlope(), X)
    report = caught.value.report
    assert isinstance(caught.value, AssertionError) and not report.ok
    row = report.rows[0]
    assert row.engine / row.numerical == pytest.approx(1.005)
    assert row.error == pytest.approx(0.005 / 1.005)


def test_one_row_that_does_not_pass_is_enough():
    def row(verdict):
        return Row(1, "all inputs", "complex", 1.0, 1.0, 0.0, 1e-9, verdict)

    assert Report([row("pass"), row("pass")]).ok
    assert not Report([row("pass"), row("INCONCLUSIVE")]).ok
    assert not Report([row("FAIL"), row("pass")]).ok
    assert not Report([]).ok  # nothing was compared
