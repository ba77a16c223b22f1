"""Values written to, or added at, places along one dimension: the counterpart of ``gather``."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._common import as_tensor, normalise_dim, numpy_names
from .indexing import AddInto, setitem
from .pick import check_indices, places
from .shape import reshape


def _prepared(name: str, input: Any, dim: int, index: Any, src: Any) -> tuple:
    """Input, the places as an index, and the part of ``src`` that is used; checked."""
    x, index = as_tensor(name, input), check_indices(name, index)
    x, index = (v if v.ndim else reshape(v, 1) for v in (x, index))
    d = normalise_dim(name, dim, x.ndim)
    bounds = [x.shape[:d] + x.shape[d + 1 :]]
    found = [index.shape[:d] + index.shape[d + 1 :]]
    if isinstance(src, Tensor):
        src = src if src.ndim else reshape(src, 1)
        if src.dtype != x.dtype:
            raise RuntimeError(f"{name}: expected src of dtype {x.dtype}, got {src.dtype}")
        bounds.append(src.shape)
        found.append(index.shape)
    if index.ndim != x.ndim or any(
        len(small) != len(large) or any(n > m for n, m in zip(small, large, strict=True))
        for small, large in zip(found, bounds, strict=True)
    ):
        of_src = f" and src of shape {src.shape}" if isinstance(src, Tensor) else ""
        raise RuntimeError(
            f"{name}: index of shape {index.shape} does not fit input of shape {x.shape}{of_src} "
            f"along dimension {dim}"
        )
    check_indices(name, index, x.shape[d])
    if isinstance(src, Tensor):
        src = src[tuple(slice(n) for n in index.shape)]
    return x, places(index, d), src


@numpy_names
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None
) -> Tensor:
    """A copy of input with y[…, index[i, j, …] at dim, …] = src[i, j, …] (or one ``value``).

    Where ``index`` names a place several times, the last value stays and gets the gradient.

    Raises:
        RuntimeError: shapes that do not fit, another dtype, an index beyond the dimension.

    >>> import minigan
    >>> scatter(minigan.zeros(2, 3), 1, minigan.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]], dtype=float32)
    """
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter: expected src or value")
    x, where, src = _prepared("scatter", input, dim, index, src)
    y = x.clone()
    setitem(y, where, src)
    return reshape(y, input.shape)


@numpy_names
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of input with src[i, j, …] added at index[i, j, …] along ``dim``; repeats add up.

    >>> import minigan
    >>> scatter_add(minigan.zeros(3), 0, minigan.tensor([1, 1, 2]), minigan.ones(3))
    tensor([0., 2., 1.], dtype=float32)
    """
    x, where, src = _prepared("scatter_add", input, dim, index, as_tensor("scatter_add", src))
    return reshape(x + AddInto(x.shape, where)(src), input.shape)
