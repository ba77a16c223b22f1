"""Normalisation layers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, tensor
from ..ops.creation import ones, zeros
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

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self.ranks:
            raise ValueError(
                f"{type(self).__name__}: expected {' or '.join(f'{r}-D' for r in self.ranks)} "
                f"input, got shape {x.shape}"
            )
        running = (self.running_mean, self.running_var)
        if self.training and not self.track_running_stats:
            running = (None, None)  # statistics kept from before stay as they are
        batches, momentum = self.num_batches_tracked, self.momentum
        moving = self.training and running[0] is not None
        if momentum is None:  # a plain average over all batches
            momentum = 1 / (batches.item() + 1) if moving else 0.0
        by_batch = self.training or running[0] is None
        y = F.batch_norm(x, *running, self.weight, self.bias, by_batch, momentum, self.eps)
        if moving:
            batches.add_(1)
        return y

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
