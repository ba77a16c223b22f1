"""Every convolution algorithm, forced, against the seven loops, and the table that chooses.

Geometries are drawn from each algorithm's own domain.  Operands are small integers, so that the
loops are exact and serve every dtype.
"""

from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
from blocks import tiny_blocks
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import convolution_triple
from strategies import Convolution, convolutions, in_layout, layouts, seeds

import minigan
from minigan import gradcheck
from minigan.conv import (
    Activation,
    Geometry,
    algorithm,
    col2im,
    cpu,
    dense,
    layout,
    residues,
    winograd,
)
from minigan.conv.dense_plan import plan_of
from minigan.conv.tiles import Plan
from minigan.cpu import memory, threads

ROUTINES = ("fprop", "dgrad", "wgrad")


def between(low, high):
    return st.integers(low, high)


@st.composite
def pointwise_cases(draw, most=5, batch=(1, 3)):
    g = Geometry(draw(between(1, most)), draw(between(1, most)), 1, 1)
    channels = draw(between(1, 4)), draw(between(1, 4))
    return Convolution(g, draw(between(*batch)), *channels, draw(seeds))


@st.composite
def depthwise_cases(draw, batch=(1, 3), **limits):
    """As many groups as input channels, one to three outputs each."""
    g = draw(convolutions(max_extra=4, **limits)).geometry
    c = draw(between(2, 3))
    g = Geometry(g.H, g.W, g.R, g.S, g.stride, g.pad, g.dilation, groups=c)
    return Convolution(g, draw(between(*batch)), c, c * draw(between(1, 3)), draw(seeds))


@st.composite
def planar_cases(draw, batch=(1, 3), **limits):
    """One to four input channels, no groups."""
    g = draw(convolutions(max_extra=5, **limits)).geometry
    g = Geometry(g.H, g.W, g.R, g.S, g.stride, g.pad, g.dilation)
    channels = draw(between(1, 4)), draw(between(1, 3))
    return Convolution(g, draw(between(*batch)), *channels, draw(seeds))


@st.composite
def thin_cases(draw, batch=(1, 3), **limits):
    """One to four output channels, no groups."""
    g = draw(convolutions(max_extra=5, **limits)).geometry
    g = Geometry(g.H, g.W, g.R, g.S, g.stride, g.pad, g.dilation)
    channels = draw(between(1, 3)), draw(between(1, 4))
    return Convolution(g, draw(between(*batch)), *channels, draw(seeds))


@st.composite
def winograd_cases(draw, most=7, channels=3, batch=(1, 2)):
    """Square filters of 2 or 3 taps per stride, any padding: tiles stick out, rows are left."""
    s, r = draw(between(1, 2)), draw(between(2, 3))
    pad = tuple(draw(between(0, 3)) for _ in range(4))
    sizes = []
    for sides in (pad[:2], pad[2:]):
        reached = s * draw(between(0, most - 1)) + r * s
        sizes.append(max(reached + draw(between(0, s - 1)) - sum(sides), 1))
    g = Geometry(*sizes, r * s, r * s, (s, s), pad)
    inside = draw(between(1, channels)), draw(between(1, channels))
    return Convolution(g, draw(between(*batch)), *inside, draw(seeds))


@st.composite
def dense_cases(draw, most=8, channels=3, batch=(1, 3)):
    """Square filters of up to 5 taps per stride, the last of which may be missing; with 2 to
    ``most`` outputs, or four tiles by two bands of 5, 7 or 8."""
    s = draw(between(1, 2))
    taps = draw(between(s + 1, 5 * s if most == 8 else 3 * s))
    pad = tuple(draw(between(0, 3)) for _ in range(4))
    sizes = []
    for sides, bands in ((pad[:2], (13,)), (pad[2:], (10, 14, 16))):
        outputs = draw(st.sampled_from([*range(2, most + 1), *(bands if most == 8 else ())]))
        reached = s * (outputs - 1) + taps
        sizes.append(max(reached + draw(between(0, s - 1)) - sum(sides), 1))
    g = Geometry(*sizes, taps, taps, (s, s), pad)
    assume(dense.fits(g))  # a row of one pixel can have more outputs than were drawn
    inside = draw(between(1, channels)), draw(between(1, channels))
    return Convolution(g, draw(between(*batch)), *inside, draw(seeds))


