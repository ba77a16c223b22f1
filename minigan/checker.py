"""gradcheck: does the gradient of a function, of its gradient, … equal the real derivative?

Order k is checked by reducing f to a scalar φ_k: φ_1 = ⟨u, f(x)⟩ with a random cotangent u, and
φ_k = Σ_i ⟨u_i, ∂φ_{k-1}/∂x_i⟩.  Then the engine's directional derivative ⟨∇φ_k, d⟩ along a random
direction d is set beside a numerical one, taken along all inputs at once and along each alone:

* complex step, Im φ_k(x + ihd)/h with h = 1e-30: no cancellation, right to rounding.  It runs
  *through the backward graph*, which is made of the same primitives;
* where f is not made of analytic primitives, 4-point central differences, whose error is
  estimated by comparing two step sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._tensor import Tensor
from .autograd import enable_grad, grad


class GradcheckError(AssertionError):
    """A gradient differs from the numerical derivative; ``report`` holds the comparison."""

    def __init__(self, report: Report):
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Row:
    """One comparison: ``error`` is relative, ``verdict`` is pass, FAIL or INCONCLUSIVE."""

    order: int
    inputs: str
    method: str
    engine: float
    numerical: float
    error: float
    tolerance: float
    verdict: str


@dataclass
class Report:
    """All comparisons of one gradcheck; true where every one passed."""

    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.rows) and all(row.verdict == "pass" for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [f"gradcheck: {'pass' if self.ok else 'FAIL'}"]
        for r in self.rows:
            lines.append(
                f"  order {r.order}  {r.inputs:<10} {r.method:<8} engine {r.engine:+.12e}  "
                f"numerical {r.numerical:+.12e}  relative error {r.error:.1e} "
                f"(allowed {r.tolerance:.1e})  {r.verdict}"
            )
        return "\n".join(lines)


def gradcheck(
    f: Callable[..., Tensor],
    *inputs: Any,
    order: int = 2,
    wrt: Sequence[int] | None = None,
    method: str = "auto",
    probes: int = 3,
    seed: int = 0,
    raise_error: bool = True,
) -> Report:
    """Check the derivatives of ``f`` at ``inputs`` up to ``order``.

    Args:
        f: a deterministic function of Tensors that returns a Tensor.
        inputs: Tensors or arrays; floats are checked in float64.
        wrt: indices of the inputs to differentiate by (default: all floats).
        method: "complex", "central", or "auto": complex step where f allows it.
        probes: how many random cotangents and directions are tried.
        seed: of those.
        raise_error: raise where a comparison does not pass; else look at the report.

    Returns:
        A Report: ``.ok``, ``.rows``, printable.

    Raises:
        GradcheckError: with the report in ``.report``.

    >>> import minigan
    >>> gradcheck(lambda x: x.tanh() * x, minigan.randn(3), order=3).ok
    True
    """
    if method not in ("auto", "complex", "central"):
        raise ValueError(f'gradcheck: method must be "auto", "complex" or "central", got {method}')
    arrays = [_plain(x) for x in inputs]
    if wrt is None:
        wrt = [i for i, x in enumerate(arrays) if getattr(x, "dtype", np.dtype("O")).kind == "f"]
    if not wrt:
        raise ValueError("gradcheck: no float input to differentiate by")
    rng = np.random.default_rng(seed)
    report = Report()
    for level in range(1, order + 1):
        for _ in range(probes):
            report.rows += _compare(f, arrays, list(wrt), level, method, rng)
    if raise_error and not report.ok:
        raise GradcheckError(report)
    return report


def _plain(x: Any) -> Any:
    array = x.array if isinstance(x, Tensor) else x
    is_float = isinstance(array, np.ndarray) and array.dtype.kind == "f"
    return array.astype(np.float64) if is_float else array


def _compare(f, arrays, wrt, level, method, rng) -> list[Row]:
    phi = _reduced(f, arrays, wrt, level, rng)
    xs = [arrays[i] for i in wrt]
    with enable_grad():
        leaves = [Tensor(x).requires_grad_() for x in xs]
        value = phi(leaves)
        if value.requires_grad:
            gradients = grad(value, leaves, allow_unused=True, materialize_grads=True)
        else:
            gradients = [Tensor(np.zeros_like(x)) for x in xs]
    rows = []
    for chosen in [tuple(range(len(wrt)))] + [(i,) for i in range(len(wrt)) if len(wrt) > 1]:
        d = [rng.standard_normal(x.shape) * (i in chosen) for i, x in enumerate(xs)]
        terms = [g.array * step for g, step in zip(gradients, d, strict=True)]
        engine = float(sum(t.sum() for t in terms))
        scale = float(sum(np.abs(t).sum() for t in terms))
        numerical, uncertainty, used = _numerical(phi, xs, d, method)
        size = max(abs(engine), abs(numerical))
        floor = 64 * np.finfo(np.float64).eps * scale  # rounding of the sum itself
        if used == "complex":
            floor = max(floor, uncertainty)
        difference = abs(engine - numerical)
        error = difference / size if size else 0.0
        tolerance = 1e-9 if used == "complex" else max(1e-7, 4 * uncertainty / (size or 1.0))
        if not np.isfinite([engine, numerical]).all():
            verdict = "FAIL"
        elif used == "central" and uncertainty > max(1e-5 * size, floor):
            verdict = "INCONCLUSIVE"
        else:
            verdict = "pass" if difference <= max(tolerance * size, floor) else "FAIL"
        name = "all inputs" if len(chosen) > 1 or len(wrt) == 1 else f"input {wrt[chosen[0]]}"
        rows.append(Row(level, name, used, engine, numerical, error, tolerance, verdict))
    return rows


def _reduced(f, arrays, wrt, level, rng) -> Callable[[Sequence[Tensor]], Tensor]:
    """φ_level as a function of the inputs in ``wrt``, with its random cotangents fixed."""
    cotangents: list = []

    def cotangent(k: int, shape: tuple) -> Tensor:
        while len(cotangents) <= k:
            cotangents.append(rng.standard_normal(shape))
        return Tensor(cotangents[k])

    def phi(leaves: Sequence[Tensor]) -> Tensor:
        full = [Tensor(x) if isinstance(x, np.ndarray) else x for x in arrays]
        for i, leaf in zip(wrt, leaves, strict=True):
            full[i] = leaf
        y = f(*full)
        value, k = (y * cotangent(0, y.shape)).sum(), 1
        for _ in range(1, level):
            if value.requires_grad:
                gradients = grad(
                    value, leaves, create_graph=True, allow_unused=True, materialize_grads=True
                )
            else:
                gradients = [Tensor(np.zeros_like(x.array)) for x in leaves]
            value = None
            for g in gradients:
                term = (g * cotangent(k, g.shape)).sum()
                value, k = term if value is None else value + term, k + 1
        return value

    return phi


def _numerical(phi, xs, d, method) -> tuple[float, float, str]:
    """The directional derivative of φ, its estimated absolute error, and how it was taken."""

    def at(h: complex) -> complex:
        moved = [Tensor(x + h * step).requires_grad_() for x, step in zip(xs, d, strict=True)]
        with enable_grad():
            return phi(moved).array.item()

    if method in ("auto", "complex"):
        try:
            value = at(1e-30j)
        except TypeError:
            if method == "complex":
                raise
        else:
            # The step's own error is h²/6 times the third derivative: 1e-50 unless that is huge.
            return complex(value).imag * 1e30, 1e-50, "complex"

    step = 5e-4
    values = {k: at(k * step) for k in (-4, -2, -1, 1, 2, 4)}

    def central(k: int) -> float:
        near, far = values[k] - values[-k], values[2 * k] - values[-2 * k]
        return (8 * near - far) / (12 * k * step)

    fine, coarse = central(1), central(2)
    if len(set(values.values())) == 1:  # constant to the last bit: nothing was rounded away
        return fine, 0.0, "central"
    rounding = 1e-16 * abs(values[1]) / step
    return fine, abs(fine - coarse) + rounding, "central"
