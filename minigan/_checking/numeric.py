"""The derivative of a number along a line, without the engine's help.

* **Complex step**: Im φ(x + ihd)/h with h = 1e-30 has no subtraction, hence no cancellation; its
  own error is h² and vanishes.  Source: Squire & Trapp, "Using complex variables to estimate
  derivatives of real functions", SIAM Review 40 (1998).
* **Central differences** with four points,

      D(h) = [8(φ(h) - φ(-h)) - (φ(2h) - φ(-2h))]/(12h) = φ'(0) + O(h⁴),

  taken at several h, each half the one before.  As D(2h) errs 16 times as much as D(h), their
  difference bounds the error (Richardson); the h with the smallest bound wins.
* **Kinks** are told from smooth points by the second difference s(h) = (φ(h) - 2φ(0) + φ(-h))/h,
  which goes to 0 with h where φ is smooth, to the jump of φ' where that jumps, and to infinity
  where φ itself does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .problem import Phi

EPS = float(np.finfo(np.float64).eps)
COMPLEX_STEP = 1e-30
LARGEST, SMALLEST = 6, 20  # steps 2⁻⁶ … 2⁻²⁰


@dataclass(frozen=True)
class Estimate:
    """A numerical derivative, its estimated absolute error, and how it was taken."""

    value: float
    error: float
    method: str


class Line:
    """φ along x + t·d."""

    def __init__(self, phi: Phi, xs: Sequence[np.ndarray], d: Sequence[np.ndarray]):
        self.phi, self.xs, self.d = phi, xs, d
        self.values: dict[float, float] = {}

    def at(self, t: float) -> float:
        """φ(x + t·d), computed once; nan beside the domain."""
        if t not in self.values:
            moved = [x + t * step for x, step in zip(self.xs, self.d, strict=True)]
            with np.errstate(all="ignore"):
                self.values[t] = float(self.phi.at(moved))
        return self.values[t]

    def complex_step(self) -> Estimate:
        """Raises TypeError where the function does not take complex numbers."""
        moved = [x + 1j * COMPLEX_STEP * d for x, d in zip(self.xs, self.d, strict=True)]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                value: Any = complex(self.phi.at(moved))
            except np.exceptions.ComplexWarning as error:
                raise TypeError(f"an imaginary part was dropped: {error}") from error
        return Estimate(value.imag / COMPLEX_STEP, 0.0, "complex")

    def central(self) -> Estimate:
        """The best of the step sizes, which are tried until one is good enough."""
        best, before = Estimate(float("nan"), float("inf"), "central"), None
        previous = float("inf")
        for k in range(LARGEST, SMALLEST + 1):
            h = 2.0**-k
            value = self._four_points(h)
            if before is not None:
                difference = abs(value - before)
                # One small difference may be luck; two in a row are convergence.
                error = max(difference, previous / 32) + self._rounding(h)
                previous = difference
                # Steps longer than φ's bends agree on little, until a shorter one sees the slope.
                apart = abs(value - best.value)
                refuted = apart > max(4 * (error + best.error), abs(value) / 2)
                if error < best.error or refuted:
                    best = Estimate(value, error, "central")
                if self._constant(h):
                    return Estimate(0.0, 0.0, "central")
                if error <= 1e-10 * abs(value):
                    break
            before = value
        return best

    def _four_points(self, h: float) -> float:
        near = self.at(h) - self.at(-h)
        far = self.at(2 * h) - self.at(-2 * h)
        return (8 * near - far) / (12 * h)

    def _rounding(self, h: float) -> float:
        return EPS * abs(self.at(h)) / h

    def _constant(self, h: float) -> bool:
        """The same to the last bit from -4h to 4h: the derivative is 0, nothing was rounded away.

        Not said of small h, from which a small slope cannot be seen.
        """
        return h >= 2.0**-12 and len({self.at(k * h) for k in (-4, -2, -1, 0, 1, 2, 4)}) == 1

    def size(self) -> float:
        """What φ is rounded at; where φ itself is nothing but rounding, that is the inputs'."""
        size = max(self.phi.magnitude, *map(abs, self.values.values()))
        inputs = max((float(np.abs(x).max(initial=0.0)) for x in self.xs), default=0.0)
        return inputs if size <= 1e4 * EPS * inputs else size

    def has_kink(self) -> bool:
        """Whether φ or its derivative jumps here, within the smallest steps."""
        steps = [2.0**-k for k in (18, 16, 14)]
        bends = [(self.at(h) - 2 * self.at(0.0) + self.at(-h)) / h for h in steps]
        if not np.isfinite(bends).all():
            return True  # the edge of the domain
        noise = 64 * EPS * self.size() / steps[0]
        sizes = [abs(b) for b in bends]
        slope = abs(self.at(steps[0]) - self.at(-steps[0])) / (2 * steps[0])
        enough = max(noise, 1e-7 * slope)
        return sizes[0] > enough and sizes[0] > 0.5 * sizes[1] and sizes[0] > 0.5 * sizes[2]
