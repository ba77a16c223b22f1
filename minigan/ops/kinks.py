"""Functions with a kink, and choices between two values: |x|, the ReLUs, clamp, where."""

from __future__ import annotations

from typing import Any

from .. import fused
from .._tensor import Tensor
from ..array import array_module, result_dtype, uint8
from ..autograd import Function
from ..fused.plain import magnitude
from ._common import as_float, as_scalar, as_tensor, operand, operands, sum_to
from .arithmetic import broadcasting


class Abs(Function):
    """y = |x|;  ∂y/∂x = sign x, 0 at 0."""

    reads = ((0,),)

    def forward(self, x):
        return magnitude(x)

    def vjp(self, needs, g, y, x):
        return (g * sign(x.detach()),)


class Sign(Function):
    """y = -1, 0 or 1;  ∂y/∂x = 0."""

    reads = ((),)

    def forward(self, x):
        return array_module(x).sign(x.real).astype(x.dtype)

    def vjp(self, needs, g, y, x):
        return (None,)


class Where(Function):
    """y = a where the condition holds, else b; a and b each get the gradient of their part."""

    reads = ((), (0,), (0,))

    def forward(self, condition, a, b):
        return array_module(condition).where(condition, a, b)

    def vjp(self, needs, g, y, condition, a, b):
        return (
            None,
            sum_to(where(condition, g, 0), a) if needs[1] else None,
            sum_to(where(condition, 0, g), b) if needs[2] else None,
        )


class LeakyReLU(Function):
    """y = max(x, slope·x) for slope < 1;  ∂y/∂x = 1 where x > 0, else slope (also at 0)."""

    coarse = True  # a sign is read

    def __init__(self, slope: float):
        self.slope = slope
        # The output's sign tells the input's, so one of the two arrays need not be kept.
        self.reads = (("y",),) if slope >= 0 else ((0,),)

    def forward(self, x):
        return fused.leaky_relu(x, self.slope)

    def vjp(self, needs, g, y, x):
        return (LeakyReLUGrad(self.slope)(g, y if self.slope >= 0 else x),)


class LeakyReLUGrad(Function):
    """y = g where s > 0, else slope·g: linear in g, constant in s almost everywhere."""

    reads = ((1,), ())
    coarse = True  # a sign is read

    def __init__(self, slope: float):
        self.slope = slope

    def forward(self, g, s):
        return fused.leaky_relu_grad(g, s, self.slope)

    def vjp(self, needs, g, y, g_before, s):
        return LeakyReLUGrad(self.slope)(g, s) if needs[0] else None, None


class Clamp(Function):
    """y = min(max(x, low), high);  ∂y/∂x = 1 where low ≤ x ≤ high, else 0."""

    reads = ((0,),)

    def __init__(self, low: float | None, high: float | None):
        self.low, self.high = low, high

    def inside(self, x):
        """Where x lies in the closed interval."""
        xp = array_module(x)
        above = True if self.low is None else x.real >= self.low
        below = True if self.high is None else x.real <= self.high
        return xp.asarray(xp.logical_and(above, below))

    def forward(self, x):
        xp = array_module(x)
        if self.low is not None:
            x = (
                xp.where(x.real < self.low, self.low, x)
                if x.dtype.kind == "c"
                else xp.maximum(x, self.low)
            )
        if self.high is not None:
            x = (
                xp.where(x.real > self.high, self.high, x)
                if x.dtype.kind == "c"
                else xp.minimum(x, self.high)
            )
        return x

    def vjp(self, needs, g, y, x):
        return (where(Tensor(self.inside(x.array)), g, 0),)


def abs(input: Tensor) -> Tensor:
    """|input|."""
    return Abs()(as_tensor("abs", input))


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 (of a bool, itself); its gradient is zero."""
    x = as_tensor("sign", input)
    return x.clone() if x.dtype.kind == "b" else Sign()(x)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` (bool, or uint8) holds, ``other`` elsewhere.

    With the condition alone: a tuple of its true places' indices, an int64 tensor per dimension.

    >>> import minigan
    >>> where(minigan.tensor([1.0, -2.0]) > 0, minigan.tensor([5.0, 6.0]), 0)
    tensor([5., 0.], dtype=float32)
    """
    condition = as_tensor("where", condition)
    if input is None and other is None:
        return tuple([Tensor(indices) for indices in condition.array.nonzero()])
    if condition.dtype == uint8:
        condition = Tensor(condition.array != 0)
    if condition.dtype.kind != "b":
        raise RuntimeError(f"where: expected a bool condition, got {condition.dtype}")
    if input is None or other is None:
        raise TypeError("where: expected both values, or neither")
    a, b = operand("where", input), operand("where", other)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = as_scalar(a, condition, result_dtype(a, b))
    return broadcasting("where", Where(), condition, *operands("where", a, b))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, else negative_slope·input (``inplace`` is accepted and ignored).

    >>> import minigan
    >>> leaky_relu(minigan.tensor([-1.0, 2.0]), 0.2)
    tensor([-0.2,  2. ], dtype=float32)
    """
    return LeakyReLU(float(negative_slope))(as_float("leaky_relu", input))


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0) (``inplace`` is accepted and ignored)."""
    return LeakyReLU(0)(as_tensor("relu", input))


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """min(max(input, min), max), where the limits are numbers or Tensors, one of them or both.

    The gradient belongs to the value that was taken: to ``input`` inside the closed interval, to a
    limit where that cuts.

    >>> import minigan
    >>> clamp(minigan.tensor([-2.0, 0.5, 3.0]), -1, 1)
    tensor([-1. ,  0.5,  1. ], dtype=float32)
    """
    if min is None and max is None:
        raise RuntimeError("clamp: expected min, max or both")
    limits = [limit for limit in (min, max) if limit is not None]
    x, *limits = operands("clamp", as_tensor("clamp", input), *limits)
    low, high = None if min is None else limits[0], None if max is None else limits[-1]
    if not any(isinstance(limit, Tensor) for limit in limits):
        return Clamp(low, high)(x)
    if low is not None:
        x = where(_real(x) < _real(low), low, x)
    return x if high is None else where(_real(x) > _real(high), high, x)


def _real(x: Any) -> Any:
    """The real part of a Tensor, without history; a number as it is."""
    return Tensor(x.array.real) if isinstance(x, Tensor) else x
