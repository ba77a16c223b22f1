"""One frozen description of a 2-D convolution, shared by everything that computes one.

An image of H×W is padded by (top, bottom, left, right), a filter of R×S taps, ``dilation`` apart,
is laid on it every ``stride`` pixels, which gives P×Q outputs:

    P = (H + top + bottom - dilation·(R - 1) - 1) // stride + 1

Rows that are left over below the last filter position belong to the description, because the
transposed direction has to know H and W: it produces them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Image size, filter size and how the filter moves; batch and channels are the arrays'."""

    H: int
    W: int
    R: int
    S: int
    stride: Pair = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, bottom, left, right
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self):
        positive = (self.R, self.S, *self.stride, *self.dilation, self.groups)
        if min(positive) < 1 or min(self.pad) < 0:
            raise RuntimeError(
                "convolution: filter size, stride, dilation and groups must be positive and "
                f"padding not negative, got {self}"
            )
        if min(self.P, self.Q) < 1:
            raise RuntimeError(
                f"convolution: a filter of {self.R}×{self.S} (dilation {self.dilation}) does not "
                f"fit an image of {self.H}×{self.W} padded by {self.pad}"
            )

    @cached_property
    def P(self) -> int:
        """Output rows."""
        t, b, _, _ = self.pad
        return (self.H + t + b - self.dilation[0] * (self.R - 1) - 1) // self.stride[0] + 1

    @cached_property
    def Q(self) -> int:
        """Output columns."""
        _, _, left, right = self.pad
        return (self.W + left + right - self.dilation[1] * (self.S - 1) - 1) // self.stride[1] + 1

    def taps(self) -> Iterator[tuple[int, int, slice, slice]]:
        """(r, s, rows, columns) for every tap: the P×Q pixels of the padded image that it sees."""
        for r in range(self.R):
            for s in range(self.S):
                i, j = r * self.dilation[0], s * self.dilation[1]
                rows = slice(i, i + (self.P - 1) * self.stride[0] + 1, self.stride[0])
                columns = slice(j, j + (self.Q - 1) * self.stride[1] + 1, self.stride[1])
                yield r, s, rows, columns
