"""Elementwise operations: each class is a formula and its derivative, on one screen.

Operands broadcast against each other; the gradient sums back over what was broadcast.  Every
forward is also right for complex arrays as the analytic continuation of the real function (a
condition looks at the real part), which is what lets gradcheck differentiate by a complex step.
"""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from ._common import as_float, as_tensor, operands, sum_to

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
    """y = a^b;  ∂y/∂a = b·a^(b-1), ∂y/∂b = y·ln a (0 where a = 0 and b ≥ 0)."""

    reads = ((0, 1), (0, 1, "y"))

    def forward(self, a, b):
        return a**b

    def vjp(self, needs, g, y, a, b):
        ga = gb = None
        if needs[0]:
            if isinstance(b, Tensor):
                ga = where(b == 0, 0.0, b * a ** (b - where(b == 0, 0.0, 1.0)))
            else:
                ga = b * a ** (b - 1)
            ga = sum_to(g * ga, a)
        if needs[1]:
            if isinstance(a, Tensor):
                log_a = log(where(a == 0, 1.0, a))
                gb = sum_to(g * y * log_a, b)
            else:
                gb = g * y * (math.log(a) if a else 0.0)
        return ga, gb


def add(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input + alpha·other, elementwise with broadcasting."""
    return Add()(*operands("add", input, other if alpha == 1 else mul(other, alpha)))


def sub(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input - alpha·other, elementwise with broadcasting."""
    return Sub()(*operands("sub", input, other if alpha == 1 else mul(other, alpha)))


def mul(input: Any, other: Any) -> Tensor:
    """input·other, elementwise with broadcasting."""
    return Mul()(*operands("mul", input, other))


def div(input: Any, other: Any) -> Tensor:
    """input/other, elementwise with broadcasting; integers give floats."""
    return Div()(*operands("div", input, other, floating=True))


def neg(input: Tensor) -> Tensor:
    """-input."""
    return Neg()(as_tensor("neg", input))


def pow(input: Any, exponent: Any) -> Tensor:
    """input^exponent, elementwise with broadcasting."""
    a, b = operands("pow", input, exponent)
    return PowNumber(b)(a) if isinstance(b, (int, float, complex)) else Pow()(a, b)


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
        return (g * sign(x),)


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
        factor = (s.real > 0).astype(s.real.dtype)
        if self.slope:
            factor *= 1 - self.slope
            factor += self.slope
        return g * factor

    def vjp(self, needs, g, y, g_before, s):
        gs = g * 0 if needs[1] else None
        return LeakyReLUGrad(self.slope)(g, s) if needs[0] else None, gs


class Clamp(Function):
    """y = min(max(x, low), high);  ∂y/∂x = 1 where low ≤ x ≤ high, else 0."""

    reads = ((0,),)

    def __init__(self, low: float | None, high: float | None):
        self.low, self.high = low, high

    def inside(self, x):
        """Where x lies in the closed interval."""
        xp = array_module(x)
        result = xp.ones(x.shape, dtype=bool)
        if self.low is not None:
            result &= x.real >= self.low
        if self.high is not None:
            result &= x.real <= self.high
        return result

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
    return Tensor(array_module(input.array).sign(input.array.real).astype(input.dtype))


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``input`` where ``condition`` (a bool tensor) holds, ``other`` elsewhere."""
    condition = as_tensor("where", condition)
    if condition.dtype.kind != "b":
        raise TypeError(f"where: expected a bool condition, got {condition.dtype}")
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input = full_like_number(condition, input, other)
    return Where()(condition, *operands("where", input, other))


def full_like_number(like: Tensor, number: Any, other: Any) -> Tensor:
    """A 0-d tensor of the dtype two Python numbers have together, on ``like``'s device."""
    from ..array import result_dtype

    dtype = result_dtype(number, other)
    return Tensor(array_module(like.array).asarray(number, dtype=dtype))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, else negative_slope·input (``inplace`` is accepted and ignored).

    >>> import minigan
    >>> leaky_relu(minigan.tensor([-1.0, 2.0]), 0.2)
    tensor([-0.2,  2. ], dtype=float32)
    """
    return LeakyReLU(negative_slope)(as_float("leaky_relu", input))


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0) (``inplace`` is accepted and ignored)."""
    return LeakyReLU(0)(as_tensor("relu", input))


def clamp(input: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """``input`` limited to [min, max]."""
    if min is None and max is None:
        raise RuntimeError("clamp: expected min, max or both")
    return Clamp(min, max)(as_tensor("clamp", input))


# ------------------------------------------------------------------------------ without gradient


def _comparison(name: str, symbol: str):
    def compare(input: Any, other: Any) -> Tensor:
        a, b = operands(name, input, other)
        a, b = (v.array.real if isinstance(v, Tensor) else v for v in (a, b))
        module = array_module(a if hasattr(a, "dtype") else b)
        return Tensor(module.asarray(getattr(module, numpy_name)(a, b)))

    numpy_name = {
        "eq": "equal",
        "ne": "not_equal",
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
    }[name]
    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"input {symbol} other, elementwise, as a bool tensor."
    return compare


eq = _comparison("eq", "==")
ne = _comparison("ne", "!=")
lt = _comparison("lt", "<")
le = _comparison("le", "<=")
gt = _comparison("gt", ">")
ge = _comparison("ge", ">=")


def logical_not(input: Tensor) -> Tensor:
    """True where ``input`` is zero or False."""
    return Tensor(array_module(input.array).asarray(input.array == 0))


def isfinite(input: Tensor) -> Tensor:
    """True where ``input`` is neither infinite nor NaN."""
    return Tensor(
        array_module(input.array).asarray(array_module(input.array).isfinite(input.array))
    )


def isnan(input: Tensor) -> Tensor:
    """True where ``input`` is NaN."""
    return Tensor(array_module(input.array).asarray(array_module(input.array).isnan(input.array)))
