"""The exact Lipschitz constant of a tiny ReLU network on a box.

Such a network is linear on each of finitely many polytopes, one for each pattern of units that are
on; they fill the box, and the box is convex, so the constant is the largest norm of these linear
maps.  The patterns are found unit by unit: a linear program says how large a ball fits into the
part of the box where a unit is on, and into the one where it is off, and empty parts are left.

Jordan & Dimakis 2020 (arXiv 2003.01219) show that finding this constant is hard in general; the
number of patterns is the reason why 16 units are the limit here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np

from .. import nn
from .lipschitz_bounds import evaluated, layers
from .lipschitz_operator import Operator, can_be_written, spectral_norm
from .lipschitz_samples import Box

MOST_UNITS = 16
# A ball of this radius, in a box from -1 to 1, is beyond what the solver's own tolerance (1e-7)
# can make up; a part with a smaller one is thin: it may be empty.
THIN = 1e-6
AFFINE = {
    kind.forward
    for kind in (
        *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d),
        *(nn.BatchNorm1d, nn.BatchNorm2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Upsample),
        *(nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout2d, nn.ZeroPad2d),
        *(nn.PixelShuffle, nn.PixelUnshuffle),
    )
}
RECTIFIERS = (nn.ReLU.forward, nn.LeakyReLU.forward)


@dataclass(frozen=True)
class Exact:
    """What the enumeration found.

    Attributes:
        value: the largest norm over all patterns whose part of the box certainly has a volume: the
            exact constant but for parts too thin to tell, and never above it.
        upper: the largest norm over all patterns, thin ones included: never below the constant.
            The two are equal unless the steepest part is thin.
        patterns: how many patterns have a volume.
        thin: how many may have one or not.
        programs: how many linear programs were solved.
        at: a point inside the steepest part, an array of the shape of an input.
    """

    value: float
    upper: float
    patterns: int
    thin: int
    programs: int
    at: np.ndarray = field(repr=False)


def exact_constant(net: nn.Module, box: Box) -> Exact:
    """The Lipschitz constant of ``net`` on ``box``, by enumerating its activation patterns.

    One layer of u units makes at most Σ_{k≤n} C(u, k) patterns of n inputs, and every pattern takes
    a few milliseconds: with 16 units and 2 inputs less than a second, with 16 inputs a minute.

    Args:
        net: Sequentials of affine layers (Linear, convolutions, BatchNorm in evaluation, averages,
            …) and of ReLUs and LeakyReLUs with at most 16 units in all.
        box: where the inputs are from.

    Raises:
        TypeError: another layer.
        ValueError: too many units, or an input that does not fit.

    >>> import minigan
    >>> net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))  # |x|
    >>> for p, values in zip(net.parameters(), [[[1], [-1]], [0, 0], [[1, 1]], [0]]):
    ...     p.data = minigan.tensor(values, dtype="float32")
    >>> exact_constant(net, Box.of(-1, 1, (1,)))
    Exact(value=1.0, upper=1.0, patterns=2, thin=2, programs=4)
    """
    if not isinstance(box, Box):
        raise TypeError(
            f"exact_constant: box expects a Box, as of Box.of(-1, 1, shape), got {box!r}"
        )
    stages, slopes = _stages(net, box)
    search = _Search(stages, slopes)
    mid, half = (box.high + box.low).ravel() / 2, (box.high - box.low).ravel() / 2
    inputs = len(mid)
    # In coordinates t from -1 to 1, x = mid + half·t, wide and narrow boxes are the same task.
    start = _Part(
        stage=0,
        unit=0,
        jacobian=np.diag(half),
        constant=mid,
        gates=(),
        rows=np.concatenate([np.eye(inputs), -np.eye(inputs)]),
        limits=np.ones(2 * inputs),
        centre=np.zeros(inputs),
        radius=1.0,
    )
    norms: list[tuple[float, float, np.ndarray]] = []  # norm, radius, centre
    pending = [start]
    while pending:
        part = pending.pop()
        if part.stage == len(slopes):
            weight, _ = stages[-1]
            norms.append((spectral_norm(weight @ part.jacobian / half), part.radius, part.centre))
        else:
            pending += search.split(part)
    full = [each for each in norms if each[1] > THIN]
    value, _, centre = max(full, key=lambda each: each[0])
    upper = max(norm for norm, _, _ in norms)
    at = (mid + half * centre).reshape(box.low.shape)
    return Exact(value, upper, len(full), len(norms) - len(full), search.programs, at)


def is_tiny(net: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether ``exact_constant`` takes this network.

    >>> is_tiny(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)), (2,))
    True
    >>> is_tiny(nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)), (2,))
    False
    """
    units, inputs = 0, prod(shape)
    for _, layer, _, out_shape in layers(evaluated(net), shape):
        forward, outputs = type(layer).forward, prod(out_shape)
        if forward in RECTIFIERS:
            units, inputs = units + outputs, outputs
        elif forward not in AFFINE or not can_be_written(outputs, inputs):
            return False
    return units <= MOST_UNITS


