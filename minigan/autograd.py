"""The engine: functions that know their gradient, and ``grad``, which walks the graph.

The whole idea: a Function computes an array (``forward``) and states its gradient *as a program
in Tensors* (``vjp``).  Calling a Function records a Node.  ``grad`` visits the nodes between
outputs and inputs in descending order of creation, which is a topological order, and calls each
``vjp`` once (``_walk.py``).  Because a ``vjp`` is made of Functions, running it with recording on
(``create_graph=True``) gives a gradient that can be differentiated again, to any order.

Every call of a Function, and of its ``vjp``, can be watched: see ``op_hook``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from . import _saved as graph
from . import array as arrays
from ._hooks import Call, around, at_the_end, op_hook
from ._mode import enable_grad, is_grad_enabled, no_grad, running, set_grad_enabled, thread
from ._saved import pack
from ._tensor import Absent, Leaf, Node, Tensor, one_device
from ._walk import gradients
from .array import Array


class Function:
    """An operation and its gradient.  Parameters that are no tensors go to ``__init__``.

    A subclass defines

    * ``forward(*inputs) -> array``: inputs are arrays, or Python numbers as the caller gave them;
    * ``vjp(needs, g, y, *inputs) -> tuple``: for every input with ``needs[i]``, the gradient
      ``g · ∂y/∂input_i`` as a Tensor computed by Tensor operations (None elsewhere, and where it
      is zero: then nothing is computed further down);
    * ``reads``: for every input, which values its gradient reads: input indices and "y" for the
      output.  What no wanted gradient reads is not kept, and arrives in ``vjp`` as an Absent
      with shape and dtype only.  None: every gradient reads every input;
    * ``is_view``: whether the result may share memory with the first input;
    * ``coarse``: whether ``autocast`` may keep for its gradient what it reads with eight digits.
    """

    reads: tuple[tuple[int | str, ...], ...] | None = None
    is_view = coarse = False

    def forward(self, *inputs: Any) -> Array:
        raise NotImplementedError

    def vjp(self, needs: tuple[bool, ...], g: Tensor, y: Any, *inputs: Any) -> tuple:
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def __call__(self, *inputs: Any) -> Tensor:
        state = thread.state
        if state.hooks:
            return around("op", self, self, inputs)
        try:
            output = self.forward(*[x.array if isinstance(x, Tensor) else x for x in inputs])
        except Exception:
            one_device(type(self).__name__, inputs)
            raise
        if isinstance(output, np.generic):  # NumPy turns 0-d results into scalars
            output = np.asarray(output)
        version = None
        if self.is_view and arrays.is_view_of(output, inputs[0].array):
            version = inputs[0].version
        result = Tensor(output, None, version)
        if state.recording:
            self._record(state, inputs, result)
        return result

    def _record(self, state: Any, inputs: tuple, result: Tensor) -> None:
        """Give ``result`` its Node, if any input wants a gradient (written for speed)."""
        edges = []
        for x in inputs:
            node = x.node if isinstance(x, Tensor) else None
            edges.append(node if node is not None and node.requires_grad else None)
        needs = tuple([edge is not None for edge in edges])
        if True not in needs:
            return
        keep_inputs, keep_output = _kept(self.reads, needs)
        saved, checks, output = [], [], None
        for x, keep in zip(inputs, keep_inputs):  # noqa: B905, equally long and hot
            if isinstance(x, Tensor):
                if keep:
                    checks.append((x.version, x.version[0]))
                else:
                    x = Absent(x.array)
            saved.append(x)
        if keep_output:
            output = result.array
            checks.append((result.version, result.version[0]))
        level = 0 if state.running is None else state.running.level + 1
        result.node = Node(self, tuple(edges), tuple(saved), output, tuple(checks), level)
        if state.packing is not None:
            pack(result, state.packing)


@cache
def _kept(reads: tuple | None, needs: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
    """Which inputs, and whether the output, the wanted gradients read."""
    if reads is None:
        return (True,) * len(needs), False
    read = {value for r, need in zip(reads, needs, strict=True) if need for value in r}
    return tuple(i in read for i in range(len(needs))), "y" in read


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool = False,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``Σ ⟨grad_outputs, outputs⟩`` with respect to ``inputs``.

    Args:
        outputs, inputs: a Tensor or a sequence; inputs may be leaves or results of operations.
        grad_outputs: one Tensor of the output's shape (None: ones) for each output; may be left
            out where all outputs have one element.
        retain_graph: keep what the graph holds for another pass (default: ``create_graph``).
        create_graph: record the gradients themselves, so that they can be differentiated.
        only_inputs, is_grads_batched: of PyTorch's signature; their defaults alone are known.
        allow_unused: give None, instead of an error, for inputs that outputs do not depend on.
        materialize_grads: give zeros for those inputs.

    Returns:
        One Tensor per input, of its shape and dtype.

    Raises:
        RuntimeError: nothing to differentiate, a graph already freed, a needed value changed.

    >>> import minigan
    >>> x = minigan.tensor(3.0, requires_grad=True)
    >>> (g,) = minigan.grad(x**4, x, create_graph=True)
    >>> g.item(), minigan.grad(g, x)[0].item()
    (108.0, 108.0)
    """
    if not only_inputs or is_grads_batched:
        raise ValueError("grad: only_inputs=False and is_grads_batched=True are not supported")
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for i, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(f"grad: input {i} (shape {x.shape}) does not require grad")
    seeds = _seeds("grad", outputs, grad_outputs)
    table, reached = gradients(seeds, {x.node for x in inputs}, retain_graph, create_graph)
    results = []
    for i, x in enumerate(inputs):
        g = table.get(x.node)
        if g is None and (materialize_grads or x.node in reached):
            g = Tensor(arrays.array_module(x.array).zeros_like(x.array))
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"grad: input {i} (shape {x.shape}) appears not to have been used in the graph; "
                "set allow_unused=True if this is meant"
            )
        results.append(g)
    return tuple(results)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves (or of ``inputs``)."""
    targets = None
    if inputs is not None:
        inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
        if not inputs or not all(x.requires_grad for x in inputs):
            raise RuntimeError("backward: expected inputs that require grad, at least one")
        targets = {x.node for x in inputs}
    seeds = _seeds("backward", tensors, grad_tensors)
    table, _ = gradients(seeds, targets, retain_graph, create_graph)
    _accumulate(table, seeds, create_graph)


def _accumulate(table: dict[Node, Tensor], seeds: dict[Node, Tensor], create_graph: bool) -> None:
    """Add every gradient of a finished walk to its node's ``grad``."""
    taken = {id(g.array) for g in seeds.values()}  # arrays that somebody else holds already
    for node, g in table.items():
        with running(node, create_graph):
            if node.grad is not None:
                g = node.grad + g
            elif id(g.array) in taken or node.hooks or not arrays.exclusive(g.array):
                g = g.clone()  # a gradient of one's own: callers change it in place
        taken.add(id(g.array))
        node.grad = g


