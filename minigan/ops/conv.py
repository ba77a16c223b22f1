"""Convolution and transposed convolution: three Functions, each the gradient of the others.

Two of them may end in an activation.  Its gradient is known from the result, so that what lies
between the two is nowhere kept.
"""

from __future__ import annotations

from typing import Any

from .. import conv as routines
from .._autocast import rounds
from .._mode import thread
from .._tensor import Tensor
from ..array import Array
from ..autograd import Function, is_grad_enabled
from ..conv import NONE, Activation, Geometry
from ..conv.kept import NOTHING, Kept
from ._common import operands
from .conv_arguments import check, pair, sides_of, transposed
from .indexing import pad_constant
from .kinks import LeakyReLU, leaky_relu, relu
from .smooth import Tanh, tanh

IntPair = int | tuple[int, int]


class _Routine(Function):
    """``kept`` goes from a call to both its gradients: they have much in common.

    ``low``: operands are rounded to BF16, the gradients' too; None: if autocast says so.
    """

    reads = ((1,), (0,))
    coarse = True  # its operands are rounded anyway
    activation = NONE

    def __init__(
        self,
        geometry: Geometry,
        bias: bool = False,
        kept: Kept = NOTHING,
        low: bool | None = None,
    ):
        self.geometry, self.common, self.kept, self.low = geometry, kept, NOTHING, low
        if bias:
            self.reads = ((1,), (0,), ())

    def _rounds(self, x: Array) -> bool:
        """Whether this call rounds, which its gradients then do as well."""
        if self.low is None:
            self.low = rounds(x)
        return self.low

    def _for_call(self, role: str) -> Kept:
        """What this function was given serves for one call: later its filters may have changed.

        Wgrad will need the first operand again, x or y by its ``role``; nothing is kept of it where
        operands themselves wait in another form.
        """
        self.kept, self.common = self.common, NOTHING
        if self.kept is NOTHING and is_grad_enabled():
            self.kept = Kept("w" if thread.state.packing else "w" + role, later=True)
        return self.kept

    def _for_gradients(self, role: str, needs: tuple[bool, ...]) -> Kept:
        """The filters from before; and g, in the role of x or y, if both its uses are ahead."""
        before = self.kept
        if is_grad_enabled():  # the gradients are kept themselves, so g's transform would be too
            return Kept("w", before)
        self.kept = NOTHING  # to save memory; made again if this is the first of several passes
        return Kept("w" + role if needs[0] and needs[1] else "w", before)


class Fprop(_Routine):
    """y = x ∗ w (+ b);  gx = dgrad(g, w), gw = wgrad(x, g), gb = Σ g over all but channels."""

    def forward(self, x, w, b=None):
        kept, low = self._for_call("x"), self._rounds(x)
        return routines.fprop(self.geometry, x, w, b, kept, low, self.activation)

    def vjp(self, needs, g, y, x, w, b=None):
        kept = self._for_gradients("y", needs)
        gx = Dgrad(self.geometry, kept=kept, low=self.low)(g, w) if needs[0] else None
        gw = Wgrad(self.geometry, kept=kept, low=self.low)(x, g) if needs[1] else None
        return (gx, gw) if b is None else (gx, gw, g.sum((0, 2, 3)) if needs[2] else None)


class Dgrad(_Routine):
    """x = the adjoint of ∗ w, at y (+ b);  gy = fprop(g, w), gw = wgrad(g, y), gb as above."""

    def forward(self, y, w, b=None):
        kept, low = self._for_call("y"), self._rounds(y)
        return routines.dgrad(self.geometry, y, w, b, kept, low, self.activation)

    def vjp(self, needs, g, x, y, w, b=None):
        kept = self._for_gradients("x", needs)
        gy = Fprop(self.geometry, kept=kept, low=self.low)(g, w) if needs[0] else None
        gw = Wgrad(self.geometry, kept=kept, low=self.low)(g, y) if needs[1] else None
        return (gy, gw) if b is None else (gy, gw, g.sum((0, 2, 3)) if needs[2] else None)


class Wgrad(_Routine):
    """w = the adjoint of x ∗, at y;  gx = dgrad(y, g), gy = fprop(x, g)."""

    def forward(self, x, y):
        common, self.common = self.common, NOTHING
        return routines.wgrad(self.geometry, x, y, common, self._rounds(x))

    def vjp(self, needs, g, w, x, y):
        kept = Kept("w")  # of other filters: g
        gx = Dgrad(self.geometry, kept=kept, low=self.low)(y, g) if needs[0] else None
        gy = Fprop(self.geometry, kept=kept, low=self.low)(x, g) if needs[1] else None
        return gx, gy


class _Activated(_Routine):
    """f(…), f an activation: the gradient first goes back through f, then as without it."""

    linear: type[_Routine]

    def __init__(self, geometry: Geometry, activation: Activation, bias: bool = False):
        super().__init__(geometry, bias)
        self.activation = activation
        self.reads = tuple((*read, "y") for read in self.reads)

    def vjp(self, needs, g, y, *inputs):
        f = Tanh() if self.activation.name == "tanh" else LeakyReLU(self.activation.slope)
        (g,) = f.vjp((True,), g, y, None)
        return super().vjp(needs, g, y, *inputs)

    def without_activation(self) -> Function:
        """What the activation is applied to."""
        return self.linear(self.geometry, low=self.low)


