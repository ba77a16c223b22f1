"""Normalisation layers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, tensor
from ..ops.creation import ones, zeros
from ..ops.norm import batch_norm_activated
from . import functional as F
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        where = {"device": device, "dtype": dtype}
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = Parameter(ones(num_features, **where))
            self.bias = Parameter(zeros(num_features, **where))
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, None)
        if track_running_stats:
            self.running_mean = zeros(num_features, **where)
            self.running_var = ones(num_features, **where)
            self.num_batches_tracked = tensor(0, device=device)

    def _check_rank(self, x: Tensor) -> None:
        if x.ndim not in self.ranks:
            raise ValueError(
                f"{type(self).__name__}: expected {' or '.join(f'{r}-D' for r in self.ranks)} "
                f"input, got shape {x.shape}"
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.activated(x, 1.0)

    def activated(self, x: Tensor, slope: float) -> Tensor:
        """The layer and then a LeakyReLU of slope 0 to 1 (1: none), in one pass over memory."""
        self._check_rank(x)
        running = (self.running_mean, self.running_var)
        if self.training and not self.track_running_stats:
            running = (None, None)  # statistics kept from before stay as they are
        moving = self.training and running[0] is not None
        momentum = self._rate() if moving else 0.0
        by_batch = self.training or running[0] is None
        y = batch_norm_activated(
            x, *running, self.weight, self.bias, by_batch, momentum, self.eps, slope
        )
        if moving:
            self.num_batches_tracked.add_(1)
        return y

    def _rate(self) -> float:
        """How far running statistics move towards a batch's; in a plain average ever less."""
        if self.momentum is None:
            return 1 / (self.num_batches_tracked.item() + 1)
        return self.momentum

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L), each channel over everything else.

    weight and bias start as 1 and 0.  In training the batch normalises itself and moves
    running_mean and running_var by ``momentum`` (None: they are plain averages over all batches);
    in evaluation, where running statistics are tracked, they normalise.

    >>> import minigan
    >>> BatchNorm1d(2)(minigan.tensor([[1.0, 5.0], [3.0, 9.0]])).detach().numpy().round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W), each channel over batch and pixels.

    Otherwise as :class:`BatchNorm1d`.
    """

    ranks = (4,)


class _InstanceNorm(_BatchNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        self._check_rank(x)
        own = self.training or self.running_mean is None
        y = F.instance_norm(
            x if x.ndim == max(self.ranks) else x.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            own,
            self.momentum or 0.0,
            self.eps,
        )
        return y if x.ndim == max(self.ranks) else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of (N, C, L) over its length."""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image of (N, C, H, W) over its pixels."""

    ranks = (3, 4)


class LayerNorm(Module):
    """Each sample over its last dimensions; weight and bias of their shape start as 1 and 0.

    >>> import minigan
    >>> LayerNorm(2)(minigan.tensor([[1.0, 3.0]])).detach().numpy().round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        single = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if single else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        where = {"device": device, "dtype": dtype}
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if elementwise_affine:
            self.weight = Parameter(ones(self.normalized_shape, **where))
            if bias:
                self.bias = Parameter(zeros(self.normalized_shape, **where))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Each sample over every group of channels; weight and bias (C,) start as 1 and 0."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_groups ({num_groups}) must divide num_channels ({num_channels})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        where = {"device": device, "dtype": dtype}
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = Parameter(ones(num_channels, **where))
            self.bias = Parameter(zeros(num_channels, **where))

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
