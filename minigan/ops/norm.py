"""Batch normalisation, right to any order of differentiation."""

from __future__ import annotations

from math import prod

from .. import fused
from .._tensor import Tensor
from ..array import Array, array_module
from ..autograd import Function, is_grad_enabled
from ..generators import kept, rng_on
from ._common import as_float, as_tensor, operands
from .kinks import LeakyReLUGrad, leaky_relu
from .reduction import mean as mean_of


class BatchNorm(Function):
    """y = (x - μ)/√(σ² + ε)·w + b with μ, σ² over dims (biased);  w, b constant over dims.

    With c = x - μ, s = 1/√(σ² + ε) and means taken over dims:

        gx = w·s·(g - mean g - c·s²·mean(g·c)),   gw = Σ g·c·s,   gb = Σ g

    With ``slope`` other than 1 the result goes through a LeakyReLU of that slope (0 to 1) at once,
    and the gradient first comes back through it.  With ``by_channel`` w and b are of shape (C,),
    along dimension 1 of x.

    μ and s depend on x.  When the gradient is itself recorded they are therefore computed again
    as Tensors; held constant, as most engines do, every higher derivative would be wrong.
    """

    reads = ((0, 1), (0,), ())
    coarse = True

    def __init__(
        self, dims: tuple[int, ...], eps: float, slope: float = 1.0, by_channel: bool = False
    ):
        self.dims, self.eps, self.slope, self.by_channel = dims, float(eps), slope, by_channel
        if slope != 1:
            self.reads = ((0, 1, "y"), (0, "y"), ("y",))

    def forward(self, x, w, b):
        self.count = prod([x.shape[d] for d in self.dims])
        w, b = self._along(x, w), self._along(x, b)
        y, self.mean, self.var = fused.normalise(x, w, b, self.dims, self.eps, self.slope)
        self.shift = fused.kept_shift(b, self.slope)
        return y

    def _along(self, x, v):
        """w or b with as many dimensions as x."""
        if not self.by_channel or not hasattr(v, "reshape"):  # a number, or not needed
            return v
        return v.reshape((1, -1) + (1,) * (x.ndim - 2))

    def _as_given(self, sums):
        """Sums over dims in the shape of w and b."""
        if not self.by_channel:
            return sums
        return [s if s is None else s.reshape(-1) for s in sums]

    def vjp(self, needs, g, y, x, w, b):
        if needs[0] and not is_grad_enabled():
            known = self.shift, self.mean, self.var, self.dims, self.eps, self.slope
            y_read, scale = (getattr(v, "array", v) for v in (y, w))  # y where the slope asks
            made = fused.normalise_grad(g.array, x.array, y_read, self._along(x, scale), *known)
            if made is not None:
                arrays = made[0], *self._as_given(made[1:])
                return tuple(
                    [Tensor(a) if need else None for a, need in zip(arrays, needs, strict=True)]
                )
        gx, *sums = self._gradients(needs, g, y, x, self._along(x, w))
        return gx, *self._as_given(sums)

    def _gradients(self, needs, g, y, x, w):
        gx = gw = gb = None
        if self.slope != 1:
            g = LeakyReLUGrad(self.slope)(g, y)
        if not is_grad_enabled():
            if not needs[0] and not needs[1]:  # x may not be there
                return None, None, g.sum(self.dims, keepdim=True)
            sums = NormSums(self)(g, x)
            gw = sums[1] * Tensor((self.var + self.eps) ** -0.5) if needs[1] else None
            gx = NormInput(self)(g, x, w, sums) if needs[0] else None
            return gx, gw, sums[0] if needs[2] else None
        if needs[2]:
            gb = g.sum(self.dims, keepdim=True)
        if needs[0] or needs[1]:
            centred = x - mean_of(x, self.dims, keepdim=True)
            inv_std = (mean_of(centred * centred, self.dims, keepdim=True) + self.eps) ** -0.5
            gc = (g * centred).sum(self.dims, keepdim=True)
            gw = gc * inv_std if needs[1] else None
        if needs[0]:
            g_mean = (gb if needs[2] else g.sum(self.dims, keepdim=True)) / self.count
            inner = g - g_mean - centred * (inv_std * inv_std * gc / self.count)
            gx = inner * (inv_std * w)
        return gx, gw, gb


