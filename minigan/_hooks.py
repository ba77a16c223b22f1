"""Hooks: code of the user's that sees the engine's operations, or a tensor's gradient, go by.

An *op hook* wraps every call of a Function and of its gradient rule, in this thread, while a
``with op_hook(...)`` block runs; the tools in ``minigan.debug`` are made of it.  A *gradient hook*
belongs to one tensor and is given its gradient once it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ._mode import thread
from ._tensor import Node, Tensor

# ------------------------------------------------------------------------------ operations


class Call(NamedTuple):
    """What an op hook is told about a call.

    ``kind`` is "op" where a Function computes and "vjp" where its gradient rule runs; the
    operations inside a rule are calls of their own.
    """

    kind: str
    function: Any
    inputs: tuple  # as given to the Function; for a rule: needs, g, y, *inputs
    level: int  # 0 in plain code, k + 1 in the gradient of a node made at level k
    running: Node | None  # the node whose gradient is being worked on (None in plain code)


class op_hook:
    """A block in which ``hook(call, run)`` stands around every operation of this thread.

    The hook calls ``run()`` once and returns what it gives: the result, a Tensor, for an
    operation; a tuple with a gradient or None per input for a rule.  Hooks nest, the first
    installed is the outermost; what a hook itself computes is not seen by any.

    >>> import minigan
    >>> x = minigan.tensor(3.0, requires_grad=True)
    >>> def tell(call, run):
    ...     print(call.kind, type(call.function).__name__, "level", call.level)
    ...     return run()
    >>> with op_hook(tell):
    ...     (x * 2).backward()
    op Mul level 0
    vjp Mul level 1
    op Mul level 1
    """

    def __init__(self, hook: Callable[[Call, Callable[[], Any]], Any]):
        self.hook = hook

    def __enter__(self) -> None:
        state = thread.state
        state.hooks = (*state.hooks, self.hook)

    def __exit__(self, *exc: object) -> None:
        state = thread.state
        hooks = list(state.hooks)
        del hooks[-1 - hooks[::-1].index(self.hook)]
        state.hooks = tuple(hooks)


def around(kind: str, function: Any, method: Callable[..., Any], inputs: tuple) -> Any:
    """``method(*inputs)`` inside this thread's hooks, of which there are some."""
    state = thread.state
    level = 0 if state.running is None else state.running.level + 1
    call, run = Call(kind, function, inputs, level, state.running), partial(method, *inputs)
    if kind == "vjp":
        run = partial(_under, state.hooks, run)
    for hook in reversed(state.hooks):
        run = partial(hook, call, run)
    return _under((), run)


def _under(hooks: tuple[Callable, ...], run: Callable[[], Any]) -> Any:
    state = thread.state
    before, state.hooks = state.hooks, hooks
    try:
        return run()
    finally:
        state.hooks = before


# ------------------------------------------------------------------------------ gradients


class GradientHooks:
    """What is done with the gradient of one node when it is complete."""

    def __init__(self):
        self.functions: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.retains = False

    @staticmethod
    def of(tensor: Tensor) -> GradientHooks:
        """The hooks of the tensor's node, new ones where it has none."""
        if tensor.node.hooks is None:
            tensor.node.hooks = GradientHooks()
        return tensor.node.hooks


class RemovableHandle:
    """What registering a hook gives back: ``remove()`` takes the hook out again."""

    def __init__(self, hooks: dict[int, Callable], hook: Callable):
        self.hooks, self.key = hooks, max(hooks, default=-1) + 1
        hooks[self.key] = hook

    def remove(self) -> None:
        """Take the hook out (once; later calls do nothing)."""
        self.hooks.pop(self.key, None)
        self.hooks = {}


def through_hooks(node: Node, g: Tensor) -> Tensor:
    """The complete gradient ``g`` of ``node`` as its hooks leave it; kept where that is wanted."""
    for hook in list(node.hooks.functions.values()):
        changed = hook(g)
        if changed is None:
            continue
        if not isinstance(changed, Tensor):
            raise TypeError(
                f"register_hook: expected the hook to return a Tensor or None, got "
                f"{type(changed).__name__}"
            )
        if changed.shape != g.shape or changed.dtype != g.dtype:
            raise RuntimeError(
                f"register_hook: expected the hook to return a gradient of shape {g.shape} and "
                f"dtype {g.dtype}, got shape {changed.shape} and dtype {changed.dtype}"
            )
        g = changed
    if node.hooks.retains:
        node.grad = g.clone() if node.grad is None else node.grad + g
    return g


def at_the_end(finish: Callable[[], None]) -> None:
    """From a gradient's hook: call ``finish`` when the pass has gone through the whole graph.

    That is before any leaf's ``.grad`` changes; what ``finish`` writes into the array that the hook
    returned is what arrives there.  A pass that an error ends does not come to it.

    Raises:
        RuntimeError: no pass is under way.
    """
    if thread.state.after is None:
        raise RuntimeError("at_the_end: no backward pass is under way; call it from a hook")
    thread.state.after.append(finish)


def _register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call ``hook(gradient)`` whenever this tensor's gradient has been computed.

    What the hook returns (a Tensor of the same shape and dtype) replaces the gradient, for the
    tensor itself and for all it was computed from; None leaves it.  The hook must not change its
    argument.  Hooks run in order of registration; under ``create_graph=True`` what they compute
    is differentiable.

    Returns:
        A handle; ``handle.remove()`` takes the hook out.

    Raises:
        RuntimeError: the tensor does not require grad; during a pass: the replacement does not
            fit.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda g: g * 10)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([20., 40.], dtype=float32)
    """
    if not self.requires_grad:
        raise RuntimeError(
            "register_hook: cannot register a hook on a tensor that does not require grad"
        )
    return RemovableHandle(GradientHooks.of(self).functions, hook)


def _retain_grad(self: Tensor) -> None:
    """Keep the gradient of this result of an operation in ``.grad``, as a leaf does.

    Nothing changes for a leaf.  The gradient is what this tensor's hooks leave.

    Raises:
        RuntimeError: the tensor does not require grad.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> y.retain_grad()
    >>> (y * y).sum().backward()
    >>> y.grad
    tensor([2., 8.], dtype=float32)
    """
    if not self.requires_grad:
        raise RuntimeError("retain_grad: this tensor does not require grad")
    if not self.is_leaf:
        GradientHooks.of(self).retains = True


def _retains_grad(self: Tensor) -> bool:
    """Whether :meth:`retain_grad` was called for this result of an operation."""
    return self.node is not None and self.node.hooks is not None and self.node.hooks.retains


Tensor.register_hook = _register_hook
Tensor.retain_grad = _retain_grad
Tensor.retains_grad = property(_retains_grad)
