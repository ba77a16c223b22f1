"""Channels into pixels and back: every element followed, gradients, errors."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import numbers

import minigan
from minigan import gradcheck
from minigan.ops.pooling import pixel_shuffle, pixel_unshuffle


@given(st.tuples(*[st.integers(1, 3)] * 4), st.sampled_from([(), (2,), (2, 0)]))
def test_pixel_shuffle_moves_channels_into_pixels_and_back(sizes, lead):
    c, h, w, r = sizes
    x = numbers(0, (*lead, c * r * r, h, w))
    y = pixel_shuffle(minigan.from_numpy(x), r)
    assert y.shape == (*lead, c, h * r, w * r)
    for k, i, j in product(range(c), range(h * r), range(w * r)):
        source = x[..., k * r * r + i % r * r + j % r, i // r, j // r]
        assert_array_equal(y.numpy()[..., k, i, j], source)
    assert_array_equal(pixel_unshuffle(y, r).numpy(), x)
    gradcheck(lambda x: pixel_shuffle(x, r) ** 3, x, order=2, probes=1)
    gradcheck(lambda y: pixel_unshuffle(y, r) ** 3, y.numpy(), order=2, probes=1)


X = minigan.ones(1, 3, 4, 4)
ERRORS = [
    (lambda: pixel_shuffle(X, 2), RuntimeError, r"pixel_shuffle: expected \(…, C·2², H, W\), got"),
    (lambda: pixel_shuffle(X, 0), RuntimeError, "pixel_shuffle: expected"),
    (lambda: pixel_unshuffle(X, 3), RuntimeError, r"pixel_unshuffle: expected \(…, C, H·3, W·3\)"),
    (lambda: pixel_unshuffle(X[0, 0], 2), RuntimeError, "pixel_unshuffle: expected"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error
