"""Nearest neighbours among many samples, and what they say about copying.

Distances come from one matrix product per block, ``|x - y|² = |x|² + |y|² - 2 x·y``, so that
neither all distances nor a float64 copy of all samples is ever held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ._checking import finite, two_sets, whole

_BLOCK = 1 << 22  # numbers in a block: 32 MB as float64


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (n, m) of float64 rows x (n, d) and y (m, d).

    Rounding leaves an error of about 1e-15 (|x|² + |y|²), also where the truth is 0.
    """
    products = x @ y.T
    products *= -2.0
    products += np.einsum("nd,nd->n", x, x)[:, None]
    products += np.einsum("md,md->m", y, y)
    return products


def blocks(count: int, width: int) -> Iterator[slice]:
    """Slices that cut ``count`` rows into blocks; none holds more than 32 MB of ``width`` columns.

    >>> list(blocks(5, 1 << 21))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, _BLOCK // max(1, width))
    for first in range(0, count, rows):
        yield slice(first, min(first + rows, count))


def nearest_neighbours(x: Any, y: Any, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nearest samples of y for every sample of x, by Euclidean distance.

    Args:
        x: shape (n, …), e.g. generated images; integers and any float dtype.
        y: shape (m, …), samples of the same shape, m >= k.
        k: how many neighbours.

    Returns:
        distances: float64 (n, k), from the nearest on; exact to float64's rounding.
        indices: int64 (n, k), into y. Among samples equally far, any may be named.

    Raises:
        TypeError, ValueError: not numbers, unequal shapes, NaN or infinite values, k out of range.

    >>> distances, indices = nearest_neighbours([[0.0, 0.0]], [[9.0, 9.0], [3.0, 4.0]])
    >>> distances, indices
    (array([[5.]]), array([[1]]))
    """
    x, y = two_sets("nearest_neighbours", ("x", "y"), x, y, 1, ndim=None)
    k = whole("nearest_neighbours", "k", k, 1, len(y))
    best = np.full((len(x), 0), np.inf)
    found = np.zeros((len(x), 0), np.int64)
    dimensions = x.shape[1]
    for here in blocks(len(y), max(dimensions, 2048)):
        part = y[here].astype(np.float64)
        kept_best, kept_found = [], []
        for rows in blocks(len(x), max(dimensions, len(part) + k)):
            distances = squared_distances(x[rows].astype(np.float64), part)
            indices = np.broadcast_to(np.arange(here.start, here.stop), distances.shape)
            distances = np.concatenate([best[rows], distances], axis=1)
            indices = np.concatenate([found[rows], indices], axis=1)
            if distances.shape[1] > k:
                chosen = np.argpartition(distances, k - 1, axis=1)[:, :k]
                distances = np.take_along_axis(distances, chosen, 1)
                indices = np.take_along_axis(indices, chosen, 1)
            kept_best.append(distances)
            kept_found.append(indices)
        best, found = np.concatenate(kept_best), np.concatenate(kept_found)
    # The products chose; the distances reported are those of the differences themselves, in which
    # two equal samples are exactly 0 apart.
    for rows in blocks(len(x), k * dimensions):
        differences = x[rows, None].astype(np.float64) - y[found[rows]].astype(np.float64)
        best[rows] = np.sqrt(np.einsum("nkd,nkd->nk", differences, differences))
    order = np.argsort(best, axis=1, kind="stable")
    return np.take_along_axis(best, order, 1), np.take_along_axis(found, order, 1)


class Memorisation(NamedTuple):
    """How near samples lie to the training data, compared with data held out from training."""

    ratio: float
    """median distance of a sample to its nearest training sample / that of held-out data"""
    closer: float
    """probability that a sample is nearer to the training data than a held-out one is"""


