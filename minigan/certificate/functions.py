"""One program for every Function of the engine: the shapes of its operands, and a call of it.

Operands have drawn shapes, except for the names in FIXED, and are drawn from N(0, 1), those of the
names in POSITIVE from [0.3, 1.7].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import Tensor
from ..array import to_device
from ..conv import Activation, Geometry
from ..conv.activation import rectifier
from ..distributed.nn import AllGather, AllReduce
from ..ops import (
    accumulate,
    arithmetic,
    arrange,
    conv,
    copies,
    einsum,
    extremes,
    indexing,
    kinks,
    linalg,
    norm,
    powers,
    quotients,
    reduction,
    repeats,
    shape,
    smooth,
    softmax,
    steps,
    windows,
)
from ..ops._common import Cast

GRID, CUBE, ROW = (3, 4), (2, 3, 4), (4,)
IMAGE, OUTPUT, FILTER = (2, 4, 5, 6), (2, 4, 3, 3), (4, 2, 3, 3)
GEOMETRY = Geometry(5, 6, 3, 3, (2, 2), (1, 1, 1, 0), (1, 1), 2)
WINDOW = Geometry(5, 6, 2, 3, (2, 1), (0, 1, 1, 0))
SEEN, PATCHES = (2, 3, 3, 5), (2, 3, 2, 3, 3, 5)
MASK = Tensor(np.array([True, False, True, True]))
PIXELS = np.random.default_rng(0).standard_normal((2, 3, 5, 6))
TAPS = windows.WindowMax(WINDOW).winners(PIXELS, windows.WindowMax(WINDOW).forward(PIXELS))


def _taps(x: Tensor) -> Any:
    """Which pixel of each window, where x is."""
    return to_device(TAPS, x.device)


POSITIVE = {"Div", "Log", "Log1p", "Pow", "PowNumber", "Present", "Prod", "Root", "Rsqrt", "Sqrt"}

# Their options are made for the shapes given here; the others get drawn ones.
FIXED = {
    "AddInto",
    "Dgrad",
    "DgradActivated",
    "Expand",
    "Fold",
    "Fprop",
    "FpropActivated",
    "GetItem",
    "OnDiagonal",
    "Reshape",
    "SetItem",
    "Unfold",
    "Wgrad",
    "Where",
    "WindowMax",
    "WindowPick",
    "WindowPut",
    "WindowSpread",
    "WindowSum",
}
SMOOTH = ["Expm1", "Log1p", "Sin", "Cos", "Erf", "Rsqrt", "Tanh", "Sigmoid", "Softplus"]

Program = tuple  # shapes of the operands, and a function of as many tensors


def _of(module: Any, names: list[str], shapes: list) -> dict[str, Program]:
    """Functions without parameters."""
    made = {name: getattr(module, name) for name in names}
    return {name: (shapes, lambda *xs, make=make: make()(*xs)) for name, make in made.items()}


FUNCTIONS: dict[str, Program] = {
    **_of(arithmetic, ["Add", "Sub", "Mul", "Div"], [CUBE, GRID]),
    **_of(arithmetic, ["Neg"], [GRID]),
    **_of(powers, ["Exp", "Log", "Sqrt"], [GRID]),
    **_of(powers, ["Pow"], [CUBE, GRID]),
    **_of(kinks, ["Abs", "Sign"], [GRID]),
    **_of(smooth, SMOOTH, [GRID]),
    **_of(smooth, ["LogisticLoss"], [GRID, GRID, GRID]),
    **_of(extremes, ["Maximum", "Minimum"], [CUBE, GRID]),
    **_of(accumulate, ["Prod", "Root", "Present"], [GRID]),
    **_of(copies, ["Clone"], [GRID]),
    "Rounded": ([GRID], lambda x: steps.Rounded("floor")(x)),
    "Remainder": ([CUBE, GRID], lambda a, b: quotients.Remainder("floor")(a, b)),
    "PowNumber": ([GRID], lambda x: powers.PowNumber(2.5)(x)),
    "Where": ([GRID, ROW], lambda a, b: kinks.Where()(MASK.to(a.device), a, b)),
    "LeakyReLU": ([GRID], lambda x: kinks.LeakyReLU(0.2)(x)),
    "LeakyReLUGrad": ([GRID, GRID], lambda g, s: kinks.LeakyReLUGrad(0.2)(g, s)),
    "Clamp": ([GRID], lambda x: kinks.Clamp(-0.5, 0.9)(x)),
    "AllReduce": ([GRID], lambda x: AllReduce()(x)),
    "AllGather": ([GRID], lambda x: AllGather()(x)),
    "Cast": ([GRID], lambda x: Cast(np.dtype("float64"))(x)),
    "Contiguous": ([GRID], lambda x: copies.Contiguous()(x.t())),
    "ToDevice": ([GRID], lambda x: copies.ToDevice(x.device)(x)),
    # reductions
    "Var": ([CUBE], lambda x: reduction.Var((0, 2), 1, False, True)(x)),
    "Sum": ([CUBE], lambda x: reduction.Sum((0, 2), False)(x)),
    "CumSum": ([GRID], lambda x: accumulate.CumSum(1)(x)),
    "Amax": ([CUBE], lambda x: extremes.Amax((0, 2), True)(x)),
    "Amin": ([CUBE], lambda x: extremes.Amin((1,), False)(x)),
    "LogSumExp": ([CUBE], lambda x: softmax.LogSumExp((0, 2))(x)),
    "Softmax": ([GRID], lambda x: softmax.Softmax((1,))(x)),
    "LogSoftmax": ([GRID], lambda x: softmax.LogSoftmax((0,))(x)),
    "BatchNorm": (
        [(5, 3, 2), (1, 3, 1), (1, 3, 1)],
        lambda x, w, b: norm.BatchNorm((0, 2), 1e-5)(x, w, b),
    ),
    # shapes
    "Reshape": ([GRID], lambda x: shape.Reshape((2, 6))(x)),
    "Permute": ([CUBE], lambda x: shape.Permute((2, 0, 1))(x)),
    "Expand": ([(3, 1)], lambda x: shape.Expand((2, 3, 4))(x)),
    "Cat": ([GRID, (3, 2)], lambda a, b: shape.Cat(1, 2)(a, b)),
    "Flip": ([GRID], lambda x: arrange.Flip((0, 1))(x)),
    "Roll": ([GRID], lambda x: arrange.Roll((1, -2), (0, 1))(x)),
    "Repeat": ([GRID], lambda x: repeats.Repeat((2, 3))(x)),
    "Diagonal": ([CUBE], lambda x: arrange.Diagonal(1)(x)),
    "OnDiagonal": ([(2, 3)], lambda x: arrange.OnDiagonal(1, (2, 3, 4))(x)),
    "GetItem": ([GRID], lambda x: indexing.GetItem((slice(None, None, 2), [0, 1, 1, 3]))(x)),
    "SetItem": (
        [GRID, (2, 1)],
        lambda x, v: indexing.SetItem((slice(None, None, 2), [0, 1, 1]))(x.clone(), v),
    ),
    "AddInto": ([GRID], lambda x: indexing.AddInto((5, 4), [0, 2, 2])(x)),
    # products
    "MatMul": ([CUBE, (4, 2)], lambda a, b: linalg.MatMul()(a, b)),
    "Einsum": (
        [GRID, (4, 2), (2, 3)],
        lambda a, b, c: einsum.Einsum(("ij", "jk", "ki"), "ik")(a, b, c),
    ),
    "Fprop": ([IMAGE, FILTER], lambda x, w: conv.Fprop(GEOMETRY)(x, w)),
    "Dgrad": ([OUTPUT, FILTER], lambda y, w: conv.Dgrad(GEOMETRY)(y, w)),
    "FpropActivated": (
        [IMAGE, FILTER, ROW],
        lambda x, w, b: conv.FpropActivated(GEOMETRY, rectifier(0.2), True)(x, w, b),
    ),
    "DgradActivated": (
        [OUTPUT, FILTER, ROW],
        lambda y, w, b: conv.DgradActivated(GEOMETRY, Activation("tanh"), True)(y, w, b),
    ),
    "Wgrad": ([IMAGE, OUTPUT], lambda x, y: conv.Wgrad(GEOMETRY)(x, y)),
    # windows of images
    "WindowSum": ([(2, 3, 5, 6)], lambda x: windows.WindowSum(WINDOW)(x)),
    "WindowSpread": ([SEEN], lambda x: windows.WindowSpread(WINDOW)(x)),
    "WindowMax": ([(2, 3, 5, 6)], lambda x: windows.WindowMax(WINDOW)(x)),
    "WindowPick": ([(2, 3, 5, 6)], lambda x: windows.WindowPick(WINDOW, _taps(x))(x)),
    "WindowPut": ([SEEN], lambda x: windows.WindowPut(WINDOW, _taps(x))(x)),
    "Unfold": ([(2, 3, 5, 6)], lambda x: windows.Unfold(WINDOW)(x)),
    "Fold": ([PATCHES], lambda x: windows.Fold(WINDOW)(x)),
}

# Parts of gradient rules that run only where nothing is recorded: they have no gradient of their
# own, and gradcheck compares what they give with the recorded rule ("recorded" in its report).
UNRECORDED = {"NormSums", "NormInput"}
