"""What classes samples fall into: how often each, and whether it is the one that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checking import finite, whole


def class_histogram(labels: Any, classes: int) -> np.ndarray:
    """The share of each class, float64 (classes,), summing to 1.

    Args:
        labels: integers (n,), each in [0, classes), n >= 1.
        classes: the number of classes.

    Raises:
        TypeError, ValueError: labels that are not integers, not 1-D, none, or out of range.

    >>> class_histogram([0, 2, 2, 1], 4)
    array([0.25, 0.25, 0.5 , 0.  ])
    """
    labels = _labels("class_histogram", "labels", labels)
    classes = whole("class_histogram", "classes", classes, 1)
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"class_histogram: labels expects values in 0..{classes - 1}, "
            f"got {labels.min()}..{labels.max()}"
        )
    return np.bincount(labels, minlength=classes) / len(labels)


def total_variation(p: Any, q: Any = None) -> float:
    """``½ Σ |p_i - q_i|`` between two discrete distributions, in [0, 1].

    Args:
        p, q: probabilities, shape (k,), each summing to 1; q None: uniform.

    Raises:
        TypeError, ValueError: not probabilities, unequal shapes.

    >>> total_variation([0.5, 0.5, 0.0, 0.0])
    0.5
    """
    p, q = _distributions("total_variation", p, q)
    return float(0.5 * np.abs(p - q).sum())


def kl_divergence(p: Any, q: Any = None) -> float:
    """``Σ p_i ln(p_i / q_i)`` between two discrete distributions, in nats; 0 ln 0 = 0.

    Infinite where q is 0 and p is not. Against the uniform distribution over k classes it is
    ``ln k`` less the entropy of p.

    Args:
        p, q: probabilities, shape (k,), each summing to 1; q None: uniform.

    Raises:
        TypeError, ValueError: not probabilities, unequal shapes.

    >>> f"{kl_divergence([0.5, 0.5, 0.0, 0.0]) / np.log(2):.6f} bit"
    '1.000000 bit'
    """
    p, q = _distributions("kl_divergence", p, q)
    there = p > 0
    if (q[there] == 0).any():
        return float("inf")
    # Rounding may leave the sum a hair below 0, where p and q are equal.
    return max(0.0, float((p[there] * np.log(p[there] / q[there])).sum()))


def conditional_accuracy(predicted: Any, labels: Any) -> float:
    """The share of samples of which a classifier names the class that they were generated for.

    Args:
        predicted: classes that the classifier names, integers (n,), n >= 1.
        labels: classes that were asked for, integers (n,).

    Raises:
        TypeError, ValueError: not integers, not 1-D, none, unequal numbers.

    >>> conditional_accuracy([3, 1, 4, 1], [3, 1, 4, 5])
    0.75
    """
    predicted = _labels("conditional_accuracy", "predicted", predicted)
    labels = _labels("conditional_accuracy", "labels", labels)
    if predicted.shape != labels.shape:
        raise ValueError(
            "conditional_accuracy: predicted and labels expect the same number of samples, "
            f"got {len(predicted)} and {len(labels)}"
        )
    return float((predicted == labels).mean())


def _labels(function: str, argument: str, value: Any) -> np.ndarray:
    labels = finite(function, argument, value, 1)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{function}: {argument} expects integers, got dtype {labels.dtype}")
    if not len(labels):
        raise ValueError(f"{function}: {argument} expects at least 1 label, got none")
    return labels


def _distributions(function: str, p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    p = finite(function, "p", p, 1).astype(np.float64)
    if q is None:
        q = np.full(p.shape, 1 / max(1, len(p)))
    q = finite(function, "q", q, 1).astype(np.float64)
    if p.shape != q.shape:
        raise ValueError(f"{function}: p and q expect one shape, got {p.shape} and {q.shape}")
    for name, values in (("p", p), ("q", q)):
        # 1e-6 leaves room for probabilities that a softmax gave in float32.
        if not len(values) or values.min() < 0 or abs(values.sum() - 1) > 1e-6:
            raise ValueError(
                f"{function}: {name} expects probabilities that sum to 1, got {len(values)} values "
                f"from {values.min(initial=np.inf):.3g} that sum to {values.sum():.3g}"
            )
    return p, q
