"""Lipschitz constants from below: the steepest of what samples show, of any differentiable map.

Both rungs hold for any choice of points: |f(x) - f(y)|/|x - y| for pairs in a convex domain, and
the norm of a Jacobian where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd import grad, no_grad

Map = Callable[[Tensor], Tensor]
STEPS = (0.1, 0.01, 0.001)  # how far neighbours are, as shares of the reach
NEAREST = 1e-4  # closer pairs, as a share of the reach, tell more of rounding than of f
ROUNDED = 1e-13  # of |f|: some hundred roundings of float64
LARGEST = 1e150  # of a box's ends: squares of larger distances leave the range of floats


@dataclass(frozen=True)
class Box:
    """The inputs with low ≤ x ≤ high.

    Attributes:
        low, high: float64 arrays of the shape of one input.

    Raises:
        ValueError: no finite numbers with low < high, at most 1e150 in size, or another shape.

    >>> box = Box.of(-1, 1, (2,))
    >>> box.low, round(box.diagonal, 4)
    (array([-1., -1.]), 2.8284)
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, low: Any, high: Any, shape: tuple[int, ...] | None = None) -> Box:
        """Ends are numbers or arrays that broadcast to ``shape`` (default: their own)."""
        low, high = numbers("Box", low), numbers("Box", high)
        if isinstance(shape, int):
            shape = (shape,)
        try:
            shape = np.broadcast_shapes(low.shape, high.shape) if shape is None else tuple(shape)
            low, high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
        except ValueError:
            raise ValueError(
                f"Box: expected ends that broadcast to the shape {shape} of an input, got "
                f"{low.shape} and {high.shape}"
            ) from None
        if not shape or not low.size:
            raise ValueError(f"Box: expected at least one dimension and number, got shape {shape}")
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
            raise ValueError(f"Box: expected finite ends with low < high, got {low} and {high}")
        if max(abs(low).max(), abs(high).max()) > LARGEST:
            raise ValueError(f"Box: expected ends of at most {LARGEST:g}, got {low} and {high}")
        return cls(low, high)

    @property
    def diagonal(self) -> float:
        """The largest distance of two of its points."""
        return float(np.linalg.norm(self.high - self.low))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Uniform points (count, *shape)."""
        return rng.uniform(self.low, self.high, (count, *self.low.shape))

    def clip(self, x: np.ndarray) -> np.ndarray:
        """The nearest points of the box."""
        return np.clip(x, self.low, self.high)


def quotients(f: Map, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """‖f(x) - f(y)‖/‖x - y‖ of pairs (N, …), Euclidean over all numbers of a sample; (N,).

    ‖f(x) - f(y)‖ counts less what rounding may have added, 1e-13·(‖f(x)‖ + ‖f(y)‖), so that a
    small rise on a large level proves nothing.  Pairs that coincide count as 0.

    Raises:
        ValueError: no pairs, unequal shapes, or values that are not finite or not one per point.

    >>> quotients(lambda x: x**2, np.array([[0.0], [1.0]]), np.array([[3.0], [1.0]])).round(9)
    array([3., 0.])
    """
    x, y = points("quotients", x), points("quotients", y)
    if x.shape != y.shape:
        raise ValueError(f"quotients: expected pairs, got shapes {x.shape} and {y.shape}")
    with no_grad(), np.errstate(all="ignore"):  # values that are not finite are refused below
        here, there = (_rows("quotients", f(Tensor(v)), len(v)).array for v in (x, y))
        rise, run, level, other = (_lengths(d) for d in (here - there, x - y, here, there))
    _finite("quotients", rise)
    rise = np.maximum(rise - ROUNDED * (level + other), 0.0)
    return np.divide(rise, run, out=np.zeros_like(run), where=run > 0)


def gradient_norms(
    f: Map, x: np.ndarray, *, steps: int = 20, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) norms of the Jacobian at points (N, …), and the directions of steepest change (N, …).

    One output for each sample: ‖∇f‖.  Several: ‖Jᵀu‖ with a unit vector u from ``steps`` steps
    u ← JJᵀu/‖JJᵀu‖, which is never more than ‖J‖; Jv is the derivative of ⟨Jᵀu, v⟩ in u, by the
    engine's second order.  f has to treat the samples one by one.

    Raises:
        ValueError: no points, no steps, or values that are not finite or not one per point.

    >>> norms, directions = gradient_norms(lambda x: 3 * x[:, 0] + 4 * x[:, 1], np.zeros((1, 2)))
    >>> norms, directions
    (array([5.]), array([[0.6, 0.8]]))
    """
    x = points("gradient_norms", x)
    whole("gradient_norms", "steps", steps, least=1)
    whole("gradient_norms", "seed", seed)
    with np.errstate(all="ignore"):  # values that are not finite are refused below
        at = Tensor(x).requires_grad_()
        value = _rows("gradient_norms", f(at), len(x))
        outputs = value.numel() // len(x)
        if not value.requires_grad:  # a constant
            return np.zeros(len(x)), np.zeros_like(x)
        change = np.random.default_rng(seed).standard_normal(value.shape)
        if outputs == 1:
            change, steps = np.ones(value.shape), 1
        for _ in range(steps):
            u = Tensor(_unit(change)).requires_grad_()
            (back,) = grad(value, at, grad_outputs=u, create_graph=True)
            if outputs > 1:
                change = grad(back, u, grad_outputs=back.detach(), retain_graph=True)[0].array
    back = back.detach().array
    norms = _lengths(back)
    _finite("gradient_norms", norms)
    return norms, _unit(back)


