"""Loss functions: a number that says how far outputs are from where they should be."""

from __future__ import annotations

import warnings
from math import exp

import numpy as np

from ._tensor import Tensor
from .array import array_module
from .ops._common import as_float, as_tensor, operands
from .ops.extremes import maximum
from .ops.kinks import abs, clamp, where
from .ops.pick import gathered
from .ops.powers import log
from .ops.smooth import LogisticLoss
from .ops.softmax import log_softmax
from .places import outside


def reduce(name: str, values: Tensor, reduction: str) -> Tensor:
    """The mean, the sum or the values themselves."""
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", got "{reduction}"')


def _same_shape(name: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: target shape {target.shape} must be the same as input shape {input.shape}"
        )


def _broadcasting(name: str, input: Tensor, target: Tensor) -> None:
    """As PyTorch does: other shapes are broadcast, and the caller is told that he rarely means it.

    Raises:
        RuntimeError: they do not broadcast.
    """
    if input.shape == target.shape:
        return
    try:
        shape = np.broadcast_shapes(input.shape, target.shape)
    except ValueError:
        raise RuntimeError(
            f"{name}: input shape {input.shape} and target shape {target.shape} do not broadcast"
        ) from None
    warnings.warn(
        f"{name}: target shape {target.shape} differs from input shape {input.shape}; both are "
        f"broadcast to {shape}, which is rarely what is meant",
        UserWarning,
        stacklevel=3,
    )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross entropy of Bernoulli targets with sigmoid(input), stable for any logit.

        -[t·ln σ(x) + (1 - t)·ln(1 - σ(x))] = t·softplus(-x) + (1 - t)·softplus(x)

    The gradient is σ(x) - t.  With targets 0 and 1 value and gradient are right to the last bits
    however small they are (PyTorch's (1 - t)·x + softplus(-x) rounds to 0 where e^-|x| does).

    Args:
        input: logits, any shape.
        target: probabilities in [0, 1], same shape.
        weight: multiplies every element's loss; broadcasts.
        reduction: "mean", "sum" or "none".
        pos_weight: multiplies the first term; broadcasts.

    Raises:
        ValueError: the shapes differ, or the reduction is unknown.

    >>> import minigan
    >>> binary_cross_entropy_with_logits(minigan.zeros(2), minigan.ones(2))
    tensor(0.6931472, dtype=float32)
    """
    name = "binary_cross_entropy_with_logits"
    x = as_float(name, input)
    _same_shape(name, x, target)
    positive = target if pos_weight is None else pos_weight * target
    parts = [x, positive, 1 - target]
    if positive.shape != x.shape:  # a weight of more dimensions
        parts = [part.expand(positive.shape) for part in parts]
    loss = LogisticLoss()(*operands(name, *parts))
    return reduce(name, loss if weight is None else loss * weight, reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared error (input - target)².

    Args:
        input, target: of one shape; others are broadcast, with a warning.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: the shapes do not broadcast.

    >>> import minigan
    >>> mse_loss(minigan.tensor([1.0, 3.0]), minigan.tensor([0.0, 0.0]))
    tensor(5., dtype=float32)
    """
    x = as_float("mse_loss", input)
    _broadcasting("mse_loss", x, target)
    difference = x - target
    return reduce("mse_loss", difference * difference, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The absolute error |input - target|.

    >>> import minigan
    >>> l1_loss(minigan.tensor([1.0, 3.0]), minigan.tensor([0.0, 0.0]))
    tensor(2., dtype=float32)
    """
    x = as_float("l1_loss", input)
    _broadcasting("l1_loss", x, target)
    return reduce("l1_loss", abs(x - target), reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d²/(2β) where d = |input - target| < β, else d - β/2.

    Source: Girshick 2015, arXiv 1504.08083.
    """
    x = as_float("smooth_l1_loss", input)
    _broadcasting("smooth_l1_loss", x, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    d = abs(x - target)
    if beta == 0:
        return reduce("smooth_l1_loss", d, reduction)
    return reduce("smooth_l1_loss", where(d < beta, d * d / (2 * beta), d - beta / 2), reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-[t·ln p + (1 - t)·ln(1 - p)] of probabilities; logarithms end at -100, as in PyTorch.

    On logits use ``binary_cross_entropy_with_logits``, which is exact.
    """
    name = "binary_cross_entropy"
    p = as_float(name, input)
    _same_shape(name, p, target)
    if p.numel() and not bool(((p >= 0).array & (p <= 1).array).all()):
        raise RuntimeError(f"{name}: all elements of input should be between 0 and 1")
    loss = -(target * _bounded_log(p) + (1 - target) * _bounded_log(1 - p))
    return reduce(name, loss if weight is None else loss * weight, reduction)


def _bounded_log(p: Tensor) -> Tensor:
    """max(ln p, -100), with gradient 0 below."""
    tiny = exp(-100)  # a denormal of float32
    return where(p > tiny, log(clamp(p, min=tiny)), -100.0)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-w[t]·input[t]: the negative log likelihood of class targets.

    Args:
        input: log-probabilities (C,), (N, C) or (N, C, …).
        target: classes (), (N,) or (N, …), integers.
        weight: (C,), of each class; "mean" divides by the targets' weights.
        ignore_index: targets of this value count nothing; "mean" of none at all is nan.

    Raises:
        IndexError: a class below 0 or beyond C - 1.
        ValueError: another number of targets than samples.
        RuntimeError: other shapes that do not fit, targets that are no integers.
    """
    x = as_float("nll_loss", input)
    loss, weights = _nll("nll_loss", x, target, weight, ignore_index)
    return _weighted("nll_loss", loss, weights, reduction)


def _nll(
    name: str, x: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Every target's loss, and the weights that its mean is taken with."""
    if as_tensor(name, target).dtype.kind not in "iu":
        raise RuntimeError(f"{name}: expected integer classes as target, got {target.dtype}")
    dim = 0 if x.ndim == 1 else 1
    expected = x.shape[:dim] + x.shape[dim + 1 :]
    if x.ndim < 1 or expected != target.shape:
        other_batch = not x.ndim or (dim and x.shape[:1] != target.shape[:1])
        raise (ValueError if other_batch else RuntimeError)(
            f"{name}: expected target of shape {expected} for input of shape {x.shape}, got "
            f"{target.shape}"
        )
    classes, xp = x.shape[dim], array_module(x.array)
    _check_weight(name, weight, classes)
    counted = target.array != ignore_index
    chosen = xp.where(counted, target.array, 0).astype("int64")
    if outside(chosen, 0, classes) is not None:
        raise IndexError(f"{name}: target out of bounds, expected classes 0 to {classes - 1}")
    picked = gathered(x, dim, Tensor(xp.expand_dims(chosen, dim))).squeeze(dim)
    if weight is None:
        weights = Tensor(counted.astype(x.dtype))
    else:
        weights = Tensor(weight.array[chosen] * counted)
    return -where(Tensor(xp.asarray(counted)), picked, 0) * weights, weights


def _weighted(name: str, loss: Tensor, weights: Tensor, reduction: str) -> Tensor:
    """``reduce`` of losses that hold their weights already: "mean" divides by the weights."""
    if reduction == "mean":
        return loss.sum() / weights.sum()
    return reduce(name, loss, reduction)


def _check_weight(name: str, weight: Tensor | None, classes: int) -> None:
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"{name}: weight expects one value for each of {classes} classes, got shape "
            f"{weight.shape}"
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-Σ_c w_c·t_c·ln softmax(input)_c: cross entropy of logits with classes or probabilities.

    Args:
        input: logits (C,), (N, C) or (N, C, …).
        target: classes as for ``nll_loss``, or probabilities of the input's shape.
        weight: (C,), of each class.
        ignore_index: classes of this value count nothing; not for probabilities.
        label_smoothing: share of the target spread evenly over all classes.

    >>> import minigan
    >>> cross_entropy(minigan.zeros(2, 4), minigan.tensor([0, 3]))
    tensor(1.3862944, dtype=float32)
    """
    name = "cross_entropy"
    x = as_float(name, input)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"{name}: label_smoothing must lie in [0, 1], got {label_smoothing}")
    if not x.ndim:
        raise RuntimeError(f"{name}: expected input (C,), (N, C) or (N, C, …), got shape ()")
    dim = 0 if x.ndim == 1 else 1
    logs, classes = log_softmax(x, dim), x.shape[dim]
    _check_weight(name, weight, classes)
    shape = (-1, *(1,) * (x.ndim - dim - 1))
    weighted = logs if weight is None else logs * weight.reshape(shape)
    if as_tensor(name, target).shape == x.shape and target.dtype.kind in "fc":
        if ignore_index >= 0:
            raise RuntimeError(f"{name}: ignore_index is for classes, got probabilities as target")
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(weighted * target).sum(dim)
        if reduction == "mean":
            return loss.sum() / float(loss.numel())
        return reduce(name, loss, reduction)
    loss, weights = _nll(name, logs, target, weight, ignore_index)
    if label_smoothing:
        even = where(target != ignore_index, -weighted.sum(dim), 0)
        loss = loss * (1 - label_smoothing) + even * (label_smoothing / classes)
    return _weighted(name, loss, weights, reduction)


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """target·(ln target - input): Kullback-Leibler divergence from log-probabilities ``input``.

    ``log_target``: ``target`` holds logarithms too.  "batchmean" divides the sum by the first
    dimension, which is the divergence proper; "mean" divides by all elements.
    """
    x = as_float("kl_div", input)
    _broadcasting("kl_div", x, target)
    if log_target:
        loss = target.exp() * (target - x)
    else:
        some = target != 0  # 0·ln 0 = 0
        loss = where(some, target * (log(where(some, target, 1)) - x), 0)
    if reduction == "batchmean":
        return loss.sum() / (x.shape[0] if x.ndim else 1)
    return reduce("kl_div", loss, reduction)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """input where target is 1, max(0, margin - input) where it is -1; elsewhere their sum."""
    x = as_float("hinge_embedding_loss", input)
    _broadcasting("hinge_embedding_loss", x, target)
    near = where(target != -1, x, 0)
    far = where(target != 1, maximum(margin - x, 0.0), 0)
    return reduce("hinge_embedding_loss", near + far, reduction)
