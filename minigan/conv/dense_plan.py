"""The transforms of ``dense.py``: Winograd's, for whole rows of tiles, as matrices.

In one dimension P outputs of an r-tap filter are cut into tiles of m, and a tile is computed with
n = m + r - 1 products.  Its transforms are those of ``tiles.py``,

    A (n, m): powers of the points      G (n, r): powers      B (n, n): V_n⁻ᵀ.

All tiles of an image have one size, so that they share their filters; where m does not divide P
the last tile moves back, and computes some outputs that the one before it has made already.

In two dimensions there are n·n' places.  Tiles are transformed together that lie in one row and
one band.  A band is as wide as one tile, where such tiles make up a row of outputs, and else has
two or more: they read n rows of blocks, and their transform is one matrix, the Kronecker product of
B with the B's of these tiles, each shifted to where its tile lies, T = B ⊗ (B' … B').  Likewise O
from the places to the outputs, of A's of which what was made already is left out; and G ⊗ G' for
the filters.

A matrix product does not mind what its numbers are.  So the points need not be small integers, and
these are chosen for small rounding errors: with ±3/8, ±5/4 and ∞ in the place of 0, ±1, 2 and ∞
F(4×4, 2×2) has half the error.

Larger tiles multiply less and round more: an m of 2 to 4 is enough, except that a row of 5 to 7
outputs, which smaller tiles would have to cover twice, is one tile.  F(4×7, 2×2) does with 5·8
products in each of two tiles what F(4×4, 2×2) does with 5·5 in four, and has three times its error;
F(7×7, 2×2) would have ten times, for less that is saved than its many small products cost.  No
n is larger than 8, and than 7 in the vertical direction: errors stay below 1e-5 of the values.

A filter whose taps are no multiple of the stride is filled up with zeros: 5×5 taps at stride 2 are
3×3 blocks.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .geometry import Geometry
from .layout import nhwc

POINTS = {
    3: (1, -1),
    4: (0, 1, -1),
    5: (3 / 8, -3 / 8, 5 / 4, -5 / 4),
    6: (0, 5 / 8, -5 / 8, 3 / 2, -3 / 2),
    7: (5 / 16, -5 / 16, 7 / 8, -7 / 8, 7 / 4, -7 / 4),
    8: (0, 1 / 2, -1 / 2, 1, -1, 2, -2),
}
"""For n products, the points that are finite; the last one is ∞."""

LARGEST = 4  # outputs of a tile in one dimension, but for one that is a band by itself
TAPS = 5  # per stride at most
BAND = 8  # outputs of a band at most
LEAST = 4  # outputs of a band that is not the whole row


def transforms(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (n, m), G (n, r) and B (n, n) of a tile; B's rows have lengths of about 1.

    >>> A, G, B = transforms(2, 2)
    >>> w, x = np.array([2.0, 3.0]), np.array([1.0, 10.0, 100.0])
    >>> (A.T @ ((G @ w) * (B @ x))).round(9).tolist()
    [32.0, 320.0]
    """
    n = m + r - 1

    def powers(k: int) -> np.ndarray:
        finite = np.vander(np.array(POINTS[n], float), k, increasing=True)
        return np.vstack([finite, np.eye(k)[-1:]])

    a, g, b = powers(m), powers(r), np.linalg.inv(powers(n)).T
    scale = 2.0 ** np.round(np.log2(np.linalg.norm(b, axis=1)))[:, None]
    return a, g * scale, b / scale


class _Tile(NamedTuple):
    """A tile in one dimension.

    Attributes:
        start: the first output that it computes, and the first block that it reads.
        made: how many of its outputs the tile before has made.
        read: how many of its blocks the tile before has read.
    """

    start: int
    made: int
    read: int


