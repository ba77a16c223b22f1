"""gradcheck: does the gradient of a function, of its gradient, … equal the real derivative?

Order k is checked by reducing f to a scalar φ_k: φ_1 = ⟨u, f(x)⟩ with a random cotangent u, and
φ_k = Σ_i ⟨v_i, ∂φ_{k-1}/∂x_i⟩.  Then the engine's directional derivative ⟨∇φ_k, d⟩ along a random
direction d is set beside a numerical one, taken along all inputs at once and along each alone:

* complex step, Im φ_k(x + ihd)/h with h = 1e-30: no cancellation, right to rounding.  It runs
  *through the backward graph*, which is made of the same primitives;
* where f is not made of analytic primitives, 4-point central differences at several step sizes,
  whose error is estimated from them (Richardson).

What cannot be decided is INCONCLUSIVE, never a pass.  Points on a kink are drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._checking.compare import Comparer
from ._checking.diagnose import findings
from ._checking.problem import Problem
from ._checking.properties import check_properties
from ._checking.report import Check, GradcheckError, Report, Row

__all__ = ["Check", "GradcheckError", "Report", "Row", "gradcheck"]

_PYTORCH = {
    "eps": "the step sizes are chosen by their measured error",
    "atol": "the tolerance comes from the measured error, and an absolute one hides small mistakes",
    "rtol": "the tolerance comes from the measured error",
    "raise_exception": "it is called raise_error here",
    "nondet_tol": "two runs must give the same bits",
    "check_undefined_grad": "leave it out",
    "check_grad_dtypes": "it is always done",
    "check_batched_grad": "leave it out",
    "check_forward_ad": "leave it out",
    "check_backward_ad": "leave it out",
    "fast_mode": "every check is along random directions",
    "masked": "leave it out",
}


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    wrt: int | Sequence[int] | None = None,
    method: str = "auto",
    probes: int = 3,
    seed: int = 0,
    raise_error: bool = True,
    **other: Any,
) -> Report:
    """Check the derivatives of ``f`` at ``inputs`` up to ``order``.

    Beside the values it checks that inputs stay unchanged, that gradients have their inputs'
    shapes and dtypes, that two runs give the same bits, that recording the gradient
    (``create_graph``) does not change it, that transposed, strided, reversed and broadcast inputs
    give the same gradient, and that float32, at every order, is as close to float64 as rounding
    allows for this function.

    Args:
        f: a deterministic function of Tensors that returns a Tensor or a tuple of them; those
            that are no floats are passed over.
        inputs: Tensors or arrays (floats are checked in float64), and anything else that f takes;
            a single tuple stands for its elements, as in PyTorch.
        order: 1 checks the gradient, 2 the gradient's gradient too, ….
        wrt: indices of the inputs to differentiate by (default: all floats).
        method: "complex", "central", or "auto": complex step where f allows it.
        probes: how many random cotangents and directions are tried.
        seed: of those.
        raise_error: raise where anything does not pass; else look at the report.

    Returns:
        A Report: ``.ok``, ``.rows``, ``.checks``, printable.  A failure shows the worst entries,
        what they look like, and the call that shows it again.

    Raises:
        GradcheckError: with the report in ``.report``.
        TypeError: PyTorch's eps, atol, rtol: there is nothing to set.

    Sources: complex step: Squire & Trapp, SIAM Review 40 (1998); Richardson 1911.

    >>> import minigan
    >>> gradcheck(lambda x: x.tanh() * x, minigan.randn(3), order=3).ok
    True
    >>> report = gradcheck(lambda x: (x * x.detach()).sum(), minigan.ones(3), raise_error=False)
    >>> [finding for finding in report.findings if "hint" in finding]
    ['  hint: off by a factor 0.5 (1/2)']
    """
    for name in other:
        reason = _PYTORCH.get(name)
        if reason is None:
            raise TypeError(f"gradcheck: unexpected keyword {name!r}")
        raise TypeError(f"gradcheck: {name} is not taken: {reason}")
    if method not in ("auto", "complex", "central"):
        raise ValueError(f'gradcheck: method must be "auto", "complex" or "central", got {method}')
    for name, number in (("order", order), ("probes", probes)):
        if number < 1:
            raise ValueError(f"gradcheck: {name} must be at least 1, got {number}")
    if len(inputs) == 1 and isinstance(inputs[0], tuple):
        inputs = inputs[0]
    problem = Problem(f, inputs, wrt)
    comparer = Comparer(problem, method, seed)
    report = Report(checks=check_properties(problem, order, seed))
    for level in range(1, order + 1):
        for _ in range(probes):
            report.rows += comparer.compare(level)
    report.resampled, report.notes = comparer.resampled, comparer.notes
    if not report.ok:
        if comparer.first_failure is not None:
            report.findings = findings(*comparer.first_failure, seed)
        report.reproducer = _reproducer(problem, order, wrt, method, probes, seed)
    if raise_error and not report.ok:
        raise GradcheckError(report)
    return report


def _reproducer(problem: Problem, order: int, wrt: Any, method: str, probes: int, seed: int) -> str:
    given = [
        f"<{x.dtype} {x.shape}>" if isinstance(x, np.ndarray) else repr(x) for x in problem.full
    ]
    name = getattr(problem.f, "__name__", type(problem.f).__name__)
    chosen = "" if wrt is None else f", wrt={list(problem.wrt)}"
    return (
        f"gradcheck({name}, {', '.join(given)}, order={order}{chosen}, "
        f'method="{method}", probes={probes}, seed={seed})'
    )