class FpropActivated(_Activated, Fprop):
    """y = f(x ∗ w (+ b)) for an activation f;  the gradients are Fprop's, of g·f'."""

    linear = Fprop


class DgradActivated(_Activated, Dgrad):
    """x = f(the adjoint of ∗ w, at y (+ b)) for an activation f;  likewise Dgrad's, of g·f'."""

    linear = Dgrad


def _apply(
    function: type[_Activated], geometry: Geometry, x: Tensor, filters: list, f: Activation
) -> Tensor:
    """The function of images x: at once, unless f would turn integers into floats."""
    bias = len(filters) == 2
    if f == NONE or x.dtype.kind not in "fc":
        return _after(function.linear(geometry, bias)(x, *filters), f)
    return function(geometry, f, bias)(x, *filters)


def _after(y: Tensor, f: Activation) -> Tensor:
    """f(y), as an operation of its own."""
    if f == NONE:
        return y
    if f.name == "tanh":
        return tanh(y)
    return relu(y) if f.name == "relu" else leaky_relu(y, f.slope)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntPair = 1,
    padding: Any = 0,
    dilation: IntPair = 1,
    groups: int = 1,
) -> Tensor:
    """2-D convolution (cross-correlation) of images with a bank of filters.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (K, C/groups, R, S).
        bias: (K,) or None.
        stride, dilation: an int or (vertical, horizontal).
        padding: an int, (vertical, horizontal), (top, bottom, left, right), "valid", or "same"
            (output ⌈H/stride⌉; what is odd goes to the bottom and right).
        groups: channels are split into this many independent convolutions.

    Returns:
        (N, K, P, Q) with P = (H + top + bottom - dilation·(R - 1) - 1) // stride + 1.

    >>> import minigan
    >>> conv2d(minigan.ones(1, 1, 3, 3), minigan.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]], dtype=float32)
    """
    return conv2d_activated(input, weight, bias, stride, padding, dilation, groups, NONE)


def conv2d_activated(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: IntPair,
    padding: Any,
    dilation: IntPair,
    groups: int,
    activation: Activation,
) -> Tensor:
    """``conv2d`` and then an activation, in one pass over memory."""
    check("conv2d", input, weight, bias, groups, transposed=False)
    stride = pair("conv2d", "stride", stride, least=1)
    dilation = pair("conv2d", "dilation", dilation, least=1)
    size, kernel = input.shape[-2:], weight.shape[2:]
    pad = sides_of("conv2d", padding, size, kernel, stride, dilation)
    geometry = Geometry(*size, *kernel, stride, pad, dilation, groups)
    x, *filters = operands("conv2d", input, weight, *([] if bias is None else [bias]))
    y = _apply(FpropActivated, geometry, x if x.ndim == 4 else x.unsqueeze(0), filters, activation)
    return y if input.ndim == 4 else y.squeeze(0)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntPair = 1,
    padding: Any = 0,
    output_padding: IntPair = 0,
    groups: int = 1,
    dilation: IntPair = 1,
    output_size: IntPair | None = None,
) -> Tensor:
    """The adjoint of a 2-D convolution: enlarges images by the stride.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (C, K/groups, R, S).
        bias: (K,) or None.
        stride, padding, dilation, groups: of the convolution this is the adjoint of.
        output_padding: rows and columns added at the bottom and right, fewer than the stride or
            the dilation.
        output_size: the wanted (height, width), in place of ``output_padding``.

    Returns:
        (N, K, (H - 1)·stride - top - bottom + dilation·(R - 1) + output_padding + 1, …).

    >>> import minigan
    >>> conv_transpose2d(minigan.ones(1, 1, 1, 2), minigan.ones(1, 1, 2, 2), stride=2)
    tensor([[[[1., 1., 1., 1.],
              [1., 1., 1., 1.]]]], dtype=float32)
    """
    return conv_transpose2d_activated(
        *(input, weight, bias, stride, padding, output_padding, groups, dilation, output_size),
        activation=NONE,
    )


def conv_transpose2d_activated(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: IntPair,
    padding: Any,
    output_padding: IntPair,
    groups: int,
    dilation: IntPair,
    output_size: IntPair | None,
    activation: Activation,
) -> Tensor:
    """``conv_transpose2d`` and then an activation, in one pass over memory."""
    name = "conv_transpose2d"
    check(name, input, weight, bias, groups, transposed=True)
    stride = pair(name, "stride", stride, least=1)
    dilation = pair(name, "dilation", dilation, least=1)
    kernel = weight.shape[2:]
    if padding == "same":
        raise RuntimeError(f'{name}: padding="same" is for convolutions; give numbers')
    pad = sides_of(name, padding, (0, 0), kernel, stride, dilation)
    geometry, beyond = transposed(
        name, input.shape[-2:], kernel, stride, pad, dilation, groups, output_padding, output_size
    )
    inner = None if any(beyond) else bias
    x, *filters = operands(name, input, weight, *([] if inner is None else [inner]))
    inside = NONE if any(beyond) else activation
    y = _apply(DgradActivated, geometry, x if x.ndim == 4 else x.unsqueeze(0), filters, inside)
    if any(beyond):
        y = pad_constant(y, ((0, 0), (0, 0), (0, beyond[0]), (0, beyond[1])))
        y = _after(y if bias is None else y + bias.reshape(1, -1, 1, 1), activation)
    return y if input.ndim == 4 else y.squeeze(0)
