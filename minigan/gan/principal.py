"""Principal components: the best that a linear autoencoder can be.

Of all projections of the centred images on k directions, that on the k eigenvectors of their
covariance with the largest eigenvalues loses least, and what it loses is the sum of the others.

Source: Eckart & Young, Psychometrika 1, 1936; Baldi & Hornik, Neural Networks 2, 1989.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from ..data import ImageData
from ..data.images import centred
from ..figures import save_rows
from .autoencoding import Coder, reconstructed, spread

MOST = 5000  # images looked at
SHOWN = 10


def components(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean (D,) and the first ``count`` principal directions (count, D) of ``rows`` (N, D).

    >>> mean, directions = components(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]), 1)
    >>> mean.tolist(), abs(directions).round(6).tolist()
    ([2.0, 1.0], [[1.0, 0.0]])
    """
    mean = rows.mean(0)
    _, _, directions = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, directions[:count]


def projected(rows: np.ndarray, count: int) -> np.ndarray:
    """``rows`` (N, D) through their first ``count`` principal components and back."""
    mean, directions = components(rows, count)
    return mean + (rows - mean) @ directions.T @ directions


def save_comparison(coder: Coder, data: ImageData, path: Path, device: str) -> None:
    """Images, the autoencoder's reconstructions and the principal components', with both errors.

    The components are those of the very images the errors are of, at most 5,000 spread evenly over
    the data, so that the ratio of the errors is at least 1 for every linear autoencoder.
    """
    images = centred(data.images[spread(len(data), MOST)])
    ours = reconstructed(coder, images, device)
    flat = images.reshape(len(images), -1).astype(np.float64)
    count = prod(coder.code)
    best = projected(flat, count).reshape(images.shape)
    error, least = (float(((x - images) ** 2).mean()) for x in (ours, best))
    ratio = f"{error / least:.3f} times the least" if least > 1e-12 else "the least is 0"
    shown = spread(len(images), SHOWN)
    rows = {
        "images": images[shown],
        f"through the autoencoder: error {error:.4f}, {ratio}": ours[shown],
        f"through {count} principal components: error {least:.4f}, the least": best[shown].astype(
            np.float32
        ),
    }
    title = f"{count} numbers for an image; mean squared errors on {len(images)} images"
    save_rows(path, rows, title)
