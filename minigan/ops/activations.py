"""Activation functions beyond ReLU, each a formula in operations there are already."""

from __future__ import annotations

from math import pi, sqrt

from .._tensor import Tensor
from ._common import as_float, as_tensor, normalise_dim, numpy_names
from .kinks import abs, clamp, where
from .shape import narrow
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


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); ``inplace`` has no effect on the result."""
    return hardtanh(input, 0.0, 6.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """λ·(x where positive, else α·(e^x - 1)), λ and α such that N(0, 1) stays so.

    Source: Klambauer et al. 2017, arXiv 1706.02515.
    """
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    return elu(input, alpha) * scale


@numpy_names
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a·sigmoid(b) where a and b are the halves of dimension ``dim``.

    Source: Dauphin et al. 2016, arXiv 1612.08083.

    Raises:
        RuntimeError: the length of ``dim`` is odd.

    >>> import minigan
    >>> glu(minigan.tensor([4.0, 0.0]))
    tensor([2.], dtype=float32)
    """
    x = as_float("glu", input)
    length = x.shape[normalise_dim("glu", dim, x.ndim)] if x.ndim else 1
    if length % 2:
        raise RuntimeError(f"glu: expected an even length of dimension {dim}, got {length}")
    half = length // 2
    return narrow(x, dim, 0, half) * sigmoid(narrow(x, dim, half, half))


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
