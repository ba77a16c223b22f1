"""The norm of a convolution: that of the operator with its zero padding, not of its kernel.

The kernel reshaped to a matrix (outputs, inputs·R·S) is what spectral normalisation divides by
(Miyato et al. 2018, arXiv 1802.05957).  Its norm is no bound: neighbouring windows share pixels, so
that one pixel is multiplied by up to R·S weights of each output.  Two bounds that hold:

- ‖A‖ ≤ √m·‖reshaped kernel‖, where m is how many windows share a pixel at most (Tsuzuku et al.
  2018, arXiv 1802.04034): A = (I ⊗ kernel)·im2col, and ‖im2col‖² = m.
- ‖A‖ ≤ max over frequencies ω of ‖Ŵ(ω)‖ on a torus so large that nothing wraps (Sedghi, Gupta &
  Long 2019, arXiv 1805.10408): A is then a part of the circular convolution's matrix.  A stride s
  first becomes 1 by taking the s×s phases of the image as channels, which changes no length.
"""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from .. import nn
from .lipschitz_operator import spectral_norm

Conv = nn.Conv2d | nn.ConvTranspose2d  # Conv1d and ConvTranspose1d are of these kinds


def kernel(layer: Conv) -> np.ndarray:
    """The effective weight as (groups, outputs, inputs, R, S) of the convolution or, of a
    transposed one, of the convolution that it is the adjoint of; R = 1 in one dimension."""
    weight = layer.weight.detach().numpy().astype(np.float64)
    if weight.ndim == 3:
        weight = weight[:, :, None]
    return weight.reshape(layer.groups, -1, *weight.shape[1:])


def reshaped_norm(layer: Conv) -> float:
    """The norm of the kernel as a matrix with one row for each output channel.

    >>> layer = nn.Conv2d(1, 1, 3, padding=1)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> reshaped_norm(layer)
    3.0
    """
    weight = kernel(layer)
    if layer.transposed:  # its output channels lie third
        weight = np.moveaxis(weight, 2, 0)
        return spectral_norm(weight.reshape(len(weight), -1))
    return spectral_norm(weight.reshape(weight.shape[0] * weight.shape[1], -1))


def coverage(windows: int, taps: int, stride: int, dilation: int = 1) -> int:
    """How many of the ``windows`` in a row share one pixel, at most.

    >>> coverage(8, taps=3, stride=1), coverage(4, taps=4, stride=2), coverage(4, 3, 3)
    (3, 2, 1)
    """
    pixels = stride * np.arange(windows)[:, None] + dilation * np.arange(taps)
    return int(np.bincount(pixels.ravel()).max())


def im2col_bound(layer: Conv, shape: tuple[int, ...], out_shape: tuple[int, ...]) -> float:
    """√m·‖kernel as a matrix‖, the largest of the groups; zero padding.

    Of a transposed convolution it is that of its adjoint.

    >>> layer = nn.Conv2d(1, 1, 3, padding=1)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> round(im2col_bound(layer, (1, 8, 8), (1, 8, 8)), 6)
    9.0
    """
    weight = kernel(layer)
    windows = (shape if layer.transposed else out_shape)[1:]
    each = zip(windows, layer.kernel_size, layer.stride, layer.dilation, strict=True)
    shared = prod(coverage(*numbers) for numbers in each)
    return sqrt(shared) * spectral_norm(weight.reshape(*weight.shape[:2], -1))


def fourier_bound(layer: Conv, shape: tuple[int, ...], out_shape: tuple[int, ...]) -> float:
    """max over the torus's frequencies of the kernel's transform; zero padding.

    With a stride s and R' taps of one phase, window p sees the places p to p + R' - 1 of a phase,
    so that P windows fit on a torus of P + R' - 1 places.

    >>> layer = nn.Conv2d(1, 1, 3, padding=1)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> round(fourier_bound(layer, (1, 8, 8), (1, 8, 8)), 6)  # the constant image
    9.0
    """
    weight = kernel(layer)
    windows = (shape if layer.transposed else out_shape)[1:]
    rank = len(windows)
    each = zip(windows, layer.kernel_size, layer.stride, layer.dilation, strict=True)
    waves = [np.ones((1, 1, 1))] * (2 - rank) + [_waves(*numbers) for numbers in each]
    largest = 0.0
    for row in waves[0]:  # a row of frequencies at a time: all at once may not fit the memory
        transform = np.einsum("goirs,ar,fbs->fgoiab", weight, row, waves[1], optimize=True)
        largest = max(largest, spectral_norm(transform.reshape(*transform.shape[:3], -1)))
    return largest


def _waves(windows: int, taps: int, stride: int, dilation: int) -> np.ndarray:
    """(frequencies, phases, taps): exp(2πi·f·q/N) for a tap at place q of the phase, else 0."""
    place, phase = np.divmod(dilation * np.arange(taps), stride)
    around = windows + int(place.max())
    waves = np.zeros((around, stride, taps), complex)
    waves[:, phase, np.arange(taps)] = np.exp(
        2j * np.pi / around * np.arange(around)[:, None] * place
    )
    return waves
