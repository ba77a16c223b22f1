"""The ladder: what samples show ≤ the exact Lipschitz constant ≤ the product of the layers' bounds.

It is climbed from both sides.  Samples prove that a network is at least so steep, operator norms
that it is nowhere steeper; where both are far apart only the exact constant tells, and that can be
had for tiny networks alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor
from ..autograd import no_grad
from .lipschitz_bounds import evaluated, layer_bounds, layers
from .lipschitz_exact import Exact, exact_constant, is_tiny
from .lipschitz_samples import Box, points, steepest

# By how much a rung may stand above the next, relatively: everything is computed in float64, where
# products and singular values err by some 1e-13, quotients of near pairs by some 1e-11.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Rung:
    """One layer, steepest on what reaches it; see ``LayerBound`` and ``Ladder``."""

    name: str
    layer: str
    quotient: float
    gradient: float
    upper: float
    how: str
    reshaped: float | None


@dataclass(frozen=True)
class Ladder:
    """What is known of a network's Lipschitz constant on a box.

    Attributes:
        quotient: the largest ‖f(x) - f(y)‖/‖x - y‖ of the sampled pairs.
        gradient: the largest norm of a Jacobian at the sampled points.
        exact: the exact constant where the network is tiny, else None.
        product: the product of the layers' bounds.
        layers: the same for each layer, on the numbers that the samples make it see.
    """

    quotient: float
    gradient: float
    exact: Exact | None
    product: float
    layers: tuple[Rung, ...]

    @property
    def found(self) -> float:
        """The lowest rung: no Lipschitz constant is smaller."""
        return max(self.quotient, self.gradient)

    def check(self) -> Ladder:
        """This ladder, if every rung stands where it has to.

        found ≤ exact ≤ product; where the enumeration met parts too thin to tell, what is found
        may reach its upper end.

        Raises:
            ArithmeticError: a rung stands above the next by more than ROUNDING.
        """
        rungs = [("the network: found ≤ product", self.found, self.product)]
        if self.exact is not None:
            rungs += [
                ("the network: found ≤ exact", self.found, self.exact.upper),
                ("the network: exact ≤ product", self.exact.value, self.product),
            ]
        for each in self.layers:
            found = max(each.quotient, each.gradient)
            rungs.append((f"{each.layer} {each.name}: found ≤ bound", found, each.upper))
        for what, low, high in rungs:
            if not low <= high * (1 + ROUNDING):
                raise ArithmeticError(f"Lipschitz ladder of {what} fails: {low!r} > {high!r}")
        return self

    def summary(self) -> dict[str, Any]:
        """The numbers, for results.json."""
        exact = {}
        if self.exact is not None:
            names = ("value", "upper", "patterns", "thin", "programs")
            exact = {name: getattr(self.exact, name) for name in names}
        return {
            "sampled_quotient": self.quotient,
            "gradient_norm": self.gradient,
            "exact": exact or None,
            "product": self.product,
            "layers": [asdict(each) for each in self.layers],
        }


def ladder(
    net: nn.Module,
    box: Box,
    count: int = 1000,
    *,
    seed: int = 0,
    also: np.ndarray | None = None,
    exact: bool | None = None,
) -> Ladder:
    """The checked ladder of ``net`` on ``box``.

    Args:
        net: Sequentials of layers that have a rule, in any mode; counted as in evaluation.
        box: where inputs are from; its shape is that of one input.
        count: uniform samples, at least 2.
        seed: of the samples.
        also: further inputs (N, …) within the box, such as data.
        exact: enumerate (True, or an error), do not (False), or only where the network is tiny.

    Raises:
        TypeError: a layer without a rule, or ``exact=True`` with one that cannot be enumerated.
        ValueError: an input that does not fit or lies outside, too many units, NaN.
        ArithmeticError: the ladder fails, which would be a bug.

    >>> import minigan
    >>> _ = minigan.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))
    >>> found = ladder(net, Box.of(-1, 1, (2,)))
    >>> found.gradient <= found.exact.value <= found.product
    True
    """
    if type(count) is not int or count < 2:
        raise ValueError(f"ladder: count expects a whole number from 2 on, got {count!r}")
    shape = box.low.shape
    bounds = layer_bounds(net, shape)
    net = evaluated(net)
    x = box.draw(count, np.random.default_rng(seed))
    if also is not None:
        also = points("ladder", also)
        if also.shape[1:] != shape or (box.clip(also) != also).any():
            raise ValueError(
                f"ladder: also expects points (N, …) of shape {shape} within the box, got shape "
                f"{also.shape}" + (" outside" if also.shape[1:] == shape else "")
            )
        x = np.concatenate([x, also])
    quotient, gradient = steepest(net, x, box.diagonal, box, seed=seed)
    rungs = []
    value = x
    for bound, (_, layer, _, _) in zip(bounds, layers(net, shape), strict=True):
        reach = float(np.linalg.norm(np.ptp(value, axis=0))) or 1.0
        found = steepest(layer, value, reach, seed=seed)
        rungs.append(Rung(bound.name, bound.layer, *found, bound.upper, bound.how, bound.reshaped))
        with no_grad():
            value = layer(Tensor(value)).array
    if exact is None:
        exact = is_tiny(net, shape)
    return Ladder(
        quotient,
        gradient,
        exact_constant(net, box) if exact else None,
        prod(each.upper for each in bounds),
        tuple(rungs),
    ).check()