def memorisation(samples: Any, train: Any, held_out: Any) -> Memorisation:
    """Whether samples lie nearer to the training data than new data of the same kind would.

    For every sample, and for every held-out datum, the Euclidean distance to the nearest training
    sample; then the ratio of the two medians, and the probability that the first is smaller (ties
    count half), i.e. the Mann-Whitney U divided by n m. Held-out data themselves score 1 and 1/2.
    A ratio near 0 and a probability near 1 say that training data are copied; far above 1 and near
    0, that the samples are not like the data.

    Smooth images lie nearer to everything than detailed ones do: a blurred generator scores a
    ratio below 1 without having copied anything. Look at the neighbours too.

    Args:
        samples, train, held_out: shapes (n, …), (m, …), (l, …).

    Raises:
        TypeError, ValueError: as ``nearest_neighbours``.

    Source: Meehan et al., arXiv 2004.05675, whose C_T is this U as a z-score.

    >>> memorisation([[0.1]], [[0.0], [2.0]], [[1.0], [1.5]])
    Memorisation(ratio=0.1333..., closer=1.0)
    """
    two_sets("memorisation", ("samples", "train"), samples, train, 1, ndim=None)
    two_sets("memorisation", ("held_out", "train"), held_out, train, 1, ndim=None)
    return memorisation_from_distances(
        nearest_neighbours(samples, train)[0][:, 0], nearest_neighbours(held_out, train)[0][:, 0]
    )


def memorisation_from_distances(samples: Any, held_out: Any) -> Memorisation:
    """``memorisation`` where the distances to the nearest training samples are known already.

    Without held-out data, training samples can stand for them, each with the distance to the
    nearest *other* training sample.

    Args:
        samples, held_out: distances, shapes (n,) and (l,), each at least one.

    Raises:
        TypeError, ValueError: not numbers, wrong shapes, none, negative, NaN or infinite.

    >>> memorisation_from_distances([1.0, 2.0, 2.0], [4.0, 2.0])
    Memorisation(ratio=0.666..., closer=0.833...)
    """
    name = "memorisation_from_distances"
    near = finite(name, "samples", samples, 1).astype(np.float64)
    fair = np.sort(finite(name, "held_out", held_out, 1).astype(np.float64))
    for argument, distances in (("samples", near), ("held_out", fair)):
        if not len(distances) or distances.min() < 0:
            raise ValueError(
                f"{name}: {argument} expects at least 1 distance, none below 0, got "
                f"{len(distances)} from {distances.min(initial=np.inf):.3g}"
            )
    middle, reference = np.median(near), np.median(fair)
    ratio = middle / reference if reference > 0 else np.inf if middle > 0 else 1.0
    # Of the held-out distances, those above a sample's count 1, those equal to it 1/2.
    above = len(fair) - np.searchsorted(fair, near, "right")
    equal = len(fair) - np.searchsorted(fair, near, "left") - above
    return Memorisation(float(ratio), float((above + equal / 2).mean() / len(fair)))


def copied_share(distances: Any, ratio: float = 1 / 3) -> float:
    """The share of samples that are copies: far nearer to one training sample than to the next.

    A sample counts where its distance to the nearest training sample is at most ``ratio`` times
    that to the second nearest. Unlike the distance itself this does not mistake smooth samples,
    which are near to everything, for copies. Copies of training samples that are there twice, but
    not exactly equal, escape it.

    Args:
        distances: from the nearest on, shape (n, 2 or more), as ``nearest_neighbours`` gives them.
        ratio: in (0, 1).

    Raises:
        TypeError, ValueError: not numbers, wrong shape, none, negative, NaN, infinite or not
            ascending, ratio out of range.

    Source: Yoon et al., ICML 2023 workshop on structured probabilistic inference, "Diffusion
    probabilistic models generalize when they fail to memorize", which takes 1/3.

    >>> copied_share([[0.1, 2.0], [1.9, 2.0]])
    0.5
    """
    name = "copied_share"
    distances = finite(name, "distances", distances, 2).astype(np.float64)
    if not len(distances) or distances.shape[1] < 2:
        raise ValueError(f"{name}: distances expects (n, 2 or more), got {distances.shape}")
    nearest, second = distances[:, 0], distances[:, 1]
    if nearest.min() < 0 or (nearest > second).any():
        raise ValueError(f"{name}: distances expects rows that ascend from 0 or more")
    if not 0 < ratio < 1:
        raise ValueError(f"{name}: ratio expects a number between 0 and 1, got {ratio!r}")
    return float((nearest <= ratio * second).mean())
