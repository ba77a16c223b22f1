"""What a gradient owes beside its values: it does not depend on how its inputs lie in memory.

The gradient of φ_1 is taken once more in every way that must not matter: again, recorded for
differentiation, with inputs transposed, strided, reversed and broadcast (stride 0), in float32.
Two gradients agree where they differ by rounding only; how much that is, is measured by moving
the inputs by a few units in the last place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .numeric import EPS
from .problem import Phi, Problem
from .report import FAIL, PASS, SKIPPED, Check

Arrays = Sequence[np.ndarray]


def check_properties(problem: Problem, seed: int) -> list[Check]:
    """All properties, on one random cotangent."""
    phi = Phi(problem, 1, np.random.default_rng([seed, 2]))
    rng = np.random.default_rng([seed, 3])
    xs = problem.point
    before = [np.array(x) if isinstance(x, np.ndarray) else x for x in problem.full]
    value, gradients = phi.engine(xs)
    checks = [_unchanged(before, problem.full), _form(xs, gradients)]
    again, repeated = phi.engine(xs)
    checks.append(_repeatable((value, *gradients), (again, *repeated)))
    if checks[-1].verdict == PASS and checks[1].verdict == PASS:
        agree, plain = Agreement(phi, xs, rng), (value, gradients)
        recorded = phi.engine(xs, create_graph=True)
        checks.append(agree("recorded", plain, recorded, "create_graph=True"))
        for name, layout in LAYOUTS.items():
            laid_out = phi.engine([layout(x) for x in xs])
            checks.append(agree(name, plain, laid_out, f"{name} inputs"))
        checks += [_broadcast(phi, xs, rng), _float32(phi, xs, rng)]
    return checks


def _unchanged(before: Sequence[Any], after: Sequence[Any]) -> Check:
    for i, (x, y) in enumerate(zip(before, after, strict=True)):
        if isinstance(x, np.ndarray) and x.tobytes() != np.ascontiguousarray(y).tobytes():
            return Check("inputs unchanged", FAIL, f"input {i} was changed in place")
    return Check("inputs unchanged", PASS)


def _form(xs: Arrays, gradients: Arrays) -> Check:
    for i, (x, g) in enumerate(zip(xs, gradients, strict=True)):
        if g.shape != x.shape or g.dtype != x.dtype:
            detail = f"input {i}: {x.dtype} {x.shape}, its gradient {g.dtype} {g.shape}"
            return Check("shape and dtype", FAIL, detail)
    return Check("shape and dtype", PASS)


def _repeatable(first: Sequence[Any], second: Sequence[Any]) -> Check:
    same = all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for a, b in zip(first, second, strict=True)
    )
    detail = "two runs differ: does the function draw random numbers or keep a state?"
    return Check("repeatable", PASS if same else FAIL, "" if same else detail)


class Agreement:
    """Whether values and gradients of φ at one point are equal but for rounding."""

    def __init__(self, phi: Phi, xs: Arrays, rng: np.random.Generator):
        self.phi, self.xs, self.rng = phi, xs, rng

    def __call__(self, name: str, expected: tuple, found: tuple, changed: str) -> Check:
        expected, found = _flat(expected), _flat(found)
        room = None
        for i, (a, b) in enumerate(zip(expected, found, strict=True)):
            what = f"the gradient by input {self.phi.problem.wrt[i - 1]}" if i else "the value"
            if a.shape != b.shape:
                return Check(name, FAIL, f"{changed}: {what} has shape {b.shape}")
            if self._close(a, b, 0.0 if i else self.phi.magnitude):
                continue
            room = room or self._rounding(expected)
            worst = _largest(a, b)
            if worst > 8 * room[i] or not np.array_equal(np.isfinite(a), np.isfinite(b)):
                return Check(name, FAIL, f"{changed}: {what} differs by {worst:.2e}")
        return Check(name, PASS)

    def _close(self, a: np.ndarray, b: np.ndarray, scale: float) -> bool:
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return False
        size = max(scale, np.abs(a[np.isfinite(a)]).max(initial=0.0))
        return bool(_largest(a, b) <= 1e-10 * size)

    def _rounding(self, expected: list[np.ndarray]) -> list[float]:
        room = [0.0] * len(expected)
        for _ in range(3):
            xs = [x * (1 + 4 * EPS * self.rng.standard_normal(x.shape)) for x in self.xs]
            with np.errstate(all="ignore"):
                moved = _flat(self.phi.engine(xs))
            room = [max(r, _largest(a, b)) for r, a, b in zip(room, expected, moved, strict=True)]
        return room


def _flat(found: tuple) -> list[np.ndarray]:
    """(value, gradients) as one list of arrays."""
    value, gradients = found
    return [np.asarray(value), *gradients]


def _largest(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of finite entries."""
    finite = np.isfinite(a) & np.isfinite(b)
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0))


