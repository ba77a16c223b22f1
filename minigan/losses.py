"""Loss functions: a number that says how far outputs are from where they should be."""

from __future__ import annotations

from ._tensor import Tensor
from .ops._common import as_float
from .ops.elementwise import Softplus


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
    loss = positive * Softplus()(-x) + (1 - target) * Softplus()(x)
    return reduce(name, loss if weight is None else loss * weight, reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared error (input - target)².

    Args:
        input, target: any one shape (unlike PyTorch's, this does not broadcast).
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: the shapes differ, or the reduction is unknown.

    >>> import minigan
    >>> mse_loss(minigan.tensor([1.0, 3.0]), minigan.tensor([0.0, 0.0]))
    tensor(5., dtype=float32)
    """
    x = as_float("mse_loss", input)
    _same_shape("mse_loss", x, target)
    difference = x - target
    return reduce("mse_loss", difference * difference, reduction)
