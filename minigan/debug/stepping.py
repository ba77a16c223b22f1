"""step_through: a backward pass, one gradient rule at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from .. import autograd
from .._mode import running
from .._tensor import Node, Tensor
from .._walk import plan, walk
from ..array import to_device
from .source import Line, describe, formula, rule_line


@dataclass(frozen=True)
class Step:
    """What one gradient rule did in a backward pass; ``print(step)`` shows it.

    ``op`` is the Function's name, ``formula`` the first line of its docstring and ``rule`` where
    its ``vjp`` is written.  ``g`` is the gradient of its output, ``gradients`` what it passes on
    to each input (None where none is wanted, or where it is zero) and ``inputs`` what the inputs
    are: an operation's name, a leaf's name, or "" for a constant.
    """

    number: int
    op: str
    formula: str
    rule: Line
    g: Tensor
    gradients: tuple[Tensor | None, ...]
    inputs: tuple[str, ...]
    node: Node

    def __str__(self) -> str:
        rows = [f"step {self.number}: {self.op}   {self.formula}".rstrip()]
        rows.append(f"    rule at {self.rule.file}:{self.rule.number}")
        rows.append(f"    g        {_values(self.g)}")
        for i, (name, gradient) in enumerate(zip(self.inputs, self.gradients, strict=True)):
            if not name:
                rows.append(f"    input {i}  a constant: no gradient wanted")
            else:
                what = "zero" if gradient is None else _values(gradient)
                rows.append(f"    input {i}  {what}  → {name}")
        return "\n".join(rows)


def _values(x: Tensor) -> str:
    array = to_device(x.array, "cpu")
    text = np.array2string(array.ravel()[:4], precision=4, separator=", ")
    if array.size > 4:
        text = f"{text[:-1]}, …], norm {np.linalg.norm(array):.4g}"
    return f"{describe(x)}  {text}"


def step_through(
    loss: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    names: Mapping[str, Tensor] | None = None,
) -> Iterator[Step]:
    """Run ``loss.backward(...)`` step by step: one :class:`Step` after every gradient rule.

    When the steps are exhausted the leaves' ``.grad`` are what ``loss.backward()`` makes them;
    before that they are untouched.  A walk given up halfway has freed the part of the graph it
    went through, unless ``retain_graph``.

    Args:
        loss, gradient, retain_graph, create_graph: as for :meth:`Tensor.backward`.
        names: tensors by name, such as ``dict(net.named_parameters())``, to be shown for leaves.

    Raises:
        RuntimeError: as ``backward`` does.

    >>> import minigan
    >>> x = minigan.tensor(4.0, requires_grad=True)
    >>> for step in step_through((x * x).sqrt()):
    ...     print(step.op, step.g.item(), [g.item() for g in step.gradients])
    Sqrt 1.0 [0.125]
    Mul 0.125 [0.5, 0.5]
    >>> x.grad.item()
    1.0
    """
    seeds = autograd._seeds("step_through", loss, gradient)
    keep_graph = create_graph if retain_graph is None else retain_graph
    leaves = {t.node: name for name, t in (names or {}).items() if t.node is not None}

    def steps() -> Iterator[Step]:
        results: dict[Node, Tensor] = {}
        walking = walk(seeds, None, plan(seeds, None), keep_graph, results)
        for number in count(1):
            with running(None, create_graph):
                found = next(walking, None)
            if found is None:
                break
            yield _step(number, *found, leaves)
        autograd._accumulate(results, seeds, create_graph)

    return steps()


def _step(number: int, node: Node, g: Tensor, gradients: tuple, leaves: dict[Node, str]) -> Step:
    function = node.function
    wanted = [edge is not None and edge.requires_grad for edge in node.edges]
    inputs = tuple([_name(e, leaves) if w else "" for e, w in zip(node.edges, wanted, strict=True)])
    gradients = tuple([x if w else None for x, w in zip(gradients, wanted, strict=True)])
    name = type(function).__name__
    return Step(number, name, formula(function), rule_line(function), g, gradients, inputs, node)


def _name(node: Any, leaves: dict[Node, str]) -> str:
    if node in leaves:
        return leaves[node]
    return "a leaf" if node.function is None else type(node.function).__name__