# ------------------------------------------------------------------------------ memory layouts


def _transposed(x: np.ndarray) -> np.ndarray:
    return np.array(x, order="F")


def _strided(x: np.ndarray) -> np.ndarray:
    room = np.full([2 * n for n in x.shape], 1e30)
    view = room[(..., *(slice(0, 2 * n, 2) for n in x.shape))]
    view[...] = x
    return view


def _reversed(x: np.ndarray) -> np.ndarray:
    backwards = (slice(None, None, -1),) * x.ndim
    return np.array(x[backwards], order="C")[backwards]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "transposed": _transposed,
    "strided": _strided,
    "reversed": _reversed,
}


def _stride_0(x: np.ndarray) -> np.ndarray:
    """``x`` with its first entry along the middle dimension everywhere along it."""
    axis = x.ndim // 2
    first = x[(slice(None),) * axis + (slice(0, 1),)]
    return np.broadcast_to(first.copy(), x.shape)


def _broadcast(phi: Phi, xs: Arrays, rng: np.random.Generator) -> Check:
    """Repeated values in one place of memory or in many: the gradient is the same."""
    name = "broadcast"
    thin = [_stride_0(x) if x.ndim and x.size else x for x in xs]
    full = [np.array(x, order="C") for x in thin]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            expected = phi.engine(full)
        except Exception as error:  # equal values are outside the function's domain
            return Check(name, SKIPPED, f"equal values raise {type(error).__name__}")
        found = phi.engine(thin)
        return Agreement(phi, full, rng)(name, expected, found, "stride-0 inputs")


# ------------------------------------------------------------------------------ float32

EPS32 = float(np.finfo(np.float32).eps)
ALLOWED32 = 32.0


def _float32(phi: Phi, xs: Arrays, rng: np.random.Generator) -> Check:
    """Float32 gradients of float32 inputs, beside float64's at the very same points.

    The deviation is given in units of ε·(max |g| + κ), with κ = max |Δg|/ε the gradient's own
    sensitivity to a relative change ε of the inputs: its condition.
    """
    name = "float32"
    narrow = [x.astype(np.float32) for x in xs]
    wide = [x.astype(np.float64) for x in narrow]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = phi.engine(narrow, dtype=np.float32)[1]
        value, expected = phi.engine(wide)
        if any(g.dtype != np.float32 for g in found):
            return Check(name, FAIL, f"the gradients are {', '.join(str(g.dtype) for g in found)}")
        if 0 < max(np.abs(g).max(initial=0.0) for g in expected) < 1e-35:
            return Check(name, SKIPPED, "beyond the range of float32")
        finite = [np.isfinite(g).all() for g in (*found, *expected)]
        if not all(finite):
            large = max(abs(value), *(np.abs(g).max(initial=0.0) for g in expected))
            same = not all(np.isfinite(g).all() for g in expected)
            if same or not large < 1e30:
                return Check(name, SKIPPED, "beyond the range of float32")
            return Check(name, FAIL, "a gradient is not finite in float32, but is in float64")
        scale = [float(np.abs(g).max(initial=0.0)) for g in expected]
        for at, dtype in ((wide, np.float64), (narrow, np.float32)):
            base = expected if dtype == np.float64 else found
            for _ in range(2):
                xs = [
                    (x * (1 + 2 * EPS32 * rng.standard_normal(x.shape))).astype(dtype) for x in at
                ]
                moved = phi.engine(xs, dtype=dtype)[1]
                scale = [
                    max(s, float(np.abs(a - b).max(initial=0.0)) / EPS32)
                    for s, a, b in zip(scale, base, moved, strict=True)
                ]
    units = [
        _units(_largest(a, b), s, float(np.abs(a).max(initial=0.0)), phi.magnitude)
        for a, b, s in zip(expected, found, scale, strict=True)
    ]
    worst = max(units)
    verdict = PASS if worst <= ALLOWED32 else FAIL
    detail = "" if verdict == PASS else f"{worst:.1e} units of float32's rounding from float64"
    return Check(name, verdict, detail, worst)


def _units(deviation: float, scale: float, size: float, magnitude: float) -> float:
    """The deviation in units of ε·scale; a gradient that is 0 but for rounding deviates by 0."""
    if not deviation or (size <= 1e4 * EPS * magnitude and deviation <= 64 * EPS32 * magnitude):
        return 0.0
    return deviation / (EPS32 * scale) if scale else float("inf")
