"""The transforms of Winograd's algorithm, and how they act on the tiles of images and on filters.

``winograd.py`` says what they are for.  A, G and B are made here from the points of evaluation;
a Plan applies them, and their transposes, to channels-last images and to filters.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import lcm

import numpy as np

from ..cpu import memory
from ..cpu.threads import parallel, scratch
from .geometry import Geometry
from .layout import framed

BLOCKS = 8  # of input channels, whose filters are transformed at a time
POINTS = (0, 1, -1, 2, Fraction(-1, 2))  # the finite ones, in the order in which they are used


@cache
def transforms(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (n, m), G (n, r) and B (n, n) in float64, exact but for the last rounding.

    >>> A, G, B = transforms(2, 2)
    >>> B.astype(int).tolist()
    [[1, -1, 0], [0, 1, 0], [0, -1, 1]]
    """
    n = m + r - 1
    points = [Fraction(p) for p in POINTS[: n - 1]]

    def powers(k: int) -> list[list[Fraction]]:
        at_infinity = [Fraction(int(j == k - 1)) for j in range(k)]
        return [[p**j for j in range(k)] for p in points] + [at_infinity]

    a, g, b = powers(m), powers(r), _inverse(powers(n))
    b = [list(column) for column in zip(*b, strict=True)]
    for i in range(n):  # whole numbers in B; G takes the denominators
        factor = lcm(*[x.denominator for x in b[i]])
        b[i] = [x * factor for x in b[i]]
        g[i] = [x / factor for x in g[i]]
    return tuple(np.array([[float(x) for x in row] for row in matrix]) for matrix in (a, g, b))


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """By Gauss and Jordan, in fractions."""
    n = len(matrix)
    rows = [row + [Fraction(int(i == j)) for j in range(n)] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = next(k for k in range(i, n) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(n):
            if k != i and rows[k][i]:
                rows[k] = [x - rows[k][i] * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[n:] for row in rows]


def mix(coefficients: np.ndarray, sources: list[np.ndarray], out: np.ndarray) -> None:
    """out = Σ coefficient·source, without a product where the coefficient is ±1."""
    terms = [(c, s) for c, s in zip(coefficients.tolist(), sources, strict=True) if c]
    terms.sort(key=lambda term: term[0] != 1)  # one that can be taken as it is comes first
    (c, source), *rest = terms
    if c != 1:
        np.multiply(source, c, out=out)
    elif not rest:
        np.copyto(out, source)
    elif abs(rest[0][0]) == 1:
        (np.add if rest[0][0] == 1 else np.subtract)(source, rest[0][1], out=out)
        rest = rest[1:]
    else:
        np.copyto(out, source)
    for c, source in rest:
        if abs(c) != 1:
            product = scratch("mix", source.shape, source.dtype)
            source = np.multiply(source, abs(c), out=product)
        (np.add if c > 0 else np.subtract)(out, source, out=out)


class Plan:
    """The tiles of a geometry, and its transforms on arrays of channels-last images."""

    def __init__(self, g: Geometry, m: int):
        self.g, self.m, self.s = g, m, g.stride[0]
        self.r = g.R // self.s
        self.n = m + self.r - 1
        self.tiles = -(-g.P // m), -(-g.Q // m)
        self.size = m * self.tiles[0], m * self.tiles[1]  # of the outputs, as whole tiles
        self.frame = tuple((m * t + self.r - 1) * self.s for t in self.tiles)
        self.A, self.G, self.B = transforms(m, self.r)

    @staticmethod
    def fits(g: Geometry) -> bool:
        """Square filters of 2 or 3 taps per stride, the stride 1 or 2."""
        s = g.stride[0]
        return (
            g.R == g.S
            and g.stride == (s, s)
            and s <= 2
            and g.R in (2 * s, 3 * s)
            and g.dilation == (1, 1)
            and g.groups == 1
        )

    def split(self, frame: np.ndarray) -> np.ndarray:
        """A frame as (N, rows, s, columns, s·C): pixels of s×s blocks."""
        n, h, w, c = frame.shape
        return frame.reshape(n, h // self.s, self.s, w // self.s, self.s * c)

    def filters(self, w: np.ndarray) -> np.ndarray:
        """G w Gᵀ as (n, n, s·s·C, K), from w (K, C, R, S)."""
        k, c = w.shape[:2]
        r, s, n = self.r, self.s, self.n
        taps = w.transpose(2, 3, 1, 0).reshape(r, s, r, s, c, k)
        made = memory.empty((n, n, s, s, c, k), w.dtype)

        def task(block: int) -> None:
            part = slice(block * c // BLOCKS, (block + 1) * c // BLOCKS)
            half = scratch("half", (n, s, r, s, part.stop - part.start, k), w.dtype)
            for i in range(n):
                mix(self.G[i], [taps[t][..., part, :] for t in range(r)], half[i])
            for j in range(n):
                mix(self.G[j], [half[:, :, t] for t in range(r)], made[:, j, :, :, part])

        parallel(task, BLOCKS)
        return made.reshape(n, n, s * s * c, k)

    def filters_back(self, u: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The adjoint of ``filters``: w (K, C, R, S), in (R, S, C, K) memory."""
        k, c = shape[:2]
        r, s, n = self.r, self.s, self.n
        u = u.reshape(n, n, s, s, c, k)
        made = memory.empty((r, s, r, s, c, k), u.dtype)

        def task(block: int) -> None:
            part = slice(block * c // BLOCKS, (block + 1) * c // BLOCKS)
            half = scratch("half", (r, n, s, s, part.stop - part.start, k), u.dtype)
            for i in range(r):
                mix(self.G[:, i], [u[t][..., part, :] for t in range(n)], half[i])
            for j in range(r):
                mix(self.G[:, j], [half[:, t] for t in range(n)], made[:, :, j, :, part])

        parallel(task, BLOCKS)
        return made.reshape((r * s, r * s, c, k)).transpose(3, 2, 0, 1)

    def input(self, x: np.ndarray, out: np.ndarray) -> None:
        """B x Bᵀ into out (n, n, N, T, T', s, s·C), from x (N, C, H, W)."""
        g, m, n = self.g, self.m, self.n
        rows = self.split(framed(x, (g.pad[0], g.pad[2]), self.frame))
        count, tall, wide = len(rows), *self.tiles
        half = scratch("half", (n, count, tall, *rows.shape[2:]), x.dtype)
        for i in range(n):
            mix(self.B[i], [rows[:, t : t + m * (tall - 1) + 1 : m] for t in range(n)], half[i])
        half = half.transpose(0, 1, 2, 4, 3, 5)
        for j in range(n):
            columns = [half[:, :, :, t : t + m * (wide - 1) + 1 : m] for t in range(n)]
            mix(self.B[j], columns, out[:, j])

    def input_back(self, v: np.ndarray, frame: np.ndarray) -> None:
        """The adjoint of ``input``: tiles overlap by r - 1 rows and columns, which add up."""
        m, n = self.m, self.n
        rows = self.split(frame)
        count, tall, wide = len(rows), *self.tiles
        half = scratch("half", (n, count, tall, *rows.shape[2:]), v.dtype)
        inner = half.transpose(0, 1, 2, 4, 3, 5)
        inner[:, :, :, wide * m :] = 0
        spare = scratch("spare", (n, *v.shape[2:]), v.dtype)
        for t in range(n):
            target = inner[:, :, :, t : t + m * (wide - 1) + 1 : m]
            _add_or_set(self.B[:, t], [v[:, j] for j in range(n)], target, spare, t >= m)
        rows[:, tall * m :] = 0
        spare = scratch("spare", (count, tall, *rows.shape[2:]), v.dtype)
        for t in range(n):
            target = rows[:, t : t + m * (tall - 1) + 1 : m]
            _add_or_set(self.B[:, t], list(half), target, spare, t >= m)

    def output(self, v: np.ndarray, y: np.ndarray) -> None:
        """Aᵀ v A into y (N, m·T, m·T', K), from v (n, n, N, T, T', K)."""
        m = self.m
        half = scratch("half", (m, *v.shape[1:]), v.dtype)
        for i in range(m):
            mix(self.A[:, i], list(v), half[i])
            for j in range(m):
                mix(self.A[:, j], list(half[i]), y[:, i::m, j::m])

    def output_back(self, y: np.ndarray, out: np.ndarray) -> None:
        """The adjoint of ``output``: A y Aᵀ into out (n, n, N, T, T', K)."""
        m, n = self.m, self.n
        half = scratch("half", (n, *y[:, ::m].shape), y.dtype)
        for i in range(n):
            mix(self.A[i], [y[:, t::m] for t in range(m)], half[i])
        for j in range(n):
            mix(self.A[j], [half[:, :, :, t::m] for t in range(m)], out[:, j])

    def outputs(self, y: np.ndarray) -> np.ndarray:
        """y (N, K, P, Q) as (N, m·T, m·T', K), zeros where tiles stick out."""
        return framed(y, (0, 0), self.size, "outputs")


def _add_or_set(coefficients, sources, target, spare, add: bool) -> None:
    if add:
        mix(coefficients, sources, spare)
        np.add(target, spare, out=target)
    else:
        mix(coefficients, sources, target)
