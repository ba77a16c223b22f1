"""How far two right results of one operation may lie apart: its rounding errors, measured.

    sums of products (matmul, convolutions, sums)   c · u · √n · Σ|terms|   of n terms each
    elementwise functions                           c · (u · |y| + s)
    everything else                                 c · √N · (u · |y| + s)  of N numbers

with u the rounding unit of the result's dtype, y the result in float64, and s how far y moves when
the operands do by u.  In sums n and Σ|terms| are those of the operation itself, of ones and of the
operands' magnitudes.  Rounding errors have all signs: √n of them, not n, is what adds up.  A sum
that ends in an activation, of slopes up to 1, may be off by as much as the sum, and by c · u · |y|.
"""

from __future__ import annotations

from typing import Any

import numpy as np

C = 16.0  # also for Winograd's form of a convolution, whose errors are some times larger
PROBES = 3
# Σ of products of operands, one of each: with coefficients of 1.
SUMS = {
    "AddInto",
    "CumSum",
    "Dgrad",
    "Einsum",
    "Fold",
    "Fprop",
    "MatMul",
    "Sum",
    "Wgrad",
    "WindowPut",
    "WindowSpread",
    "WindowSum",
}


def bound(function: Any, inputs: tuple, result: np.ndarray) -> np.ndarray:
    """The largest difference, elementwise, of two right results; 0 where no float is computed.

    ``inputs`` are NumPy arrays and numbers; ``function`` is run again, in float64.
    """
    if result.dtype.kind not in "fc":
        return np.zeros(result.shape)
    unit = float(np.finfo(result.dtype).eps)
    tiny = float(np.finfo(result.dtype).tiny)
    with np.errstate(all="ignore"):
        try:
            return _measured(function, _wide(inputs), unit) + tiny
        except Exception:  # an operation that takes no float64
            size = np.abs(result[np.isfinite(result)]).max(initial=0.0)
            return np.full(result.shape, C * unit * _root(inputs) * size + tiny)


def _measured(function: Any, inputs: tuple, unit: float) -> np.ndarray:
    if hasattr(function, "without_activation"):
        of_sum = _measured(function.without_activation(), inputs, unit)
        return of_sum + C * unit * np.abs(_run(function, inputs))
    if type(function).__name__ in SUMS:
        terms = _run(function, [_magnitude(x) for x in inputs])
        count = _run(function, [_magnitude(x, ones=True) for x in inputs])
        return C * unit * np.sqrt(np.maximum(count, 1)) * terms
    exact, rng = _run(function, inputs), np.random.default_rng(0)
    moves = np.zeros(exact.shape)
    for _ in range(PROBES):
        moved = _run(function, [_moved(x, unit, rng) for x in inputs])
        moves = np.fmax(moves, np.abs(moved - exact))
    many = 1.0 if _is_elementwise(function, inputs, exact) else _root(inputs)
    return C * many * (unit * np.abs(exact) + moves)


def _is_elementwise(function: Any, inputs: tuple, exact: np.ndarray) -> bool:
    """Whether the largest number of the result comes of the operands' numbers there alone."""
    if not exact.size:
        return True
    at = np.unravel_index(int(np.nan_to_num(np.abs(exact)).argmax()), exact.shape)
    try:
        alone = _run(function, [_number_at(x, at, exact.shape) for x in inputs])
    except Exception:  # operands or parameters that are made for the whole shape
        return False
    if alone.size != 1:
        return False
    return bool(np.isclose(alone.ravel()[0], exact[at], rtol=1e-12, atol=0, equal_nan=True))


def _run(function: Any, inputs: Any) -> np.ndarray:
    """The function of copies: some write into what they are given."""
    return np.array(function.forward(*_copies(inputs)))


def _wide(inputs: tuple) -> tuple:
    kinds = {"f": np.float64, "c": np.complex128}
    return tuple(x.astype(kinds[x.dtype.kind]) if _is_float(x) else x for x in inputs)


def _is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def _copies(inputs: Any) -> list:
    return [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]


def _magnitude(x: Any, ones: bool = False) -> Any:
    if not _is_float(x):
        return x
    return np.ones(x.shape) if ones else np.abs(x)


def _moved(x: Any, unit: float, rng: np.random.Generator) -> Any:
    return x * (1 + unit * rng.standard_normal(x.shape)) if _is_float(x) else x


def _number_at(x: Any, at: tuple, shape: tuple[int, ...]) -> Any:
    """The one number of x that is broadcast to ``at``, with as many dimensions as x has."""
    if not isinstance(x, np.ndarray):
        return x
    index = tuple([int(i) for i in at])
    return np.broadcast_to(x, shape)[index].reshape((1,) * x.ndim)


def _root(inputs: tuple) -> float:
    return float(np.sqrt(max([x.size for x in inputs if isinstance(x, np.ndarray)], default=1)))
