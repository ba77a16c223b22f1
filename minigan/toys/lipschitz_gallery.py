"""Continuous functions of one number, and their Lipschitz constants.

f is Lipschitz with the constant L when |f(x) - f(y)| ≤ L·|x - y| for all x and y of its domain.  In
a picture: no point of the graph lies inside the upright double cone of slope L around another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from .. import ops
from .._tensor import Tensor
from .lipschitz_samples import Box, Map, steepest


@dataclass(frozen=True)
class Function:
    """A continuous function and its Lipschitz constants.

    Attributes:
        name: its formula.
        value: computes it, on Tensors.
        shown: the ends of the interval that the cone picture shows.
        constant: on its whole domain; inf where it has none.
        slope: of the cones drawn: ``constant`` where it is finite, else one that is broken.
        on: (low, high) → the exact constant on this interval.
        domains: (parameter, low, high) of growing or shrinking intervals.
        says: what the parameter is.
    """

    name: str
    value: Map
    shown: tuple[float, float]
    constant: float
    slope: float
    on: Callable[[float, float], float]
    domains: tuple[tuple[float, float, float], ...]
    says: str = "half-width R of [−R, R]"

    def measure(self, low: float, high: float, count: int = 2001) -> tuple[float, float]:
        """The largest quotient and gradient among evenly spaced points, both ends included.

        >>> [round(each, 6) for each in GALLERY[4].measure(-3.0, 3.0)]  # x² on [-3, 3]
        [5.997, 6.0]
        """
        x = np.linspace(low, high, count)[:, None]
        return steepest(self.value, x, high - low, Box.of(low, high, (1,)))

    def inside_cone(self, x: np.ndarray, around: float, slope: float) -> np.ndarray:
        """Which points of the graph lie inside the cone of ``slope`` around (around, f(around)).

        >>> GALLERY[0].inside_cone(np.array([-1.0, 2.0]), 1.0, 0.5)  # |x| is steeper than ½
        array([False,  True])
        """
        y, centre = (self.value(Tensor(np.asarray(v, float))).array for v in (x, around))
        return np.abs(y - centre) > slope * np.abs(x - around) + 1e-12


_GROWING = tuple((r, -r, r) for r in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0))
_SHRINKING = tuple((4.0**-k, 4.0**-k, 1.0) for k in range(1, 8))


def _steepest_at_0(slope: float) -> Callable[[float, float], float]:
    def on(low: float, high: float) -> float:
        if not low < 0 < high:
            raise ValueError(f"expected an interval around 0, got [{low}, {high}]")
        return slope

    return on


GALLERY = (
    Function("|x|", ops.kinks.abs, (-2, 2), 1.0, 1.0, _steepest_at_0(1.0), _GROWING),
    Function("sin x", ops.smooth.sin, (-5, 5), 1.0, 1.0, _steepest_at_0(1.0), _GROWING),
    Function("tanh x", ops.smooth.tanh, (-3, 3), 1.0, 1.0, _steepest_at_0(1.0), _GROWING),
    Function("sigmoid x", ops.smooth.sigmoid, (-6, 6), 0.25, 0.25, _steepest_at_0(0.25), _GROWING),
    Function(
        "x²", lambda x: x * x, (-2, 2), inf, 2.0, lambda a, b: 2 * max(abs(a), abs(b)), _GROWING
    ),
    Function(
        "√x",
        ops.powers.sqrt,
        (0, 1),
        inf,
        2.0,
        lambda a, b: 0.5 / sqrt(a) if a > 0 else inf,
        _SHRINKING,
        "left end δ of [δ, 1]",
    ),
)
