"""What is known of the Lipschitz constants of single layers, as a table of rules.

A layer is known by the ``forward`` that it runs, so that a class that only sets other defaults has
its parent's rule and one that computes something else has none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, prod, sqrt
from typing import Any

import numpy as np

from .. import nn
from .lipschitz_conv import coverage, fourier_bound, im2col_bound
from .lipschitz_operator import Operator, nonnegative_bound, spectral_norm

Shape = tuple[int, ...]
Rule = Callable[[nn.Module, Shape, Shape], tuple[float, str]]

RULES: dict[Callable, Rule] = {}


def rule(*kinds: type[nn.Module]) -> Callable[[Rule], Rule]:
    """Make a function ``(layer, shape, out_shape) -> (bound, how)`` the rule of these modules.

    The layer is given in float64 and in evaluation, called at least once, so that ``layer.weight``
    is the effective one where it is normalised.  A bound of infinity refuses it; ``how`` says why.

    >>> class Halve(nn.Module):
    ...     def forward(self, x):
    ...         return x / 2
    >>> @rule(Halve)
    ... def halve(layer, shape, out_shape):
    ...     return 0.5, "its factor"
    >>> from minigan.toys.lipschitz_bounds import product_bound
    >>> product_bound(nn.Sequential(Halve(), Halve()), (3,))
    0.25
    """

    def added(function: Rule) -> Rule:
        RULES.update({kind.forward: function for kind in kinds})
        return function

    return added


def _constant(value: float, how: str, *kinds: type[nn.Module]) -> None:
    rule(*kinds)(lambda layer, shape, out_shape: (value, how))


_constant(
    1.0,
    "the same numbers",
    *(nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle),
    *(nn.Dropout, nn.Dropout2d),  # in evaluation
)
_constant(
    1.0,
    "the largest slope",
    *(nn.ReLU, nn.Tanh, nn.LogSigmoid, nn.Hardtanh, nn.Softsign),
)
_constant(0.25, "the slope at 0", nn.Sigmoid)
_constant(1.7580993408473769, "scale·α, the slope below 0", nn.SELU)
# Largest derivatives, rounded up: of x·σ(x) at x = 2.3994 and of x·Φ(x) at √2 (its tanh form's is
# the larger one).
_constant(1.0998393202, "the slope at 2.3994", nn.SiLU)
_constant(1.128994, "the slope at about √2", nn.GELU)
_constant(inf, "the slope of a product grows with its factors", nn.GLU)


@rule(nn.LeakyReLU)
def _leaky(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    return max(1.0, abs(layer.negative_slope)), "the largest slope"


@rule(nn.PReLU)
def _prelu(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    return max(1.0, float(abs(layer.weight.array).max())), "the largest slope"


@rule(nn.ELU)
def _elu(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    return max(1.0, abs(layer.alpha)), "the largest slope"


@rule(nn.Softplus)
def _softplus(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    if layer.threshold < 20:  # from there on the jump is less than 3e-9/β, and downwards
        return inf, f"it jumps where β·x = {layer.threshold}, expected a threshold from 20 on"
    return 1.0, "the largest slope"


@rule(nn.Softmax, nn.LogSoftmax)
def _softmax(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    dim = 0 if layer.dim is None else layer.dim % (len(shape) + 1)
    if dim == 0:
        return inf, "dim expects one of a sample's own dimensions"
    if isinstance(layer, nn.LogSoftmax):
        return sqrt(shape[dim - 1]), "√n: I - 1·pᵀ at a p of a single 1"
    return 0.5, "diag(p) - p·pᵀ at two p of ½"


@rule(nn.Linear)
def _linear(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    return spectral_norm(layer.weight.array), "singular values"


@rule(nn.Conv2d, nn.ConvTranspose2d, nn.Conv1d, nn.ConvTranspose1d)
def _convolution(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    operator = Operator(layer, shape)
    if operator.is_small():
        return spectral_norm(operator.matrix()), "singular values of the operator"
    bound, how = min(
        (fourier_bound(layer, shape, out_shape), "Fourier"),
        (im2col_bound(layer, shape, out_shape), "√(shared windows)·reshaped"),
    )
    if layer.padding_mode == "zeros":
        return bound, how
    border = nonnegative_bound(Operator(lambda x: layer._padded(x)[0], shape))
    return bound * border, f"{how}, times its border's"


@rule(
    *(nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Upsample, nn.Unfold, nn.Fold),
    *(nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d),
)
def _average(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    return nonnegative_bound(Operator(layer, shape)), "Collatz and Wielandt"


@rule(nn.MaxPool2d)
def _max_pool(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    def two(value: Any) -> Shape:
        return (value, value) if isinstance(value, int) else tuple(value)

    each = zip(
        out_shape[1:], *map(two, (layer.kernel_size, layer.stride, layer.dilation)), strict=True
    )
    return sqrt(prod(coverage(*numbers) for numbers in each)), "√(windows that share a pixel)"


@rule(nn.BatchNorm1d, nn.BatchNorm2d)
def _batch_norm(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    if layer.running_var is None:
        return inf, "it keeps no running statistics, so every sample depends on its batch"
    scale = 1 / np.sqrt(layer.running_var.array + layer.eps)
    weight = 1.0 if layer.weight is None else layer.weight.array
    return float(abs(weight * scale).max()), "max |γ|/√(σ² + ε)"


@rule(nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)
def _own_norm(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    """The Jacobian is diag(γ)·(I - 1·1ᵀ/n - x̂·x̂ᵀ/n)/√(σ² + ε), steepest where x is constant: it
    is not the scale γ that bounds it but γ/√ε."""
    if getattr(layer, "running_var", None) is not None:
        return _batch_norm(layer, shape, out_shape)
    if layer.eps <= 0:
        return inf, "with ε = 0 the slope grows without end towards constant inputs"
    weight = 1.0 if layer.weight is None else float(abs(layer.weight.array).max())
    return weight / sqrt(layer.eps), "max |γ|/√ε, reached at constant inputs"
