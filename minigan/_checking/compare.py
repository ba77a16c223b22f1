"""The engine's directional derivative beside the numerical one: what passes, what fails.

The tolerance comes from the estimated error of the numerical derivative and is relative: no
absolute term lets a small gradient through.  Where the two differ, the rounding of both is
*measured* (see ``noise``): a derivative that is 0 but for rounding (the bias before a BatchNorm)
passes, a forgotten one of 1e-8 does not.
"""

from __future__ import annotations

import numpy as np

from .noise import DOUBLE, noisy
from .numeric import EPS, Estimate, Line
from .problem import Phi, Problem
from .report import FAIL, INCONCLUSIVE, PASS, Row

ATTEMPTS = 8
DECIDED = 1e-5  # a numerical derivative known less well than this decides nothing


class NotAnalytic(TypeError):
    """The function takes complex numbers, but is not the real one's continuation there."""


class Comparer:
    """Compares order after order of one problem; ``method`` falls from auto to what works."""

    def __init__(self, problem: Problem, method: str, seed: int):
        self.problem, self.method = problem, method
        self.rng = np.random.default_rng(seed)
        self.spare = np.random.default_rng([seed, 1])  # of new points; cotangents stay the same
        self.resampled = 0
        self.notes: list[str] = []
        self.first_failure: tuple[Phi, list[np.ndarray], str] | None = None
        self.analytic: set[int] = set()  # orders at which the complex step was confirmed

    def compare(self, order: int) -> list[Row]:
        """One probe: along all inputs at once and along each alone."""
        phi, xs = Phi(self.problem, order, self.rng), self.problem.point
        for _ in range(ATTEMPTS):
            rows, on_kink = self._at(phi, xs)
            if not on_kink:
                break
            self.resampled += 1
            xs = [_moved(x, self.spare) for x in xs]  # and on from there, further each time
        failed = [row for row in rows if row.verdict == FAIL]
        if failed and self.first_failure is None:
            self.first_failure = (phi, xs, failed[0].method)
        return rows

    def _at(self, phi: Phi, xs: list[np.ndarray]) -> tuple[list[Row], bool]:
        value, gradients = phi.engine(xs)
        count = len(xs)
        steps = [self.rng.standard_normal(x.shape) * _size(x) for x in xs]
        rows, on_kink = [], False
        for chosen in [range(count), *([i] for i in range(count) if count > 1)]:
            d = [step * (i in chosen) for i, step in enumerate(steps)]
            line = Line(phi, xs, d)
            line.values[0.0] = value
            estimate = self._numerical(line)
            terms = [g * step for g, step in zip(gradients, d, strict=True)]
            engine = float(sum(t.sum() for t in terms))
            scale = float(sum(np.abs(t).sum() for t in terms))
            tolerance, verdict = _verdict(engine, scale, estimate)
            if verdict != PASS:
                if line.has_kink():
                    verdict = INCONCLUSIVE
                elif self._only_rounding(line, engine, estimate):
                    verdict = PASS
                on_kink = on_kink or verdict == INCONCLUSIVE  # another point may do
            size = max(abs(engine), abs(estimate.value))
            error = abs(engine - estimate.value) / size if size else 0.0
            every = count == 1 or len(chosen) > 1
            name = "all inputs" if every else f"input {self.problem.wrt[chosen[0]]}"
            found = (estimate.method, engine, estimate.value, error, tolerance, verdict)
            rows.append(Row(phi.order, name, *found))
        return rows, on_kink

    # -- the numerical side

    def _numerical(self, line: Line) -> Estimate:
        if self.method != "central":
            try:
                estimate = line.complex_step()
                self._confirm(line, estimate)
            except Exception as error:  # whatever f says to complex numbers
                if self.method == "complex":
                    raise
                self.notes.append(f"central differences instead of a complex step: {error}")
                self.method = "central"
            else:
                return estimate
        return line.central()

    def _confirm(self, line: Line, estimate: Estimate) -> None:
        """Once an order: what the function does with complex numbers fits its real values."""
        order = line.phi.order
        if order in self.analytic:
            return
        self.analytic.add(order)
        rough = line.central()
        apart = abs(rough.value - estimate.value)
        size = max(abs(rough.value), abs(estimate.value))
        known = np.isfinite(rough.error) and rough.error <= DECIDED * size
        if known and apart > max(10 * rough.error, 1e-6 * size) and not line.has_kink():
            raise NotAnalytic(
                f"it gives {estimate.value:.6e}, the real values {rough.value:.6e}; the function "
                "does not continue analytically"
            )

    # -- rounding

    def _only_rounding(self, line: Line, engine: float, estimate: Estimate) -> bool:
        """Whether the two differ by no more than rounding errors move them.

        An engine that says exactly 0 everywhere does not move: it has forgotten the gradient.
        """
        if not np.isfinite([engine, estimate.value]).all():
            return False
        moves, others = [], []
        for _ in range(6):
            _, gradients = noisy(line.phi, line.xs, DOUBLE, self.spare)
            terms = zip(gradients, line.d, strict=True)
            moves.append(abs(sum((g * d).sum() for g, d in terms) - engine))
            if estimate.method == "complex":
                xs = [x * (1 + 4 * EPS * self.spare.standard_normal(x.shape)) for x in line.xs]
                moved = Line(line.phi, xs, line.d).complex_step()
                others.append(abs(moved.value - estimate.value))
        rounding, difference = max(moves), abs(engine - estimate.value)
        if not rounding:
            return False
        if estimate.method == "complex":
            return bool(difference <= 16 * (rounding + max(others)))
        if estimate.error <= DECIDED * max(abs(engine), abs(estimate.value)):
            return bool(difference <= 8 * rounding)
        # Differences see no more than φ's own rounding; then the engine's word is 0 as well.
        size = line.size()
        blind, zero = estimate.error <= 1e-8 * size, rounding >= 0.01 * abs(engine)
        return bool(blind and zero and difference <= 16 * (estimate.error + EPS * size))


def _verdict(engine: float, scale: float, estimate: Estimate) -> tuple[float, str]:
    """The relative tolerance, and pass, FAIL or INCONCLUSIVE by it."""
    size = max(abs(engine), abs(estimate.value))
    floor = 64 * EPS * scale  # rounding of the sum itself
    least = 1e-9 if estimate.method == "complex" else 1e-7
    tolerance = max(least, 4 * estimate.error / size) if size else least
    if not np.isfinite(engine) or (estimate.method == "complex" and np.isnan(estimate.value)):
        return tolerance, FAIL
    if not np.isfinite(estimate.value) or estimate.error > max(DECIDED * size, floor):
        return tolerance, INCONCLUSIVE
    difference = abs(engine - estimate.value)
    return tolerance, PASS if difference <= max(tolerance * size, floor) else FAIL


def _size(x: np.ndarray) -> float:
    """Directions are as long as the inputs, where these are large or small."""
    typical = float(np.sqrt((x * x).mean())) if x.size else 0.0
    return typical if typical > 1 or 0 < typical < 1e-3 else 1.0


def _moved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A point near x: away from a kink, inside the domain."""
    typical = float(np.sqrt((x * x).mean())) if x.size else 0.0
    room = np.maximum(np.abs(x), (typical or 1.0) / 4)
    return x + room * rng.standard_normal(x.shape) / 16
