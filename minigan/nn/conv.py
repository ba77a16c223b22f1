"""Convolution layers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..conv import NONE, Activation
from ..ops.conv import conv2d_activated, conv_transpose2d_activated
from ..ops.creation import empty
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter


class _Conv(Module):
    """What all share: ``rank`` directions, and ``transposed`` tells how the weight lies."""

    rank = 2
    transposed = False

    def _each(self, value: Any) -> tuple[int, ...]:
        """One number for each direction."""
        return (value,) * self.rank if isinstance(value, int) else tuple(value)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int],
        padding: Any,
        dilation: int | tuple[int, int],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ):
        super().__init__()
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(
                f"{type(self).__name__}: padding_mode must be one of {modes}, got {padding_mode!r}"
            )
        self.padding_mode = padding_mode
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{type(self).__name__}: groups ({groups}) must divide in_channels "
                f"({in_channels}) and out_channels ({out_channels})"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = self._each(kernel_size), self._each(stride)
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(
                f'{type(self).__name__}: padding expects numbers, "same" or "valid", got '
                f'"{padding}"'
            )
        self.padding = padding if isinstance(padding, str) else self._each(padding)
        self.dilation, self.groups = self._each(dilation), groups
        first, second = in_channels, out_channels
        if not self.transposed:
            first, second = second, first
        where = {"device": device, "dtype": dtype}
        # Memory in the order (taps, second, first): the matrix that convolutions multiply by.
        weight = empty(*self.kernel_size, second // groups, first, **where)
        self.weight = Parameter(weight.permute(self.rank + 1, self.rank, *range(self.rank)))
        inputs = init.fan_in(self.weight)
        init.default_(self.weight, inputs)
        self.register_parameter("bias", None)
        if bias:
            self.bias = Parameter(empty(out_channels, **where))
            init.default_(self.bias, inputs)

    def _padded(self, x: Tensor) -> tuple[Tensor, Any]:
        """x with its border, where that is no border of zeros, and the padding still to do."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return x, self.padding
        sides: list[int] = []  # for ``pad``: before and after of the last direction, and so on up
        for d in reversed(range(self.rank)):
            if self.padding == "same":
                total = self.dilation[d] * (self.kernel_size[d] - 1)
                sides += [total // 2, total - total // 2]
            elif len(self.padding) == self.rank:
                sides += [self.padding[d]] * 2
            else:
                sides += self.padding[2 * d : 2 * d + 2]
        return F.pad(x, sides, self.padding_mode), 0

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        for name, usual in (
            ("padding", (0,) * self.rank),
            ("dilation", (1,) * self.rank),
            ("output_padding", (0,) * self.rank),
            ("groups", 1),
        ):
            if getattr(self, name, usual) != usual:
                text += f", {name}={getattr(self, name)}"
        text += "" if self.bias is not None else ", bias=False"
        zeros = self.padding_mode == "zeros"
        return text if zeros else f"{text}, padding_mode={self.padding_mode}"


class Conv2d(_Conv):
    """2-D convolution: (N, in_channels, H, W) to (N, out_channels, P, Q).

    weight is (out_channels, in_channels/groups, R, S), bias (out_channels,); both start as
    U(-1/√n, 1/√n) with n = in_channels/groups·R·S.

    Args:
        padding: an int, a pair, (top, bottom, left, right), "same" or "valid".
        padding_mode: what the border holds: "zeros", "reflect", "replicate" or "circular".

    The rest as :func:`minigan.nn.functional.conv2d`.

    >>> import minigan
    >>> Conv2d(3, 8, 4, stride=2, padding=1)(minigan.ones(1, 3, 32, 32)).shape
    (1, 8, 16, 16)
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
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.activated(x, NONE)

    def activated(self, x: Tensor, activation: Activation) -> Tensor:
        """The layer and then an activation, in one pass over memory."""
        x, padding = self._padded(x)
        given = self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        return conv2d_activated(x, *given, activation)


class ConvTranspose2d(_Conv):
    """The adjoint of a 2-D convolution: (N, in_channels, H, W) to (N, out_channels, P, Q).

    weight is (in_channels, out_channels/groups, R, S), bias (out_channels,); both start as
    U(-1/√n, 1/√n) with n = out_channels/groups·R·S, which is PyTorch's reading of "inputs" here.

    The arguments as :func:`minigan.nn.functional.conv_transpose2d`.

    >>> import minigan
    >>> ConvTranspose2d(8, 3, 4, stride=2, padding=1)(minigan.ones(1, 8, 16, 16)).shape
    (1, 3, 32, 32)
    """

    transposed = True

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
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
        self.output_padding = self._each(output_padding)

    def forward(self, x: Tensor, output_size: tuple[int, int] | None = None) -> Tensor:
        return self.activated(x, NONE, output_size)

    def activated(
        self, x: Tensor, activation: Activation, output_size: tuple[int, int] | None = None
    ) -> Tensor:
        """The layer and then an activation, in one pass over memory."""
        return conv_transpose2d_activated(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
            None if output_size is None else tuple(output_size)[-2:],
            activation,
        )


class Conv1d(Conv2d):
    """1-D convolution: (N, in_channels, L) to (N, out_channels, Q); otherwise as ``Conv2d``."""

    rank = 1

    def forward(self, x: Tensor) -> Tensor:
        x, padding = self._padded(x)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose1d(ConvTranspose2d):
    """The adjoint of a 1-D convolution; otherwise as ``ConvTranspose2d``."""

    rank = 1

    def forward(self, x: Tensor, output_size: tuple[int, ...] | None = None) -> Tensor:
        return F.conv_transpose1d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
            None if output_size is None else output_size[-1],
        )
