"""graph: the graph behind a tensor, as text, DOT or a drawing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._tensor import Node, Tensor
from .drawing import Box, draw
from .files import write_whole
from .source import describe


@dataclass(frozen=True)
class Entry:
    """One node: ``inputs`` are the numbers of other entries, or a constant's description."""

    number: int
    op: str
    name: str
    shape: str
    level: int
    inputs: tuple[int | str, ...]
    node: Node

    @property
    def is_leaf(self) -> bool:
        return self.node.function is None

    @property
    def title(self) -> str:
        """What it is: an operation's name, or a leaf's."""
        return self.name or "leaf" if self.is_leaf else self.op


class Graph:
    """The operations between leaves and outputs, in order: ``entries``, inputs before outputs.

    ``print`` shows :meth:`text`; :meth:`dot` is for Graphviz, :meth:`svg` a drawing of its own.
    """

    def __init__(self, entries: list[Entry]):
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """A line per node: number, operation and inputs, shape and dtype, name, level.

        The level is 0 for what plain code made, 1 for what a gradient made, and so on.
        """
        rows = []
        for e in self.entries:
            inputs = ", ".join([f"#{i}" if isinstance(i, int) else i for i in e.inputs])
            what = "leaf" if e.is_leaf else f"{e.op}({inputs})"
            note = (f"  {e.name}" if e.name else "") + (f"  level {e.level}" if e.level else "")
            rows.append((f"#{e.number}", what, e.shape + note))
        wide = [min(max((len(row[i]) for row in rows), default=0), 44) for i in (0, 1)]
        return "\n".join([f"{a:>{wide[0]}}  {b:<{wide[1]}}  {c}" for a, b, c in rows])

    def dot(self) -> str:
        """The graph in Graphviz's language; edges run from inputs to results."""
        lines = ["digraph minigan {", "  node [shape=box, fontname=Helvetica];"]
        for e in self.entries:
            label = "\\n".join(_escape(line) for line in self._lines(e))
            style = ', style="rounded,filled", fillcolor="#e3f1e3"' if e.is_leaf else ""
            lines.append(f'  n{e.number} [label="{label}"{style}];')
        lines += [f"  n{i} -> n{j};" for i, j in self._edges()]
        return "\n".join([*lines, "}"]) + "\n"

    def svg(self) -> str:
        """The graph as an SVG drawing: leaves above, outputs below."""
        boxes = [Box(self._lines(e), e.is_leaf, e.level) for e in self.entries]
        return draw(boxes, [(i - 1, j - 1) for i, j in self._edges()])

    def save(self, path: str | os.PathLike) -> None:
        """Write the graph as the ending asks: .svg, .dot or .txt.

        Raises:
            ValueError: another ending.
        """
        path = Path(path)
        make = {".svg": self.svg, ".dot": self.dot, ".txt": self.text}.get(path.suffix)
        if make is None:
            raise ValueError(f"Graph.save: expected a path ending in .svg, .dot or .txt: {path}")
        write_whole(path, make())

    def _lines(self, e: Entry) -> tuple[str, ...]:
        named = f"{e.op}: {e.name}" if e.name and not e.is_leaf else e.title
        return (named, e.shape)

    def _edges(self) -> list[tuple[int, int]]:
        """(input, result) by number, each pair once."""
        pairs = {(i, e.number): None for e in self.entries for i in e.inputs if isinstance(i, int)}
        return list(pairs)


def graph(outputs: Tensor | Sequence[Tensor], names: Mapping[str, Tensor] | None = None) -> Graph:
    """The graph behind one or several tensors, as far as gradients flow.

    Args:
        outputs: results of operations that require grad.
        names: tensors by name, such as ``dict(net.named_parameters())``; leaves and results.

    Returns:
        A :class:`Graph`.  What a backward pass has freed is shown without shape.

    Raises:
        RuntimeError: an output does not require grad.

    >>> import minigan
    >>> x, w = minigan.ones(2, 3), minigan.ones(3, requires_grad=True)
    >>> y = (x * w).tanh().sum()
    >>> print(graph(y, {"w": w}))
    #1  leaf             (3,) float32  w
    #2  Mul(const, #1)   (2, 3) float32
    #3  Tanh(#2)         (2, 3) float32
    #4  Sum(#3)          () float32
    """
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    for i, y in enumerate(outputs):
        if not y.requires_grad:
            raise RuntimeError(f"graph: output {i} (shape {y.shape}) does not require grad")
    known = {t.node: (name, t) for name, t in (names or {}).items() if t.node is not None}
    specs: dict[Node, Any] = {y.node: y for y in outputs} | {n: t for n, (_, t) in known.items()}
    nodes = _below([y.node for y in outputs])
    for node in nodes:  # a result's shape is known to those who use it
        for edge, value in zip(node.edges, node.saved or (), strict=False):
            if edge is not None:
                specs.setdefault(edge, value)
    numbers = {node: i for i, node in enumerate(nodes, 1)}
    entries = []
    for node, number in numbers.items():
        spec = specs.get(node)
        entries.append(
            Entry(
                number=number,
                op=type(node.function).__name__ if node.function is not None else "",
                name=known[node][0] if node in known else "",
                shape=describe(spec) if spec is not None else "?",
                level=node.level,
                inputs=_inputs(node, numbers),
                node=node,
            )
        )
    return Graph(entries)


def _below(roots: list[Node]) -> list[Node]:
    """All nodes that ``roots`` come from, and themselves, inputs before outputs."""
    seen, stack = set(roots), list(roots)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=lambda node: node.number)


def _inputs(node: Node, numbers: dict[Node, int]) -> tuple[int | str, ...]:
    saved = node.saved or (None,) * len(node.edges)
    made = []
    for edge, value in zip(node.edges, saved, strict=True):
        if edge is not None:
            made.append(numbers[edge])
        else:
            made.append("const" if value is None or hasattr(value, "shape") else repr(value))
    return tuple(made)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
