"""Elementwise operations: each class is a formula and its derivative, on one screen.

Operands broadcast against each other; the gradient sums back over what was broadcast.  Every
forward is also right for complex arrays as the analytic continuation of the real function (a
condition looks at the real part), which is what lets gradcheck differentiate by a complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._tensor import Tensor
from ..array import array_module, result_dtype
from ..autograd import Function
from ._common import as_float, as_tensor, operand, operands, sum_to

Number = int | float | complex

# ------------------------------------------------------------------------------- arithmetic


class Add(Function):
    """y = a + b;  ∂y/∂a = ∂y/∂b = 1."""

    reads = ((), ())

    def forward(self, a, b):
        return a + b

    def vjp(self, needs, g, y, a, b):
        return sum_to(g, a) if needs[0] else None, sum_to(g, b) if needs[1] else None


class Sub(Function):
    """y = a - b;  ∂y/∂a = 1, ∂y/∂b = -1."""

    reads = ((), ())

    def forward(self, a, b):
        return a - b

    def vjp(self, needs, g, y, a, b):
        return sum_to(g, a) if needs[0] else None, sum_to(-g, b) if needs[1] else None


class Mul(Function):
    """y = a·b;  ∂y/∂a = b, ∂y/∂b = a."""

    reads = ((1,), (0,))

    def forward(self, a, b):
        return a * b

    def vjp(self, needs, g, y, a, b):
        return sum_to(g * b, a) if needs[0] else None, sum_to(g * a, b) if needs[1] else None


class Div(Function):
    """y = a/b;  ∂y/∂a = 1/b, ∂y/∂b = -y/b."""

    reads = ((1,), (1, "y"))

    def forward(self, a, b):
        return a / b

    def vjp(self, needs, g, y, a, b):
        quotient = g / b
        return (
            sum_to(quotient, a) if needs[0] else None,
            sum_to(-quotient * y, b) if needs[1] else None,
        )


class Neg(Function):
    """y = -x;  ∂y/∂x = -1."""

    reads = ((),)

    def forward(self, x):
        return -x

    def vjp(self, needs, g, y, x):
        return (-g,)


class PowNumber(Function):
    """y = x^p for a number p;  ∂y/∂x = p·x^(p-1), and 0 for p = 0 also at x = 0."""

    reads = ((0,),)

    def __init__(self, exponent: Number):
        self.exponent = exponent

    def forward(self, x):
        return x**self.exponent

    def vjp(self, needs, g, y, x):
        p = self.exponent
        if p == 0:
            return (g * 0,)
        return (g * p if p == 1 else g * (x * p if p == 2 else x ** (p - 1) * p),)


class Pow(Function):
    """y = a^b;  ∂y/∂a = b·a^(b-1) (0 where a = b = 0), ∂y/∂b = y·ln a (0 where a = 0, b ≥ 0)."""

    reads = ((0, 1), (0, 1, "y"))

    def forward(self, a, b):
        return a**b

    def vjp(self, needs, g, y, a, b):
        ga = gb = None
        zero = a == 0
        if needs[0]:
            ga = sum_to(g * (b * a ** where(zero * (b == 0), b, b - 1)), a)
        if needs[1]:
            gb = sum_to(g * (y * log(where(zero * (b >= 0), 1.0, a))), b)
        return ga, gb


def broadcasting(name: str, function: Callable[..., Tensor], *values: Any) -> Tensor:
    """``function(*values)``, with one clear error for shapes that do not broadcast."""
    try:
        return function(*values)
    except ValueError as error:
        shapes = " and ".join(str(v.shape) for v in values if isinstance(v, Tensor))
        raise RuntimeError(f"{name}: shapes {shapes} do not broadcast") from error


def add(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input + alpha·other, elementwise with broadcasting."""
    other = other if alpha == 1 else mul(other, alpha)
    return broadcasting("add", Add(), *operands("add", input, other))


