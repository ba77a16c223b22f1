"""The exhibits a checker can see: small operations with one mistake each, from real defects."""

import numpy as np

import minigan
from minigan import Function, Generator, Tensor
from minigan.ops.kinks import LeakyReLUGrad
from minigan.ops.norm import BatchNorm
from minigan.ops.smooth import Tanh

# ------------------------------------------------------------------------------ normalisation


class TimesSeven(BatchNorm):
    """The gradient of a batch normalisation, times 7."""

    def vjp(self, needs, g, y, x, w, b):
        return super().vjp(needs, g, y, x, w, b)[0] * 7, None, None


def inv_std_of(norm):
    return Tensor((norm.var + norm.eps) ** -0.5)


class StatisticsConstant(BatchNorm):
    """The gradient of a normalisation whose mean and deviation do not depend on x."""

    def vjp(self, needs, g, y, x, w, b):
        return g * (inv_std_of(self) * w), None, None


class DeviationConstant(BatchNorm):
    """Right at first order; inv_std is a constant when the gradient is differentiated."""

    def vjp(self, needs, g, y, x, w, b):
        inv_std = inv_std_of(self)
        centred = x - x.mean(self.dims, keepdim=True)
        mean = g.mean(self.dims, keepdim=True)
        slope = (g * centred).mean(self.dims, keepdim=True)
        return (g - mean - centred * inv_std * inv_std * slope) * inv_std * w, None, None


def mean_detached(x):
    """The mean is taken off, but its own gradient is forgotten."""
    centred = x - x.mean((0, 2), keepdim=True).detach()
    return centred / ((centred * centred).mean((0, 2), keepdim=True) + 1e-5).sqrt()


def normalised(function):
    return lambda x: function((0, 2), 1e-5)(x, 1.5, 0.0).tanh()


class OtherWhenRecorded(Tanh):
    """Wrong only where the gradient is to be differentiated: two code paths that differ."""

    def vjp(self, needs, g, y, x):
        return (g * (1 - y * y) * (0.9 if minigan.is_grad_enabled() else 1),)


# ------------------------------------------------------------------------------ constants


