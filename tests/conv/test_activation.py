"""A convolution that ends in an activation: the bits of the two one after the other.

The oracle is the activation as an operation of its own, after the same convolution without it.
"""

from contextlib import nullcontext

import numpy as np
import pytest
from conv.test_algorithms import (
    ALL,
    DOMAINS,
    ROUTINES,
    forced,
    poisoned_memory,
    routines_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import convolutions, in_layout, layouts, numbers

import minigan
from minigan import Tensor, gradcheck
from minigan.conv import NONE, Activation, Geometry, algorithm, cpu, layout, plain
from minigan.conv.activation import finished, rectifier
from minigan.nn import functional as F
from minigan.ops.conv import (
    Dgrad,
    DgradActivated,
    Fprop,
    FpropActivated,
    conv2d_activated,
    conv_transpose2d_activated,
)

ACTIVATIONS = {
    Activation("relu"): F.relu,
    Activation("leaky_relu", 0.2): lambda y: F.leaky_relu(y, 0.2),
    Activation("tanh"): F.tanh,
}
EACH = pytest.mark.parametrize("f", ACTIVATIONS, ids=lambda f: f.name)
SMALL = {"max_kernel": 3, "max_channels": 2, "max_extra": 3, "max_batch": 2}


def after(f, y):
    """f(y) of an array, as an operation of its own."""
    return ACTIVATIONS[f](Tensor(y)).numpy()


def assert_same(found, expected):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert_array_equal(found, expected)


# ------------------------------------------------------------------------------ array routines


@EACH
@ALL
@settings(max_examples=12)
@given(data=st.data())
def test_every_algorithm_gives_the_bits_of_both_in_turn(name, f, data):
    case = data.draw(DOMAINS[name])
    bytes_of_a_chunk = data.draw(st.sampled_from([1, 3000, 4 << 20]))
    drawn = [in_layout(v, data.draw(layouts)) for v in case.operands()]
    biases = {"fprop": numbers(1, case.outputs), "dgrad": numbers(2, case.inputs)}
    routines = {"fprop", "dgrad"} & set(routines_of(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", bytes_of_a_chunk)
        for dtype in ("float32", "float64", "complex128"):
            x, w, y = (v.astype(dtype, order="K") for v in drawn)
            with forced(name, case, dtype, ROUTINES if len(routines) > 1 else routines):
                for routine in routines:
                    call, given = getattr(cpu, routine), x if routine == "fprop" else y
                    for b in (None, biases[routine].astype(dtype)):
                        with poisoned_memory():
                            found = call(case.geometry, given, w, b, activation=f)
                        assert_same(found, after(f, call(case.geometry, given, w, b)))


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_results_in_blocks_and_on_threads(f, dtype):
    """After each of four algorithms, whose results lie in different orders."""
    before, rng = minigan.get_num_threads(), np.random.default_rng(0)
    cases = [(3, 64, 28, "im2col", "planar"), (128, 128, 16, "dense", "im2col")]
    try:
        for c, k, side, *algorithms in cases:
            g = Geometry(side, side, 4, 4, (2, 2), (1, 1, 1, 1))
            x, w = rng.standard_normal((64, c, side, side)), rng.standard_normal((k, c, 4, 4)) / 8
            y = rng.standard_normal((64, k, g.P, g.Q))
            x, w, y = (v.astype(dtype) for v in (x, w, y))
            for routine, given, name in zip(("fprop", "dgrad"), (x, y), algorithms, strict=True):
                for threads in (1, 2):
                    minigan.set_num_threads(threads)
                    with algorithm(name):
                        found = getattr(cpu, routine)(g, given, w, activation=f)
                        assert_same(found, after(f, getattr(cpu, routine)(g, given, w)))
    finally:
        minigan.set_num_threads(before)


@EACH
def test_it_is_done_in_the_memory_of_the_result(f):
    """Whatever its order; what has gaps, as a view may, is left as it is."""
    for shape, order in (((2, 3, 4, 5), (0, 1, 2, 3)), ((40, 30, 30, 3), (0, 3, 1, 2))):
        for dtype in ("float32", "float16"):
            y = numbers(0, shape, dtype=dtype).transpose(order)
            before = y.copy(order="K")
            assert finished(y, f) is y
            assert_same(y, after(f, before))
    view = numbers(0, (2, 3, 4, 6))[..., ::2]
    before = view.copy()
    assert_same(finished(view, f), after(f, before))
    assert finished(view, NONE) is view


@EACH
def test_nan_infinity_and_zero_are_what_they_are_alone(f):
    y = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45], np.float32)
    expected = after(f, y)
    assert_same(finished(y, f), expected)


def test_integers_become_the_floats_that_the_activation_gives():
    x, w = -3 * np.ones((1, 1, 4, 4), int), np.ones((1, 1, 3, 3), int)
    f = Activation("leaky_relu", 0.1)
    assert_same(cpu.fprop(Geometry(4, 4, 3, 3), x, w, activation=f), np.full((1, 1, 2, 2), -2.7))


def test_a_slope_of_zero_is_a_relu():
    assert rectifier(0.0) == Activation("relu") and rectifier(0.5).slope == 0.5


# ------------------------------------------------------------------------------ the Functions


def pairs(case):
    """Each activated Function, the one without, and its operands and bias."""
    x, w, y = case.operands()
    yield FpropActivated, Fprop, (x, w, numbers(1, case.outputs))
    yield DgradActivated, Dgrad, (y, w, numbers(2, case.inputs))


@EACH
@settings(max_examples=12)
@given(case=convolutions(**SMALL))
def test_gradients_to_order_3(f, case):
    for activated, _, operands in pairs(case):
        for taken in (operands, operands[:2]):
            bias = len(taken) == 3
            gradcheck(
                lambda *xs, kind=activated, bias=bias: (
                    kind(case.geometry, f, bias)(*xs) * 0.3
                ).sin(),
                *taken,
                order=3,
                probes=1,
            )


@EACH
@settings(max_examples=20)
@given(case=convolutions(min_batch=0, **SMALL))
def test_values_and_two_gradients_are_those_of_both_in_turn(f, case):
    for activated, alone, operands in pairs(case):
        for count in (2, 3):
            given = [minigan.tensor(v, requires_grad=True) for v in operands[:count]]
            bias = count == 3
            found = derivatives(activated(case.geometry, f, bias)(*given), given)
            expected = derivatives(ACTIVATIONS[f](alone(case.geometry, bias)(*given)), given)
            assert_same(found[0], expected[0])
            for a, b in zip(found[1:], expected[1:], strict=True):
                scale = np.abs(b).max(initial=1)
                assert_allclose(a, b, rtol=1e-12, atol=1e-13 * scale)


def derivatives(y, xs):
    """y, the gradients of Σy³, and those of the sum of their squares."""
    first = minigan.grad((y * y * y).sum(), xs, create_graph=True)
    second = minigan.grad(sum((g * g).sum() for g in first), xs)
    return [t.detach().numpy() for t in (y, *first, *second)]


@EACH
def test_gradients_at_the_kink_and_of_nan_are_those_of_both_in_turn(f):
    """y is exactly 0, or NaN: the rule is LeakyReLU's and Tanh's own."""
    geometry, w = Geometry(1, 4, 1, 1), np.ones((1, 1, 1, 1))
    x = np.array([0.0, -0.0, np.nan, -1.0]).reshape(1, 1, 1, 4)
    found, expected = [
        minigan.grad(make(t := minigan.tensor(x, requires_grad=True)).sum(), t)[0].numpy()
        for make in (
            lambda t: FpropActivated(geometry, f)(t, minigan.tensor(w)),
            lambda t: ACTIVATIONS[f](Fprop(geometry)(t, minigan.tensor(w))),
        )
    ]
    assert_array_equal(found, expected)


def test_only_the_result_is_kept_besides_the_operands():
    """Without a gradient in x or w neither is kept; what lies before the activation nowhere is."""
    case = Geometry(4, 4, 3, 3)
    x, w = minigan.randn(1, 1, 4, 4), minigan.randn(2, 1, 3, 3)
    b = minigan.randn(2, requires_grad=True)
    y = FpropActivated(case, Activation("tanh"), True)(x, w, b)
    assert y.node.output is y.array
    assert not any(isinstance(v, Tensor) for v in y.node.saved[:2])


# ------------------------------------------------------------------------------ the calls


@EACH
@pytest.mark.parametrize("dtype", ["int64", "float16", "float32", "complex64"])
@pytest.mark.parametrize("rounding", [nullcontext, lambda: minigan.autocast("cpu")])
def test_dtypes_are_those_of_both_in_turn(f, dtype, rounding):
    x, w, b = (
        minigan.tensor((numbers(i, s) * 3).astype(dtype))
        for i, s in enumerate([(2, 3, 5, 6), (4, 3, 3, 3), (4,)])
    )
    with np.errstate(over="ignore"), rounding():
        for bias in (None, b):
            found = conv2d_activated(x, w, bias, 2, "same", 1, 1, f)
            expected = ACTIVATIONS[f](F.conv2d(x, w, bias, 2, "same"))
            assert_same(found.numpy(), expected.numpy())


@EACH
@pytest.mark.parametrize("bias", [True, False])
def test_zeros_beyond_what_the_filters_touch(f, bias):
    """A dilation beyond the stride leaves whole rows that hold nothing but the bias."""
    x, w, b = (minigan.tensor(numbers(i, s)) for i, s in enumerate([(2, 3, 3), (2, 4, 2, 2), 4]))
    b = b if bias else None
    found = conv_transpose2d_activated(x, w, b, 1, 0, 2, 1, 3, None, f)
    expected = ACTIVATIONS[f](F.conv_transpose2d(x, w, b, 1, 0, 2, 1, 3))
    assert_same(found.numpy(), expected.numpy())
    assert found.shape == (4, 8, 8)


@EACH
def test_the_plain_way_on_any_array_module(f):
    case = Geometry(5, 6, 3, 3, (2, 2), (1, 1, 1, 0), (1, 1), 2)
    x, w = numbers(0, (2, 4, 5, 6)), numbers(1, (4, 2, 3, 3))
    y = plain.fprop(case, x, w)
    assert_same(finished(y.copy(), f), after(f, y))
    image = plain.dgrad(case, y, w)
    assert_same(finished(image.copy(), f), after(f, image))
