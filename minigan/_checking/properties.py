"""What a gradient owes beside its values: it does not depend on how its inputs lie in memory.

The gradient of φ_1 is taken once more in every way that must not matter: again, recorded for
differentiation, with inputs transposed, strided, reversed and broadcast (stride 0).  Two gradients
agree where they differ by rounding only; how much that is, is measured (see ``noise``).  Whether
they survive in float32 is left to ``precision``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .noise import DOUBLE, noisy
from .precision import check_float32
from .problem import Phi, Problem, flat, largest
from .report import FAIL, PASS, SKIPPED, Check

Arrays = Sequence[np.ndarray]


def check_properties(problem: Problem, order: int, seed: int) -> list[Check]:
    """All properties, on one random cotangent; float32's at every order up to ``order``."""
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
        checks += [_broadcast(phi, xs, rng), check_float32(problem, order, seed)]
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
        expected, found = flat(expected), flat(found)
        room = None
        for i, (a, b) in enumerate(zip(expected, found, strict=True)):
            what = f"the gradient by input {self.phi.problem.wrt[i - 1]}" if i else "the value"
            if a.shape != b.shape:
                return Check(name, FAIL, f"{changed}: {what} has shape {b.shape}")
            if self._close(a, b, 0.0 if i else self.phi.magnitude):
                continue
            room = room or self._rounding(expected)
            worst = largest(a, b)
            if worst > 8 * room[i] or not np.array_equal(np.isfinite(a), np.isfinite(b)):
                return Check(name, FAIL, f"{changed}: {what} differs by {worst:.2e}")
        return Check(name, PASS)

    def _close(self, a: np.ndarray, b: np.ndarray, scale: float) -> bool:
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return False
        size = max(scale, np.abs(a[np.isfinite(a)]).max(initial=0.0))
        return bool(largest(a, b) <= 1e-10 * size)

    def _rounding(self, expected: list[np.ndarray]) -> list[float]:
        room = [0.0] * len(expected)
        for _ in range(3):
            moved = flat(noisy(self.phi, self.xs, DOUBLE, self.rng))
            room = [max(r, largest(a, b)) for r, a, b in zip(room, expected, moved, strict=True)]
        return room


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
