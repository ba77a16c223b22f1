"""Borders around images and sequences, as layers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from . import functional as F
from .module import Module


class _Pad(Module):
    """``padding`` is one int for all sides, or (left, right) and for images top and bottom too."""

    mode = "constant"
    sides = 4

    def __init__(self, padding: int | tuple[int, ...]):
        super().__init__()
        self.padding = (padding,) * self.sides if isinstance(padding, int) else tuple(padding)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.padding, self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad2d(_Pad):
    """A border of zeros: an int, or (left, right, top, bottom)."""


class ConstantPad2d(_Pad):
    """A border of one ``value``: an int, or (left, right, top, bottom)."""

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ReflectionPad2d(_Pad):
    """A border that mirrors the image: an int, or (left, right, top, bottom)."""

    mode = "reflect"


class ReplicationPad2d(_Pad):
    """A border that repeats the edge: an int, or (left, right, top, bottom)."""

    mode = "replicate"


class ZeroPad1d(ZeroPad2d):
    """Zeros before and after: an int, or (left, right)."""

    sides = 2


class ConstantPad1d(ConstantPad2d):
    """One ``value`` before and after: an int, or (left, right)."""

    sides = 2


class ReflectionPad1d(ReflectionPad2d):
    """The sequence mirrored before and after: an int, or (left, right)."""

    sides = 2


class ReplicationPad1d(ReplicationPad2d):
    """The ends repeated before and after: an int, or (left, right)."""

    sides = 2
