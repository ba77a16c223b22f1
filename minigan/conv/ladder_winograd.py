"""Plans of ``kernels/winograd.cu``: Winograd's F(2×2, 2×2) and F(2×2, 3×3) on a GPU.

Transforms, a batch of matrix products (``kernels/batched_gemm.cu``), and a transform back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..array import array_module
from ..cuda.epilogue import epilogue
from ..cuda.launch import Launch
from .geometry import Geometry

FILE, GEMM_FILE = "winograd.cu", "batched_gemm.cu"
THREADS, DEPTH = 256, 8
FILTERS = ((3, 1), (2, 2))  # (taps for each step of the stride, stride): k3 s1 and k4 s2
TILES = (128, 64)
BLOCKS = 256  # of a batch of products: fewer leave a GPU idle

_INTS = ("images", "C", "H", "W", "K", "P", "Q", "top", "left", "tall", "wide")
SHAPE = np.dtype([(name, np.int32) for name in _INTS])
SIZES = np.dtype([(name, np.int32) for name in ("rows", "columns", "depth", "range")])

Configuration = tuple[str, tuple[tuple[str, int], ...], int]


def configurations() -> list[Configuration]:
    """Every (file, macros, least architecture) that these plans compile."""
    transforms = [(FILE, (("TAPS", r), ("STRIDE", s)), 75) for r, s in FILTERS]
    products = [
        (GEMM_FILE, (("TILE", tile), ("DEPTH_LAST", last)), 75) for tile in TILES for last in (0, 1)
    ]
    return transforms + products


def fits(g: Geometry) -> bool:
    """3×3 filters of stride 1, 4×4 filters of stride 2, any padding; no dilation, no groups."""
    s = g.stride[0]
    return (
        g.R == g.S
        and g.stride == (s, s)
        and g.R % s == 0
        and (g.R // s, s) in FILTERS
        and g.dilation == (1, 1)
        and g.groups == 1
    )


def saving(g: Geometry, c: int, k: int) -> float:
    """Multiply-adds that this form saves for each number that it puts between its kernels.

    It is what decides whether the form wins: a multiply-add takes the arithmetic's time, a number
    is written and read, 8 bytes.  The same for the three routines; c and k are the channels.

    k3 s1: 5·c·k / (4·(c + k));  k4 s2: 7·c·k / (9/4·(4·c + k))

    >>> round(saving(Geometry(32, 32, 4, 4, (2, 2), (1, 1, 1, 1)), 64, 128), 1)
    66.4
    """
    s = g.stride[0]
    products = (g.R // s + 1) ** 2 / 4  # for each output, of a tile of 2×2
    return (g.R**2 - products * s**2) * c * k / (products * (s**2 * c + k))


def fprop(
    g: Geometry,
    x: Any,
    w: Any,
    y: Any,
    b: Any | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> list[Launch]:
    """y (N, K, P, Q) from x (N, C, H, W) and w (K, C, R, S), plus b (K,), activated.

    >>> x, w, y = (np.empty(s, np.float32) for s in ((2, 8, 6, 6), (5, 8, 3, 3), (2, 5, 4, 4)))
    >>> [launch.name for launch in fprop(Geometry(6, 6, 3, 3), x, w, y)]
    ['winograd_filters', 'winograd_image', 'batched_gemm', 'winograd_output']
    """
    form = _Form(g, x.shape[0], x.shape[1], w.shape[0])
    u, v, m = (form.empty(x, *sizes) for sizes in (form.u, form.v, form.m))
    return [
        form.filters(w, u, transposed=False),
        form.transform("winograd_image", form.tiles, form.channels, x, v, form.shape),
        form.products(u, v, m, form.k, form.tiles, form.channels),
        form.transform(
            *("winograd_output", form.tiles, form.k),
            *(m, b, y, form.shape, epilogue("fprop", activation, slope)),
        ),
    ]


def dgrad(
    g: Geometry,
    y: Any,
    w: Any,
    x: Any,
    b: Any | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> list[Launch]:
    """x (N, C, H, W), the adjoint of ``fprop`` in y, plus b (C,), activated."""
    form = _Form(g, y.shape[0], x.shape[1], w.shape[0])
    u, v, m = (form.empty(y, *sizes) for sizes in (form.u, form.v, form.m))
    tall = -(-(g.H + g.pad[0]) // (2 * form.stride))
    wide = -(-(g.W + g.pad[2]) // (2 * form.stride))
    return [
        form.filters(w, u, transposed=True),
        form.transform("winograd_gradient", form.tiles, form.k, y, m, form.shape),
        form.products(u, m, v, form.channels, form.tiles, form.k),
        form.transform(
            *("winograd_image_back", form.images * tall * wide, form.channels),
            *(v, b, x, form.shape, np.int32(tall), np.int32(wide)),
            epilogue("dgrad", activation, slope),
        ),
    ]


def wgrad(g: Geometry, x: Any, y: Any, w: Any) -> list[Launch]:
    """w (K, C, R, S), the adjoint of ``fprop`` in w, from x and y (N, K, P, Q)."""
    form = _Form(g, x.shape[0], x.shape[1], w.shape[0])
    v, m = form.empty(x, *form.v), form.empty(x, *form.m)
    splits, size = form.splits()
    u = form.empty(x, splits, *form.u)
    return [
        form.transform("winograd_image", form.tiles, form.channels, x, v, form.shape),
        form.transform("winograd_gradient", form.tiles, form.k, y, m, form.shape),
        form.products(v, m, u, form.channels, form.k, form.tiles, (splits, size)),
        form.transform(
            *("winograd_filters_back", form.channels * form.k, 1),
            *(u, w, form.shape, np.int32(splits)),
        ),
    ]


class _Form:
    """Sizes of one convolution's transforms, and the launches that all three routines share."""

    def __init__(self, g: Geometry, images: int, c: int, k: int):
        self.images, self.k, self.stride = images, k, g.stride[0]
        self.taps = g.R // self.stride
        self.places = (self.taps + 1) ** 2
        tall, wide = -(-g.P // 2), -(-g.Q // 2)
        self.tiles, self.channels = images * tall * wide, self.stride**2 * c
        self.u = (self.places, self.channels, k)
        self.v = (self.places, self.channels, self.tiles)
        self.m = (self.places, k, self.tiles)
        sizes = (images, c, g.H, g.W, k, g.P, g.Q, g.pad[0], g.pad[2], tall, wide)
        self.shape = np.array(sizes, SHAPE)[()]

    @staticmethod
    def empty(like: Any, *shape: int) -> Any:
        """Room for what lies between two launches."""
        return array_module(like).empty(shape, np.float32)

    def transform(self, name: str, count: int, channels: int, *arguments: Any) -> Launch:
        """A thread for each of ``count`` tiles, in each channel."""
        macros = (("TAPS", self.taps), ("STRIDE", self.stride))
        grid = (-(-count // THREADS), channels, 1)
        return Launch(FILE, name, macros, grid, (THREADS, 1, 1), 0, arguments)

    def filters(self, w: Any, u: Any, transposed: bool) -> Launch:
        """u = G w, as [place][channel][k] or [place][k][channel]."""
        count, turned = self.channels * self.k, np.int32(transposed)
        return self.transform("winograd_filters", count, 1, w, u, self.shape, turned)

    def products(
        self,
        left: Any,
        right: Any,
        out: Any,
        rows: int,
        columns: int,
        depth: int,
        parts: tuple[int, int] | None = None,
    ) -> Launch:
        """The matrix products, one for each place; ``parts`` (splits, depth of one) is wgrad's."""
        splits, size = parts or (1, -(-depth // DEPTH) * DEPTH)
        tile = _tile(rows, columns, self.places * splits)
        macros = (("TILE", tile), ("DEPTH_LAST", int(parts is not None)))
        grid = (-(-columns // tile), -(-rows // tile), self.places * splits)
        sizes = np.array((rows, columns, depth, size), SIZES)[()]
        arguments = (left, right, out, sizes, np.int32(self.places))
        block = ((tile // 8) ** 2, 1, 1)
        return Launch(GEMM_FILE, "batched_gemm", macros, grid, block, 0, arguments)

    def splits(self) -> tuple[int, int]:
        """(number, tiles in each) of the parts into which wgrad's depth is divided."""
        blocks = -(-self.channels // TILES[-1]) * -(-self.k // TILES[-1]) * self.places
        wanted = max(1, min(-(-BLOCKS // blocks), self.tiles // (16 * DEPTH)))
        steps = -(-self.tiles // (wanted * DEPTH))
        size = steps * DEPTH
        return -(-self.tiles // size), size


def _tile(rows: int, columns: int, batch: int) -> int:
    """The largest tile that is mostly full and gives enough blocks."""
    for tile in TILES:
        if min(rows, columns) >= tile and batch * (rows // tile) * (columns // tile) >= BLOCKS:
            return tile
    return TILES[-1]
