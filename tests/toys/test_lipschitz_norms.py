"""Operator norms against matrices written out by loops, NumPy's SVD and closed forms."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

import minigan
from minigan import nn
from minigan.toys.lipschitz_conv import coverage, fourier_bound, im2col_bound, reshaped_norm
from minigan.toys.lipschitz_kernels import (
    convolution_norms,
    ones_kernel,
    ones_norm,
    random_kernel,
)
from minigan.toys.lipschitz_operator import (
    Operator,
    nonnegative_bound,
    power_iteration,
    spectral_norm,
)

# Float64: products and eigenvalues of matrices of a few hundred rows err by some 1e-13.
CLOSE = 1e-10


def written_out(weight, stride, padding, dilation, groups, height, width):
    """The matrix of a zero-padded convolution, one entry for each weight that meets a pixel."""
    outputs, inputs, taps_h, taps_w = weight.shape
    rows = (height + 2 * padding - dilation * (taps_h - 1) - 1) // stride + 1
    columns = (width + 2 * padding - dilation * (taps_w - 1) - 1) // stride + 1
    matrix = np.zeros((outputs, rows, columns, inputs * groups, height, width))
    for k, p, q, c, r, s in product(*map(range, (outputs, rows, columns, inputs, taps_h, taps_w))):
        y, x = p * stride + r * dilation - padding, q * stride + s * dilation - padding
        if 0 <= y < height and 0 <= x < width:
            channel = k // (outputs // groups) * inputs + c
            matrix[k, p, q, channel, y, x] += weight[k, c, r, s]
    return matrix.reshape(outputs * rows * columns, -1)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 1, 2]))
    kernel, dilation = draw(st.integers(1, 4)), draw(st.sampled_from([1, 1, 2]))
    padding = draw(st.integers(0, 2))
    least = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
    layer = nn.Conv2d(
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 3)),
        kernel,
        draw(st.integers(1, 3)),
        padding,
        dilation,
        groups,
        dtype="float64",
    )
    nn.init.normal_(
        layer.weight, 0.0, 1.0, minigan.Generator().manual_seed(draw(st.integers(0, 9)))
    )
    return layer, least + draw(st.integers(0, 4)), least + draw(st.integers(0, 4))


@given(convolutions())
def test_bounds_of_any_convolution_hold(drawn):
    """power iteration ≤ SVD of the matrix written out by loops ≤ both bounds."""
    layer, height, width = drawn
    operator = Operator(layer, (layer.in_channels, height, width))
    matrix = written_out(
        layer.weight.detach().numpy(),
        layer.stride[0],
        layer.padding[0],
        layer.dilation[0],
        layer.groups,
        height,
        width,
    )
    np.testing.assert_allclose(operator.matrix(), matrix, rtol=0, atol=1e-13)
    exact = np.linalg.norm(matrix, 2)
    assert spectral_norm(matrix) == pytest.approx(exact, rel=CLOSE)
    found = power_iteration(operator, steps=200)
    assert 0.5 * exact <= found.value <= exact * (1 + CLOSE)
    for bound in (fourier_bound, im2col_bound):
        assert exact <= bound(layer, operator.shape, operator.out_shape) * (1 + CLOSE)


@given(convolutions())
def test_bounds_of_the_adjoint_hold(drawn):
    """A transposed convolution has the matrix of the convolution, transposed, hence its norm."""
    layer, height, width = drawn
    transposed = nn.ConvTranspose2d(
        layer.out_channels,
        layer.in_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        groups=layer.groups,
        dilation=layer.dilation,
        dtype="float64",
    )
    transposed.weight.data = layer.weight.detach()
    seen = Operator(layer, (layer.in_channels, height, width)).out_shape
    try:
        operator = Operator(transposed, seen)
    except RuntimeError:  # the smallest image that this map can be made of has no pixels
        reject()
    _, height, width = operator.out_shape
    matrix = Operator(layer, (layer.in_channels, height, width)).matrix()
    np.testing.assert_allclose(operator.matrix(), matrix.T, rtol=0, atol=1e-13)
    exact = np.linalg.norm(matrix, 2)
    assert power_iteration(operator, steps=100).value <= exact * (1 + CLOSE)
    for bound in (fourier_bound, im2col_bound):
        assert exact <= bound(transposed, operator.shape, operator.out_shape) * (1 + CLOSE)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 13])
def test_the_kernel_of_ones_has_its_closed_form(side):
    """(1 + 2 cos(π/(n + 1)))², from below by power iteration and by the SVD."""
    found = convolution_norms(ones_kernel(), side)
    assert found.exact == pytest.approx(ones_norm(side), rel=CLOSE)
    assert found.iterated.value == pytest.approx(ones_norm(side), rel=1e-6)
    assert found.iterated.value <= ones_norm(side) * (1 + CLOSE)
    assert found.reshaped == 3.0


def test_the_reshaped_kernel_is_no_bound():
    """Of a random 3 → 8 kernel the operator on 16×16 pixels is more than 1.5 times as steep, and
    the quotient of two images proves it; on one pixel it is less steep than the kernel says."""
    layer = random_kernel(0).double()
    large, small = convolution_norms(layer, 16), convolution_norms(layer, 1)
    assert large.exact > 1.5 * large.reshaped
    assert small.exact < small.reshaped
    operator = Operator(layer, (3, 16, 16))
    image = np.random.default_rng(0).standard_normal((1, *operator.shape))
    for _ in range(30):
        image = operator.adjoint(operator.apply(image))
        image /= np.linalg.norm(image)
    assert np.linalg.norm(layer(minigan.tensor(image)).detach().numpy()) > 1.5 * large.reshaped


def test_the_reshaped_norm_is_what_spectral_norm_divides_by():
    for layer in (
        nn.Conv2d(3, 4, 3, groups=1),
        nn.ConvTranspose2d(4, 6, 3, groups=2),
        nn.Conv1d(2, 5, 3),
    ):
        layer = layer.double()
        before = reshaped_norm(layer)
        nn.utils.spectral_norm(layer, n_power_iterations=500)
        shape = (1, layer.in_channels, *[7] * layer.rank)
        ratio = layer.weight_orig
        layer(minigan.zeros(shape, dtype="float64"))
        np.testing.assert_allclose((ratio / layer.weight).detach().numpy(), before, rtol=1e-6)


def test_the_trace_rises_and_the_residual_is_that_of_the_last_vector():
    found = power_iteration(Operator(random_kernel(1).double(), (3, 6, 6)), steps=50)
    trace = np.array(found.trace)
    assert (np.diff(trace) >= -1e-13).all() and found.value == trace[-1]
    assert found.residual > 0
    exact = power_iteration(Operator(ones_kernel().double(), (1, 1, 1)))
    assert (exact.value, exact.residual, len(exact.trace)) == (1.0, 0.0, 1)


def test_nothing_has_the_norm_0():
    layer = nn.Conv2d(2, 3, 3, padding=1).double()
    nn.init.zeros_(layer.weight)
    operator = Operator(layer, (2, 4, 4))
    assert power_iteration(operator).value == 0 == spectral_norm(operator.matrix())
    assert fourier_bound(layer, operator.shape, operator.out_shape) == 0


def test_norms_beyond_the_squares_of_floats():
    """Squaring 1e200 overflows; the largest of a stack is taken."""
    assert spectral_norm(np.array([[3e200, 0], [0, 4e-200]])) == pytest.approx(3e200, rel=1e-15)
    assert spectral_norm(np.stack([np.eye(2), 5 * np.eye(2)])) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.AvgPool2d(3, 2, 1), (2, 7, 6)),
        (nn.AvgPool2d(2), (1, 6, 6)),
        (nn.AvgPool2d(2, 3), (1, 8, 8)),  # some pixels are never read
        (nn.AdaptiveAvgPool2d(3), (1, 7, 5)),
        (nn.Upsample(scale_factor=2), (1, 3, 4)),
        (nn.UpsamplingBilinear2d(scale_factor=2), (1, 3, 4)),
        (nn.ReflectionPad2d(2), (1, 4, 5)),
        (nn.ReplicationPad2d((0, 3, 1, 0)), (1, 3, 4)),
        (nn.ConstantPad2d(1, 7.0), (1, 3, 3)),
        (nn.Unfold(3, padding=1), (2, 4, 4)),
        (nn.Fold(4, 2, stride=1), (8, 9)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_norms_of_averages_repetitions_and_borders(layer, shape):
    """Between the SVD of the operator written out and 1 % above it."""
    operator = Operator(layer, shape)
    exact = np.linalg.norm(operator.matrix(), 2)
    assert exact * (1 - CLOSE) <= nonnegative_bound(operator) <= 1.01 * exact


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_coverage_counts_the_windows_over_each_pixel(windows, taps, stride, dilation):
    counts = {}
    for p, r in product(range(windows), range(taps)):
        pixel = p * stride + r * dilation
        counts[pixel] = counts.get(pixel, 0) + 1
    assert coverage(windows, taps, stride, dilation) == max(counts.values())
