"""A layered drawing: rows by depth, boxes that never overlap, edges from row to row, as SVG.

Three steps (Sugiyama, Tagawa and Toda 1981): every box gets a row below all it is made from; an
edge over several rows gets a way point in each of them; rows are ordered by the mean position of
their neighbours, and places follow that order with the distances kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise

_CHARACTER, _LINE, _PAD = 7.3, 17, 10  # of 12 px monospace text: width, height; around it
_GAP, _ROW = 24, 44  # between boxes, between rows
_WAY_POINTS = 20_000  # beyond, long edges run straight: they would outnumber everything else
_SWEEPS = 12
_FILLS = ("#ffffff", "#dfe9f7", "#f7e6d4", "#f3d9ea")  # by level of differentiation
_LEAF = "#e3f1e3"


@dataclass
class Box:
    """A box with lines of text; a way point of an edge is a box without any."""

    lines: tuple[str, ...] = ()
    leaf: bool = False
    level: int = 0
    row: int = 0
    x: float = 0.0  # of the centre

    @property
    def width(self) -> float:
        return max(map(len, self.lines)) * _CHARACTER + 2 * _PAD if self.lines else 0.0

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PAD


def draw(boxes: list[Box], edges: list[tuple[int, int]]) -> str:
    """An SVG of ``boxes``, numbered inputs first, with ``edges`` (input, result)."""
    _choose_rows(boxes, edges)
    points, chains = _with_way_points(boxes, edges)
    rows: list[list[int]] = [[] for _ in range(max((b.row for b in boxes), default=-1) + 1)]
    for i, box in enumerate(points):
        rows[box.row].append(i)
    _place(points, rows, chains)
    return _svg(points, boxes, rows, chains)


def _choose_rows(boxes: list[Box], edges: list[tuple[int, int]]) -> None:
    """A row below all inputs; what is made of leaves only comes down to just above its user."""
    users: list[list[int]] = [[] for _ in boxes]
    early = [True] * len(boxes)  # stands on nothing but leaves
    for i, j in sorted(edges, key=lambda edge: edge[1]):
        boxes[j].row = max(boxes[j].row, boxes[i].row + 1)
        users[i].append(j)
        early[j] = early[j] and boxes[i].leaf
    for box, ready, by in reversed(list(zip(boxes, early, users, strict=True))):
        if ready and by:
            box.row = min(boxes[j].row for j in by) - 1


def _with_way_points(
    boxes: list[Box], edges: list[tuple[int, int]]
) -> tuple[list[Box], list[list[int]]]:
    """The boxes and way points, and every edge as a chain of their indices."""
    points, chains = list(boxes), []
    many = sum(boxes[j].row - boxes[i].row - 1 for i, j in edges) > _WAY_POINTS
    for i, j in edges:
        chain = [i]
        for row in () if many else range(boxes[i].row + 1, boxes[j].row):
            chain.append(len(points))
            points.append(Box(row=row))
        chains.append([*chain, j])
    return points, chains


def _place(points: list[Box], rows: list[list[int]], chains: list[list[int]]) -> None:
    """Order every row and choose places, sweeping down and up in turn."""
    above: list[list[int]] = [[] for _ in points]
    below: list[list[int]] = [[] for _ in points]
    for chain in chains:
        for i, j in pairwise(chain):
            above[j].append(i)
            below[i].append(j)
    for row in rows:
        _settle(points, row, [0.0] * len(row))
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wish = {}
            for i in row:
                near = above[i] if down else below[i]
                near = near or (below[i] if sweep > 1 else [])
                wish[i] = sum(points[k].x for k in near) / len(near) if near else points[i].x
            row.sort(key=wish.__getitem__)
            _settle(points, row, [wish[i] for i in row])


def _settle(points: list[Box], row: list[int], wishes: list[float]) -> None:
    """The places nearest to the wishes (least squares) with order and distances kept.

    With the distances taken off, places must only not decrease: the mean of every block of
    wishes that are out of order (pool adjacent violators).
    """
    offsets, at = [], 0.0
    for k, i in enumerate(row):
        if k:
            at += (points[row[k - 1]].width + points[i].width) / 2 + _GAP
        offsets.append(at)
    blocks: list[list[float]] = []  # sum, count
    for wish, offset in zip(wishes, offsets, strict=True):
        blocks.append([wish - offset, 1])
        while len(blocks) > 1 and (blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]):
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    places = [total / count for total, count in blocks for _ in range(int(count))]
    for i, place, offset in zip(row, places, offsets, strict=True):
        points[i].x = place + offset


def _svg(
    points: list[Box], boxes: list[Box], rows: list[list[int]], chains: list[list[int]]
) -> str:
    left = min((p.x - p.width / 2 for p in points), default=0.0) - _GAP
    right = max((p.x + p.width / 2 for p in points), default=0.0) + _GAP
    tall = max((b.height for b in boxes), default=0.0)
    pitch = tall + _ROW

    def middle(row: int) -> float:
        return _GAP + row * pitch + tall / 2

    width, height = right - left, 2 * _GAP + len(rows) * pitch - _ROW
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#666"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white" class="paper"/>',
    ]
    for chain in chains:
        path = []
        for k, i in enumerate(chain):
            x, y, half = points[i].x - left, middle(points[i].row), tall / 2
            if k == 0:
                path.append(f"M{x:.1f} {y + half:.1f}")
                continue
            before = points[chain[k - 1]]
            x0, y0, y1 = before.x - left, middle(before.row) + half, y - half
            turn = (y0 + y1) / 2
            path.append(f"C{x0:.1f} {turn:.1f} {x:.1f} {turn:.1f} {x:.1f} {y1:.1f}")
            if k < len(chain) - 1:
                path.append(f"V{y + half:.1f}")
        out.append(f'<path d="{" ".join(path)}" fill="none" stroke="#666" marker-end="url(#tip)"/>')
    for box in boxes:
        x, y = box.x - left, middle(box.row)
        fill = _LEAF if box.leaf else _FILLS[min(box.level, len(_FILLS) - 1)]
        out.append(
            f'<rect x="{x - box.width / 2:.1f}" y="{y - tall / 2:.1f}" width="{box.width:.1f}" '
            f'height="{tall:.1f}" rx="{12 if box.leaf else 3}" fill="{fill}" stroke="#333"/>'
        )
        for k, line in enumerate(box.lines):
            base = y + (k - (len(box.lines) - 1) / 2) * _LINE + 4
            weight = ' font-weight="bold"' if k == 0 else ""
            out.append(
                f'<text x="{x:.1f}" y="{base:.1f}" text-anchor="middle"{weight}>'
                f"{escape(line)}</text>"
            )
    return "\n".join([*out, "</svg>"]) + "\n"
