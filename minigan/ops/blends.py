"""Mixtures of several tensors: a way between two, and a product or quotient added."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from .kinks import where


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight·(end - input): the way to ``end``, exactly there for a weight of 1.

    Args:
        weight: a number, or a Tensor; all operands broadcast.

    >>> import minigan
    >>> lerp(minigan.tensor([0.0, 4.0]), minigan.tensor([10.0, 0.0]), 0.25)
    tensor([2.5, 3. ], dtype=float32)
    """
    way = end - input
    from_start, from_end = input + weight * way, end - way * (1 - weight)
    if isinstance(weight, Tensor):
        return where(weight < 0.5, from_start, from_end)
    return from_start if weight < 0.5 else from_end


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value·tensor1·tensor2; the operands broadcast.

    >>> import minigan
    >>> addcmul(minigan.ones(2), minigan.tensor([1.0, 2.0]), minigan.tensor([3.0, 4.0]), value=2)
    tensor([ 7., 17.], dtype=float32)
    """
    return input + tensor1 * tensor2 * value


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value·tensor1/tensor2; the operands broadcast.

    >>> import minigan
    >>> addcdiv(minigan.ones(2), minigan.tensor([1.0, 2.0]), minigan.tensor([2.0, 2.0]), value=2)
    tensor([2., 3.], dtype=float32)
    """
    return input + tensor1 / tensor2 * value
