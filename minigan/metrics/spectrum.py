"""What images look like in their spectrum: how sharp they are, and how much of a checkerboard.

A blurred image has lost its high frequencies.  A transposed convolution whose kernel its stride
does not divide adds more to some pixels than to their neighbours, which is a pattern of period 2:
energy at the highest frequency there is, π, along an axis (Odena, Dumoulin & Olah 2016,
"Deconvolution and Checkerboard Artifacts", Distill).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checking import finite

__all__ = ["checkerboard_energy", "high_frequency_energy"]


def checkerboard_energy(images: Any) -> float:
    """The share of the images' energy, their means apart, that lies at frequency π along an axis.

    ``Σ P(u, v) where |u| = π or |v| = π  /  Σ P(u, v) where (u, v) ≠ 0`` with P the power spectrum
    summed over images and channels. 1 for a checkerboard or stripes of one pixel, 0 for smooth
    images; about 2/size for white noise.

    Args:
        images: (N, C, H, W), H and W even.

    Returns:
        The share, 0 to 1; 0 where the images have no contrast at all.

    Raises:
        TypeError, ValueError: no finite real numbers of that shape, or an odd side.

    >>> board = np.indices((8, 8)).sum(0) % 2
    >>> checkerboard_energy(board.reshape(1, 1, 8, 8)), checkerboard_energy(np.ones((1, 1, 8, 8)))
    (1.0, 0.0)
    """
    power = _power("checkerboard_energy", images)
    height, width = power.shape
    if height % 2 or width % 2:
        raise ValueError(
            f"checkerboard_energy: images expects even sides, got {height} × {width} pixels"
        )
    highest = np.zeros(power.shape, bool)
    highest[height // 2] = highest[:, width // 2] = True
    return _share(power, highest)


def high_frequency_energy(images: Any) -> float:
    """The share of the images' energy, their means apart, above half of the highest frequency.

    ``Σ P(u, v) where √(u² + v²) > π/2  /  Σ P(u, v) where (u, v) ≠ 0`` with P as in
    `checkerboard_energy`. Blurring lowers it.

    Args:
        images: (N, C, H, W).

    Returns:
        The share, 0 to 1; 0 where the images have no contrast at all.

    Raises:
        TypeError, ValueError: no finite real numbers of that shape.

    >>> wave = np.cos(np.arange(16) * np.pi / 8) + np.zeros((16, 1))  # 16 pixels long
    >>> round(high_frequency_energy(wave.reshape(1, 1, 16, 16)), 12)
    0.0
    """
    power = _power("high_frequency_energy", images)
    u, v = (np.fft.fftfreq(size) * 2 * np.pi for size in power.shape)
    return _share(power, np.hypot(u[:, None], v) > np.pi / 2)


def _power(function: str, images: Any) -> np.ndarray:
    """The power spectrum (H, W) of images less their means, summed over images and channels."""
    images = finite(function, "images", images, 4)
    total = np.zeros(images.shape[2:])
    for part in np.array_split(images, max(1, len(images) // 256)):
        part = part.astype(np.float64)
        part = part - part.mean((2, 3), keepdims=True)
        total += (np.abs(np.fft.fft2(part)) ** 2).sum((0, 1))
    return total


def _share(power: np.ndarray, where: np.ndarray) -> float:
    whole = power.sum()
    # The transform's own rounding is about 1e-30 of what a single grey step would leave.
    return float(power[where].sum() / whole) if whole > 1e-20 * power.size else 0.0
