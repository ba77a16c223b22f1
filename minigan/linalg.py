"""Linear algebra under ``torch.linalg``'s names: norms."""

from __future__ import annotations

from math import inf
from typing import Any

from ._tensor import Tensor
from .ops import accumulate
from .ops._common import as_float, numpy_names
from .ops.extremes import amax, amin
from .ops.reduction import sum as total_of


@numpy_names
def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """(Σ |x|^ord)^(1/ord) over ``dim`` (default: all); ord may be 0, inf or -inf."""
    return accumulate.norm(x, ord, dim, keepdim)


@numpy_names
def norm(
    A: Tensor, ord: float | str | None = None, dim: Any = None, keepdim: bool = False
) -> Tensor:
    """A vector's norm, or a matrix's where two dimensions (or a matrix and ``ord``) are given.

    Vectors: as ``vector_norm``, 2 by default; without ``ord`` and ``dim``, of all elements.
    Matrices: "fro", 1 and -1 (largest and smallest column sum of |A|), inf and -inf (row sums).

    >>> import minigan
    >>> norm(minigan.tensor([[3.0, 0.0], [4.0, 0.0]])), norm(minigan.ones(2, 3), inf)
    (tensor(5., dtype=float32), tensor(3., dtype=float32))
    """
    x = as_float("linalg.norm", A)
    if ord is None:
        return accumulate.norm(x, 2, dim, keepdim)
    if dim is None and x.ndim == 2:
        dim = (0, 1)
    if dim is None or isinstance(dim, int) or len(dim) == 1:
        if dim is None and x.ndim != 1:
            raise RuntimeError(
                f"linalg.norm: ord without dim needs a vector or a matrix, got shape {x.shape}"
            )
        if isinstance(ord, str):
            raise RuntimeError(f'linalg.norm: ord "{ord}" is for matrices')
        return accumulate.norm(x, ord, dim, keepdim)
    rows, columns = (d % x.ndim for d in dim)
    if ord == "fro":
        return accumulate.norm(x, 2, (rows, columns), keepdim)
    if ord not in (1, -1, inf, -inf):
        raise RuntimeError(
            f'linalg.norm: a matrix norm has ord "fro", 1, -1, inf or -inf, got {ord!r}'
        )
    summed, left = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = total_of(x.abs(), summed, keepdim=True)
    largest = (amax if ord > 0 else amin)(sums, left, True)
    return largest if keepdim else largest.squeeze((rows, columns))