def _stages(net: nn.Module, box: Box) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[float]]:
    """The network as matrices and offsets, and the slopes of the rectifiers between them."""
    shape = box.low.shape
    groups: list[list[nn.Module]] = [[]]
    slopes: list[float] = []
    shapes, units = [shape], 0
    for name, layer, _, out_shape in layers(evaluated(net), shape):
        forward = type(layer).forward
        if forward in RECTIFIERS:
            slopes.append(0.0 if forward is nn.ReLU.forward else float(layer.negative_slope))
            units += prod(out_shape)
            groups.append([])
            shapes.append(out_shape)
        elif forward in AFFINE:
            groups[-1].append(layer)
        else:
            raise TypeError(
                f"exact_constant: expects affine layers, ReLU and LeakyReLU, got "
                f"{type(layer).__name__} {name!r}"
            )
    if units > MOST_UNITS:
        raise ValueError(
            f"exact_constant: enumeration expects at most {MOST_UNITS} units, got {units}"
        )
    stages = []
    for group, inner in zip(groups, shapes, strict=True):
        operator = Operator(nn.Sequential(*group), inner)
        if not operator.is_small():
            raise ValueError(f"exact_constant: inputs of shape {shape} are too large to enumerate")
        stages.append((operator.matrix(), operator.offset.array.ravel()))
    return stages, slopes


class _Part(NamedTuple):
    """A polytope, rows·t ≤ limits, on which all units before ``unit`` of ``stage`` are settled.

    ``jacobian`` and ``constant`` are of what enters the stage, ``gates`` the slopes chosen for its
    units so far; a ball of ``radius`` around ``centre`` lies within.
    """

    stage: int
    unit: int
    jacobian: np.ndarray
    constant: np.ndarray
    gates: tuple[float, ...]
    rows: np.ndarray
    limits: np.ndarray
    centre: np.ndarray
    radius: float


class _Search:
    def __init__(self, stages: list[tuple[np.ndarray, np.ndarray]], slopes: list[float]):
        self.stages, self.slopes, self.programs = stages, slopes, 0

    def split(self, part: _Part) -> list[_Part]:
        """The parts of ``part`` where its next unit is on and where it is off."""
        weight, offset = self.stages[part.stage]
        row = weight[part.unit] @ part.jacobian
        level = float(weight[part.unit] @ part.constant + offset[part.unit])
        slope = self.slopes[part.stage]
        if np.abs(row).sum() <= abs(level):  # one sign in the whole box; 0 everywhere is off
            return [self._settled(part, 1.0 if level > 0 else slope)]
        length = float(np.linalg.norm(row))
        row, level = row / length, level / length
        if np.abs(row).sum() <= abs(level):  # the same, as rounded now
            return [self._settled(part, 1.0 if level > 0 else slope)]
        height = float(row @ part.centre + level)
        found = []
        for sign, gate in ((1.0, 1.0), (-1.0, slope)):
            rows = np.vstack([part.rows, -sign * row])
            limits = np.append(part.limits, sign * level)
            # The ball that is known may do; only else the largest one is asked for.
            centre, radius = part.centre, min(part.radius, sign * height)
            if radius <= THIN:
                centre, radius = self._ball(rows, limits)
            if radius >= -THIN:
                side = part._replace(rows=rows, limits=limits, centre=centre, radius=radius)
                found.append(self._settled(side, gate))
        return found

    def _settled(self, part: _Part, gate: float) -> _Part:
        gates = (*part.gates, gate)
        weight, offset = self.stages[part.stage]
        if len(gates) < len(weight):
            return part._replace(unit=part.unit + 1, gates=gates)
        factors = np.array(gates)
        return part._replace(
            stage=part.stage + 1,
            unit=0,
            gates=(),
            jacobian=factors[:, None] * (weight @ part.jacobian),
            constant=factors * (weight @ part.constant + offset),
        )

    def _ball(self, rows: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, float]:
        """The largest ball within rows·t ≤ limits, whose rows have length 1: max r such that
        rows·t + r ≤ limits; r < 0 says by how much the limits miss each other."""
        from scipy.optimize import linprog

        self.programs += 1
        inputs = rows.shape[1]
        found = linprog(
            np.append(np.zeros(inputs), -1.0),
            A_ub=np.column_stack([rows, np.ones(len(rows))]),
            b_ub=limits,
            bounds=(None, None),
            method="highs",
        )
        if found.x is None:
            raise ArithmeticError(f"exact_constant: the linear program failed ({found.message})")
        return found.x[:-1], float(found.x[-1])
