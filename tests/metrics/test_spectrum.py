"""Shares of the spectrum's energy: known patterns, white noise, blur; Parseval as an oracle."""

import numpy as np
import pytest

from minigan.metrics import checkerboard_energy, high_frequency_energy

RNG = np.random.default_rng(0)


def stripes(period, size=16):
    return np.cos(2 * np.pi * np.arange(size) / period)[None, None, None] + np.zeros(
        (1, 1, size, 1)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_patterns_of_one_pixel_are_all_checkerboard(channels):
    board = (-1.0) ** np.indices((8, 6)).sum(0)
    rows = (-1.0) ** np.indices((8, 6))[0]
    for pattern in (board, rows, rows.T.reshape(8, 6) * 0 + board + 3):
        images = np.broadcast_to(pattern, (2, channels, 8, 6))
        assert checkerboard_energy(images) == pytest.approx(1)
        assert high_frequency_energy(images) == pytest.approx(1)


@pytest.mark.parametrize(
    ("period", "high"), [(16, 0.0), (8, 0.0), (16 / 3, 0.0), (3.2, 1.0), (2, 1.0)]
)
def test_stripes_count_by_their_period(period, high):
    """Above half of the highest frequency, that is with periods below 4 pixels."""
    assert high_frequency_energy(stripes(period)) == pytest.approx(high, abs=1e-12)
    assert checkerboard_energy(stripes(period)) == pytest.approx(float(period == 2), abs=1e-12)


def test_white_noise_has_its_share():
    """(H + W - 1)/(HW - 1) of the frequencies are highest ones along an axis."""
    n, size = 400, 12
    images = RNG.normal(size=(n, 1, size, size))
    expected = (2 * size - 1) / (size * size - 1)
    # Power at a frequency scatters by at most √2 of its mean; n·23 of them are averaged.
    error = np.sqrt(2) * expected / np.sqrt(n * (2 * size - 1))
    assert abs(checkerboard_energy(images) - expected) < 4 * error


def test_shares_add_up_by_parseval():
    """Removing what lies at the highest frequencies leaves the other pixels' energy."""
    images = RNG.normal(size=(3, 2, 8, 8))
    spectrum = np.fft.fft2(images)
    low = spectrum.copy()
    low[..., 4, :] = low[..., :, 4] = 0
    rest = np.fft.ifft2(low).real
    energy = [((x - x.mean((2, 3), keepdims=True)) ** 2).sum() for x in (images, rest)]
    assert checkerboard_energy(images) == pytest.approx(1 - energy[1] / energy[0], rel=1e-9)
    assert checkerboard_energy(rest) == pytest.approx(0, abs=1e-12)


def test_blur_takes_high_frequencies_away():
    images = RNG.normal(size=(20, 1, 16, 16))
    blurred = (
        images + np.roll(images, 1, 2) + np.roll(images, 1, 3) + np.roll(images, 1, (2, 3))
    ) / 4
    assert high_frequency_energy(blurred) < 0.6 * high_frequency_energy(images)
    assert checkerboard_energy(blurred) == pytest.approx(0, abs=1e-12)  # neighbours' sums


def test_a_transposed_convolution_whose_stride_does_not_divide_makes_a_checkerboard():
    """Ones through a kernel of ones: k4 s2 is flat inside, k5 s2 is a board, k3 s2 too."""
    import minigan
    from minigan.nn.functional import conv_transpose2d

    def made(k):
        x = minigan.ones(1, 1, 20, 20)
        return conv_transpose2d(x, minigan.ones(1, 1, k, k), stride=2).numpy()[..., 8:32, 8:32]

    assert checkerboard_energy(made(4)) == 0
    assert checkerboard_energy(made(5)) > 0.99 and checkerboard_energy(made(3)) > 0.99


def test_layouts_dtypes_and_many_images_agree():
    images = RNG.normal(size=(600, 1, 8, 8)).astype(np.float32)
    expected = high_frequency_energy(images.astype(np.float64))
    for other in (images, images[::-1], np.asfortranarray(images)):
        assert high_frequency_energy(other) == pytest.approx(expected, rel=1e-6)
    counts = RNG.integers(0, 255, (5, 1, 8, 8), dtype=np.uint8)
    assert 0 < checkerboard_energy(counts) < 1


def test_no_contrast_is_0():
    assert checkerboard_energy(np.full((3, 1, 8, 8), 0.3)) == 0
    assert high_frequency_energy(np.full((3, 1, 8, 8), 0.3, np.float32)) == 0


@pytest.mark.parametrize("function", [checkerboard_energy, high_frequency_energy])
def test_what_are_no_images_is_refused(function):
    with pytest.raises(ValueError, match=f"{function.__name__}: images"):
        function(np.ones((8, 8)))
    with pytest.raises(ValueError, match="finite"):
        function(np.full((1, 1, 8, 8), np.nan))
    with pytest.raises(TypeError, match="real numbers"):
        function(np.full((1, 1, 8, 8), 1j))


def test_an_odd_side_has_no_highest_frequency():
    with pytest.raises(ValueError, match="even sides, got 7 × 8"):
        checkerboard_energy(np.ones((1, 1, 7, 8)))
