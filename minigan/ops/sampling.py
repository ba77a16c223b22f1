"""Random numbers of distributions that tensors describe."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .._tensor import Tensor
from ..generators import Generator, rng_on
from ._common import as_float, as_tensor
from .creation import empty_like, randn


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Draws of N(mean, std²): of one number each and ``size``, or elementwise of Tensors.

    Raises:
        TypeError: two numbers without size.
        RuntimeError: a negative std.

    >>> normal(0.0, 0.02, (2, 3)).shape
    (2, 3)
    """
    given = next((v for v in (mean, std) if isinstance(v, Tensor)), None)
    if given is None and size is None:
        raise TypeError("normal: expected size, or a Tensor as mean or std")
    smallest = std.detach().amin().item() if isinstance(std, Tensor) and std.numel() else std
    if not isinstance(smallest, Tensor) and smallest < 0:
        raise RuntimeError(f"normal: expected a standard deviation of at least 0, got {smallest}")
    if given is None:
        draws = randn(size=tuple(size), generator=generator, dtype=dtype, device=device)
    else:
        shapes = [v.shape for v in (mean, std) if isinstance(v, Tensor)]
        where = {"dtype": dtype or as_float("normal", given).dtype, "device": given.device}
        draws = randn(size=np.broadcast_shapes(*shapes), generator=generator, **where)
    mean, std = (v.detach() if isinstance(v, Tensor) else v for v in (mean, std))
    return draws * std + mean


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that ``input`` holds, else 0, elementwise, of its shape and dtype.

    Raises:
        RuntimeError: a probability below 0 or above 1.

    >>> import minigan
    >>> bernoulli(minigan.tensor([0.0, 1.0]))
    tensor([0., 1.], dtype=float32)
    """
    x = as_tensor("bernoulli", input).detach()
    return empty_like(x).bernoulli_(x, generator=generator)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices of the last dimension, drawn in proportion to the weights ``input``, int64.

    Shapes: input (n,) or (rows, n), weights of at least 0; the result (num_samples,) or
    (rows, num_samples).  Without ``replacement`` the samples of a row differ.

    Raises:
        RuntimeError: another rank, weights that are negative, not finite or all 0, or fewer
            positive ones than samples to draw without replacement.

    >>> import minigan
    >>> multinomial(minigan.tensor([0.0, 0.0, 3.0]), 2, replacement=True)
    tensor([2, 2])
    """
    x = as_tensor("multinomial", input)
    weights = x.detach().cpu().array
    rows = np.atleast_2d(weights).astype(np.float64)
    if not 1 <= x.ndim <= 2 or num_samples < 1:
        raise RuntimeError(
            f"multinomial: expected 1 or 2 dimensions and at least 1 sample, got shape {x.shape} "
            f"and {num_samples}"
        )
    needed = 1 if replacement else num_samples
    if not np.isfinite(rows).all() or (rows < 0).any() or ((rows > 0).sum(1) < needed).any():
        raise RuntimeError(
            f"multinomial: expected finite weights of at least 0, {needed} of them positive in "
            "every row"
        )
    rng = rng_on("cpu", generator)
    drawn = [
        rng.choice(len(row), num_samples, replace=replacement, p=row / row.sum()) for row in rows
    ]
    found = np.stack(drawn).reshape(*weights.shape[:-1], num_samples).astype(np.int64)
    return Tensor(arrays.to_device(found, x.device))
