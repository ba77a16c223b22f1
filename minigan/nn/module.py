"""Module: a tree of parameters, buffers and sub-modules with a ``forward``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Leaf, Tensor
from ..array import array_module, to_device
from ..autograd import no_grad


class Parameter(Tensor):
    """A Tensor that a Module counts among its parameters; it requires grad.

    >>> import minigan
    >>> Parameter(minigan.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        array = np.zeros(0, np.float32) if data is None else data.array
        super().__init__(array, Leaf(requires_grad))

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` did not find, and did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all networks and layers.

    Assign Parameters, Tensors given to ``register_buffer`` and Modules as attributes, and define
    ``forward``.

    >>> import minigan
    >>> class Scale(minigan.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = minigan.nn.Parameter(minigan.ones(1))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> list(Scale().state_dict())
    ['factor']
    """

    training: bool

    def __init__(self):
        for name, value in (
            ("_parameters", {}),
            ("_buffers", {}),
            ("_modules", {}),
            ("_transient", set()),  # buffers that state_dict leaves out
            ("training", True),
        ):
            object.__setattr__(self, name, value)

    # -- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before assigning attributes"
            )
        groups = (self._parameters, self._buffers, self._modules)
        if isinstance(value, Parameter):
            home = self._parameters
        elif isinstance(value, Module):
            home = self._modules
        elif name in self._parameters and value is not None:
            raise TypeError(
                f"{type(self).__name__}.{name}: expected a Parameter or None, got "
                f"{type(value).__name__}"
            )
        else:
            home = next((group for group in groups if name in group), None)
        if home is None:
            object.__setattr__(self, name, value)
            return
        for group in groups:
            if group is not home:
                group.pop(name, None)
        self.__dict__.pop(name, None)
        home[name] = value

    def __getattr__(self, name: str) -> Any:
        for group in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(group, ()):
                return self.__dict__[group][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for group in (self._parameters, self._buffers, self._modules):
            if name in group:
                del group[name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make ``param`` a parameter called ``name`` (None: there is none)."""
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make ``tensor`` part of the module's state that is not trained."""
        self._buffers[name] = tensor
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make ``module`` a sub-module called ``name``."""
        self._modules[name] = module

    # -- calling

    def forward(self, *inputs: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.forward(*inputs, **kwargs)

    # -- walking the tree

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it with their dotted names, each module once."""
        seen: set[int] = set()
        stack = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            children = [(k, m) for k, m in module._modules.items() if m is not None]
            stack += [(f"{name}.{k}" if name else k, m) for k, m in reversed(children)]

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names."""
        return ((name, m) for name, m in self._modules.items() if m is not None)

    def children(self) -> Iterator[Module]:
        """The direct sub-modules."""
        return (module for _, module in self.named_children())

    def _named(self, group: str) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in getattr(module, group).items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{prefix}.{name}" if prefix else name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names, shared ones once."""
        return self._named("_parameters")

    def parameters(self) -> Iterator[Parameter]:
        """All parameters."""
        return (value for _, value in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their dotted names."""
        return self._named("_buffers")

    def buffers(self) -> Iterator[Tensor]:
        """All buffers."""
        return (value for _, value in self.named_buffers())

    def apply(self, function: Callable[[Module], None]) -> Module:
        """Call ``function`` on every module, children first; returns the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # -- modes, gradients, dtype and device

    def train(self, mode: bool = True) -> Module:
        """Training (or, with False, evaluation) behaviour for BatchNorm, Dropout, …"""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Evaluation behaviour."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Ask, or stop asking, for the parameters' gradients."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients (or make them zero)."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = Tensor(parameter.grad.array * 0)

    def to(self, *target: Any, dtype: Any = None, device: Any = None) -> Module:
        """Float parameters and buffers with another dtype, everything on another device."""
        for value in target:
            if str(value).partition(":")[0] in ("cpu", "cuda"):
                device = value
            else:
                dtype = value
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise TypeError(f"Module.to: expected a float dtype, got {np.dtype(dtype)}")
        for tensor in [*self.parameters(), *self.buffers()]:
            for each in (tensor, tensor.grad):
                if each is None:
                    continue
                array = each.array if device is None else to_device(each.array, device)
                if dtype is not None and array.dtype.kind == "f":
                    array = array.astype(dtype, copy=False)
                each.data = Tensor(array)
        return self

    def float(self) -> Module:
        """Parameters and float buffers as float32."""
        return self.to("float32")

    def double(self) -> Module:
        """Parameters and float buffers as float64."""
        return self.to("float64")

    def cpu(self) -> Module:
        """Everything on the CPU."""
        return self.to("cpu")

    def cuda(self, device: str = "cuda") -> Module:
        """Everything on a GPU."""
        return self.to(device)

    # -- state

    def state_dict(self) -> OrderedDict[str, Tensor]:
        """Parameters and buffers by PyTorch's names, on the modules' own memory."""
        state: OrderedDict[str, Tensor] = OrderedDict()
        self._collect("", state)
        return state

    def _collect(self, prefix: str, state: OrderedDict[str, Tensor]) -> None:
        for name, value in self._parameters.items():
            if value is not None:
                state[prefix + name] = value.detach()
        for name, value in self._buffers.items():
            if value is not None and name not in self._transient:
                state[prefix + name] = value.detach()
        for name, module in self.named_children():
            module._collect(f"{prefix}{name}.", state)

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Take over the values of ``state``: Tensors or arrays by name, into existing memory.

        Raises:
            RuntimeError: names are missing or unknown (``strict``), or a shape differs; then
                nothing has been changed.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        wrong = [
            f"{name} has shape {tuple(state[name].shape)}, expected {tensor.shape}"
            for name, tensor in own.items()
            if name in state and tuple(state[name].shape) != tensor.shape
        ]
        if strict and missing:
            wrong.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            wrong.append(f"unexpected keys: {', '.join(unexpected)}")
        if wrong:
            raise RuntimeError(f"load_state_dict: {type(self).__name__}: {'; '.join(wrong)}")
        with no_grad():
            for name, tensor in own.items():
                if name in state:
                    value = state[name]
                    array = value.array if isinstance(value, Tensor) else value
                    xp = array_module(tensor.array)
                    tensor.copy_(Tensor(array if hasattr(array, "get") else xp.asarray(array)))
        return IncompatibleKeys(missing, unexpected)

    # -- printing

    def extra_repr(self) -> str:
        """A layer's own settings, for printing."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, module in self.named_children():
            inner = repr(module).replace("\n", "\n  ")
            lines.append(f"  ({name}): {inner}")
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])
