"""Filling parameters in place: how a network starts."""

from __future__ import annotations

from math import prod, sqrt

from .._tensor import Tensor
from ..array import array_module
from ..autograd import no_grad
from ..generators import Generator, rng_on


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


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What a layer's weights are scaled by so that the activation after it keeps the variance.

    >>> round(calculate_gain("relu"), 4), round(calculate_gain("leaky_relu", 0.2), 4)
    (1.4142, 1.3868)
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return sqrt(2 / (1 + slope * slope))
    linear = ("linear", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")
    gains = dict.fromkeys((*linear, "sigmoid"), 1.0)
    gains |= {"tanh": 5 / 3, "relu": sqrt(2.0), "selu": 3 / 4}
    if nonlinearity not in gains:
        raise ValueError(
            f"calculate_gain: unknown nonlinearity {nonlinearity!r}; known are "
            f"{', '.join(['leaky_relu', *gains])}"
        )
    return gains[nonlinearity]


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output has and how many outputs an input has, as the shape tells."""
    if tensor.ndim < 2:
        raise ValueError(f"{name}: expected at least 2 dimensions, got shape {tensor.shape}")
    taps = prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """U(-a, a), a = gain·√(6/(inputs + outputs)).  Source: Glorot & Bengio 2010."""
    bound = gain * sqrt(6 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """N(0, σ²), σ = gain·√(2/(inputs + outputs)).  Source: Glorot & Bengio 2010."""
    return normal_(tensor, 0.0, gain * sqrt(2 / sum(_fans("xavier_normal_", tensor))), generator)


def _kaiming(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation gain/√fan."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'{name}: mode must be "fan_in" or "fan_out", got "{mode}"')
    inputs, outputs = _fans(name, tensor)
    return calculate_gain(nonlinearity, a) / sqrt(inputs if mode == "fan_in" else outputs)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator=None,
) -> Tensor:
    """U(-b, b), b = gain·√(3/fan).  Source: He et al. 2015, arXiv 1502.01852."""
    bound = sqrt(3.0) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator=None,
) -> Tensor:
    """N(0, gain²/fan).  Source: He et al. 2015, arXiv 1502.01852."""
    std = _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """gain times a random matrix with orthonormal rows or columns, whichever are fewer.

    The matrix has one row for each entry of dimension 0.  Source: Saxe et al. 2013, arXiv
    1312.6120.

    >>> import minigan
    >>> w = orthogonal_(minigan.empty(2, 3))
    >>> abs((w @ w.T).numpy().round(5))
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected at least 2 dimensions, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], prod(tensor.shape[1:])
    draws = rng_on(tensor.device, generator).standard_normal((rows, columns))
    xp = array_module(draws)
    q, r = xp.linalg.qr(draws.T if rows < columns else draws)
    signs = xp.sign(xp.diagonal(r))
    q = q * xp.where(signs == 0, 1, signs)  # makes the distribution uniform
    q = q.T if rows < columns else q
    return tensor.copy_(Tensor(q.reshape(tensor.shape) * gain))


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got shape {tensor.shape}")
    xp = array_module(tensor.array)
    return tensor.copy_(Tensor(xp.eye(*tensor.shape, dtype=tensor.dtype)))
