"""What happens when a Module is called: hooks, ``forward``, hooks; and hooks on the way back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._hooks import RemovableHandle
from .._tensor import Tensor
from ..ops import clone
from ..ops.arrange import split
from ..ops.shape import cat

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class WithKwargs(NamedTuple):
    """A hook that is given the keyword arguments too."""

    hook: Callable


class Hooked:
    """A ``forward`` with hooks around it.  Hooks run in order of registration."""

    _forward_pre_hooks: OrderedDict[int, Any]
    _forward_hooks: OrderedDict[int, Any]
    _backward_pre_hooks: OrderedDict[int, Any]
    _backward_hooks: OrderedDict[int, Any]

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        for hook in list(self._forward_pre_hooks.values()):
            if isinstance(hook, WithKwargs):
                changed = hook.hook(self, inputs, kwargs)
                if changed is not None:
                    inputs, kwargs = _both(changed)
            else:
                changed = hook(self, inputs)
                if changed is not None:
                    inputs = changed if isinstance(changed, tuple) else (changed,)
        way_back = None
        if self._backward_hooks or self._backward_pre_hooks:
            way_back = _WayBack(self)
            inputs = way_back.inputs(inputs)
        output = self.forward(*inputs, **kwargs)
        for hook in list(self._forward_hooks.values()):
            if isinstance(hook, WithKwargs):
                changed = hook.hook(self, inputs, kwargs, output)
            else:
                changed = hook(self, inputs, output)
            if changed is not None:
                output = changed
        return output if way_back is None else way_back.output(output)

    def forward(self, *inputs: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, inputs)`` before every forward; what it returns replaces the inputs.

        None leaves them, anything but a tuple is one input.

        Args:
            prepend: run before the hooks that are there already.
            with_kwargs: call ``hook(module, inputs, kwargs)``, which returns None or both.
        """
        return _added(self._forward_pre_hooks, WithKwargs(hook) if with_kwargs else hook, prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, inputs, output)`` after every forward; what it returns is the output.

        None leaves the output as it is.

        Args:
            prepend: run before the hooks that are there already.
            with_kwargs: call ``hook(module, inputs, kwargs, output)``.
        """
        return _added(self._forward_hooks, WithKwargs(hook) if with_kwargs else hook, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` once the gradients of the outputs are known.

        ``grad_output`` has one entry per output: a Tensor, or None for what is no Tensor or wants
        no gradient.  What the hook returns, unless None, replaces it.
        """
        return _added(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` once the inputs' gradients are known.

        ``grad_input`` has one entry per positional input: a Tensor (zeros, if the module did not
        use that input), or None for what is no Tensor or wants no gradient.  What the hook
        returns, unless None, goes on in its place.  If no input wants a gradient, the hook is
        called with None for each of them as soon as ``grad_output`` is known.  Under
        ``create_graph=True`` what a hook computes is differentiable.

        Args:
            prepend: run before the hooks that are there already.

        Raises:
            ValueError: during a pass: what the hook returns does not fit.
            TypeError: during a call: inputs, or outputs, of several float dtypes.

        >>> import minigan
        >>> layer = minigan.nn.Linear(2, 1, bias=False).requires_grad_(False)
        >>> _ = layer.weight.copy_(minigan.tensor([[3.0, 4.0]]))
        >>> handle = layer.register_full_backward_hook(
        ...     lambda module, grad_input, grad_output: print(grad_input[0], grad_output[0]))
        >>> x = minigan.ones(1, 2, requires_grad=True)
        >>> layer(x).sum().backward()
        tensor([[3., 4.]], dtype=float32) tensor([[1.]], dtype=float32)
        """
        return _added(self._backward_hooks, hook, prepend)


class _WayBack:
    """The backward hooks of one call.

    Inputs and outputs are each led through one node, so that the gradients of all of them are
    complete at one moment; the node's own gradient hook is where the module's hooks run.
    """

    def __init__(self, module: Any):
        self.module = module
        self.pre_hooks = list(module._backward_pre_hooks.values())
        self.hooks = list(module._backward_hooks.values())
        self.grad_output: tuple | None = None

    def inputs(self, inputs: tuple) -> tuple:
        """The inputs, watched."""
        watched = _watched(inputs, self._at_inputs)
        self.count, self.open = len(inputs), watched is not None
        return watched or inputs

    def output(self, output: Any) -> Any:
        """The output (a Tensor, or a tuple or list of some), watched."""
        if isinstance(output, Tensor):
            watched = _watched((output,), self._at_outputs)
            return output if watched is None else watched[0]
        if type(output) in (tuple, list):
            watched = _watched(output, self._at_outputs)
            return output if watched is None else type(output)(watched)
        return output

    def _at_outputs(self, gradients: tuple) -> tuple:
        for hook in self.pre_hooks:
            gradients = _replaced(gradients, hook(self.module, gradients))
        self.grad_output = gradients
        if not self.open:
            for hook in self.hooks:
                _replaced((None,) * self.count, hook(self.module, (None,) * self.count, gradients))
        return gradients

    def _at_inputs(self, gradients: tuple) -> tuple:
        if self.grad_output is not None:  # None: the outputs were not on the way here
            for hook in self.hooks:
                gradients = _replaced(gradients, hook(self.module, gradients, self.grad_output))
        return gradients


def _watched(values: Sequence, hook: Callable[[tuple], tuple]) -> tuple | None:
    """``values`` led through one node, whose gradients ``hook`` sees; None if none wants any."""
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    tensors = [values[i] for i in places]
    if len({t.dtype for t in tensors}) > 1:
        raise TypeError(
            "register_full_backward_hook: expected inputs (or outputs) of one dtype, got "
            f"{', '.join(str(t.dtype) for t in tensors)}"
        )
    if not tensors:
        return None
    node = clone(tensors[0]) if len(tensors) == 1 else _together(tensors)
    if not node.requires_grad:  # under no_grad
        return None

    def at_node(g: Tensor) -> Tensor:
        gradients = hook(_put(_apart(g, tensors), places, [None] * len(values)))
        return _together([gradients[i] for i in places])

    node.register_hook(at_node)
    return _put(_apart(node, tensors), places, list(values))


def _put(new: Sequence, places: list[int], values: list) -> tuple:
    for i, value in zip(places, new, strict=True):
        values[i] = value
    return tuple(values)


def _together(tensors: Sequence[Tensor]) -> Tensor:
    """One Tensor that holds them all: the only one itself, several one after the other."""
    return tensors[0] if len(tensors) == 1 else cat([t.flatten() for t in tensors])


def _apart(joined: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """What ``_together`` joined, in the shapes of ``like``."""
    if len(like) == 1:
        return [joined]
    pieces = split(joined, [t.numel() for t in like])
    return [piece.reshape(t.shape) for piece, t in zip(pieces, like, strict=True)]


def _replaced(gradients: tuple, changed: Any) -> tuple:
    """What a hook returned in the place of ``gradients``; these, where it returned None."""
    if changed is None:
        return gradients
    changed = tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
    if len(changed) != len(gradients):
        raise ValueError(
            f"backward hook: expected {len(gradients)} gradients in return, got {len(changed)}"
        )
    for i, (old, new) in enumerate(zip(gradients, changed, strict=True)):
        if getattr(old, "shape", None) != getattr(new, "shape", None):
            raise ValueError(
                f"backward hook: expected {_described(old)} as gradient {i}, got {_described(new)}"
            )
    return changed


def _described(value: Any) -> str:
    return f"a Tensor of shape {value.shape}" if isinstance(value, Tensor) else repr(value)


def _both(changed: Any) -> tuple[tuple, dict]:
    """What a pre-hook with keyword arguments returned."""
    if not isinstance(changed, tuple) or len(changed) != 2:
        raise ValueError(
            "forward pre-hook: expected None or (inputs, kwargs) in return, got "
            f"{type(changed).__name__}"
        )
    inputs, kwargs = changed
    return (inputs if isinstance(inputs, tuple) else (inputs,)), kwargs


def _added(hooks: OrderedDict[int, Any], hook: Any, first: bool) -> RemovableHandle:
    handle = RemovableHandle(hooks, hook)
    if first:
        hooks.move_to_end(handle.key, last=False)
    return handle
