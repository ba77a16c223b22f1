"""Activation functions beyond ReLU, each a formula in operations there are already."""

from __future__ import annotations

from math import pi, sqrt

from .._tensor import Tensor
from ._common import as_float, as_tensor
from .kinks import abs, clamp, where
from .smooth import Softplus, erf, expm1, sigmoid, tanh


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else α·(e^x - 1).  Source: Clevert et al. 2015, arXiv 1511.07289.

    >>> import minigan
    >>> elu(minigan.tensor([-100.0, 2.0]))
    tensor([-1.,  2.], dtype=float32)
    """
    x = as_float("elu", input)
    return where(x <= 0, expm1(clamp(x, max=0)) * alpha, x)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x·sigmoid(x), also called swish.  Source: Hendrycks & Gimpel 2016, arXiv 1606.08415."""
    x = as_float("silu", input)
    return x * sigmoid(x)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x·Φ(x) with the standard normal distribution function Φ; "tanh": its approximation.

    Source: Hendrycks & Gimpel 2016, arXiv 1606.08415.

    >>> import minigan
    >>> gelu(minigan.tensor([0.0, 10.0]))
    tensor([ 0., 10.], dtype=float32)
    """
    x = as_float("gelu", input)
    if approximate == "none":
        return x * (erf(x * sqrt(0.5)) + 1) * 0.5
    if approximate == "tanh":
        return x * (tanh((x + x * x * x * 0.044715) * sqrt(2 / pi)) + 1) * 0.5
    raise RuntimeError(f'gelu: approximate must be "none" or "tanh", got "{approximate}"')


def logsigmoid(input: Tensor) -> Tensor:
    """ln sigmoid(x) = -ln(1 + e^-x), without overflow.

    >>> import minigan
    >>> logsigmoid(minigan.tensor([-1000.0, 1000.0]))
    tensor([-1000.,    -0.], dtype=float32)
    """
    return -Softplus()(-as_float("logsigmoid", input))


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x limited to [min_val, max_val]; the gradient is 0 on both limits, where ``clamp``'s is 1.

    Integers stay integers.

    >>> import minigan
    >>> hardtanh(minigan.tensor([-3.0, 0.5, 3.0]))
    tensor([-1. ,  0.5,  1. ], dtype=float32)
    """
    x = as_tensor("hardtanh", input)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
    if x.dtype.kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
    if x.dtype.kind == "b" or (x.dtype.kind == "u" and min_val < 0):
        raise RuntimeError(f"hardtanh: {x.dtype} cannot hold the limits {min_val} and {max_val}")
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


def softsign(input: Tensor) -> Tensor:
    """x/(1 + |x|)."""
    x = as_float("softsign", input)
    return x / (abs(x) + 1)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else weight·x; one weight, or one for each channel (dimension 1).

    Source: He et al. 2015, arXiv 1502.01852.

    >>> import minigan
    >>> prelu(minigan.tensor([[-1.0, -1.0], [2.0, 2.0]]), minigan.tensor([0.5, 0.25]))
    tensor([[-0.5 , -0.25],
            [ 2.  ,  2.  ]], dtype=float32)
    """
    x, weight = as_float("prelu", input), as_tensor("prelu", weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(
            f"prelu: weight expects one value or one per channel ({channels}), got shape "
            f"{weight.shape}"
        )
    if weight.numel() == 1:
        weight = weight.reshape(())
    else:
        weight = weight.reshape(-1, *(1,) * (x.ndim - 2))
    return where(x > 0, x, x * weight)