DOMAINS = {
    "pointwise": pointwise_cases(),
    "depthwise": depthwise_cases(max_kernel=3),
    "planar": planar_cases(),
    "thin": thin_cases(),
    "dense": dense_cases(),
    "winograd": winograd_cases(),
    "residues": convolutions(max_channels=2, max_extra=5),
    "im2col": convolutions(max_channels=2, max_extra=5),
}
ALL = pytest.mark.parametrize("name", list(DOMAINS))


def test_every_algorithm_has_a_domain_here():
    assert list(DOMAINS) == list(cpu.ALGORITHMS)


@contextmanager
def forced(name, case, dtype, routines):
    """Inside, these routines of this case really are the algorithm's."""
    with algorithm(name):
        for routine in routines:
            sizes = case.batch, case.inputs, case.outputs
            assert cpu.choose(routine, case.geometry, *sizes, dtype) == name
        yield


def routines_of(name):
    return ("dgrad",) if name in ("residues", "planar") else ROUTINES


@contextmanager
def poisoned_memory():
    """Inside, new arrays and working memory hold NaN: what is not written shows."""

    def empty(shape, dtype, plain=memory.empty):
        array = plain(shape, dtype)
        array[...] = np.nan
        return array

    for buffer in threads._scratch.buffers.values():
        buffer[...] = 255
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "empty", empty)
        yield


def computed(name, case, x, w, y, a=None, b=None):
    """What the algorithm gives by routine; ``a`` and ``b`` are the biases of x and y."""
    g, found = case.geometry, {}
    with forced(name, case, x.dtype, routines_of(name)), poisoned_memory():
        if "fprop" in routines_of(name):
            found["fprop"] = cpu.fprop(g, x, w, b)
            found["wgrad"] = cpu.wgrad(g, x, y)
        found["dgrad"] = cpu.dgrad(g, y, w, a)
    return found


def tolerances(name, case, x, w, y, dtype):
    """c·u·Σ|a||b| for each routine, c the number of terms; Winograd's transforms enlarge it.

    Their bound is that of the largest sum that could be formed: the absolute row sums of the
    transforms and their transposes, twice, times the number of terms and the largest operands.
    """
    g, unit = case.geometry, np.finfo(dtype).eps
    terms = {
        "fprop": g.R * g.S * w.shape[1],
        "dgrad": g.R * g.S * case.outputs,
        "wgrad": max(case.batch, 1) * g.P * g.Q,
    }
    if name not in ("dense", "winograd"):
        magnitude = convolution_triple(g, *[abs(v) for v in (x, w, y)])
        sizes = dict(zip(("fprop", "dgrad", "wgrad"), magnitude, strict=True))
        return {routine: (terms[routine] + 4) * unit * (sizes[routine] + 9) for routine in terms}
    growth, plan = 1.0, plan_of(g) if name == "dense" else Plan(g, winograd.M)
    if name == "dense":
        for matrix in (np.vstack(plan.O), plan.G, plan.T):
            growth *= max(abs(matrix).sum(0).max(), abs(matrix).sum(1).max())
        tiles = plan.size(max(case.batch, 1))
    else:
        for matrix in (plan.A, plan.G, plan.B):
            growth *= max(abs(matrix).sum(0).max(), abs(matrix).sum(1).max()) ** 2
        tiles = plan.n**2 * max(case.batch, 1) * plan.tiles[0] * plan.tiles[1]
    return {routine: unit * growth * 81 * (terms[routine] + tiles) for routine in terms}