class _Row:
    """P outputs as tiles: A, G, B of a tile, and the tiles."""

    def __init__(self, outputs: int, r: int, largest: int):
        count = -(-outputs // largest)
        self.outputs, self.m = outputs, -(-outputs // count)
        self.A, self.G, self.B = transforms(self.m, r)
        self.n, self.blocks = len(self.B), outputs + r - 1
        starts = [min(i * self.m, outputs - self.m) for i in range(count)]
        self.tiles = [_Tile(0, 0, 0)]
        for before, start in pairwise(starts):
            self.tiles.append(_Tile(start, before + self.m - start, before + self.n - start))

    def into(self) -> np.ndarray:
        """The B's of all tiles, (n, tiles, blocks)."""
        whole = np.zeros((self.n, len(self.tiles), self.blocks))
        for i, tile in enumerate(self.tiles):
            whole[:, i, tile.start : tile.start + self.n] = self.B
        return whole

    def out(self) -> np.ndarray:
        """The A's, without what the tile before has made, (outputs, n, tiles)."""
        whole = np.zeros((self.outputs, self.n, len(self.tiles)))
        for i, tile in enumerate(self.tiles):
            whole[tile.start + tile.made : tile.start + self.m, :, i] = self.A.T[tile.made :]
        return whole


class Plan:
    """The tiles of a geometry as matrices, and the way between images and their blocks.

    Attributes:
        width: of a band's outputs; ``bands`` of them are an image's.
        blocks: (L, L'): the blocks of s×s pixels that a band reads, L = P + r - 1.
        rows: the tiles in the vertical direction; a row of a band has ``wide`` of them.
        places: n·n'.
        T: (places·wide, n·L') from n rows of blocks to a row of tiles.
        O: for every row of tiles, (its outputs, places·wide) to the outputs that it makes.
        G: (places, r·r) from the taps of a filter.
    """

    def __init__(self, g: Geometry):
        self.g, self.s = g, g.stride[0]
        self.r = -(-g.R // self.s)
        most = max(POINTS) - self.r + 1  # outputs of a tile
        self.width = _band(g.Q, most)
        self.bands = g.Q // self.width
        largest = self.width if self.width <= most else min(most, LARGEST)
        tall, wide = _Row(g.P, self.r, min(most - 1, LARGEST)), _Row(self.width, self.r, largest)
        self.blocks = tall.blocks, wide.blocks
        self.rows, self.wide, self.m, self.n = tall.tiles, len(wide.tiles), tall.m, tall.n
        self.places = tall.n * wide.n
        self.T = np.kron(tall.B, wide.into().reshape(-1, self.blocks[1]))
        out = wide.out().reshape(self.width, -1)
        self.O = [np.kron(tall.A.T[tile.made :], out) for tile in self.rows]
        self.G = np.kron(tall.G, wide.G)
        self._typed: dict[tuple[str, int, np.dtype], np.ndarray] = {}

    @staticmethod
    def fits(g: Geometry) -> bool:
        """Square filters of 2 to 5 taps per stride, the stride 1 or 2; a row is of whole bands."""
        s = g.stride[0]
        return (
            g.R == g.S
            and g.stride == (s, s)
            and s <= 2
            and 2 <= -(-g.R // s) <= TAPS
            and g.dilation == (1, 1)
            and g.groups == 1
            and min(g.P, g.Q) >= 2
            and _band(g.Q, LEAST) > 0
        )

    def matrix(self, name: str, dtype: np.dtype, row: int = 0) -> np.ndarray:
        """T, G or the O of a row in that dtype."""
        if (name, row, dtype) not in self._typed:
            plain = self.O[row] if name == "O" else getattr(self, name)
            self._typed[name, row, dtype] = np.ascontiguousarray(plain, dtype)
        return self._typed[name, row, dtype]

    def size(self, images: int) -> int:
        """Places of all their tiles."""
        return images * len(self.rows) * self.bands * self.wide * self.places

    def made(self) -> list[slice]:
        """The rows of outputs that each row of tiles makes."""
        return [slice(tile.start + tile.made, tile.start + self.m) for tile in self.rows]

    def gather(self, x: np.ndarray, blocks: np.ndarray) -> None:
        """x (N, C, H, W), with zeros where it is padded, as its blocks (N, bands, s, L, L', s·C):
        those of the pixels in their first rows, then in their second."""
        image, pixels = nhwc(x), self._pixels(blocks)
        for band in range(self.bands):
            seen, there = self._columns(band)
            part = pixels[:, band]
            part[:, :, :, : there.start] = part[:, :, :, there.stop :] = 0
            for i in range(self.s):
                rows, here = self._rows(i)
                part[:, i, : here.start] = part[:, i, here.stop :] = 0
                part[:, i, here, there] = image[:, rows, seen]

    def scatter(self, blocks: np.ndarray, x: np.ndarray) -> None:
        """The way back: bands overlap and add up, pixels that lie in no block are zero."""
        image, pixels = nhwc(x), self._pixels(blocks)
        if not self._covers():
            x[...] = 0
        reached = 0
        for band in range(self.bands):
            seen, there = self._columns(band)
            both = min(max(reached - seen.start, 0), seen.stop - seen.start)  # with the last band
            for i in range(self.s):
                rows, here = self._rows(i)
                part = pixels[:, band, i, here, there]
                image[:, rows, seen.start : seen.start + both] += part[:, :, :both]
                image[:, rows, seen.start + both : seen.stop] = part[:, :, both:]
            reached = seen.stop

    def _pixels(self, blocks: np.ndarray) -> np.ndarray:
        *parts, wide, channels = blocks.shape
        return blocks.reshape(*parts, wide * self.s, channels // self.s)

    def _rows(self, i: int) -> tuple[slice, slice]:
        """The rows of pixels that are the i-th of their block, and the blocks that they are in."""
        return _met(self.g.H, self.g.pad[0], self.blocks[0], self.s, i)

    def _columns(self, band: int) -> tuple[slice, slice]:
        """The columns of pixels that a band reads, and where they lie in it."""
        before = self.g.pad[2] - band * self.width * self.s
        return _met(self.g.W, before, self.blocks[1] * self.s, 1, 0)

    def _covers(self) -> bool:
        g, wide = self.g, (self.bands - 1) * self.width + self.blocks[1]
        return all(
            count * self.s >= size + before
            for count, size, before in zip(
                (self.blocks[0], wide), (g.H, g.W), (g.pad[0], g.pad[2]), strict=True
            )
        )


def _band(outputs: int, most: int) -> int:
    """The width of a band: a tile of at most ``most`` outputs if such tiles make up the row; else
    a few tiles that do, or that are the row; 0: there are none."""
    widths = [*range(most, LEAST - 1, -1), *range(BAND, LEAST - 1, -1)]
    whole = outputs if outputs <= BAND else 0
    return next((width for width in widths if outputs % width == 0), whole)


def _met(size: int, before: int, blocks: int, s: int, i: int) -> tuple[slice, slice]:
    """The pixels that are the i-th of their block, and the blocks that they are in."""
    first = max(-(-(before - i) // s), 0)
    start = first * s + i - before
    count = max(min(-(-(size - start) // s), blocks - first), 0)
    return slice(start, start + count * s, s), slice(first, first + count)


@cache
def plan_of(g: Geometry) -> Plan:
    """The plan of a geometry that fits."""
    return Plan(g)
