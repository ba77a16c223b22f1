"""Images seen through a small window: sums, maxima, patches.

A window of R×S pixels is R·S taps, and each tap sees the image shifted and thinned out: one slice.
So a sum over windows is a sum of R·S slices, patches are the slices side by side, and the largest
pixel is found slice by slice.  Nothing is padded (a tap that points beside the image is left out),
no pixel touches a window that it is not in, and the order of memory is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, gcd

from ..array import Array, array_module
from ..autograd import Function
from ..conv import Geometry
from ..places import add_at, may_be


def _taps(g: Geometry) -> Iterator[tuple]:
    """For every tap: its place in the window, the outputs it serves, the pixels they see by it."""
    rows = _slices(g.H, g.R, g.stride[0], g.pad[0], g.dilation[0], g.P)
    columns = _slices(g.W, g.S, g.stride[1], g.pad[2], g.dilation[1], g.Q)
    for r, (p, h) in enumerate(rows):
        for s, (q, w) in enumerate(columns):
            yield (..., r, s, p, q), (..., p, q), (..., h, w)


def _slices(size: int, taps: int, stride: int, pad: int, dilation: int, outputs: int) -> list:
    found = []
    for tap in range(taps):
        shift = tap * dilation - pad  # output p sees pixel p·stride + shift
        first = max(-(shift // stride), 0)
        count = max(min((size - 1 - shift) // stride + 1, outputs) - first, 0)
        start = first * stride + shift
        found.append((slice(first, first + count), slice(start, start + count * stride, stride)))
    return found


def places(g: Geometry, tap: Array, row: int, column: int) -> Array:
    """Where in an image each window's tap points, if the next row and column are so far away.

    Of tap R·S, which points nowhere, the window's first place.
    """
    xp = array_module(tap)
    r, s = xp.divmod(xp.arange(g.R * g.S + 1), g.S)
    jump = (r * g.dilation[0] * row + s * g.dilation[1] * column) * (r < g.R)
    first = (xp.arange(g.P) * g.stride[0] - g.pad[0])[:, None] * row
    return jump[tap] + (first + (xp.arange(g.Q) * g.stride[1] - g.pad[2]) * column)


class _Windows(Function):
    reads = ((),)

    def __init__(self, geometry: Geometry):
        self.geometry = geometry

    def outputs_like(self, x):
        shape = (*x.shape[:-2], self.geometry.P, self.geometry.Q)
        return array_module(x).zeros_like(x, shape=shape)

    def image_like(self, x):
        shape = (*x.shape[:-2], self.geometry.H, self.geometry.W)
        return array_module(x).zeros_like(x, shape=shape)


class WindowSum(_Windows):
    """y = Σ of x over each window; the gradient is spread over the windows."""

    def forward(self, x):
        y = self.outputs_like(x)
        for _, out, seen in _taps(self.geometry):
            y[out] += x[seen]
        return y

    def vjp(self, needs, g, y, x):
        return (WindowSpread(self.geometry)(g),)


class WindowSpread(_Windows):
    """The adjoint of WindowSum: every x is added to all pixels of its window."""

    def forward(self, x):
        y = self.image_like(x)
        for _, out, seen in _taps(self.geometry):
            y[seen] += x[out]
        return y

    def vjp(self, needs, g, y, x):
        return (WindowSum(self.geometry)(g),)


class WindowMax(_Windows):
    """y = the largest x in each window; the gradient goes to it, to the first of tied ones.

    NaN counts as larger than any number, the last NaN as the largest; a window beside the image has
    the lowest number there is.
    """

    reads = ((0, "y"),)

    def forward(self, x):
        xp, real = array_module(x), x.real
        lowest = -xp.inf if real.dtype.kind == "f" else xp.iinfo(real.dtype).min
        y = self.outputs_like(real)
        y[...] = lowest
        for _, out, seen in _taps(self.geometry):
            xp.maximum(y[out], real[seen], out=y[out])
        if x.dtype.kind != "c":
            return y
        return y + 1j * WindowPick(self.geometry, self.winners(real, y)).forward(x.imag)

    def winners(self, x, y):
        """The number of the tap that sees y, the first of several; R·S if none sees anything."""
        xp, none = array_module(x), self.geometry.R * self.geometry.S
        tap = xp.full_like(y, none, dtype="uint8" if none < 256 else "int32")
        for k, (_, out, seen) in enumerate(_taps(self.geometry)):
            miss = (x[seen] != y[out]).astype(tap.dtype)
            xp.minimum(tap[out], xp.maximum(miss * none, k), out=tap[out])
        if may_be(tap == none):  # NaN equals nothing; where there is none, nothing changes
            for k, (_, out, seen) in enumerate(_taps(self.geometry)):
                tap[out] = xp.where(x[seen] != x[seen], k, tap[out])
        return tap

    def indices(self, x, y):
        """Where y is in its image, counted row by row; -1 for a window beside the image."""
        g, tap = self.geometry, self.winners(x, y)
        place = places(g, tap, g.W, 1)
        place[tap == g.R * g.S] = -1
        return place

    def vjp(self, needs, g, y, x):
        return (WindowPut(self.geometry, self.winners(x.array.real, y.array.real))(g),)


class WindowPick(_Windows):
    """y = the x under one tap of each window, 0 under none; the gradient goes to it.

    ``tap`` holds for every window the number of a tap that sees a pixel, or R·S.
    """

    def __init__(self, geometry: Geometry, tap):
        super().__init__(geometry)
        self.tap = tap

    def forward(self, x):
        xp, y = array_module(x), self.outputs_like(x)
        for k, (_, out, seen) in enumerate(_taps(self.geometry)):
            y[out] += xp.where(self.tap[out] == k, x[seen], 0)
        return y

    def vjp(self, needs, g, y, x):
        return (WindowPut(self.geometry, self.tap)(g),)


class WindowPut(WindowPick):
    """The adjoint of WindowPick: every x is added to the pixel under its window's tap.

    One addition per window, wherever its tap points: much less than R·S slices of the image, of
    which each gets few of them.
    """

    def forward(self, x):
        xp, y = array_module(x), self.image_like(x)
        *lead, row, column = (step // y.itemsize for step in y.strides)
        place = places(self.geometry, self.tap, row, column)  # in the memory of y
        for d, step in enumerate(lead):
            place += (xp.arange(y.shape[d]) * step).reshape(-1, *[1] * (y.ndim - 1 - d))
        order = sorted(range(y.ndim), key=lambda d: -y.strides[d])
        flat = pixels = y.transpose(order).reshape(-1)
        beside = self.tap == self.geometry.R * self.geometry.S
        if may_be(beside):  # what no tap takes goes to a place behind the image
            flat = xp.zeros(y.size + 1, y.dtype)
            place = xp.where(beside, y.size, place)
        add_at(flat, place.reshape(-1), x.reshape(-1), self._overlap())
        pixels[...] = flat[: y.size]
        return y

    def _overlap(self):
        """In how many windows one pixel is at most."""
        g = self.geometry
        apart = [s // gcd(s, d) for s, d in zip(g.stride, g.dilation, strict=True)]
        return ceil(g.R / apart[0]) * ceil(g.S / apart[1])

    def vjp(self, needs, g, y, x):
        return (WindowPick(self.geometry, self.tap)(g),)


class Unfold(_Windows):
    """y[…, r, s, p, q] = the x that output (p, q) sees by tap (r, s), 0 beside the image.

    The gradient is added up where the x came from.
    """

    def forward(self, x):
        g = self.geometry
        y = array_module(x).zeros((*x.shape[:-2], g.R, g.S, g.P, g.Q), dtype=x.dtype)
        for place, _, seen in _taps(g):
            y[place] = x[seen]
        return y

    def vjp(self, needs, g, y, x):
        return (Fold(self.geometry)(g),)


class Fold(_Windows):
    """The adjoint of Unfold."""

    def forward(self, x):
        g = self.geometry
        y = array_module(x).zeros((*x.shape[:-4], g.H, g.W), dtype=x.dtype)
        for place, _, seen in _taps(g):
            y[seen] += x[place]
        return y

    def vjp(self, needs, g, y, x):
        return (Unfold(self.geometry)(g),)
