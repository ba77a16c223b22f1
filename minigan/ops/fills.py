"""Tensors filled in place: with one number, and with random ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd import is_grad_enabled
from ..generators import Generator, rng_on
from ._common import begin_change, values_for
from .indexing import setitem


def fill_(self: Tensor, value: float) -> Tensor:
    """Set every element to ``value``."""
    if self.requires_grad and not self.is_leaf and is_grad_enabled():
        setitem(self, ..., value)
        return self
    begin_change("fill_", self)
    self.array.fill(value)
    return self


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return fill_(self, 0)


def _rng(self: Tensor, generator: Generator | None) -> Any:
    return rng_on(self.device, generator)


def _drawn(name: str, dtype: np.dtype) -> np.dtype:
    """Random numbers are drawn in float32 or float64."""
    if dtype.kind != "f":
        raise NotImplementedError(f"{name}: expected a float tensor, got {dtype}")
    return np.dtype("float64" if dtype == np.float64 else "float32")


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with draws of N(mean, std²)."""
    dtype = _drawn("normal_", self.dtype)
    if std < 0:
        raise RuntimeError(f"normal_: expected a standard deviation of at least 0, got {std}")
    begin_change("normal_", self)
    draws = _rng(self, generator).standard_normal(self.shape, dtype=dtype)
    self.array[...] = draws * std + mean
    return self


def uniform_(
    self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with draws of U[a, b)."""
    dtype = _drawn("uniform_", self.dtype)
    if a > b:
        raise RuntimeError(f"uniform_: expected a ≤ b, got {a} and {b}")
    begin_change("uniform_", self)
    self.array[...] = _rng(self, generator).random(self.shape, dtype=dtype) * (b - a) + a
    return self


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 at probability ``p``, else 0; tensors of every dtype.

    Args:
        p: a number, or a Tensor that broadcasts to self's shape; from 0 to 1.

    Raises:
        RuntimeError: a probability below 0 or above 1, or of a shape that does not fit.

    >>> import minigan
    >>> minigan.empty(3).bernoulli_(minigan.tensor([0.0, 1.0, 1.0]))
    tensor([0., 1., 1.], dtype=float32)
    """
    chance = values_for("bernoulli_", self, p)
    fits = (chance >= 0) & (chance <= 1)
    if not (fits.all() if isinstance(p, Tensor) else fits):
        raise RuntimeError(f"bernoulli_: expected probabilities between 0 and 1, got {p}")
    begin_change("bernoulli_", self)
    self.array[...] = _rng(self, generator).random(self.shape) < chance
    return self


def random_(self: Tensor, *bounds: int, generator: Generator | None = None) -> Tensor:
    """Fill with whole numbers: ``random_()``, ``random_(to)`` or ``random_(from, to)``.

    They are uniform on from … to - 1; without bounds on 0 … the largest of an integer dtype, and
    for floats up to where they still hold every whole number (2²⁴ in float32).

    Raises:
        RuntimeError: from is not below to, or the dtype cannot hold the numbers.

    >>> import minigan
    >>> minigan.zeros(2).random_(3, 4)
    tensor([3., 3.], dtype=float32)
    """
    if len(bounds) > 2:
        raise TypeError(f"random_: expected at most from and to, got {len(bounds)} bounds")
    dtype = self.dtype
    if dtype.kind == "f":
        info = np.finfo(dtype)
        least, most = int(info.min), int(info.max)
        top = 2 ** (info.nmant + 1)
    else:
        least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        top = most
    first, last = (0, *bounds)[-2:] if bounds else (0, top + 1)
    if first >= last:
        raise RuntimeError(f"random_: expected from < to, got {first} and {last}")
    if first < least or last - 1 > most:
        raise RuntimeError(f"random_: {first} … {last - 1} does not fit into a {dtype} tensor")
    begin_change("random_", self)
    self.array[...] = _rng(self, generator).integers(first, last - 1, self.shape, endpoint=True)
    return self