def sub(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input - alpha·other, elementwise with broadcasting."""
    other = other if alpha == 1 else mul(other, alpha)
    a, b = operands("sub", input, other)
    if isinstance(a, Tensor) and a.dtype.kind == "b":
        raise RuntimeError("sub: bool tensors cannot be subtracted; use != for exclusive or")
    return broadcasting("sub", Sub(), a, b)


def mul(input: Any, other: Any) -> Tensor:
    """input·other, elementwise with broadcasting."""
    return broadcasting("mul", Mul(), *operands("mul", input, other))


def div(input: Any, other: Any) -> Tensor:
    """input/other, elementwise with broadcasting; integers give floats."""
    return broadcasting("div", Div(), *operands("div", input, other, floating=True))


def neg(input: Tensor) -> Tensor:
    """-input."""
    x = as_tensor("neg", input)
    if x.dtype.kind == "b":
        raise RuntimeError("neg: a bool tensor has no negative; use ~ to invert a mask")
    return Neg()(x)


def pow(input: Any, exponent: Any) -> Tensor:
    """input^exponent, elementwise with broadcasting."""
    a, b = operands("pow", input, exponent)
    if not isinstance(b, Tensor):
        if a.dtype.kind in "iu" and b < 0:
            raise RuntimeError("pow: integers to negative integer powers are not integers")
        return PowNumber(b)(a)
    if not isinstance(a, Tensor):
        a = _as_scalar(a, b, result_dtype(a, b.array))
    return broadcasting("pow", Pow(), a, b)


def square(input: Tensor) -> Tensor:
    """input²."""
    return mul(input, input)


# -------------------------------------------------------------------------- smooth functions


class Exp(Function):
    """y = e^x;  ∂y/∂x = y."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).exp(x)

    def vjp(self, needs, g, y, x):
        return (g * y,)


class Log(Function):
    """y = ln x;  ∂y/∂x = 1/x."""

    reads = ((0,),)

    def forward(self, x):
        return array_module(x).log(x)

    def vjp(self, needs, g, y, x):
        return (g / x,)


class Sqrt(Function):
    """y = √x;  ∂y/∂x = 1/(2y)."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).sqrt(x)

    def vjp(self, needs, g, y, x):
        return (g / (y * 2),)


class Tanh(Function):
    """y = tanh x;  ∂y/∂x = 1 - y²."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).tanh(x)

    def vjp(self, needs, g, y, x):
        return (g * (1 - y * y),)


class Sigmoid(Function):
    """y = 1/(1 + e^-x);  ∂y/∂x = y·(1 - y)."""

    reads = (("y",),)

    def forward(self, x):
        xp = array_module(x)
        z = xp.exp(-_magnitude(x))  # never overflows
        return xp.where(x.real >= 0, xp.ones_like(z), z) / (1 + z)

    def vjp(self, needs, g, y, x):
        return (g * (y * (1 - y)),)


class Softplus(Function):
    """y = ln(1 + e^x);  ∂y/∂x = sigmoid(x)."""

    reads = ((0,),)

    def forward(self, x):
        xp = array_module(x)
        positive = xp.where(x.real > 0, x, xp.zeros_like(x))
        return positive + xp.log1p(xp.exp(-_magnitude(x)))

    def vjp(self, needs, g, y, x):
        return (g * sigmoid(x),)


def exp(input: Tensor) -> Tensor:
    """e^input."""
    return Exp()(as_float("exp", input))


def log(input: Tensor) -> Tensor:
    """The natural logarithm."""
    return Log()(as_float("log", input))


def sqrt(input: Tensor) -> Tensor:
    """The square root; its gradient at 0 is inf."""
    return Sqrt()(as_float("sqrt", input))


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return Tanh()(as_float("tanh", input))


def sigmoid(input: Tensor) -> Tensor:
    """1/(1 + e^-input)."""
    return Sigmoid()(as_float("sigmoid", input))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(β·input))/β, a smooth ReLU; its own input where β·input > threshold.

    >>> import minigan
    >>> softplus(minigan.tensor([0.0, 50.0]))
    tensor([ 0.6931472, 50.       ], dtype=float32)
    """
    x = as_float("softplus", input)
    scaled = x if beta == 1 else x * beta
    smooth = Softplus()(scaled)
    return where(scaled > threshold, x, smooth if beta == 1 else smooth / beta)


# ------------------------------------------------------------------------------ kinked, choices


def _magnitude(x):
    """|x|, continued analytically: x·sign(Re x)."""
    xp = array_module(x)
    return xp.abs(x) if x.dtype.kind != "c" else xp.where(x.real < 0, -x, x)


class Abs(Function):
    """y = |x|;  ∂y/∂x = sign x, 0 at 0."""

    reads = ((0,),)

    def forward(self, x):
        return _magnitude(x)

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

    def __init__(self, slope: float):
        self.slope = slope
        # The output's sign tells the input's, so one of the two arrays need not be kept.
        self.reads = (("y",),) if slope >= 0 else ((0,),)

    def forward(self, x):
        xp = array_module(x)
        if self.slope == 0:
            return xp.maximum(x, 0)
        if 0 < self.slope <= 1:
            return xp.maximum(x, x * self.slope)
        return xp.where(x.real > 0, x, x * self.slope)

    def vjp(self, needs, g, y, x):
        return (LeakyReLUGrad(self.slope)(g, y if self.slope >= 0 else x),)


class LeakyReLUGrad(Function):
    """y = g where s > 0, else slope·g: linear in g, constant in s almost everywhere."""

    reads = ((1,), ())

    def __init__(self, slope: float):
        self.slope = slope

    def forward(self, g, s):
        xp, dtype, positive = array_module(s), s.real.dtype, s.real > 0
        if not 0 <= self.slope <= 1:
            return g * xp.asarray(xp.where(positive, 1.0, self.slope), dtype=dtype)
        factor = xp.asarray(positive, dtype=dtype)
        return g * (xp.maximum(factor, self.slope, out=factor) if self.slope else factor)

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
    """-1, 0 or 1; its gradient is zero."""
    return Sign()(as_tensor("sign", input))


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``input`` where ``condition`` (a bool tensor) holds, ``other`` elsewhere."""
    condition = as_tensor("where", condition)
    if condition.dtype.kind != "b":
        raise RuntimeError(f"where: expected a bool condition, got {condition.dtype}")
    a, b = operand("where", input), operand("where", other)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = _as_scalar(a, condition, result_dtype(a, b))
    return broadcasting("where", Where(), condition, *operands("where", a, b))


def _as_scalar(number: Number, like: Tensor, dtype: Any) -> Tensor:
    """A 0-d tensor on ``like``'s device."""
    return Tensor(array_module(like.array).asarray(number, dtype=dtype))


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


def clamp(input: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """``input`` limited to [min, max]."""
    if min is None and max is None:
        raise RuntimeError("clamp: expected min, max or both")
    limits = [limit for limit in (min, max) if limit is not None]
    x, *limits = operands("clamp", as_tensor("clamp", input), *limits)
    if any(isinstance(limit, Tensor) for limit in limits):
        raise TypeError("clamp: expected numbers as limits")
    low, high = None if min is None else limits[0], None if max is None else limits[-1]
    return Clamp(low, high)(x)
