"""Convolution and transposed convolution: three Functions, each the gradient of the others."""

from __future__ import annotations

from operator import index
from typing import Any

from .. import conv as routines
from .._autocast import rounds
from .._tensor import Tensor
from ..array import Array
from ..autograd import Function, is_grad_enabled
from ..conv import Geometry
from ..conv.kept import NOTHING, Kept
from ._common import as_tensor, operands
from .indexing import pad_constant

IntPair = int | tuple[int, int]


class _Routine(Function):
    """``kept`` goes from a call to both its gradients: they have much in common.

    ``low``: operands are rounded to BF16, the gradients' too; None: if autocast says so.
    """

    reads = ((1,), (0,))
    coarse = True  # its operands are rounded anyway

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

    def _for_call(self) -> Kept:
        """What this function was given serves for one call: later its filters may have changed."""
        self.kept, self.common = self.common, NOTHING
        if self.kept is NOTHING and is_grad_enabled():
            self.kept = Kept("w")
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
        return routines.fprop(self.geometry, x, w, b, self._for_call(), self._rounds(x))

    def vjp(self, needs, g, y, x, w, b=None):
        kept = self._for_gradients("y", needs)
        gx = Dgrad(self.geometry, kept=kept, low=self.low)(g, w) if needs[0] else None
        gw = Wgrad(self.geometry, kept=kept, low=self.low)(x, g) if needs[1] else None
        return (gx, gw) if b is None else (gx, gw, g.sum((0, 2, 3)) if needs[2] else None)


class Dgrad(_Routine):
    """x = the adjoint of ∗ w, at y (+ b);  gy = fprop(g, w), gw = wgrad(g, y), gb as above."""

    def forward(self, y, w, b=None):
        return routines.dgrad(self.geometry, y, w, b, self._for_call(), self._rounds(y))

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


def _ints(name: str, option: str, value: Any) -> tuple[int, ...]:
    """One int, given alone, twice; several as they are."""
    try:
        return tuple(map(index, value)) if hasattr(value, "__len__") else (index(value),) * 2
    except TypeError:
        raise TypeError(f"{name}: {option} expects an int or ints, got {value!r}") from None


def _pair(name: str, option: str, value: Any, least: int | None = None) -> tuple[int, int]:
    pair = _ints(name, option, value)
    if len(pair) != 2:
        raise RuntimeError(f"{name}: {option} expects an int or two ints, got {value!r}")
    if least is not None and min(pair) < least:
        raise RuntimeError(f"{name}: {option} must be at least {least}, got {value!r}")
    return pair


def _padding(
    name: str, padding: Any, size: tuple, kernel: tuple, stride: tuple, dilation: tuple
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) from an int, a pair, four numbers, "valid" or "same"."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        sides: list[int] = []
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            sides += [total // 2, total - total // 2]
        return tuple(sides)
    if isinstance(padding, str):
        raise RuntimeError(f'{name}: padding expects numbers, "valid" or "same", got "{padding}"')
    sides = _ints(name, "padding", padding)
    if len(sides) == 4:
        return sides
    ph, pw = _pair(name, "padding", padding)
    return (ph, ph, pw, pw)


def check(
    name: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int,
    transposed: bool,
    sizes: str = "H, W",
) -> None:
    """Ranks, groups, channels and bias; ``sizes`` names the dimensions after the channels."""
    rank = sizes.count(",") + 1
    as_tensor(name, x), as_tensor(name, weight)
    if x.ndim not in (rank + 1, rank + 2) or weight.ndim != rank + 2:
        raise RuntimeError(
            f"{name}: expected input (N, C, {sizes}) or (C, {sizes}) and weight of {rank + 2} "
            f"dimensions, got shapes {x.shape} and {weight.shape}"
        )
    first, second = weight.shape[:2]
    if groups < 1 or first % groups:
        raise RuntimeError(
            f"{name}: the first dimension of weight (shape {weight.shape}) cannot be split into "
            f"{groups} groups"
        )
    channels, outputs = (first, second * groups) if transposed else (second * groups, first)
    given = x.shape[-1 - rank]
    if given != channels:
        raise RuntimeError(
            f"{name}: weight expects {channels} input channels (weight shape {weight.shape}), "
            f"input has {given} (input shape {x.shape})"
        )
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(f"{name}: bias expects shape ({outputs},), got {bias.shape}")


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
    check("conv2d", input, weight, bias, groups, transposed=False)
    stride = _pair("conv2d", "stride", stride, least=1)
    dilation = _pair("conv2d", "dilation", dilation, least=1)
    size, kernel = input.shape[-2:], weight.shape[2:]
    pad = _padding("conv2d", padding, size, kernel, stride, dilation)
    geometry = Geometry(*size, *kernel, stride, pad, dilation, groups)
    x, *filters = operands("conv2d", input, weight, *([] if bias is None else [bias]))
    y = Fprop(geometry, bias is not None)(x if x.ndim == 4 else x.unsqueeze(0), *filters)
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
    name = "conv_transpose2d"
    check(name, input, weight, bias, groups, transposed=True)
    stride = _pair(name, "stride", stride, least=1)
    dilation = _pair(name, "dilation", dilation, least=1)
    kernel = weight.shape[2:]
    if padding == "same":
        raise RuntimeError(f'{name}: padding="same" is for convolutions; give numbers')
    pad = _padding(name, padding, (0, 0), kernel, stride, dilation)
    # One row for every place that a filter touches, before the padding is cut off.
    full = [
        (n - 1) * s + d * (k - 1) + 1
        for n, k, s, d in zip(input.shape[-2:], kernel, stride, dilation, strict=True)
    ]
    base = [full[i] - pad[2 * i] - pad[2 * i + 1] for i in (0, 1)]
    if output_size is not None:
        wanted = _pair(name, "output_size", output_size)
        extra = (wanted[0] - base[0], wanted[1] - base[1])
    else:
        extra = _pair(name, "output_padding", output_padding)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= e < max(s, d):
            raise RuntimeError(
                f"{name}: output_padding must be at least 0 and smaller than stride or dilation, "
                f"got {extra} with stride {stride} and dilation {dilation}"
            )
    wanted = (base[0] + extra[0], base[1] + extra[1])
    if min(wanted) < 1:
        raise RuntimeError(f"{name}: output size {wanted} is too small")
    # The geometry gives the touched rows and up to stride - 1 left-over ones; more than that
    # (possible with a dilation beyond the stride) are zeros.
    size, sides, beyond = [], [], []
    for i in (0, 1):
        before = min(pad[2 * i], full[i])
        size.append(min(wanted[i], full[i] - before + stride[i] - 1))
        sides += [before, max(full[i] - before - size[i], 0)]
        beyond.append(wanted[i] - size[i])
    geometry = Geometry(*size, *kernel, stride, tuple(sides), dilation, groups)
    inner = None if any(beyond) else bias
    x, *filters = operands(name, input, weight, *([] if inner is None else [inner]))
    y = Dgrad(geometry, inner is not None)(x if x.ndim == 4 else x.unsqueeze(0), *filters)
    if any(beyond):
        y = pad_constant(y, ((0, 0), (0, 0), (0, beyond[0]), (0, beyond[1])))
        y = y if bias is None else y + bias.reshape(1, -1, 1, 1)
    return y if input.ndim == 4 else y.squeeze(0)
