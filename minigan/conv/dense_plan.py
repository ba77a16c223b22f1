"""The transforms of ``dense.py``: Winograd's, for all tiles of a small image, as matrices.

In one dimension P outputs of an r-tap filter are cut into tiles of 2, 3 or 4, and a tile of m
outputs is computed with n = m + r - 1 products.  Its transforms are those of ``tiles.py``,

    A (n, m): powers of the points      G (n, r): powers      B (n, n): V_n⁻ᵀ,

and written below each other (A and B shifted to where the tile lies) they transform the whole row
of outputs or inputs.  In two dimensions every pair of a tile of rows and a tile of columns gives
n·n' places, whose matrices are Kronecker products: T = B⊗B' for the inputs, A⊗A' for the outputs,
and G⊗G' for the filters, which is the same for all tiles of one size.

A matrix product does not mind what its numbers are.  So the points need not be small integers, and
these are chosen for small rounding errors: with ±3/8, ±5/4 and ∞ in the place of 0, ±1, 2 and ∞
F(4×4, 2×2) has half the error.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from . import tiles
from .geometry import Geometry
from .layout import nhwc

POINTS = {
    3: (1, -1),
    4: (0, 1, -1),
    5: (3 / 8, -3 / 8, 5 / 4, -5 / 4),
    6: (0, 5 / 8, -5 / 8, 3 / 2, -3 / 2),
}
"""For n products, the points that are finite; the last one is ∞."""

TILES = {2: (2,), 3: (3,), 4: (4,), 5: (3, 2), 6: (3, 3), 7: (4, 3), 8: (4, 4)}
"""The outputs in a row, and how they are cut: with the fewest products."""


class Group(NamedTuple):
    """Places that use the same filters: tiles of one size."""

    places: slice  # among the transforms of images: for each place all tiles
    filters: slice  # among the transforms of filters
    tiles: int


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


class Plan:
    """The tiles of a geometry as matrices, and the way between images and their blocks.

    Attributes:
        T: (places, L·L') from the blocks of an image; L = P + r - 1 of them make a column.
        O: (P·Q, places) to its outputs.
        G: (filters, r·r) from the taps of a filter.
        groups: which places use which filters.
    """

    def __init__(self, g: Geometry):
        self.g, self.s = g, g.stride[0]
        self.r = g.R // self.s
        self.blocks = g.P + self.r - 1, g.Q + self.r - 1
        rows, columns = _cut(g.P, self.r), _cut(g.Q, self.r)
        into, out, filters = [], [], []
        self.groups = []
        for size in product(rows, columns):
            first, filter_first = sum(map(len, into)), sum(map(len, filters))
            pairs = list(product(rows[size[0]], columns[size[1]]))
            # (n, n', tiles, …): for each place all tiles
            into.append(_stacked([np.kron(a.B, b.B) for a, b in pairs]))
            out.append(_stacked([np.kron(a.A, b.A) for a, b in pairs]))
            filters.append(np.kron(pairs[0][0].G, pairs[0][1].G))
            self.groups.append(
                Group(
                    slice(first, first + len(into[-1])),
                    slice(filter_first, filter_first + len(filters[-1])),
                    len(pairs),
                )
            )
        self.T, self.O, self.G = np.vstack(into), np.vstack(out).T, np.vstack(filters)
        self.places = len(self.T)
        self._typed: dict[tuple[str, np.dtype], np.ndarray] = {}

    @staticmethod
    def fits(g: Geometry) -> bool:
        """What Winograd's tiles fit, up to 8×8 outputs."""
        return tiles.Plan.fits(g) and g.P in TILES and g.Q in TILES

    def matrix(self, name: str, dtype: np.dtype) -> np.ndarray:
        """T, O or G in that dtype."""
        if (name, dtype) not in self._typed:
            self._typed[name, dtype] = np.ascontiguousarray(getattr(self, name), dtype)
        return self._typed[name, dtype]

    def gather(self, x: np.ndarray, out: np.ndarray) -> None:
        """The s×s blocks of x (N, C, H, W), zeros where it is padded: (N, L, L', s, s·C)."""
        for image, part, (rows, columns) in self._parts(x, out):
            part[:, : rows.start] = part[:, rows.stop :] = 0
            part[:, rows, : columns.start] = part[:, rows, columns.stop :] = 0
            part[:, rows, columns] = image

    def scatter(self, blocks: np.ndarray, x: np.ndarray) -> None:
        """The way back: pixels that lie in no block are zero."""
        if not self._covers():
            x[...] = 0
        for image, part, (rows, columns) in self._parts(x, blocks):
            image[...] = part[:, rows, columns]

    def _parts(self, x: np.ndarray, blocks: np.ndarray):
        """For each pixel of a block: all such pixels of x, all such parts of blocks, which blocks
        are those of x."""
        c = x.shape[1]
        for i, j in product(range(self.s), repeat=2):
            seen, here = zip(
                _met(self.g.H, self.g.pad[0], self.blocks[0], self.s, i),
                _met(self.g.W, self.g.pad[2], self.blocks[1], self.s, j),
                strict=True,
            )
            yield nhwc(x)[:, *seen], blocks[:, :, :, i, j * c : (j + 1) * c], here

    def _covers(self) -> bool:
        g = self.g
        return all(
            count * self.s >= size + before
            for count, size, before in zip(
                self.blocks, (g.H, g.W), (g.pad[0], g.pad[2]), strict=True
            )
        )


class _Tile(NamedTuple):
    """A tile of a row: B (n, L), A (n, P) and G (n, r)."""

    B: np.ndarray
    A: np.ndarray
    G: np.ndarray


def _cut(outputs: int, r: int) -> dict[int, list[_Tile]]:
    """The tiles of a row, by their size."""
    found: dict[int, list[_Tile]] = {}
    start = 0
    for m in TILES[outputs]:
        a, g, b = transforms(m, r)
        n = len(b)
        whole_b, whole_a = np.zeros((n, outputs + r - 1)), np.zeros((n, outputs))
        whole_b[:, start : start + n], whole_a[:, start : start + m] = b, a
        found.setdefault(m, []).append(_Tile(whole_b, whole_a, g))
        start += m
    return found


def _stacked(matrices: list[np.ndarray]) -> np.ndarray:
    """Their first rows, their second rows, …"""
    return np.stack(matrices, 1).reshape(-1, matrices[0].shape[1])


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