@ALL
@settings(max_examples=150)
@given(data=st.data())
def test_every_algorithm_is_the_seven_loops(name, data):
    """fprop, dgrad (both with bias) and wgrad, in every dtype, cut into pieces of any size, and
    products into blocks.

    With the bias ``a`` of the image and ``b`` of the output:  fprop + b, dgrad + a.
    """
    case, tiny = data.draw(DOMAINS[name]), data.draw(st.booleans())
    x, w, y = case.operands(np.int64)
    rng = np.random.default_rng(case.seed)
    a, b = rng.integers(-8, 9, case.inputs), rng.integers(-8, 9, case.outputs)
    output, image, filters = convolution_triple(case.geometry, x, w, y)
    expected = {
        "fprop": (output, b.reshape(1, -1, 1, 1)),
        "dgrad": (image, a.reshape(1, -1, 1, 1)),
        "wgrad": (filters, np.zeros(())),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", data.draw(st.sampled_from([1, 3000, 4 << 20])))
        patch.setattr(winograd, "SUPER_BYTES", data.draw(st.sampled_from([1, 48 << 20])))
        patch.setattr(dense, "PIECE_BYTES", data.draw(st.sampled_from([1, 3000, 32 << 20])))
        patch.setattr(winograd, "ROWS", data.draw(st.sampled_from([1, 128])))
        patch.setattr(residues, "SHORT", data.draw(st.sampled_from([0, 24])))
        patch.setattr(col2im, "COLUMNS", data.draw(st.sampled_from([1, 16])))
        for module, large in (
            (layout, data.draw(st.booleans())),
            (col2im, data.draw(st.booleans())),
        ):
            patch.setattr(module, "LARGE_BYTES", 1 << 20 if large else 1)
        patch.setattr(dense, "CALL", data.draw(st.sampled_from([1, 1 << 24])))
        for dtype in (np.float32, np.float64, np.complex128):
            factors = (1 + 2j, 3 - 1j, 2 + 1j) if dtype == np.complex128 else (1, 1, 1)
            operands = [(v * f).astype(dtype) for v, f in zip((x, w, y), factors, strict=True)]
            with tiny_blocks() if tiny else nullcontext():
                found = computed(name, case, *operands, a.astype(dtype), b.astype(dtype))
            allowed = tolerances(name, case, x, w, y, dtype)
            products = {
                "fprop": factors[0] * factors[1],
                "dgrad": factors[2] * factors[1],
                "wgrad": factors[0] * factors[2],
            }
            for routine, got in found.items():
                exact, bias = expected[routine]
                assert got.dtype == dtype and got.shape == exact.shape
                error = abs(got - (exact * products[routine] + bias))
                assert (error <= allowed[routine] * 3 * abs(products[routine])).all(), routine


@ALL
@settings(max_examples=10)
@given(data=st.data())
def test_an_empty_batch_gives_no_images_and_a_zero_filter_gradient(name, data):
    case = replace(data.draw(DOMAINS[name]), batch=0)
    x, w, y = case.operands()
    for routine, got in computed(name, case, x, w, y).items():
        shape = {"fprop": y, "dgrad": x, "wgrad": w}[routine].shape
        assert_array_equal(got, np.zeros(shape))


@pytest.mark.parametrize("channels", [(16, 0), (0, 4), (0, 0)], ids=str)
def test_without_channels_there_is_nothing_or_zeros(channels):
    """Of a size at which each algorithm would be chosen."""
    c, k = channels
    for g in (Geometry(32, 32, 3, 3, pad=(1,) * 4), Geometry(32, 32, 5, 5, pad=(2,) * 4)):
        x, w, y = np.ones((4, c, g.H, g.W)), np.ones((k, c, g.R, g.S)), np.ones((4, k, g.P, g.Q))
        of_x, of_y = np.arange(c) - 2.0, np.arange(k) - 2.0  # biases
        for b, rectified in ((None, 0 * of_y), (of_y, of_y.clip(0))):
            found = cpu.fprop(g, x, w, b, activation=Activation("relu"))
            assert_array_equal(found, np.zeros(y.shape) + rectified.reshape(-1, 1, 1))
        assert_array_equal(cpu.dgrad(g, y, w), np.zeros(x.shape))
        assert_array_equal(cpu.dgrad(g, y, w, of_x), np.zeros(x.shape) + of_x.reshape(-1, 1, 1))
        assert_array_equal(cpu.wgrad(g, x, y), np.zeros(w.shape))


@ALL
@settings(max_examples=40)
@given(data=st.data())
def test_any_memory_layout_will_do_and_inputs_stay_as_they_are(name, data):
    """Transposed, strided, reversed, repeated and channels-last operands: the same numbers."""
    case = data.draw(DOMAINS[name])
    drawn = [in_layout(v, data.draw(layouts)) for v in case.operands()]
    before = [v.copy() for v in drawn]
    last = [np.ascontiguousarray(v.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for v in before]
    expected = computed(name, case, *before)
    allowed = tolerances(name, case, *before, np.float64)
    for operands in (drawn, last):
        for routine, got in computed(name, case, *operands).items():
            assert (abs(got - expected[routine]) <= allowed[routine]).all()
        for operand, old in zip(operands, before, strict=True):
            assert_array_equal(operand, old)


@ALL
@settings(max_examples=25)
@given(data=st.data())
def test_the_three_routines_of_an_algorithm_are_adjoint(name, data):
    """⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩."""
    case = data.draw(DOMAINS[name])
    x, w, y = case.operands()
    found = computed(name, case, x, w, y)
    with algorithm("im2col"):
        found = {"fprop": cpu.fprop(case.geometry, x, w), **found}
    partners = {"fprop": y, "dgrad": x, "wgrad": w}
    products = [np.sum(partners[routine] * result) for routine, result in found.items()]
    scale = 1 + float(np.sum(abs(y)) * np.sum(abs(w)) * (np.max(abs(x)) if x.size else 0))
    assert max(products) - min(products) <= 1e-12 * scale


TINY = {
    "pointwise": pointwise_cases(most=2, batch=(1, 2)),
    "depthwise": depthwise_cases(max_kernel=2, batch=(1, 1)),
    "planar": planar_cases(max_kernel=2, batch=(1, 1)),
    "thin": thin_cases(max_kernel=2, batch=(1, 1)),
    "dense": dense_cases(most=3, channels=1, batch=(1, 1)),
    "winograd": winograd_cases(most=3, channels=1, batch=(1, 1)),
    "residues": convolutions(max_kernel=3, max_channels=2, max_extra=2, max_batch=1),
    "im2col": convolutions(max_kernel=3, max_channels=2, max_extra=2, max_batch=1),
}


@ALL
@settings(max_examples=5)
@given(data=st.data())
def test_gradients_to_order_3(name, data):
    """conv2d, and the transposed convolution that is its adjoint, by the complex step."""
    case = data.draw(TINY[name])
    g, (x, w, y) = case.geometry, case.operands()
    options = {"stride": g.stride, "padding": g.pad, "dilation": g.dilation, "groups": g.groups}
    rows = (g.P - 1) * g.stride[0] + (g.R - 1) * g.dilation[0] + 1
    columns = (g.Q - 1) * g.stride[1] + (g.S - 1) * g.dilation[1] + 1
    up = rows > sum(g.pad[:2]) and columns > sum(g.pad[2:])  # else nothing would be left

    def down(x, w, b):
        return (minigan.conv2d(x, w, b, **options) * 0.3).tanh()

    def enlarge(y, w, b):
        return (minigan.conv_transpose2d(y, w, b, **options) * 0.3).tanh()

    with forced(name, case, np.complex128, routines_of(name)):
        gradcheck(down, x, w, np.arange(case.outputs) / 4, order=3, probes=1)
        if up:
            gradcheck(enlarge, y, w, np.arange(case.inputs) / 4, order=3, probes=1)