class NoSoftmaxGradient(Function):
    """The softmax with gradient 0: Σ y = 1 is constant, so a sum of outputs hides it."""

    def forward(self, x):
        e = np.exp(x - x.real.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def vjp(self, needs, g, y, x):
        return (x * 0,)


class ConstantSquare(Function):
    """1 - y² with the derivative -2y taken as a constant."""

    def forward(self, y):
        return 1 - y * y

    def vjp(self, needs, g, out, y):
        return (g * (-2 * y).detach(),)


class WrongAtSecondOrder(Tanh):
    """The gradient keeps y as a constant: its own derivative is 0."""

    def vjp(self, needs, g, y, x):
        return (g * (1 - y * y).detach(),)


class WrongAtThirdOrder(Tanh):
    """A saved constant: the gradient of the gradient keeps its factor."""

    def vjp(self, needs, g, y, x):
        return (g * ConstantSquare()(y),)


class LeakySlope(Function):
    """LeakyReLU(0.2) whose gradient has slope 0.201: off by 0.5 %."""

    def forward(self, x):
        return np.where(x.real > 0, x, 0.2 * x)

    def vjp(self, needs, g, y, x):
        return (LeakyReLUGrad(0.201)(g, x),)


class TinySine(Function):
    """1e-8·sin x with gradient 0: an absolute tolerance lets it pass."""

    def forward(self, x):
        return 1e-8 * np.sin(x)

    def vjp(self, needs, g, y, x):
        return (g * 0,)


class RealPartOnly(Function):
    """sin x with gradient 0 and a forward that drops what a complex step is made of."""

    def forward(self, x):
        return np.sin(x.real)

    def vjp(self, needs, g, y, x):
        return (g * 0,)


class ClampLeaks(Function):
    """min(x, 0.3) that lets the gradient through everywhere."""

    def forward(self, x):
        return np.where(x.real < 0.3, x, 0.3)

    def vjp(self, needs, g, y, x):
        return (g,)


# ------------------------------------------------------------------------------ bookkeeping


class BroadcastNotSummed(Function):
    """x + b whose gradient for b is that of one row, not the sum over the rows."""

    reads = ((), ())

    def forward(self, x, b):
        return x + b

    def vjp(self, needs, g, y, x, b):
        return g, g[0]


class SharedWorkspace(Function):
    """exp that keeps its result in one buffer for all calls: the second overwrites the first."""

    buffer: dict = {}

    def forward(self, x):
        y = self.buffer.setdefault((x.shape, x.dtype), np.empty_like(x))
        np.exp(x, out=y)
        return y.copy()

    def vjp(self, needs, g, y, x):
        return (g * Tensor(self.buffer[x.shape, x.dtype].copy()),)


def twice(function):
    """Two calls of one operation: the first's value must survive the second."""
    return lambda x: function()(x) * function()(x * 0.5)


class MaskRedrawn(Function):
    """Dropout whose gradient draws a mask of its own."""

    def forward(self, x):
        self.generator = Generator().manual_seed(0)
        return x * self.mask(x)

    def mask(self, x):
        return (self.generator.rng.random(x.shape) >= 0.5) * x.dtype.type(2)

    def vjp(self, needs, g, y, x):
        return (g * Tensor(self.mask(x)),)


class SumForMean(Function):
    """A fused squared error: the mean over the batch forward, the sum in the gradient."""

    def forward(self, x):
        return np.asarray((x * x).mean())

    def vjp(self, needs, g, y, x):
        return (g * x * 2,)


class SwappedHeads(Function):
    """Two heads' features interleaved; the gradient gives each the other's."""

    reads = ((),)

    def forward(self, x):
        return np.concatenate([x[:, :2] * 3, x[:, 2:]], 1)

    def vjp(self, needs, g, y, x):
        return (minigan.cat([g[:, 2:], g[:, :2] * 3], 1),)


# ------------------------------------------------------------------------------ systems


def penalty_without_graph(w, x):
    """WGAN-GP's (‖∂D/∂x‖ - 1)²: without create_graph it never reaches the critic's weights."""
    x = x.detach().requires_grad_()
    critic = (x @ w).tanh().sum()
    (g,) = minigan.grad(critic, x)
    return (((g * g).sum(1) + 1e-12).sqrt() - 1) ** 2


def pull_away(s, detach=True):
    """EBGAN's Σ cos²(s_i, s_j): detached, each pair pulls one of the two only."""
    u = s / (s * s).sum(1, keepdim=True).sqrt()
    other = u.detach() if detach else u
    n = s.shape[0]
    return (((u @ other.t()) ** 2).sum() - n) / (n * (n - 1))


# ------------------------------------------------------------------------------ properties


class AssumesContiguous(Function):
    """Reads memory in its order and calls that the rows' order."""

    def forward(self, x):
        return x.ravel(order="K").reshape(x.shape) * np.arange(x.size).reshape(x.shape)

    def vjp(self, needs, g, y, x):
        return (g * Tensor(np.arange(g.numel(), dtype=float).reshape(g.shape)),)


class ChangesItsInput(Function):
    def forward(self, x):
        x *= 1.5
        return x / 1.5

    def vjp(self, needs, g, y, x):
        return (g,)


class Overflows(Function):
    """ln(1 + e^x), written out: inf in float32 beyond 88, right in float64."""

    reads = (("y",),)

    def forward(self, x):
        with np.errstate(over="ignore"):
            return np.log(1 + np.exp(x))

    def vjp(self, needs, g, y, x):
        with np.errstate(over="ignore", invalid="ignore"):
            return (g * ((y.exp() - 1) / y.exp()),)
