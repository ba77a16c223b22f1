"""Filling parameters in place: how a network starts."""

from __future__ import annotations

from math import prod, sqrt

from .._tensor import Tensor
from ..array import Generator
from ..autograd import no_grad


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator=None) -> Tensor:
    """Draws of N(mean, std²)."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator=None) -> Tensor:
    """Draws of U[a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same value everywhere."""
    return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere."""
    return constant_(tensor, 1.0)


def fan_in(tensor: Tensor) -> int:
    """How many inputs one output of a layer with this weight has: shape[1] times the taps."""
    return prod(tensor.shape[1:])


def default_(tensor: Tensor, inputs: int, generator: Generator | None = None) -> Tensor:
    """U(-1/√inputs, 1/√inputs): what PyTorch gives weights and biases of linear and conv layers."""
    bound = 1 / sqrt(inputs) if inputs else 0.0
    return uniform_(tensor, -bound, bound, generator)
