"""Batch normalisation with the statistics of all ranks' batches."""

from __future__ import annotations

from math import prod
from typing import Any, Self

from .._tensor import Tensor
from ..array import array_module
from ..distributed.nn import AllGather
from ..distributed.process_group import current, expect_default
from ..ops.kinks import leaky_relu
from ..ops.norm import follow
from ..ops.shape import cat
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d, _BatchNorm


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of (N, C, …), each channel over the batches of all ranks together.

    In training every rank computes the mean m_r and the sum of squares M_r of its n_r numbers in a
    channel, and from all of them, of N = Σ n_r numbers,

        μ = Σ n_r·m_r / N,   σ² = Σ (M_r + n_r·(m_r - μ)²) / N

    normalise, and move the running statistics, the same on every rank.  The ranks' batches may
    differ in size.  Gradients are with respect to the sum of all ranks' losses, to any order; all
    ranks walk back together.  In evaluation, and where there is one rank, it is BatchNorm.

    Arguments are BatchNorm's, and ``process_group``: None, all ranks.

    >>> import minigan
    >>> SyncBatchNorm(2)(minigan.tensor([[1.0, 5.0], [3.0, 9.0]])).detach().numpy().round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """

    ranks = (2, 3, 4)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        expect_default("SyncBatchNorm", process_group)
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def activated(self, x: Tensor, slope: float) -> Tensor:
        by_batch = self.training or self.running_mean is None
        if not by_batch or current().size == 1:
            return super().activated(x, slope)
        self._check_rank(x)
        if x.shape[1] != self.num_features:
            raise RuntimeError(
                f"SyncBatchNorm: expected {self.num_features} channels, got input shape {x.shape}"
            )
        shape = (1, self.num_features) + (1,) * (x.ndim - 2)
        mean, var, count = statistics(x)
        if self.training and self.track_running_stats:
            unbiased = var.detach() * (count / (count - 1))
            batch = mean.array, unbiased.array
            follow((self.running_mean, self.running_var), batch, self._rate())
            self.num_batches_tracked.add_(1)
        scale = (var + self.eps) ** -0.5
        scale = scale if self.weight is None else scale * self.weight
        y = (x - mean.reshape(shape)) * scale.reshape(shape)
        y = y if self.bias is None else y + self.bias.reshape(shape)
        return y if slope == 1 else leaky_relu(y, slope)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: None = None) -> Module:
        """``module`` with every BatchNorm in it as a SyncBatchNorm of the same parameters.

        The network itself is changed and returned; if it is a BatchNorm, its replacement is.

        >>> from minigan import nn
        >>> nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm2d(3)))[0].eps
        1e-05
        """
        expect_default("convert_sync_batchnorm", process_group)
        if type(module) in (BatchNorm1d, BatchNorm2d):
            return cls._like(module)
        for name, child in module.named_children():
            converted = cls.convert_sync_batchnorm(child)
            if converted is not child:
                module.add_module(name, converted)
        return module

    @classmethod
    def _like(cls, norm: _BatchNorm) -> Self:
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        made.track_running_stats, made.training = norm.track_running_stats, norm.training
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(made, name, getattr(norm, name))
        return made


def statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance (C,) of each channel over all ranks, and how many numbers N.

    Each rank's means, sums of squares and count go to all ranks, in one collective.

    Raises:
        ValueError: there is only one number for a channel.
    """
    channels, xp = x.shape[1], array_module(x.array)
    dims = (0,) + tuple(range(2, x.ndim))
    own = prod(x.shape[d] for d in dims)
    mean = x.sum(dims, keepdim=True) / max(own, 1)
    squares = ((x - mean) ** 2).sum(dims)
    row = cat([mean.reshape(channels), squares, Tensor(xp.full((1,), own, x.dtype))])
    rows = AllGather()(row)
    means, squares = rows[:, :channels], rows[:, channels : 2 * channels]
    counts = rows[:, -1:].detach()
    total = counts.sum()
    if own <= 1 and total.item().real <= 1:
        raise ValueError(
            "SyncBatchNorm: training needs more than 1 value per channel over all ranks, got input "
            f"shape {x.shape}"
        )
    mean = (means * counts).sum(0) / total
    return mean, (squares + counts * (means - mean) ** 2).sum(0) / total, total