def _seeds(name: str, outputs: Any, grad_outputs: Any) -> dict[Node, Tensor]:
    """The gradient each output's node starts with."""
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    if grad_outputs is None:
        grad_outputs = (None,) * len(outputs)
    elif isinstance(grad_outputs, Tensor):
        grad_outputs = (grad_outputs,)
    if len(grad_outputs) != len(outputs):
        raise RuntimeError(
            f"{name}: expected one gradient per output ({len(outputs)}), got {len(grad_outputs)}"
        )
    seeds: dict[Node, Tensor] = {}
    for i, (y, g) in enumerate(zip(outputs, grad_outputs, strict=True)):
        if not y.requires_grad:
            raise RuntimeError(
                f"{name}: output {i} does not require grad and does not have a grad_fn"
            )
        if g is None:
            if y.array.size != 1:
                raise RuntimeError(
                    f"{name}: a gradient can be implicitly created only for scalar outputs, "
                    f"output {i} has shape {y.shape}; give one"
                )
            g = Tensor(arrays.array_module(y.array).ones_like(y.array))
        elif not isinstance(g, Tensor):
            raise TypeError(f"{name}: expected Tensors as gradients, got {type(g).__name__}")
        elif g.shape != y.shape:
            raise RuntimeError(
                f"{name}: output {i} has shape {y.shape}, its gradient has shape {g.shape}"
            )
        elif g.dtype != y.dtype and y.dtype.kind != "c":
            g = g.to(y.dtype)
        seeds[y.node] = seeds[y.node] + g if y.node in seeds else g
    return seeds


def _backward_method(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add this tensor's gradient to the ``.grad`` of the leaves it was computed from."""
    backward(self, gradient, retain_graph, create_graph, inputs)


Tensor.backward = _backward_method

__all__ = [
    "Call",
    "Function",
    "Leaf",
    "Node",
    "at_the_end",
    "backward",
    "enable_grad",
    "grad",
    "graph",
    "is_grad_enabled",
    "no_grad",
    "op_hook",
    "set_grad_enabled",
]


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """``data`` itself, as a leaf: what wrapped tensors before PyTorch 0.4."""
    leaf = data.detach()
    return leaf.requires_grad_() if requires_grad else leaf
