"""Of a gradient that is wrong: which entries, how, and what that looks like.

The failing gradient is compared with the numerical one coordinate by coordinate (every one of
small inputs, a draw of large ones), and the pattern of the differences names a usual cause.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from .numeric import Line
from .problem import Phi

MOST = 600  # coordinates that are looked at, per input
SHOWN = 4


def findings(phi: Phi, xs: list[np.ndarray], method: str, seed: int) -> list[str]:
    """Lines for the report: the worst entries of each wrong gradient, and a hint."""
    lines = []
    _, gradients = phi.engine(xs)
    for k, (x, engine) in enumerate(zip(xs, gradients, strict=True)):
        numerical = _coordinates(phi, xs, k, method, seed)
        known = np.isfinite(numerical)
        scale = np.abs(np.where(known, numerical, 0)).max(initial=0.0)
        wrong = known & ~(np.abs(engine - numerical) <= 1e-6 * np.abs(numerical) + 1e-9 * scale)
        if not wrong.any():
            continue
        name = f"φ_{phi.order} by input {phi.problem.wrt[k]}"
        seen = "" if known.all() else f" of {int(known.sum())} compared"
        lines.append(f"{name}: {int(wrong.sum())} of {x.size} entries wrong{seen}")
        gap = np.where(wrong, np.abs(engine - numerical), -1.0)
        for flat in np.argsort(-gap, axis=None)[: min(SHOWN, int(wrong.sum()))]:
            index = tuple(map(int, np.unravel_index(flat, x.shape)))
            lines.append(
                f"    {list(index)}  engine {engine[index]:+.9e}  numerical {numerical[index]:+.9e}"
            )
        with np.errstate(all="ignore"):
            guess = hint(engine, numerical, wrong)
        if guess:
            lines.append(f"  hint: {guess}")
    if lines and phi.order > 1:
        lines.append(
            f"  hint: order {phi.order - 1} was right, so a vjp's gradient is wrong: is a value "
            "that depends on the inputs held constant there (detached, saved as an array)?"
        )
    return lines


def _coordinates(phi: Phi, xs: list[np.ndarray], k: int, method: str, seed: int) -> np.ndarray:
    """The numerical ∂φ/∂x_k; nan where it was not taken."""
    found = np.full(xs[k].shape, np.nan)
    order = np.random.default_rng([seed, 4]).permutation(xs[k].size)[:MOST]
    for flat in order:
        d = [np.zeros_like(x) for x in xs]
        d[k].flat[flat] = 1.0
        line = Line(phi, xs, d)
        estimate = line.complex_step() if method == "complex" else line.central()
        found.flat[flat] = estimate.value
    return found


def hint(engine: np.ndarray, numerical: np.ndarray, wrong: np.ndarray) -> str:
    """What the pattern of wrong entries looks like; "" if nothing known."""
    if not np.isfinite(engine).all():
        return "the engine's gradient is not finite"
    if not engine.any():
        return "the gradient is 0: detached from the graph, or a vjp gives None"
    guesses = [tell(engine, numerical, wrong) for tell in (_factor, _rearranged, _shifted)]
    whole = next((guess for guess in guesses if guess), "")
    return whole or ", ".join(
        filter(None, (_where(engine, wrong), _part(engine, numerical, wrong)))
    )


def _constant(values: np.ndarray) -> bool:
    middle = np.median(values)
    return bool(
        np.isfinite(values).all() and np.abs(values - middle).max() <= 1e-6 * abs(middle) != 0
    )


def _number(ratios: np.ndarray) -> str:
    ratio = float(np.median(ratios))
    inverse = f" (1/{1 / ratio:.6g})" if 0 < abs(ratio) < 0.9 else ""
    return f"{ratio:.6g}{inverse}"


def _factor(engine: np.ndarray, numerical: np.ndarray, wrong: np.ndarray) -> str:
    some = np.isfinite(numerical) & (np.abs(numerical) > 1e-9 * np.nanmax(np.abs(numerical)))
    if not some.any() or (wrong & ~some).any() or not _constant(engine[some] / numerical[some]):
        return ""
    ratio = float(np.median(engine[some] / numerical[some]))
    if abs(ratio + 1) < 1e-6:
        return "the sign is flipped"
    text = f"off by a factor {_number(engine[some] / numerical[some])}"
    counts = {int(np.prod(engine.shape)): "the number of elements"}
    counts |= {
        n: f"the length of dimension {d}" for d, n in reversed(list(enumerate(engine.shape)))
    }
    for count, what in counts.items():
        if count > 1 and min(abs(ratio - count), abs(1 / ratio - count)) < 1e-4:
            return f"{text}, {what}: a sum in place of a mean, or the reverse?"
    return text


def _part(engine: np.ndarray, numerical: np.ndarray, wrong: np.ndarray) -> str:
    """Some entries are right and the others off by one factor."""
    if wrong.all():
        return ""
    if not numerical[wrong].any():
        return "these entries should be 0, the rest is right"
    ratios = engine[wrong] / numerical[wrong]
    if _constant(ratios):
        return f"these entries are off by a factor {_number(ratios)}, the rest is right"
    return ""


def _where(engine: np.ndarray, wrong: np.ndarray) -> str:
    """All wrong entries in one or two rows, columns, … of several."""
    for axis, length in enumerate(engine.shape):
        others = tuple(a for a in range(engine.ndim) if a != axis)
        places = np.flatnonzero(wrong.any(axis=others))
        if length > 2 and 0 < len(places) <= max(1, length // 3) and wrong.sum() > len(places):
            edge = all(p in (0, length - 1) for p in places)
            what = "wrong" if engine[wrong].any() else "0"
            kind = " (a boundary: padding or a left-over edge?)" if edge else ""
            where = ", ".join(map(str, places))
            return f"it is {what} only at {where} of dimension {axis} (length {length}){kind}"
    return ""


def _rearranged(engine: np.ndarray, numerical: np.ndarray, wrong: np.ndarray) -> str:
    if not np.isfinite(numerical).all() or engine.size < 2:
        return ""
    for axis in range(engine.ndim):
        if np.allclose(np.flip(engine, axis), numerical, rtol=1e-6, atol=0):
            return f"it is the right gradient, flipped along dimension {axis}"
    if engine.ndim > 1 and np.allclose(np.flip(engine, (-1, -2)), numerical, rtol=1e-6, atol=0):
        return "it is the right gradient, flipped along the last two dimensions"
    for order in permutations(range(engine.ndim)) if engine.ndim <= 4 else ():
        turned = engine.transpose(order)
        if turned.shape == numerical.shape and np.allclose(turned, numerical, rtol=1e-6, atol=0):
            return f"it is the right gradient with its dimensions in the order {order}"
    if np.allclose(np.sort(engine, None), np.sort(numerical, None), rtol=1e-6, atol=0):
        return "the right values in the wrong places: an index is permuted"
    return ""


def _shifted(engine: np.ndarray, numerical: np.ndarray, wrong: np.ndarray) -> str:
    """The difference is constant along some dimensions: a mean or a sum is missing."""
    gap = np.where(np.isfinite(numerical), engine - numerical, np.nan)
    for axis, length in enumerate(gap.shape):
        if length < 2 or np.isnan(gap).any():
            continue
        spread = np.ptp(gap, axis=axis).max()
        if spread <= 1e-6 * np.abs(gap).max():
            return f"the difference is constant along dimension {axis}: is a mean or sum left out?"
    return ""
