"""Layers: modules that hold parameters or settings and call one function each."""

from __future__ import annotations

from typing import Any

from .. import losses
from .._tensor import Tensor, tensor
from ..ops import shape as shapes
from ..ops.creation import empty, ones, zeros
from . import functional as F
from . import init
from .module import Module, Parameter


class Sequential(Module):
    """Modules called one after the other.

    >>> import minigan.nn as nn
    >>> list(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Any):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], dict) else None
        for name, module in named or enumerate(modules):
            self.add_module(str(name), module)

    def forward(self, x: Any) -> Any:
        for module in self._modules.values():
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules.items())[index]))
        return list(self._modules.values())[index]

    def append(self, module: Module) -> Sequential:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self


class Linear(Module):
    """y = x·weightᵀ + bias: (…, in_features) to (…, out_features)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device=None, dtype=None
    ):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        init.default_(self.weight, in_features)
        self.bias = None
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
            init.default_(self.bias, in_features)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class _Conv(Module):
    def __init__(self, shape: tuple, outputs: int, bias: bool, device: Any, dtype: Any):
        super().__init__()
        self.weight = Parameter(empty(*shape, device=device, dtype=dtype))
        inputs = init.fan_in(self.weight)
        init.default_(self.weight, inputs)
        self.bias = None
        if bias:
            self.bias = Parameter(empty(outputs, device=device, dtype=dtype))
            init.default_(self.bias, inputs)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.weight.shape[2:]}, "
            f"stride={self.stride}, padding={self.padding}"
        )
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else text + ", bias=False"


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


class Conv2d(_Conv):
    """2-D convolution: (N, in_channels, H, W) to (N, out_channels, P, Q).

    ``padding`` is an int, a pair, (top, bottom, left, right), "same" or "valid".
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: Any = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups ({groups}) must divide in_channels ({in_channels}) and "
                f"out_channels ({out_channels})"
            )
        shape = (out_channels, in_channels // groups, *_pair(kernel_size))
        super().__init__(shape, out_channels, bias, device, dtype)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = _pair(kernel_size), _pair(stride), padding
        self.dilation, self.groups = _pair(dilation), groups

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class ConvTranspose2d(_Conv):
    """The adjoint of a 2-D convolution: (N, in_channels, H, W) to (N, out_channels, P, Q)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: Any = 0,
        output_padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
        device: Any = None,
        dtype: Any = None,
    ):
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"ConvTranspose2d: groups ({groups}) must divide in_channels ({in_channels}) and "
                f"out_channels ({out_channels})"
            )
        shape = (in_channels, out_channels // groups, *_pair(kernel_size))
        super().__init__(shape, out_channels, bias, device, dtype)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = _pair(kernel_size), _pair(stride), padding
        self.output_padding = _pair(output_padding)
        self.dilation, self.groups = _pair(dilation), groups

    def forward(self, x: Tensor, output_size: tuple[int, int] | None = None) -> Tensor:
        return F.conv_transpose2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
            None if output_size is None else tuple(output_size)[-2:],
        )


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
        self.weight = Parameter(ones(num_features, **where)) if affine else None
        self.bias = Parameter(zeros(num_features, **where)) if affine else None
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **where) if track else None)
        self.register_buffer("running_var", ones(num_features, **where) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if track else None)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self.ranks:
            raise ValueError(
                f"{type(self).__name__}: expected {' or '.join(f'{r}-D' for r in self.ranks)} "
                f"input, got shape {x.shape}"
            )
        momentum = self.momentum
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # a plain average over all batches
                momentum = 1.0 / self.num_batches_tracked.item()
        batch_statistics = self.training or not self.track_running_stats
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            batch_statistics,
            momentum or 0.0,
            self.eps,
        )

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L), each channel over everything else."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W), each channel over batch and pixels."""

    ranks = (4,)


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace: bool = False):
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class LeakyReLU(Module):
    """x where positive, else negative_slope·x."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class Tanh(Module):
    """tanh x."""

    def forward(self, x: Tensor) -> Tensor:
        return F.tanh(x)


class Sigmoid(Module):
    """1/(1 + e^-x)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.sigmoid(x)


class Softplus(Module):
    """ln(1 + e^(β·x))/β."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)


class Flatten(Module):
    """Dimensions start_dim to end_dim made one (default: all but the batch)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return shapes.flatten(x, self.start_dim, self.end_dim)


class Unflatten(Module):
    """Dimension ``dim`` split into ``unflattened_size``."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        return shapes.unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Dropout(Module):
    """Each element zeroed with probability p in training, the others divided by 1 - p."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: expected a probability between 0 and 1, got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Upsample(Module):
    """Images enlarged to ``size`` or by ``scale_factor``, nearest neighbour."""

    def __init__(self, size: Any = None, scale_factor: Any = None, mode: str = "nearest"):
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, self.scale_factor, self.mode)

    def extra_repr(self) -> str:
        what = f"scale_factor={self.scale_factor}" if self.size is None else f"size={self.size}"
        return f"{what}, mode={self.mode!r}"


class BCEWithLogitsLoss(Module):
    """Binary cross entropy of logits with targets in [0, 1]."""

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean"):
        super().__init__()
        self.weight, self.reduction = weight, reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return losses.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction)


class MSELoss(Module):
    """The mean squared error."""

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return losses.mse_loss(input, target, self.reduction)
