"""Is float32 as good as float32 can be?

A gradient in float32 differs from float64's by rounding, and how much rounding does depends on the
function: of 1 - y² beside y = 1 it leaves a digit or two of the seven.  The deviation is therefore
given in units that are measured, in float64 with float32's noise (see ``noise``):

    unit = max(ε·max |g|, max_p max |g_p - g|),        deviation = max |g₃₂ - g|/unit ≤ 32,

with ε = 2⁻²³, g the gradient in float64, g_p four noisy ones, g₃₂ the gradient in float32, all at
a point that float32 represents; and the same for the value.  Nothing of the unit is computed in
float32, so a mistake made there alone does not widen its own tolerance.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Absent, Tensor
from ..autograd import Call, op_hook
from .noise import SINGLE, noisy
from .problem import Phi, Problem, flat, largest
from .report import FAIL, PASS, SKIPPED, Check

NARROW, WIDE = np.dtype(np.float32), np.dtype(np.float64)
EPS32 = float(np.finfo(np.float32).eps)
PROBES = 4
ALLOWED = 32.0  # a sum of thousands and a kernel with errors of its own need some of them
BEYOND = "beyond the range of float32"


def check_float32(problem: Problem, order: int, seed: int) -> Check:
    """The deviation of float32 from float64 at every order up to ``order``, in units of rounding.

    Fails beyond 32 units, where float32 alone is not finite, and where an operation makes float64
    of float32.  Where 32 units are as much as the gradient itself, any would pass: its input is
    named in the detail, and where no gradient is left that can be judged, the check is skipped.
    """
    rng = np.random.default_rng([seed, 5])
    problem, checks = problem.rounded(np.float32), []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for k in range(1, order + 1):
            checks.append(_at_order(Phi(problem, k, rng), rng))
            if checks[-1].verdict == FAIL:
                return checks[-1]
    verdict = PASS if any(check.verdict == PASS for check in checks) else SKIPPED
    detail = "; ".join(check.detail for check in checks if check.detail)
    return Check("float32", verdict, detail, max(check.deviation for check in checks))


def _at_order(phi: Phi, rng: np.random.Generator) -> Check:
    """One order's φ and ∇φ."""

    def check(verdict: str, what: str = "", deviation: float = 0.0) -> Check:
        return Check("float32", verdict, what and f"order {phi.order}: {what}", deviation)

    xs, promoting = phi.problem.point, set()
    expected = flat(phi.engine(xs))
    with op_hook(promotions(promoting)):
        found = flat(phi.engine([x.astype(np.float32) for x in xs], dtype=np.float32))
    if promoting:
        return check(FAIL, f"float64 is made of float32 by {', '.join(sorted(promoting))}")
    sizes = [float(np.abs(a).max(initial=0.0)) for a in expected]
    if not np.isfinite(sizes).all() or 0 < max(sizes[1:]) < 1e-35:
        return check(SKIPPED, BEYOND)
    if not all(np.isfinite(b).all() for b in found):
        if max(sizes) >= 1e30:
            return check(SKIPPED, BEYOND)
        return check(FAIL, "not finite in float32, but in float64")

    units = [EPS32 * size for size in sizes]
    for _ in range(PROBES):
        moved = flat(noisy(phi, xs, SINGLE, rng))
        units = [max(u, largest(a, b)) for u, a, b in zip(units, expected, moved, strict=True)]
    deviations = [
        _ratio(largest(a, b), unit) for a, b, unit in zip(expected, found, units, strict=True)
    ]
    names = ["the value", *(f"the gradient by input {i}" for i in phi.problem.wrt)]
    worst = max(deviations)
    if worst > ALLOWED:
        name = names[deviations.index(worst)]
        return check(FAIL, f"{name} is {worst:.1e} units of rounding from float64's", worst)
    lost = [
        name
        for name, unit, size in zip(names[1:], units[1:], sizes[1:], strict=True)
        if unit and ALLOWED * unit >= size
    ]
    what = f"rounding leaves nothing of {', '.join(lost)}" if lost else ""
    return check(PASS if len(lost) < len(phi.problem.wrt) else SKIPPED, what, worst)


def _ratio(deviation: float, unit: float) -> float:
    if not deviation:
        return 0.0
    return deviation / unit if unit else float("inf")


def promotions(names: set[str]) -> Callable[[Call, Callable[[], Any]], Any]:
    """An op hook that notes the Functions that make float64 of float32.

    A gradient's dtype does not show it: the engine casts it to its input's.  What was told to make
    float64, a Cast, has a ``dtype``.
    """

    def note(call: Call, run: Callable[[], Any]) -> Any:
        result = run()
        told = getattr(call.function, "dtype", NARROW) == WIDE
        given = {x.dtype for x in call.inputs if isinstance(x, (Tensor, Absent))}
        made = {y.dtype for y in (result if call.kind == "vjp" else [result]) if y is not None}
        if NARROW in given and WIDE in made - given and not told:
            names.add(type(call.function).__name__)
        return result

    return note
