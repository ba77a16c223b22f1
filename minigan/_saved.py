"""What waits for a gradient: in which form the values that a rule reads are kept until then.

As a rule a node keeps the arrays themselves.  ``saved_tensors_hooks`` puts two functions of the
user's in between: ``pack`` makes of a value what is kept (a copy on another device, a file's name,
fewer digits), ``unpack`` gives the value back when its rule runs.  ``autocast`` keeps activations
in BF16 by the same means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._mode import no_grad, thread
from ._tensor import Node, Tensor
from .array import Array


class Packed:
    """A value in the form in which it is kept.

    It knows no node: a result is kept by its own, which would keep itself alive.
    """

    __slots__ = ("__weakref__", "dtype", "kept", "shape", "unpack", "version")

    def __init__(self, x: Tensor, kept: Any, unpack: Callable[[Any], Array]):
        self.shape, self.dtype, self.version = x.shape, x.dtype, x.version
        self.kept, self.unpack = kept, unpack

    def array(self) -> Array:
        """The value again."""
        return self.unpack(self.kept)

    def tensor(self, node: Node | None) -> Tensor:
        """The value at its place: a gradient that is differentiated again finds its way on."""
        return Tensor(self.array(), node, self.version)


Packer = Callable[
    [Any, Tensor], Packed | None
]  # (function, value) → how to keep it; None: as it is


class Values(tuple):
    """What a node keeps of its inputs, where some of it is Packed."""

    def unpacked(self, edges: tuple[Node | None, ...]) -> tuple:
        """All of it as a gradient rule takes it; the inputs came from ``edges``."""
        return tuple(
            [
                x.tensor(edge) if type(x) is Packed else x
                for x, edge in zip(self, edges, strict=True)
            ]
        )


def pack(result: Tensor, packer: Packer) -> None:
    """Keep the values that the node of ``result`` keeps as ``packer`` says."""
    function, saved = result.node.function, result.node.saved
    result.node.saved = Values(
        [(packer(function, x) or x) if isinstance(x, Tensor) else x for x in saved]
    )
    _keep_output(result, packer)


def replace(result: Tensor, array: Array) -> None:
    """Let the result of an operation that has just been done be ``array``, for its gradient too."""
    result.array = array
    if result.node is not None:
        _keep_output(result, thread.state.packing)


def _keep_output(result: Tensor, packer: Packer | None) -> None:
    """Where the rule reads the result itself, the node keeps it, as ``packer`` says."""
    node = result.node
    if node.output is not None:
        node.output = (packer and packer(node.function, result)) or result.array


class packing:
    """A block whose operations keep what their gradients read as ``packer`` says."""

    def __init__(self, packer: Packer | None):
        self.packer = packer
        self._before: list[Packer | None] = []

    def __enter__(self) -> packing:
        self._before.append(thread.state.packing)
        thread.state.packing = self.packer
        return self

    def __exit__(self, *exc: object) -> None:
        thread.state.packing = self._before.pop()


class saved_tensors_hooks(packing):
    """A block whose operations keep ``pack_hook(value)`` of every value that a gradient will read.

    ``unpack_hook`` gets what that returned when the gradient's rule runs, once for each time, and
    returns a Tensor of the value's shape, dtype and device.  Nothing the hooks compute is recorded.
    Blocks do not add up: the innermost one's hooks are used.  Values may still not be changed in
    place before their gradient is done.

    Args:
        pack_hook: from a Tensor (detached; not to be changed in place) to anything.
        unpack_hook: from that to a Tensor.

    Raises:
        RuntimeError: at the gradient, if ``unpack_hook`` gave something else than such a Tensor.

    Source: ``torch.autograd.graph.saved_tensors_hooks``.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 3.0], requires_grad=True)
    >>> with saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
    ...     y = (x.exp()).sum()
    >>> minigan.grad(y, x)[0]  # e and e³, the latter in eleven binary digits
    tensor([ 2.71875 , 20.078125], dtype=float32)
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]):
        for name, hook in (("pack_hook", pack_hook), ("unpack_hook", unpack_hook)):
            if not callable(hook):
                raise TypeError(
                    f"saved_tensors_hooks: {name} expects a function, got {type(hook).__name__}"
                )
        super().__init__(self._pack)
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def _pack(self, function: Any, x: Tensor) -> Packed:
        with packing(None), no_grad():
            kept = self.pack_hook(Tensor(x.array, None, x.version))
        like = x.shape, x.dtype, x.device

        def unpack(kept: Any) -> Array:
            with packing(None), no_grad():
                made = self.unpack_hook(kept)
            if not isinstance(made, Tensor) or (made.shape, made.dtype, made.device) != like:
                got = _described(made) if isinstance(made, Tensor) else type(made).__name__
                raise RuntimeError(
                    f"saved_tensors_hooks: unpack_hook has to give a Tensor of shape {like[0]}, "
                    f"{like[1]}, on {like[2]} for {type(function).__name__}, got {got}"
                )
            return made.array

        return Packed(x, kept, unpack)


def _described(x: Tensor) -> str:
    return f"one of shape {x.shape}, {x.dtype}, on {x.device}"


class save_on_cpu(saved_tensors_hooks):
    """A block whose operations keep on the CPU what their gradients will read.

    It makes room on a GPU, at the price of two copies that the GPU waits for.

    Args:
        pin_memory: of PyTorch's signature; the memory is never page-locked.

    Source: ``torch.autograd.graph.save_on_cpu``.

    >>> import minigan
    >>> x = minigan.tensor([2.0], requires_grad=True)
    >>> with save_on_cpu():
    ...     y = x * x
    >>> minigan.grad(y, x)[0]
    tensor([4.], dtype=float32)
    """

    def __init__(self, pin_memory: bool = False):
        super().__init__(
            lambda x: (x.device, x.cpu() if x.device.type != "cpu" else x.clone()),
            lambda kept: kept[1].to(kept[0]),
        )


__all__ = ["Packed", "pack", "packing", "save_on_cpu", "saved_tensors_hooks"]
