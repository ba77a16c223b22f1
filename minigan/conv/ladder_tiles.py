"""Which kernels compute a convolution, and with which tiles: a table for each kind of GPU.

rung 0   one thread an output                          any architecture
     1   a tile in shared memory                       any
     2   8×8 outputs in registers, 16-byte loads       any
     3   copies run ahead (cp.async)                   8.0
     4   tensor cores, TF32                            8.0, opt-in
     5   tensor cores, BF16                            8.0, opt-in

What each rung is about stands in kernels/rungs.cuh.  ``python -m benchmarks.tune --write`` puts
what it measures into the tables below, for the GPU that it runs on and for no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

RUNGS = range(6)


@dataclass(frozen=True)
class Tile:
    """What a block computes: rows × columns of a matrix product, ``depth`` steps at a time.

    ``measured`` says where the choice was measured; None: it has not been.
    """

    rung: int
    rows: int
    columns: int
    depth: int
    stages: int = 1
    measured: str | None = None

    @property
    def threads(self) -> int:
        """Threads of a block: a warp for 64×32 or 32×32 outputs on tensor cores, else 8×8 each."""
        if self.rung >= 4:
            return 2 * (self.columns // 32) * 32
        side = 1 if self.rung == 1 else 8
        return (self.rows // side) * (self.columns // side)

    @property
    def shared(self) -> int:
        """Bytes of shared memory: the stages of both operands, or the sums over channels."""
        pad = {1: 1, 4: 8}.get(self.rung, 4)
        tiles = self.stages * self.depth * (self.rows + self.columns + 2 * pad)
        sums = self.rows * (self.columns if self.rung == 1 else self.columns // 8)
        return 4 * max(tiles, sums)

    @property
    def architecture(self) -> int:
        """The least compute capability."""
        return 80 if self.rung >= 3 else 75

    @property
    def macros(self) -> tuple[tuple[str, int], ...]:
        """What the file is compiled with."""
        return (
            ("RUNG", self.rung),
            ("TILE_ROWS", self.rows),
            ("TILE_COLUMNS", self.columns),
            ("TILE_DEPTH", self.depth),
            ("STAGES", self.stages),
        )

    def blocks(self, rows: int, columns: int) -> int:
        """How many blocks a rows × columns product takes."""
        return ceil(rows / self.rows) * ceil(columns / self.columns)


TILES = {
    75: {
        1: (Tile(1, 16, 16, 16),),
        2: (Tile(2, 128, 64, 8), Tile(2, 64, 64, 8)),
    },
    80: {
        1: (Tile(1, 16, 16, 16),),
        2: (Tile(2, 128, 64, 8), Tile(2, 64, 64, 8)),
        3: (Tile(3, 128, 64, 8, 4), Tile(3, 64, 64, 8, 4)),
        4: (Tile(4, 128, 128, 16, 2), Tile(4, 64, 64, 16, 3)),
        5: (Tile(5, 128, 128, 16, 2), Tile(5, 64, 64, 16, 3)),
    },
    90: {
        1: (Tile(1, 16, 16, 16),),
        2: (Tile(2, 128, 64, 8), Tile(2, 64, 64, 8)),
        3: (Tile(3, 128, 64, 8, 4), Tile(3, 64, 64, 8, 4)),
        4: (Tile(4, 128, 128, 16, 2), Tile(4, 64, 64, 16, 3)),
        5: (Tile(5, 128, 128, 16, 2), Tile(5, 64, 64, 16, 3)),
    },
    100: {
        1: (Tile(1, 16, 16, 16),),
        2: (Tile(2, 128, 64, 8), Tile(2, 64, 64, 8)),
        3: (Tile(3, 128, 64, 8, 4), Tile(3, 64, 64, 8, 4)),
        4: (Tile(4, 128, 128, 16, 2), Tile(4, 64, 64, 16, 3)),
        5: (Tile(5, 128, 128, 16, 2), Tile(5, 64, 64, 16, 3)),
    },
}
"""The tiles of each compute capability and rung, the largest first; a GPU that is not in it uses
the nearest capability below its own.  A tile says where it was measured: so far none was."""

WINOGRAD: dict[int, float | None] = {
    75: None,
    80: None,
    90: None,
    100: None,
}
"""From which saving on (``ladder_winograd.saving``) Winograd's form takes a float32 convolution,
by compute capability; None: never, until it is measured."""

MULTIPROCESSORS = {75: 68, 80: 108, 90: 132, 100: 148}
"""Multiprocessors of a large GPU of each compute capability (data sheets)."""


def _nearest(table: dict, architecture: int):
    return table[max(known for known in table if known <= max(architecture, min(table)))]


def tiles_of(architecture: int, rung: int) -> tuple[Tile, ...]:
    """The tiles of a rung, the largest first, on GPUs of a compute capability.

    >>> tiles_of(89, 3) == TILES[80][3], tiles_of(120, 3) == TILES[100][3]
    (True, True)
    """
    table = {known: row[rung] for known, row in TILES.items() if rung in row}
    if not table:
        raise ValueError(f"tiles_of: no compute capability has tiles of rung {rung!r}")
    return _nearest(table, architecture)


def choose_rung(architecture: int, allow_tf32: bool = False, allow_bf16: bool = False) -> int:
    """The highest rung that an architecture has and that is allowed.

    2; from 8.0 on 3, or 4 with TF32 allowed, or 5 with BF16 allowed.

    >>> choose_rung(75), choose_rung(90), choose_rung(90, allow_tf32=True)
    (2, 3, 4)
    >>> choose_rung(75, allow_bf16=True), choose_rung(90, allow_tf32=True, allow_bf16=True)
    (2, 5)
    """
    if architecture < 80:
        return 2
    return 5 if allow_bf16 else 4 if allow_tf32 else 3


def choose_winograd(architecture: int, saving: float) -> bool:
    """Whether Winograd's form is known to be faster where it saves so much."""
    least = _nearest(WINOGRAD, architecture)
    return least is not None and saving >= least


def choose_tile(rung: int, rows: int, columns: int, architecture: int = 75) -> Tile:
    """The largest tile that gives every multiprocessor a block; else the smallest.

    A tile with more rows than there are, rounded up to 64, is left out: it would compute zeros.

    >>> [choose_tile(2, *size).rows for size in ((512, 65536), (48, 65536), (512, 64))]
    [128, 64, 64]
    """
    tiles = tiles_of(architecture, rung)
    for tile in tiles:
        fits = tile.rows <= max(64, -(-rows // 64) * 64)
        if fits and tile.blocks(rows, columns) >= _nearest(MULTIPROCESSORS, architecture):
            return tile
    return tiles[-1]


def choose_splits(tile: Tile, blocks: int, depth: int, architecture: int = 75) -> int:
    """Into how many ranges wgrad splits its depth: two blocks for each multiprocessor.

    A range has at least 16 tiles' depth, so that adding the splits up costs little beside.

    >>> tile = Tile(2, 128, 64, 8)
    >>> choose_splits(tile, 8, 65536, 80), choose_splits(tile, 8, 100, 80)
    (27, 1)
    """
    wanted = 2 * _nearest(MULTIPROCESSORS, architecture) // blocks
    return max(1, min(wanted, depth // (16 * tile.depth)))
