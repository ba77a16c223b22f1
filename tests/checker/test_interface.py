"""How gradcheck is called: what it takes, what it refuses, and what it leaves alone."""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import GradcheckError, gradcheck

X, Y = numbers(0, (3, 4)), numbers(1, (3, 4))


def test_a_tuple_alone_stands_for_its_elements():
    """PyTorch's form: gradcheck(f, (x, y))."""
    assert gradcheck(lambda a, b: a * b.exp(), (X, Y))
    assert gradcheck(minigan.tanh, (X,))
    assert gradcheck(minigan.tanh, (minigan.tensor(X),))


@pytest.mark.parametrize("name", ["eps", "atol", "rtol", "raise_exception", "fast_mode"])
def test_pytorchs_tolerances_are_refused_with_the_reason(name):
    with pytest.raises(TypeError, match=f"gradcheck: {name} is not taken: .+"):
        gradcheck(minigan.tanh, X, **{name: 1})


def test_other_keywords_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword 'speed'"):
        gradcheck(minigan.tanh, X, speed=1)


def test_wrong_arguments_are_refused():
    for arguments, said in (
        ({"order": 0}, "order must be at least 1, got 0"),
        ({"probes": 0}, "probes must be at least 1, got 0"),
        ({"method": "exact"}, "method must be"),
        ({"wrt": [1]}, "wrt names input 1, which is not a float input"),
        ({"wrt": -2}, "wrt names input -2"),
    ):
        with pytest.raises(ValueError, match=said):
            gradcheck(minigan.tanh, X, **arguments)
    with pytest.raises(TypeError, match=r"expected the function to return a Tensor .*got float"):
        gradcheck(lambda x: 1.0, X)
    with pytest.raises(ValueError, match="returns no float tensor"):
        gradcheck(lambda x: x > 0, X)


def test_wrt_may_be_one_number_and_count_from_the_end():
    wrong = minigan.Tensor.detach
    assert gradcheck(lambda a, b: wrong(a) * b, X, Y, wrt=1)
    assert gradcheck(lambda a, b: wrong(a) * b, X, Y, wrt=-1)
    assert not gradcheck(lambda a, b: wrong(a) * b, X, Y, wrt=0, raise_error=False)


def test_every_output_of_several_is_checked():
    assert gradcheck(lambda x: (x.sin(), x > 0, x**2), X).ok
    for place in range(3):

        def f(x, place=place):
            outputs = [x.sin(), x.cos(), x.exp()]
            outputs[place] = outputs[place] * x.detach()
            return tuple(outputs)

        assert gradcheck(f, X, raise_error=False).verdict == "FAIL"


def test_inputs_that_are_no_floats_are_handed_on():
    seen = []

    def f(x, index, exponent, name, nothing):
        seen.append((index.dtype.kind, exponent, name, nothing))
        return x[index] ** exponent

    assert gradcheck(f, X, minigan.tensor([0, 2]), 3, "name", None)
    assert set(seen) == {("i", 3, "name", None)}


def test_inputs_and_their_gradients_are_left_alone():
    x = minigan.tensor(X, dtype="float32", requires_grad=True)
    before = x.detach().numpy().copy()
    gradcheck(minigan.tanh, x)
    assert x.grad is None and x.requires_grad and x.dtype == np.float32
    assert (x.detach().numpy() == before).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_read_only_and_strided_inputs_are_taken(order):
    x = np.array(X, order=order)[::2]
    x.setflags(write=False)
    assert gradcheck(minigan.tanh, x)


# ------------------------------------------------------------------------------ kinks


def test_a_point_on_a_kink_is_drawn_again_and_counted():
    report = gradcheck(minigan.relu, X * 0, method="central")
    assert report.ok and report.resampled
    assert f"points on a kink, drawn again: {report.resampled}" in str(report)
    assert gradcheck(minigan.tanh, X, method="central").resampled == 0


def test_a_kink_close_by_is_avoided_by_smaller_steps():
    report = gradcheck(lambda x: minigan.abs(x) * x.exp(), X * 0 + 1e-3, method="central")
    assert report.ok and report.resampled == 0


def test_a_wrong_gradient_is_not_excused_by_a_kink():
    class HalfSlope(minigan.Function):
        def forward(self, x):
            return np.where(x.real > 0, x, 0.5 * x)

        def vjp(self, needs, g, y, x):
            return (minigan.where(x > 0, g, g * 0.51),)

    for method in ("auto", "central"):
        report = gradcheck(HalfSlope(), X * 0, order=1, method=method, raise_error=False)
        assert report.verdict == "FAIL"


def test_a_kink_everywhere_cannot_be_decided():
    """Quantised: no step is free of jumps, whatever the point."""

    class Rough(minigan.Function):
        def forward(self, x):
            return x + 1e-5 * np.sign(np.sin(1e7 * x))

        def vjp(self, needs, g, y, x):
            return (g,)

    with pytest.raises(GradcheckError, match="INCONCLUSIVE") as caught:
        gradcheck(Rough(), X, order=1, method="central")
    assert caught.value.report.verdict == "INCONCLUSIVE" and not caught.value.report.ok


# ------------------------------------------------------------------------------ the method


def test_auto_says_why_it_takes_differences_and_complex_takes_none():
    class RealOnly(minigan.Function):
        def forward(self, x):
            if x.dtype.kind == "c":
                raise ValueError("no complex numbers here")
            return np.exp(x)

        def vjp(self, needs, g, y, x):
            return (g * x.exp(),)

    report = gradcheck(RealOnly(), X)
    assert report.ok and {row.method for row in report.rows} == {"central"}
    assert "no complex numbers here" in str(report)
    assert len(report.notes) == 1
    with pytest.raises(ValueError, match="no complex numbers here"):
        gradcheck(RealOnly(), X, method="complex")


def test_a_function_that_drops_the_imaginary_part_is_not_believed():
    """Its complex step says 0; the real values say otherwise."""

    class Dropping(minigan.Function):
        def forward(self, x):
            return np.sin(x.real)

        def vjp(self, needs, g, y, x):
            return (g * x.cos(),)

    report = gradcheck(Dropping(), X, order=1)
    assert report.ok and {row.method for row in report.rows} == {"central"}
    with pytest.raises(TypeError, match="does not continue analytically"):
        gradcheck(Dropping(), X, order=1, method="complex")


# ------------------------------------------------------------------------------ reports


def test_the_report_of_a_pass_names_what_was_checked():
    text = str(gradcheck(minigan.tanh, X))
    for word in ("repeatable", "recorded", "transposed", "reversed", "broadcast", "float32"):
        assert word in text
    assert "hint" not in text and "again:" not in text


def test_the_reproducer_runs_and_fails_alike():
    def f(x, y):
        return x * y.detach()

    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, X, Y, order=1, seed=11, probes=2)
    text = caught.value.report.reproducer
    assert text == (
        "gradcheck(f, <float64 (3, 4)>, <float64 (3, 4)>, order=1, "
        'method="auto", probes=2, seed=11)'
    )
    program = text.replace("<float64 (3, 4)>", "X", 1).replace("<float64 (3, 4)>", "Y")
    with pytest.raises(GradcheckError) as again:
        eval(program, {"gradcheck": gradcheck, "f": f, "X": X, "Y": Y})
    assert again.value.report.rows == caught.value.report.rows


def test_large_inputs_are_compared_in_part():
    report = gradcheck(lambda x: x * x.detach(), numbers(3, (1200,)), order=1, raise_error=False)
    assert "of 600 compared" in "\n".join(report.findings)
