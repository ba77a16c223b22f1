"""Tensor and Node: what is computed, and how it came about.

A Tensor is an array plus, where gradients are wanted, a Node.  The Node is the place in the
graph: a Leaf for a tensor the caller made, otherwise one application of a Function to inputs.
Graph identity lives in the Node, so any number of Tensor objects may stand for the same value,
and nothing in the graph points from a Node back to a Tensor that was made from it.

Operators and methods such as ``+`` or ``.sum()`` are bound to Tensor by ``minigan.ops``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import array as arrays
from .array import Array, Device

_numbers = itertools.count()
_ndarray = np.ndarray  # looked up for every tensor


class Node:
    """One application of a Function: inputs come before outputs, also in ``number``."""

    __slots__ = (
        "checks",
        "edges",
        "function",
        "grad",
        "hooks",
        "level",
        "number",
        "output",
        "saved",
    )
    requires_grad = True

    def __init__(
        self,
        function: Any,
        edges: tuple[Node | None, ...] = (),
        saved: tuple = (),
        output: Array | None = None,
        checks: tuple = (),
        level: int = 0,
    ):
        self.function = function  # None for a leaf
        self.edges = edges  # the nodes of the inputs that want a gradient
        self.saved: tuple | None = saved  # inputs as the rule wants them; None once freed
        self.output = output  # the output's array, if the rule reads it
        self.checks = checks  # (version, its count when saved) of every saved value
        self.level = level  # made in plain code: 0; in the gradient of a node of level k: k + 1
        self.number = next(_numbers)  # descending number is a topological order
        self.grad: Tensor | None = None  # the accumulated gradient of a leaf, or a retained one
        self.hooks: Any = None  # what to do with the gradient, see _hooks.GradientHooks

    def __repr__(self) -> str:
        return f"<{type(self.function).__name__}Backward>"


class Leaf(Node):
    """The node of a tensor that no Function made: gradients accumulate here."""

    __slots__ = ("requires_grad",)

    def __init__(self, requires_grad: bool):
        super().__init__(None)
        self.requires_grad = requires_grad


class Absent:
    """Stands in a gradient rule for a value the rule does not read: shape and dtype only."""

    __slots__ = ("dtype", "shape")

    def __init__(self, array: Array):
        self.shape, self.dtype = array.shape, array.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Tensor:
    """An n-dimensional array that can be differentiated.

    ``array`` is the NumPy or CuPy array itself, ``node`` the place in the graph (None where no
    gradient is wanted).  Make one with :func:`minigan.tensor`.  As in PyTorch, ``Tensor([1, 2])``
    copies lists into the default dtype and ``Tensor(2, 3)`` has that shape, its values not set.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.], dtype=float32)
    """

    __slots__ = ("__weakref__", "array", "node", "version")
    __array_priority__ = 100.0  # NumPy leaves `array + tensor` to Tensor.__radd__
    __array_ufunc__ = None

    def __init__(
        self,
        array: Array,
        node: Node | None = None,
        version: list[int] | None = None,
        *lengths: int,
    ):
        if type(array) is not _ndarray and isinstance(array, (list, tuple, int)):
            array, node, version = _older_way(array, node, version, *lengths), None, None
        self.array = array
        self.node = node
        # Counts in-place changes; shared by all tensors on the same memory.
        self.version = [0] if version is None else version

    # -- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    @property
    def device(self) -> Device:
        return arrays.device_of(self.array)

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    def size(self, dim: int | None = None) -> tuple[int, ...] | int:
        """The shape, or the length of one dimension."""
        return self.array.shape if dim is None else self.array.shape[dim]

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float."""
        return self.array.dtype.kind == "f"

    # -- its place in the graph

    @property
    def requires_grad(self) -> bool:
        return self.node is not None and self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients with respect to this leaf (or stop asking); returns the tensor."""
        if not self.is_leaf:
            if requires_grad:
                return self
            raise RuntimeError(
                "requires_grad_: only a leaf tensor can stop requiring grad; use detach() for "
                "the result of an operation"
            )
        if requires_grad and self.dtype.kind not in "fc":
            raise RuntimeError(
                f"requires_grad_: only float tensors can require gradients, got {self.dtype}"
            )
        if self.node is None:
            self.node = Leaf(requires_grad) if requires_grad else None
        else:
            self.node.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        return self.node is None or self.node.function is None

    @property
    def grad_fn(self) -> Node | None:
        return None if self.is_leaf else self.node

    @property
    def grad(self) -> Tensor | None:
        return None if self.node is None else self.node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and (not isinstance(value, Tensor) or value.shape != self.shape):
            raise RuntimeError(
                f"grad: expected None or a Tensor of shape {self.shape}, got "
                f"{getattr(value, 'shape', type(value).__name__)}"
            )
        if self.node is None:
            if value is None:
                return
            self.node = Leaf(False)
        self.node.grad = value

    def detach(self) -> Tensor:
        """The same memory without history."""
        return Tensor(self.array, None, self.version)

    @property
    def data(self) -> Tensor:
        """The same memory without history; assigning replaces the values' memory."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data: expected a Tensor, got {type(value).__name__}")
        self.version[0] += 1  # for a graph that still needs the old values
        self.array, self.version = value.array, value.version

    # -- to other types and devices

    def numpy(self) -> np.ndarray:
        """The NumPy array itself (no copy)."""
        if self.requires_grad:
            raise RuntimeError(
                "numpy: this tensor requires grad; use tensor.detach().numpy() instead"
            )
        if not isinstance(self.array, np.ndarray):
            raise TypeError("numpy: this tensor is on a GPU; use tensor.cpu().numpy() instead")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(
                f"item: a Tensor with {self.array.size} elements cannot be converted to a number"
            )
        return self.array.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.array.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only integer tensors can be used as an index, got {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(
                f"bool: the truth value of a Tensor with {self.array.size} elements is ambiguous"
            )
        return bool(self.array.item())

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.array.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    __hash__ = object.__hash__  # by identity, although == compares elements

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.array.ndim == 0 else format(repr(self), spec)

    def __repr__(self) -> str:
        text = np.array2string(
            arrays.to_device(self.array, "cpu"), separator=", ", prefix="tensor("
        )
        parts = [text]
        if self.dtype not in (arrays.int64, arrays.bool_):
            parts.append(f"dtype={self.dtype}")
        if self.device.type != "cpu":
            parts.append(f"device='{self.device}'")
        if self.grad_fn is not None:
            parts.append(f"grad_fn={self.grad_fn!r}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("deepcopy: only leaf tensors can be copied; use detach() or clone()")
        copy = type(self).__new__(type(self))
        Tensor.__init__(copy, self.array.copy(order="K"))
        if self.node is not None:
            copy.node = Leaf(self.node.requires_grad)
            copy.node.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        memo[id(self)] = copy
        return copy


def one_device(name: str, values: Iterable[Any]) -> None:
    """Raise RuntimeError where Tensors among ``values`` lie on several devices."""
    held = [x.array for x in values if isinstance(x, Tensor)]
    if all([type(array) is _ndarray for array in held]):  # as nearly always
        return
    devices = {str(arrays.device_of(array)): None for array in held}
    if len(devices) > 1:
        raise RuntimeError(
            f"{name}: expected all tensors on one device, got {' and '.join(devices)}; move them "
            "with tensor.to(device)"
        )


def _older_way(data: Any, *lengths: Any) -> Array:
    """The array of ``Tensor([1, 2])`` and of ``Tensor(2, 3)``."""
    if isinstance(data, int):
        shape = tuple(n for n in (data, *lengths) if n is not None)
        return np.empty(shape, dtype=arrays.get_default_dtype())
    return tensor(data, dtype=arrays.get_default_dtype(), device="cpu").array


def tensor(
    data: Any, dtype: Any = None, device: Device | str | None = None, requires_grad: bool = False
) -> Tensor:
    """A new leaf tensor holding a copy of ``data``.

    Arrays keep their dtype; Python floats become the default dtype (float32), Python ints int64.

    Args:
        data: a number, nested lists, an array or a Tensor.
        dtype: NumPy dtype or its name.
        device: "cpu", "cuda" or "cuda:N" (default: the default device where one was chosen, else
            where ``data`` are).
        requires_grad: whether gradients are wanted.

    >>> import minigan, numpy as np
    >>> minigan.tensor([[1, 2], [3, 4]]).dtype, minigan.tensor(np.zeros(2)).dtype
    (dtype('int64'), dtype('float64'))
    """
    if isinstance(data, Tensor):
        data = data.array
    typed = hasattr(data, "dtype")
    if isinstance(data, (list, tuple)) and any(hasattr(x, "dtype") for x in data):
        data = [x.detach().cpu().array if isinstance(x, Tensor) else x for x in data]
        typed = True
    if hasattr(data, "device") and not isinstance(data, np.generic):
        array = data.astype(dtype or data.dtype, copy=True)
    else:
        array = np.array(data, dtype=dtype)
        if array.dtype.kind == "f" and dtype is None and not typed:
            array = array.astype(arrays.get_default_dtype(), copy=False)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"tensor: expected numbers, got {type(data).__name__} of {array.dtype}")
    device = arrays.or_default(device)
    if device is not None:
        array = arrays.to_device(array, device)
    return Tensor(array).requires_grad_() if requires_grad else Tensor(array)
