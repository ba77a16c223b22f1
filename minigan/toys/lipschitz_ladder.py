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
from .lipschitz_bounds import LayerBound, Unbounded, bound, evaluated, layers
from .lipschitz_exact import Exact, exact_constant, is_tiny
from .lipschitz_rules import Shape
from .lipschitz_samples import Box, points, steepest, whole

# By how much a rung may stand above the next, relatively: everything is computed in float64, where
# products and singular values err by some 1e-13, quotients of near pairs by some 1e-11.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Rung:
    """One layer, steepest on what reaches it; see ``LayerBound`` and ``Ladder``.

    Where the layer has no bound, ``upper`` is None and ``how`` says why.
    """

    name: str
    layer: str
    quotient: float
    gradient: float
    upper: float | None
    how: str
    reshaped: float | None


@dataclass(frozen=True)
class Ladder:
    """What is known of a network's Lipschitz constant on a box.

    Attributes:
        quotient: the largest ‖f(x) - f(y)‖/‖x - y‖ of the sampled pairs.
        gradient: the largest norm of a Jacobian at the sampled points.
        exact: the exact constant where the network is tiny, else None.
        product: the product of the layers' bounds; None where a layer has none.
        layers: the same for each layer, on the numbers that the samples make it see.
    """

    quotient: float
    gradient: float
    exact: Exact | None
    product: float | None
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
        if not np.isfinite([self.quotient, self.gradient]).all():
            raise ArithmeticError(
                f"Lipschitz ladder of the network fails: found {self.quotient}, {self.gradient}"
            )
        if self.exact is not None:
            rungs += [
                ("the network: found ≤ exact", self.found, self.exact.upper),
                ("the network: exact ≤ product", self.exact.value, self.product),
            ]
        for each in self.layers:
            found = max(each.quotient, each.gradient)
            rungs.append((f"{each.layer} {each.name}: found ≤ bound", found, each.upper))
        for what, low, high in rungs:
            if high is not None and not low <= high * (1 + ROUNDING):
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
        net: any module that turns one Tensor (N, …) into another, row by row, in any mode;
            counted as in evaluation.  Only Sequentials of layers that have a rule have a product.
        box: where inputs are from; its shape is that of one input.
        count: uniform samples, at least 2.
        seed: of the samples.
        also: further inputs (N, …) within the box, such as data.
        exact: enumerate (True, or an error), do not (False), or only where the network is tiny.

    Raises:
        TypeError: no Box, several inputs or outputs, outputs that depend on the rest of the batch,
            or ``exact=True`` with a layer that cannot be enumerated.
        ValueError: an input that does not fit or lies outside, too many units, NaN.
        ArithmeticError: the ladder fails, which would be a bug.

    >>> import minigan
    >>> _ = minigan.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))
    >>> found = ladder(net, Box.of(-1, 1, (2,)))
    >>> found.gradient <= found.exact.value <= found.product
    True
    """
    whole("ladder", "count", count, least=2)
    whole("ladder", "seed", seed)
    if not isinstance(box, Box):
        raise TypeError(f"ladder: box expects a Box, as of Box.of(-1, 1, shape), got {box!r}")
    shape = box.low.shape
    net = evaluated(net)
    bounds = [_bound(*each) for each in layers(net, shape)]
    x = box.draw(count, np.random.default_rng(seed))
    _expect_rows(net, x)
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
    for known, (_, layer, _, _) in zip(bounds, layers(net, shape), strict=True):
        reach = float(np.linalg.norm(np.ptp(value, axis=0))) or 1.0
        found = steepest(layer, value, reach, seed=seed)
        rungs.append(Rung(known.name, known.layer, *found, known.upper, known.how, known.reshaped))
        with no_grad():
            value = layer(Tensor(value)).array
    if exact is None:
        exact = is_tiny(net, shape)
    uppers = [each.upper for each in bounds]
    return Ladder(
        quotient,
        gradient,
        exact_constant(net, box) if exact else None,
        None if None in uppers else prod(uppers),
        tuple(rungs),
    ).check()


def _bound(name: str, layer: nn.Module, shape: Shape, out_shape: Shape) -> LayerBound:
    """``bound``, with None where there is none."""
    try:
        return bound(name, layer, shape, out_shape)
    except Unbounded as error:
        why = str(error).removeprefix("lipschitz: ")
        return LayerBound(name, type(layer).__name__, shape, out_shape, None, why)


def _expect_rows(net: nn.Module, x: np.ndarray) -> None:
    """A row's output is its own, or a sampled gradient would be that of a whole batch."""
    with no_grad(), np.errstate(all="ignore"):
        alone, among = net(Tensor(x[[0, 0]])).array[0], net(Tensor(x)).array[0]
    if not np.allclose(alone, among, rtol=1e-6, atol=1e-9, equal_nan=True):
        raise TypeError(
            f"ladder: {type(net).__name__} makes an output depend on the rest of its batch, "
            "expected one that judges inputs one by one"
        )
