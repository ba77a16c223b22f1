"""Normalisation over other dimensions than the batch: instance, layer and group.

All are the one function of ``ops/norm.py``, (x - μ)/√(σ² + ε) over some dimensions, followed by a
scale and a shift, so all are right to any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from .._tensor import Tensor
from ..autograd import no_grad
from ._common import as_float
from .norm import BatchNorm, batch_norm


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple) -> Tensor:
    if weight is not None:
        x = x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample over its last dimensions ``normalized_shape``, then scaled elementwise.

    weight and bias: of shape ``normalized_shape``.  Source: Ba et al. 2016, arXiv 1607.06450.

    >>> import minigan
    >>> layer_norm(minigan.tensor([[1.0, 3.0]]), (2,))
    tensor([[-0.999995,  0.999995]], dtype=float32)
    """
    x = as_float("layer_norm", input)
    try:
        shape = tuple(normalized_shape)
    except TypeError:
        raise TypeError(
            f"layer_norm: normalized_shape expects a sequence of ints, got {normalized_shape!r}"
        ) from None
    n = len(shape)
    if not n or x.shape[-n:] != shape:
        raise RuntimeError(f"layer_norm: expected input ending in {shape}, got shape {x.shape}")
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value.shape != shape:
            raise RuntimeError(f"layer_norm: {name} expects shape {shape}, got {value.shape}")
    y = BatchNorm(tuple(range(x.ndim - n, x.ndim)), eps)(x, 1.0, 0.0)
    return _affine(y, weight, bias, shape)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample over every group of channels (and all pixels), then scaled by channel.

    input (N, C, …), weight and bias (C,).  Source: Wu & He 2018, arXiv 1803.08494.
    """
    x = as_float("group_norm", input)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise RuntimeError(
            f"group_norm: expected input (N, C, …) with C divisible by {num_groups}, got shape "
            f"{x.shape}"
        )
    n, c, *rest = x.shape
    if n * (c // num_groups) * prod(rest) == 1:
        raise ValueError(
            f"group_norm: needs more than 1 value per group, got input shape {x.shape} and "
            f"{num_groups} groups"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value.shape != (c,):
            raise RuntimeError(f"group_norm: {name} expects shape ({c},), got {value.shape}")
    groups = x.reshape(n, num_groups, (c // num_groups) * prod(rest))
    y = BatchNorm((2,), eps)(groups, 1.0, 0.0).reshape(x.shape)
    return _affine(y, weight, bias, (1, c, *(1,) * len(rest)))


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample over its pixels, then scaled by channel.

    Without ``use_input_stats`` the running statistics normalise; with them they are updated by the
    batch's averages.  input (N, C, …).  Source: Ulyanov et al. 2016, arXiv 1607.08022.
    """
    x = as_float("instance_norm", input)
    if x.ndim < 3:
        raise ValueError(f"instance_norm: expected input (N, C, …), got shape {x.shape}")
    for name, value in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if value is not None and value.shape != x.shape[1:2]:
            raise RuntimeError(
                f"instance_norm: {name} expects shape {x.shape[1:2]} for input of shape "
                f"{x.shape}, got {value.shape}"
            )
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "instance_norm: expected running_mean and running_var without use_input_stats"
            )
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    n, c, *rest = x.shape
    count = prod(rest)
    if count <= 1:
        raise ValueError(
            f"instance_norm: needs more than 1 pixel per channel, got input shape {x.shape}"
        )
    function = BatchNorm(tuple(range(2, x.ndim)), eps)
    y = function(x, 1.0, 0.0)
    with no_grad():
        for running, batch in (
            (running_mean, function.mean),
            (running_var, function.var * (count / (count - 1))),
        ):
            if running is not None and n:
                average = Tensor(batch.real.reshape(n, c).mean(axis=0))
                running.mul_(1 - momentum).add_(average, alpha=momentum)
    return _affine(y, weight, bias, (1, c, *(1,) * len(rest)))
