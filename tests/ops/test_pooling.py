"""Pooling: every window written out, all options, ties, NaN, gradients, layouts, errors."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, in_layout, numbers

import minigan
from minigan import grad, gradcheck, tensor
from minigan.ops.pooling import avg_pool2d, max_pool2d


@dataclass(frozen=True)
class Pooling:
    """Images, and the options of a pooling, all of them pairs."""

    x: np.ndarray
    kernel: tuple
    stride: tuple
    pad: tuple
    dilation: tuple
    ceil: bool

    def starts(self, i):
        """The first row (i = 0) or column (i = 1) of each window, in the padding at first.

        With ceil_mode also of a window that hangs over the end, if it starts inside the image and
        the one before leaves something over.
        """
        n, pad, stride = self.x.shape[-2 + i], self.pad[i], self.stride[i]
        end = n + pad - (self.dilation[i] * (self.kernel[i] - 1) + 1)
        return [s for s in range(-pad, n, stride) if s <= end or (self.ceil and s - stride < end)]

    def places(self, i, start):
        """The rows or columns that the window sees."""
        return [start + k * self.dilation[i] for k in range(self.kernel[i])]

    def expected(self, one):
        """``one(pixels, how many places are in the image or its padding)`` of every window."""
        sizes = self.x.shape[-2:]
        y = np.empty((*self.x.shape[:-2], len(self.starts(0)), len(self.starts(1))))
        for (p, row), (q, column) in product(*(enumerate(self.starts(i)) for i in (0, 1))):
            seen = [self.places(i, start) for i, start in enumerate((row, column))]
            inside = [[k for k in seen[i] if 0 <= k < sizes[i]] for i in (0, 1)]
            counted = [len([k for k in seen[i] if k < sizes[i] + self.pad[i]]) for i in (0, 1)]
            for image in np.ndindex(self.x.shape[:-2]):
                pixels = self.x[image][np.ix_(*inside)].ravel().tolist()
                y[(*image, p, q)] = one(pixels, math.prod(counted))
        return y


@st.composite
def poolings(draw, max_dilation=1, max_extra=5):
    def pair(low, high):
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    kernel, stride, dilation = pair(1, 3), pair(1, 3), pair(1, max_dilation)
    pad = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = []
    for k, p, d in zip(kernel, pad, dilation, strict=True):
        least = d * (k - 1) + 1 - 2 * p
        size.append((least if least > 1 else 1) + draw(st.integers(0, max_extra)))
    lead = draw(st.sampled_from([(2, 3), (1, 2), (2,)]))
    x = in_layout(
        numbers(draw(st.integers(0, 999)), (*lead, *size)), draw(st.sampled_from(LAYOUTS))
    )
    return Pooling(x, kernel, stride, pad, dilation, draw(st.booleans()))


@settings(max_examples=80)
@given(poolings(max_dilation=3))
def test_max_pool2d_takes_the_largest_pixel_of_each_window(case):
    found = max_pool2d(
        minigan.from_numpy(case.x), case.kernel, case.stride, case.pad, case.dilation, case.ceil
    )
    expected = case.expected(lambda values, _: sorted(values)[-1] if values else -math.inf)
    assert found.shape == expected.shape
    assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("divisor", [None, -3])
@settings(max_examples=40)
@given(case=poolings())
def test_avg_pool2d_divides_by_what_the_options_say(include, divisor, case):
    found = avg_pool2d(
        minigan.from_numpy(case.x), case.kernel, case.stride, case.pad, case.ceil, include, divisor
    )
    expected = case.expected(
        lambda values, places: math.fsum(values) / (divisor or (places if include else len(values)))
    )
    assert found.shape == expected.shape
    assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)


@settings(max_examples=60)
@given(poolings(max_dilation=3), st.integers(0, 99))
def test_indices_and_gradients_point_at_the_largest_pixel(case, seed):
    """Every window written out, with many ties, -inf and NaN: the first of ties, the last NaN."""
    rng = np.random.default_rng(seed)
    kinds = [0.0, 1.0, 2.0, -math.inf, math.nan]
    values = rng.choice(kinds, case.x.shape, p=[0.3, 0.3, 0.1, 0.2, 0.1])
    x = tensor(values, requires_grad=True)
    options = case.kernel, case.stride, case.pad, case.dilation, case.ceil
    y, indices = max_pool2d(x, *options, return_indices=True)
    assert_array_equal(y.detach().numpy(), max_pool2d(x.detach(), *options).numpy())
    assert indices.dtype == np.int64 and indices.shape == y.shape and not indices.requires_grad
    weights, gradient = rng.standard_normal(y.shape), np.zeros(values.shape)
    rows, columns = ([case.places(i, s) for s in case.starts(i)] for i in (0, 1))
    for (*image, p, q), weight in np.ndenumerate(weights):
        best, largest = -1, -math.inf
        for h, w in product(rows[p], columns[q]):
            if 0 <= h < values.shape[-2] and 0 <= w < values.shape[-1]:
                pixel = values[(*image, h, w)]
                if best == -1 or pixel > largest or math.isnan(pixel):
                    best, largest = h * values.shape[-1] + w, pixel
        assert indices.numpy()[(*image, p, q)] == best
        if best >= 0:
            gradient[tuple(image)].flat[best] += weight
    (g,) = grad(y, x, tensor(weights))
    assert_allclose(g.numpy(), gradient, rtol=1e-12, atol=1e-14)


def test_indices_are_pytorchs():
    """max_pool2d(…, 3, 2, 1, return_indices=True) of PyTorch 2.13, and the example of its ties."""
    x = tensor([[[[3.0, 1.0, 4.0, 1.0], [5.0, 9.0, 2.0, 6.0], [5.0, 3.0, 5.0, 8.0]]]])
    y, indices = max_pool2d(x, 3, 2, 1, return_indices=True)
    assert y.tolist() == [[[[9, 9], [9, 9]]]] and indices.tolist() == [[[[5, 5], [5, 5]]]]
    assert max_pool2d(x * 0, 2, return_indices=True)[1].tolist() == [[[[0, 2]]]]
    x[0, 0, 0, 1] = x[0, 0, 1, 0] = math.nan
    assert max_pool2d(x, 2, return_indices=True)[1].tolist() == [[[[4, 7]]]]
    assert max_pool2d(x[0], 2, return_indices=True)[1].shape == (1, 1, 2)
    n = tensor(np.arange(16).reshape(1, 4, 4))
    assert max_pool2d(n, 2, return_indices=True)[1].tolist() == [[[5, 7], [13, 15]]]


def test_options_of_one_are_taken_twice_and_no_stride_is_the_kernel():
    x = tensor(numbers(0, (1, 2, 6, 7)))
    for f in (max_pool2d, avg_pool2d):
        assert_array_equal(f(x, (2,), [1], (1,)).numpy(), f(x, (2, 2), (1, 1), (1, 1)).numpy())
        for stride in ((), [], None):
            assert_array_equal(f(x, [3, 2], stride).numpy(), f(x, (3, 2), (3, 2)).numpy())
    assert_array_equal(max_pool2d(x, 2, 1, 0, [2]).numpy(), max_pool2d(x, 2, 1, 0, (2, 2)).numpy())


@settings(max_examples=25)
@given(poolings(max_dilation=2, max_extra=2), st.booleans())
def test_gradients_are_right_to_order_3(case, include):
    x = np.random.default_rng(0).permutation(case.x.size).reshape(case.x.shape) / 7  # no ties
    options = case.kernel, case.stride, case.pad
    lowest = -math.inf  # of a window that lies beside the image: no gradient

    def largest(x):
        y = max_pool2d(x, *options, case.dilation, case.ceil)
        return minigan.where(y == lowest, 0, y) ** 3

    report = gradcheck(largest, x, order=3, probes=1)
    assert all(row.method == "complex" for row in report.rows)
    if case.dilation == (1, 1):
        mean = gradcheck(
            lambda x: avg_pool2d(x, *options, case.ceil, include) ** 3, x, order=3, probes=1
        )
        assert all(row.method == "complex" for row in mean.rows)


# ------------------------------------------------------------------------------ ties, NaN, layout


def test_the_first_of_tied_pixels_gets_the_gradient_row_by_row():
    x = tensor([[[[5.0, 5.0, 1.0], [5.0, 2.0, 1.0]]]], requires_grad=True)
    y = max_pool2d(x, 2, 1)
    assert y.tolist() == [[[[5, 5]]]]
    assert grad(y.sum(), x)[0].tolist() == [[[[1, 1, 0], [0, 0, 0]]]]
    flat = tensor(np.full((1, 1, 3, 3), -math.inf), requires_grad=True)
    (g,) = grad(max_pool2d(flat, 3, 2, 1).sum(), flat)  # the padding never wins
    assert g.tolist() == [[[[1, 1, 0], [1, 1, 0], [0, 0, 0]]]]


def test_a_nan_or_infinity_stays_in_the_windows_that_see_it():
    image = np.zeros((1, 1, 4, 4))
    for value in (math.nan, math.inf, -math.inf):
        image[0, 0, 0, 1] = value
        x = tensor(image, requires_grad=True)
        largest, mean = max_pool2d(x, 2), avg_pool2d(x, 2, padding=1)
        assert_array_equal(
            largest.detach().numpy(), [[[[max(value, 0.0, key=abs_rank), 0], [0, 0]]]]
        )
        assert_array_equal(mean.detach().numpy()[0, 0], [[0, value, 0], [0, 0, 0], [0, 0, 0]])
        (g,) = grad(largest.sum(), x)
        first = [0, 1] if value != -math.inf else [1, 0]
        assert_array_equal(g.numpy()[0, 0, 0], [*first, 1, 0])


def abs_rank(value):
    return math.inf if math.isnan(value) else value


def test_an_infinite_gradient_reaches_the_winner_only():
    x = tensor([[[[1.0, 2.0], [0.0, -1.0]]]], requires_grad=True)
    (g,) = grad(max_pool2d(x, 2), x, tensor([[[[math.inf]]]]))
    assert g.tolist() == [[[[0, math.inf], [0, 0]]]]


@pytest.mark.parametrize("f", [max_pool2d, avg_pool2d])
def test_the_order_of_memory_is_kept_forward_and_backward(f):
    """NHWC in, NHWC out, as convolutions have it; and the other way round."""
    for order in ((0, 1, 2, 3), (0, 2, 3, 1)):
        back = np.argsort(order)
        memory = numbers(0, tuple((2, 3, 6, 4)[d] for d in order), dtype=np.float32)
        x = minigan.from_numpy(memory.transpose(back)).requires_grad_()
        y = f(x, 2)
        assert y.shape == (2, 3, 3, 2) and y.array.transpose(order).flags.c_contiguous
        seed = np.ones([y.shape[d] for d in order], np.float32).transpose(back)
        (g,) = grad(y, x, minigan.from_numpy(seed))
        assert g.dtype == np.float32 and g.array.transpose(order).flags.c_contiguous


@pytest.mark.parametrize("shape", [(0, 2, 4, 5), (2, 0, 4, 5), (0, 4, 5)])
def test_no_images_or_no_channels_give_none(shape):
    for f in (max_pool2d, avg_pool2d):
        x = minigan.zeros(*shape, requires_grad=True)
        y = f(x, 2)
        assert y.shape == (*shape[:-2], 2, 2) and grad(y.sum(), x)[0].shape == shape


def test_kernels_of_more_taps_than_a_byte_counts():
    x = tensor(numbers(0, (1, 2, 20, 20)), requires_grad=True)
    y = max_pool2d(x, 18, 2)
    (g,) = grad(y.sum(), x)
    for c, p, q in product(range(2), range(2), range(2)):
        window = x.detach().numpy()[0, c, 2 * p : 2 * p + 18, 2 * q : 2 * q + 18]
        assert y[0, c, p, q].item() == window.max()
    assert g.sum().item() == 8


def test_dtypes():
    for dtype in ("float16", "float32", "float64"):
        x = tensor(np.ones((1, 4, 4), dtype), requires_grad=True)
        for f in (max_pool2d, avg_pool2d, lambda x, k: avg_pool2d(x, k, divisor_override=3)):
            assert f(x, 2).dtype == grad(f(x, 2).sum(), x)[0].dtype == dtype
    n = tensor(np.arange(9).reshape(1, 3, 3) - 9)
    assert max_pool2d(n, 3, 2, 1).dtype == np.int64
    assert max_pool2d(n, 3, 2, 1).tolist() == [[[-5, -4], [-2, -1]]]
    assert max_pool2d(n, 2, 1, 1, 3).tolist()[0][0][0] == -1
    assert avg_pool2d(n, 3).dtype == np.float32


# ------------------------------------------------------------------------------ errors


X = minigan.ones(1, 3, 4, 4)
ERRORS = [
    (
        lambda: max_pool2d(X[0, 0], 2),
        RuntimeError,
        r"max_pool2d: expected \(N, C, H, W\) or .*\(4, 4",
    ),
    (lambda: max_pool2d(X[:, :, :0], 2), RuntimeError, "with at least one pixel, got shape"),
    (lambda: avg_pool2d(X, 5), RuntimeError, r"avg_pool2d: a window of \(5, 5\) .* does not fit"),
    (lambda: max_pool2d(X, 2, dilation=4), RuntimeError, r"with dilation \(4, 4\) does not fit"),
    (lambda: max_pool2d(X, 3, padding=2), RuntimeError, "padding must be at most half of kernel_s"),
    (lambda: avg_pool2d(X, 2, padding=-1), RuntimeError, "padding expects .* at least 0, got -1"),
    (lambda: max_pool2d(X, 0), RuntimeError, "kernel_size expects .* of at least 1, got 0"),
    (lambda: max_pool2d(X, (1, 2, 3)), RuntimeError, "kernel_size expects an int or two ints"),
    (lambda: max_pool2d(X, ()), RuntimeError, "kernel_size expects an int or two ints"),
    (lambda: max_pool2d(X, 2, padding=[]), RuntimeError, "padding expects an int or two ints"),
    (lambda: max_pool2d(X, (2.0,)), TypeError, "kernel_size expects an int or two ints"),
    (lambda: avg_pool2d(X, 2, 0), RuntimeError, "avg_pool2d: stride expects .* at least 1, got 0"),
    (lambda: avg_pool2d(X, 2.5), TypeError, "avg_pool2d: kernel_size expects .*, got 2.5"),
    (lambda: max_pool2d(X, "2"), TypeError, "max_pool2d: kernel_size expects .*, got '2'"),
    (lambda: avg_pool2d(X, 2, divisor_override=0), RuntimeError, "divisor_override must not be 0"),
    (lambda: max_pool2d(X > 0, 2), NotImplementedError, "max_pool2d: expected numbers, got bool"),
    (lambda: max_pool2d(X.numpy(), 2), TypeError, "max_pool2d: expected a Tensor, got ndarray"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