class NormSums(Function):
    """Σ g and Σ g·c over the dims of a BatchNorm, one after the other."""

    def __init__(self, norm: BatchNorm):
        self.norm = norm

    def forward(self, g, x):
        return array_module(g).stack(fused.normalise_sums(g, x, self.norm.mean, self.norm.dims))


class NormInput(Function):
    """The gradient of a BatchNorm in x, from the sums: gx = a·g + b·c + d with

    a = w·s,   b = -w·s³·Σ(g·c)/M,   d = -w·s·Σg/M   and M numbers in a sum.
    """

    def __init__(self, norm: BatchNorm):
        self.norm = norm

    def forward(self, g, x, w, sums):
        norm = self.norm
        inv_std = (norm.var + norm.eps) ** -0.5
        a = inv_std * w
        share = a / -norm.count
        b, d = share * inv_std * inv_std * sums[1], share * sums[0]
        return fused.scaled_sum(g, x, norm.mean, a, b, d)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation of each channel (dimension 1) over all other dimensions.

    In training the batch's mean and biased variance normalise, and running ← (1 - momentum) ·
    running + momentum · batch (with the unbiased variance) is done in place; otherwise the
    running statistics normalise.

    Args:
        input: (N, C) or (N, C, …).
        running_mean, running_var: (C,), needed in evaluation.
        weight, bias: (C,) scale and shift, or None.

    Source: Ioffe & Szegedy 2015, arXiv 1502.03167.

    >>> import minigan
    >>> batch_norm(minigan.tensor([[1.0], [3.0]]), training=True)
    tensor([[-0.999995],
            [ 0.999995]], dtype=float32)
    """
    return batch_norm_activated(
        input, running_mean, running_var, weight, bias, training, momentum, eps, 1.0
    )


def batch_norm_activated(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    slope: float,
) -> Tensor:
    """``batch_norm`` and then a LeakyReLU of slope 0 to 1 (1: none), in one pass over memory."""
    x = as_float("batch_norm", input)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: expected input (N, C, …), got shape {x.shape}")
    channels = x.shape[1]
    for name, value in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if value is not None and value.shape != (channels,):
            raise RuntimeError(
                f"batch_norm: {name} expects shape ({channels},) for input of shape {x.shape}, "
                f"got {value.shape}"
            )
    w, b = 1.0 if weight is None else weight, 0.0 if bias is None else bias
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: evaluation needs running_mean and running_var")
        shape = (1, channels) + (1,) * (x.ndim - 2)
        w, b = (v if isinstance(v, float) else v.reshape(shape) for v in (w, b))
        scale = (running_var.reshape(shape) + eps) ** -0.5 * w
        y = x * scale + (b - running_mean.reshape(shape) * scale)
        return y if slope == 1 else leaky_relu(y, slope)
    dims = (0,) + tuple(range(2, x.ndim))
    count = prod([x.shape[d] for d in dims])
    if count <= 1:
        raise ValueError(
            f"batch_norm: training needs more than 1 value per channel, got input shape {x.shape}"
        )
    function = BatchNorm(dims, eps, slope, by_channel=True)
    y = function(*operands("batch_norm", x, w, b))
    variance = function.var * (count / (count - 1))
    follow((running_mean, running_var), (function.mean, variance), momentum)
    return y


def follow(
    running: tuple[Tensor | None, Tensor | None], batch: tuple[Array, Array], momentum: float
) -> None:
    """running ← (1 - momentum)·running + momentum·batch, for mean and variance, in place."""
    pairs = [
        (old, new.real.reshape(old.shape))
        for old, new in zip(running, batch, strict=True)
        if old is not None
    ]
    arrays, batches = [old.array for old, _ in pairs], [new for _, new in pairs]
    fused.average(arrays, batches, 1 - momentum, momentum)
    for old, _ in pairs:
        old.version[0] += 1


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: object = None,
) -> Tensor:
    """Each element zeroed with probability ``p``, the others divided by 1 - p (in training only).

    Source: Srivastava et al. 2014.
    """
    x = as_tensor("dropout", input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability between 0 and 1, got {p}")
    if not training or p == 0:
        return x
    rng = rng_on(x.device, generator)
    xp, x = array_module(x.array), as_float("dropout", x)
    if p == 1:
        return x * Tensor(xp.zeros_like(x.array))
    return x * (Tensor(xp.asarray(kept(rng, p, x.shape, x.dtype))) / (1 - p))