def points(where: str, x: Any) -> np.ndarray:
    """x as float64 (N, …) with N ≥ 1 and finite numbers.

    Raises:
        ValueError: it is not that.
    """
    x = numbers(where, x)
    if x.ndim < 2 or not x.size:
        raise ValueError(f"{where}: expected points (N, …), at least one, got shape {x.shape}")
    _finite(where, x)
    return x


def numbers(where: str, x: Any) -> np.ndarray:
    """x as a float64 array.

    Raises:
        ValueError: it is none, such as a ragged list.
    """
    try:
        return np.asarray(x, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: expected an array of real numbers, got {x!r}") from None


def whole(where: str, name: str, value: Any, least: int = 0) -> None:
    """Raises a ValueError unless ``value`` is an int from ``least`` on."""
    if type(value) is not int or value < least:
        raise ValueError(f"{where}: {name} expects a whole number from {least} on, got {value!r}")


def _rows(where: str, value: Tensor, count: int) -> Tensor:
    if value.shape[:1] != (count,):
        raise ValueError(
            f"{where}: expected f to give {count} values (N, …), one for each point, got shape "
            f"{value.shape}"
        )
    return value


def _finite(where: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"{where}: expected finite numbers, got NaN or infinity")


def _lengths(x: np.ndarray) -> np.ndarray:
    """(N,) Euclidean norms of the samples."""
    return np.linalg.norm(x.reshape(len(x), -1), axis=1)


def _unit(x: np.ndarray) -> np.ndarray:
    """Every sample over its own length; zeros stay."""
    flat, length = x.reshape(len(x), -1), _lengths(x)[:, None]
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0).reshape(x.shape)


def steepest(
    f: Map, x: np.ndarray, reach: float, box: Box | None = None, *, seed: int = 0
) -> tuple[float, float]:
    """The largest quotient and the largest gradient norm that points (N, …) show.

    Every point is paired with another one, and with neighbours in the direction of its gradient at
    10⁻¹, 10⁻² and 10⁻³ of ``reach``, moved into the box where there is one.  Pairs closer than
    10⁻⁴ of it are left out.

    >>> points = np.linspace(-1, 1, 100)[:, None]
    >>> [round(each, 9) for each in steepest(lambda x: x.abs(), points, reach=2.0)]
    [1.0, 1.0]
    """
    x = points("steepest", x)
    norms, directions = gradient_norms(f, x, seed=seed)
    largest = 0.0
    for y in (np.roll(x, 1, axis=0), *(x + share * reach * directions for share in STEPS)):
        y = y if box is None else box.clip(y)
        apart = _lengths(x - y) >= NEAREST * reach
        if apart.any():
            largest = max(largest, float(quotients(f, x[apart], y[apart]).max()))
    return largest, float(norms.max())
