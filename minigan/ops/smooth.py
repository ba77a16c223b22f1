"""Smooth functions of one variable: circular, hyperbolic, logistic, the error function."""

from __future__ import annotations

from math import pi
from math import sqrt as root

from .. import fused
from .._tensor import Tensor
from ..array import array_module, special_functions
from ..autograd import Function
from ._common import as_float, at_once
from .arithmetic import div
from .kinks import where
from .powers import exp


class Expm1(Function):
    """y = e^x - 1, exact near 0;  ∂y/∂x = y + 1."""

    reads = (("y",),)

    def forward(self, x):
        return array_module(x).expm1(x)

    def vjp(self, needs, g, y, x):
        return (g * (y + 1),)


class Log1p(Function):
    """y = ln(1 + x), exact near 0;  ∂y/∂x = 1/(1 + x)."""

    reads = ((0,),)

    def forward(self, x):
        return array_module(x).log1p(x)

    def vjp(self, needs, g, y, x):
        return (g / (x + 1),)


class Sin(Function):
    """y = sin x;  ∂y/∂x = cos x."""

    reads = ((0,),)

    def forward(self, x):
        return array_module(x).sin(x)

    def vjp(self, needs, g, y, x):
        return (g * Cos()(x),)


class Cos(Function):
    """y = cos x;  ∂y/∂x = -sin x."""

    reads = ((0,),)

    def forward(self, x):
        return array_module(x).cos(x)

    def vjp(self, needs, g, y, x):
        return (-g * Sin()(x),)


class Erf(Function):
    """y = 2/√π ∫₀^x e^-t² dt;  ∂y/∂x = 2/√π e^-x²."""

    reads = ((0,),)

    def forward(self, x):
        return special_functions(x).erf(x).astype(x.dtype, copy=False)  # SciPy widens float16

    def vjp(self, needs, g, y, x):
        return (g * exp(-(x * x)) * (2 / root(pi)),)


class Rsqrt(Function):
    """y = 1/√x;  ∂y/∂x = -y³/2."""

    reads = (("y",),)

    def forward(self, x):
        return 1 / array_module(x).sqrt(x)

    def vjp(self, needs, g, y, x):
        return (g * (y * y * y * -0.5),)


class Tanh(Function):
    """y = tanh x;  ∂y/∂x = 1 - y²."""

    reads = (("y",),)
    coarse = True

    def forward(self, x):
        return array_module(x).tanh(x)

    def vjp(self, needs, g, y, x):
        gx = at_once(fused.tanh_grad, g, y)
        return (g * (1 - y * y) if gx is None else gx,)


class Sigmoid(Function):
    """y = 1/(1 + e^-x);  ∂y/∂x = y·(1 - y)."""

    reads = (("y",),)
    coarse = True

    def forward(self, x):
        return fused.sigmoid(x)

    def vjp(self, needs, g, y, x):
        gx = at_once(fused.sigmoid_grad, g, y)
        return (g * (y * (1 - y)) if gx is None else gx,)


class Softplus(Function):
    """y = ln(1 + e^x);  ∂y/∂x = sigmoid(x)."""

    reads = ((0,),)

    def forward(self, x):
        return fused.softplus(x)

    def vjp(self, needs, g, y, x):
        return (g * sigmoid(x),)


class LogisticLoss(Function):
    """y = p·softplus(-x) + n·softplus(x), of which the cross entropy of logits x is made.

    ∂y/∂x = n·sigmoid(x) - p·sigmoid(-x).  Both softplus have ln(1 + e^-|x|) in common.
    """

    reads = ((0, 1, 2), (0,), (0,))

    def forward(self, x, p, n):
        return fused.logistic(x, p, n)

    def vjp(self, needs, g, y, x, p, n):
        gx = at_once(fused.logistic_grad, g, x, p, n) if needs[0] else None
        if needs[0] and gx is None:
            gx = g * (n * sigmoid(x) - p * sigmoid(-x))
        gp = g * Softplus()(-x) if needs[1] else None
        return gx, gp, g * Softplus()(x) if needs[2] else None


def expm1(input: Tensor) -> Tensor:
    """e^input - 1, exact also near 0."""
    return Expm1()(as_float("expm1", input))


def log1p(input: Tensor) -> Tensor:
    """ln(1 + input), exact also near 0."""
    return Log1p()(as_float("log1p", input))


def sin(input: Tensor) -> Tensor:
    """The sine of an angle in radians."""
    return Sin()(as_float("sin", input))


def cos(input: Tensor) -> Tensor:
    """The cosine of an angle in radians."""
    return Cos()(as_float("cos", input))


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


def erf(input: Tensor) -> Tensor:
    """The error function, 2/√π ∫₀^x e^-t² dt.

    >>> import minigan
    >>> erf(minigan.tensor([0.0, 0.5]))
    tensor([0.       , 0.5204999], dtype=float32)
    """
    return Erf()(as_float("erf", input))


def rsqrt(input: Tensor) -> Tensor:
    """1/√input; inf at 0.

    >>> import minigan
    >>> rsqrt(minigan.tensor([1.0, 4.0]))
    tensor([1. , 0.5], dtype=float32)
    """
    return Rsqrt()(as_float("rsqrt", input))


def reciprocal(input: Tensor) -> Tensor:
    """1/input."""
    return div(1.0, as_float("reciprocal", input))
