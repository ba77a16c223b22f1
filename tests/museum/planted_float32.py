"""Operations that are right in float64 and wrong in float32 alone, with one mistake each."""

import numpy as np

import minigan
from minigan import Function, Tensor
from minigan.ops.smooth import Tanh


def half(x):
    """``x`` through float16, where it is float32."""
    return x.astype(np.float16).astype(x.dtype) if x.dtype == np.float32 else x


# ------------------------------------------------------------------------------ too few bits


class GradientThroughHalf(Tanh):
    """tanh whose gradient passes through float16."""

    def vjp(self, needs, g, y, x):
        return (Tensor(half((g * (1 - y * y)).array)),)


class ValueThroughHalf(Function):
    """sin whose value passes through float16; its gradient is right."""

    def forward(self, x):
        return half(np.sin(x))

    def vjp(self, needs, g, y, x):
        return (g * x.cos(),)


class RoughSlope(Function):
    """1 - y², right itself; its own gradient passes through float16."""

    def forward(self, y):
        return 1 - y * y

    def vjp(self, needs, g, out, y):
        factor = -2 * y
        return (g * Tensor(half(factor.array)) if y.dtype == np.float32 else g * factor,)


class SecondOrderThroughHalf(Tanh):
    """tanh whose gradient is right and whose gradient's gradient is not."""

    def vjp(self, needs, g, y, x):
        return (g * RoughSlope()(y),)


class SumInHalf(Function):
    """Σ x² accumulated in float16."""

    def forward(self, x):
        bits = np.float16 if x.dtype == np.float32 else x.dtype
        return np.asarray((x * x).sum(dtype=bits).astype(x.dtype))

    def vjp(self, needs, g, y, x):
        return (g * x * 2,)


class QuickRoot(Function):
    """1/√x by the bit trick and one Newton step in float32: right to 0.2 %."""

    def forward(self, x):
        if x.dtype != np.float32:
            return 1 / np.sqrt(x)
        y = (np.int32(0x5F3759DF) - (x.view(np.int32) >> 1)).view(np.float32)
        return y * (np.float32(1.5) - np.float32(0.5) * x * y * y)

    def vjp(self, needs, g, y, x):
        return (g * x**-1.5 * -0.5,)


# ------------------------------------------------------------------------------ constants


class ConstantCast(Function):
    """x/√(2π) whose constant was cast to float16 for float32."""

    def constant(self, x):
        exact = x.dtype.type((2 * np.pi) ** -0.5)
        return np.float16(exact) if x.dtype == np.float32 else exact

    def forward(self, x):
        return x * self.constant(x)

    def vjp(self, needs, g, y, x):
        return (g * float(self.constant(g).real),)


class EpsilonOfFloat64(Function):
    """√(Σ x² + 1e-60): in float32 the squares of 1e-30 are 0, and so is what should prevent it."""

    def forward(self, x):
        return np.asarray(np.sqrt((x * x).sum() + 1e-60))

    def vjp(self, needs, g, y, x):
        return (g * x / ((x * x).sum() + 1e-60).sqrt(),)


class StepOfFloat64(Function):
    """sin with a gradient by differences, whose step of 1e-6 only float64 can see."""

    def forward(self, x):
        return np.sin(x)

    def vjp(self, needs, g, y, x):
        return (g * _Slope()(x),)


class _Slope(Function):
    def forward(self, x):
        return (np.sin(x + 1e-6) - np.sin(x - 1e-6)) / 2e-6

    def vjp(self, needs, g, y, x):
        return (-g * x.sin(),)


class SmallIsZero(Function):
    """1e-4·sin with gradients below 1e-3 taken for 0 in float32."""

    def forward(self, x):
        return 1e-4 * np.sin(x)

    def vjp(self, needs, g, y, x):
        gx = g * x.cos() * 1e-4
        return (minigan.where(minigan.abs(gx) > 1e-3, gx, 0) if g.dtype == np.float32 else gx,)


# ------------------------------------------------------------------------------ algorithms


class OnePassVariance(Function):
    """Σ (x - mean)² as Σ x² - n·mean²: what float64 forgives, float32 does not."""

    def forward(self, x):
        return np.asarray((x * x).sum() - x.size * x.mean() ** 2)

    def vjp(self, needs, g, y, x):
        return (g * 2 * (x - x.mean()),)


class LogOfSum(Function):
    """ln Σ eˣ without the maximum taken off: inf in float32 beyond 88."""

    def forward(self, x):
        with np.errstate(over="ignore"):
            return np.asarray(np.log(np.exp(x).sum()))

    def vjp(self, needs, g, y, x):
        return (g * minigan.softmax(x.reshape(-1), 0).reshape(x.shape),)


# ------------------------------------------------------------------------------ promotion


class Promotes(Function):
    """2x by a float64 array: what follows is no longer float32."""

    def forward(self, x):
        return x * np.full(x.shape, 2.0)

    def vjp(self, needs, g, y, x):
        return (g * 2,)


class PromotesTheGradient(Function):
    """2x whose gradient is float64; the engine casts it back, and the time is lost."""

    def forward(self, x):
        return x * 2

    def vjp(self, needs, g, y, x):
        return (g * Tensor(np.full(g.shape, 2.0)),)
