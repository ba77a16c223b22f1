"""How far rounding can move a gradient: measured, by computing it with more rounding than there is.

The inputs are moved by a few units in the last of ``bits`` significant bits, and the result of
every operation is rounded up or down at random to one of the two numbers of so many bits next to
it.  How far the gradient then moves is what arithmetic of so many bits can be blamed for, whether
the inputs' condition or a cancellation midway (the 1 - y² of a saturated tanh) is behind it.
Numbers of so many bits stay what they are, so masks, ties and copies survive.

Sources: Vignes, "A stochastic arithmetic for reliable scientific computation", Mathematics and
Computers in Simulation 35 (1993); Parker, "Monte Carlo arithmetic", UCLA CSD-970002 (1997).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import array as arrays
from .._saved import replace
from ..autograd import Call, op_hook
from .problem import Phi, on_host

SINGLE = 24  # bits of float32
DOUBLE = 51  # two fewer than float64 has
LEAST = {SINGLE: -125}  # the exponent below which float32 has fewer bits


def noisy(
    phi: Phi, xs: Sequence[np.ndarray], bits: int, rng: np.random.Generator
) -> tuple[float, list[np.ndarray]]:
    """φ and the engine's ∇φ near ``xs``, in float64 with the rounding errors of ``bits`` bits."""
    last = 2.0 ** (2 - bits)
    moved = [x * (1 + last * rng.standard_normal(x.shape)) for x in xs]
    with op_hook(_rounding(bits, rng)), np.errstate(all="ignore"):
        return phi.engine([rounded(x, bits, rng) for x in moved])


def _rounding(bits: int, rng: np.random.Generator) -> Callable[[Call, Callable[[], Any]], Any]:
    """An op hook that rounds the float64 results of all operations."""

    def round_result(call: Call, run: Callable[[], Any]) -> Any:
        result = run()
        if call.kind == "op" and result.dtype == np.float64:
            before = on_host(result.array)
            after = rounded(before, bits, rng)
            if not np.array_equal(after, before):  # a view of rounded numbers stays a view
                # A new array: the old one may be the function's own.
                replace(result, arrays.to_device(after, result.device))
        return result

    return round_result


def rounded(x: np.ndarray, bits: int, rng: np.random.Generator) -> np.ndarray:
    """Each number at random the next one of ``bits`` bits below or above; such numbers as is."""
    _, exponent = np.frexp(x)
    exponent = np.maximum(exponent, LEAST.get(bits, -1000))
    whole = np.ldexp(x, bits - exponent)
    up = rng.random(x.shape) < 0.5
    chosen = np.where(up, np.ceil(whole), np.floor(whole))
    return np.asarray(np.ldexp(chosen, exponent - bits))
