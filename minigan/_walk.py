"""The walk down the graph: every node's gradient rule once, from the outputs to the inputs.

Nodes are visited in descending order of creation, so that a node's gradient is complete when its
rule runs.  Rules that nobody needs the results of are not run, and what a node kept for its rule
goes as soon as that is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ._hooks import around, through_hooks
from ._mode import running, thread
from ._saved import Packed
from ._tensor import Absent, Node, Tensor


def gradients(
    seeds: dict[Node, Tensor],
    targets: set[Node] | None,
    retain_graph: bool | None,
    create_graph: bool,
) -> tuple[dict[Node, Tensor], set[Node]]:
    """Gradients of the target nodes (None: of all leaves), and the nodes on the way to them."""
    keep_graph = create_graph if retain_graph is None else retain_graph
    planned, results = plan(seeds, targets), {}
    with running(None, create_graph):
        deque(walk(seeds, targets, planned, keep_graph, results), maxlen=0)  # keeps no step alive
    return results, planned[1]


def walk(
    seeds: dict[Node, Tensor],
    targets: set[Node] | None,
    planned: tuple[list[Node], set[Node]],
    keep_graph: bool,
    results: dict[Node, Tensor],
) -> Iterator[tuple[Node, Tensor, list[Tensor | None]]]:
    """Fill ``results``, with a pause after every vjp: its node, what it was given, what it gave.

    To be driven inside ``running(None, ...)``, which also undoes what a step leaves set.  What a
    hook asked for by ``at_the_end`` is done after the last step.
    """
    order, useful = planned
    table, after = dict(seeds), []
    for node in order:
        g = table.pop(node, None)
        if g is None or node not in useful:
            continue
        state = thread.state
        state.running, state.after = node, after
        if node.hooks:
            g = through_hooks(node, g)
        if node.function is None or (targets is not None and node in targets):
            results[node] = g
        needs = tuple([edge in useful for edge in node.edges])
        if True not in needs:
            continue
        gradients = _apply(node, needs, g)
        for edge, gradient in zip(node.edges, gradients, strict=True):
            if gradient is not None:
                table[edge] = table[edge] + gradient if edge in table else gradient
        if not keep_graph:
            _free(node)
        yield node, g, gradients
        del g, gradient, gradients  # before more memory is asked for
    for finish in after:
        finish()


def _apply(node: Node, needs: tuple[bool, ...], g: Tensor) -> list[Tensor | None]:
    """The gradients that the node's rule gives for the inputs that need one, in their dtypes."""
    y, *inputs = _unpack(node, g)
    vjp, given = node.function.vjp, (needs, g, y, *inputs)
    hooked = thread.state.hooks
    gradients = around("vjp", node.function, vjp, given) if hooked else vjp(*given)
    return [
        _fitting(node, x, gradient) if need and gradient is not None else None
        for need, x, gradient in zip(needs, inputs, gradients, strict=True)
    ]


def _fitting(node: Node, x: Any, gradient: Tensor) -> Tensor:
    """``gradient`` in the dtype of the input x; of another shape it is a mistake in the vjp."""
    if gradient.shape != x.shape:
        raise RuntimeError(
            f"backward: {type(node.function).__name__} gave a gradient of shape {gradient.shape} "
            f"for an input of shape {x.shape}"
        )
    same = gradient.dtype == x.dtype or "c" in (gradient.dtype.kind, x.dtype.kind)
    return gradient if same else gradient.to(x.dtype)


def plan(roots: Iterable[Node], targets: set[Node] | None) -> tuple[list[Node], set[Node]]:
    """The nodes below ``roots``, outputs first, and which of them lead to a target.

    A leaf with hooks comes as soon as its gradient is complete, after the last node that reads it;
    so its hooks work while the walk goes on.
    """
    oldest = min((n.number for n in targets), default=0) if targets is not None else 0
    seen, stack = set(roots), list(roots)
    last: dict[Node, int] = {}  # the number of the last node that reads a leaf with hooks
    while stack:
        node = stack.pop()
        for edge in node.edges:
            if edge is None or edge.number < oldest:
                continue
            if edge not in seen:
                seen.add(edge)
                stack.append(edge)
            if edge.hooks is not None and edge.function is None:
                last[edge] = min(node.number, last.get(edge, node.number))
    order = sorted(seen, key=lambda node: -node.number)
    if last:
        order.sort(key=lambda node: (-last.get(node, node.number), node in last))
    useful: set[Node] = set()
    for node in reversed(order):  # inputs first
        wanted = (
            (node.function is None and node.requires_grad) if targets is None else node in targets
        )
        if wanted or any(edge in useful for edge in node.edges):
            useful.add(node)
    return order, useful


def _unpack(node: Node, g: Tensor) -> tuple:
    """``y, *inputs`` as the node's vjp takes them; ``g`` has the shape and dtype of y."""
    if node.saved is None:
        raise RuntimeError(
            "backward: trying to go through the graph a second time, but the values it needs have "
            "been freed; give retain_graph=True the first time"
        )
    for version, count in node.checks:
        if version[0] != count:
            raise RuntimeError(
                f"backward: a value that the gradient of {type(node.function).__name__} (output "
                f"shape {g.shape}) needs has been changed in place since it was computed"
            )
    saved = node.saved if type(node.saved) is tuple else node.saved.unpacked(node.edges)
    # A fresh handle on the same Node: the graph itself never points back at its outputs.
    if node.output is None:
        return Absent(g.array), *saved
    output = node.output.array() if type(node.output) is Packed else node.output
    return Tensor(output, node, node.checks[-1][0]), *saved


def _free(node: Node) -> None:
    """Let go of the values; a rule that needed none can be run again."""
    if node.checks:
        node.saved = node.output = None
        node.checks = ()
