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

        -[t·ln σ(x) + (1 - t)·ln(1 - σ(x))] = (1 - t)·x + ln(1 + e^-x)

    Args:
        input: logits, any shape.
        target: probabilities in [0, 1], same shape.
        weight: multiplies every element's loss.
        reduction: "mean", "sum" or "none".
        pos_weight: multiplies the first term.

    >>> import minigan
    >>> binary_cross_entropy_with_logits(minigan.zeros(2), minigan.ones(2))
    tensor(0.6931472, dtype=float32)
    """
    name = "binary_cross_entropy_with_logits"
    x = as_float(name, input)
    _same_shape(name, x, target)
    softplus_minus = Softplus()(-x)
    if pos_weight is not None:
        softplus_minus = softplus_minus * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * x + softplus_minus
    return reduce(name, loss if weight is None else loss * weight, reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared error (input - target)².

    >>> import minigan
    >>> mse_loss(minigan.tensor([1.0, 3.0]), minigan.tensor([0.0, 0.0]))
    tensor(5., dtype=float32)
    """
    _same_shape("mse_loss", input, target)
    difference = input - target
    return reduce("mse_loss", difference * difference, reduction)
